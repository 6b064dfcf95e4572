"""Make the root file system of the boxes: `urltrap image build --sandbox`.

The same packages as those of the recorded base images, kept as a tree on disk whose owners are a box's.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from urltrap.machine.persona import Persona
from urltrap.ops.image_build import BuildError, make_root, suite_of
from urltrap.sandbox.driver import SandboxError
from urltrap.sandbox.images import replace_image
from urltrap.sandbox.init import compile_init
from urltrap.sandbox.process import image_folder
from urltrap.sandbox.tree import shift

_MACHINE_OWN = (
    "etc/hostname",
    "etc/machine-id",
    "etc/resolv.conf",
    "etc/apt/sources.list",
    "etc/apt/sources.list.d",
    "var/lib/dbus/machine-id",
    "var/lib/apt/lists",
    "var/log",
)
"""What says where the tree was made; the persona brings its own."""


def build_sandbox_image(data: Path) -> Path:
    """Make (or make anew) the tree for the persona of a data folder; the folder that it is in.

    BuildError where there is no persona, root, mmdebstrap or C compiler, or the packages cannot be had. A tree that
    boxes stand on is replaced, not changed, and kept until the first call after they are gone.
    """
    try:
        persona = Persona.model_validate(json.loads((data / "persona.json").read_bytes()))
    except (OSError, ValueError) as error:
        raise BuildError(
            f"{data} has no persona of this version ({error}); urltrap init makes one"
        ) from error
    place = image_folder(data, persona)
    suite = suite_of(place.name)
    place.parent.mkdir(mode=0o700, exist_ok=True)
    new = place.with_suffix(".new")
    if new.exists():
        shutil.rmtree(new)
    try:
        compile_init(place.parent)
        make_root(suite, new)
        _forget_builder(new)
        shift(new)
        replace_image(new, place)
    except (SandboxError, OSError) as error:
        raise BuildError(str(error)) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return place


def _forget_builder(root: Path) -> None:
    for name in _MACHINE_OWN:
        path = root / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
            path.mkdir()
        else:
            path.unlink(missing_ok=True)
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
