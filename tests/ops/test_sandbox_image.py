"""The root of the boxes, made with a few files in place of packages."""

import os
import shutil
from pathlib import Path

import pytest

from urltrap.machine.persona import generate
from urltrap.ops import sandbox_image
from urltrap.ops.image_build import BuildError
from urltrap.ops.sandbox_image import build_sandbox_image
from urltrap.sandbox.bundle import FIRST_UID
from urltrap.sandbox.images import open_image, read_init

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("gcc") is None, reason="owners are changed by root, and gcc compiles"
)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def make_root(suite: str, root: Path) -> None:
        (root / "etc/ssh").mkdir(parents=True)
        (root / "etc/hostname").write_text("builder")
        (root / "etc/ssh/ssh_host_rsa_key").write_text("secret")
        (root / "etc/suite").write_text(suite)

    monkeypatch.setattr(sandbox_image, "make_root", make_root)
    monkeypatch.setattr(sandbox_image, "suite_of", lambda kind: "bookworm")
    (tmp_path / "persona.json").write_text(generate(b"b" * 32, "debian-12", 1.7e9).model_dump_json())
    return tmp_path


def test_a_tree_is_made_with_its_first_process_and_nothing_of_the_builder(data: Path) -> None:
    place = build_sandbox_image(data)
    assert sorted(each.name for each in (place / "etc").iterdir()) == ["ssh", "suite"]
    assert list((place / "etc/ssh").iterdir()) == []
    assert (place / "etc/suite").stat().st_uid == FIRST_UID
    assert read_init(place).startswith(b"\x7fELF")


def test_building_anew_leaves_boxes_their_tree(data: Path) -> None:
    used = open_image(build_sandbox_image(data))
    place = build_sandbox_image(data)
    assert (place / "etc/suite").is_file()
    assert os.listdir(used) == ["etc"], "a box stands on it"
    os.close(used)
    build_sandbox_image(data)
    assert len([each for each in place.parent.iterdir() if each.is_dir()]) == 1


def test_without_a_compiler_no_package_is_fetched(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(data))
    monkeypatch.setattr(sandbox_image, "make_root", lambda suite, root: pytest.fail("packages are fetched"))
    with pytest.raises(BuildError, match="no C compiler"):
        build_sandbox_image(data)
