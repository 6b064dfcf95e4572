"""What we run in a box ourselves (`init.c`): compiled once, told what to show, handed over as a descriptor."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from urltrap.machine.persona import Persona
from urltrap.sandbox.bundle import Command
from urltrap.sandbox.driver import SandboxError

SOURCE = Path(__file__).with_name("init.c")
NAME = f"init-{hashlib.blake2b(SOURCE.read_bytes(), digest_size=4).hexdigest()}"
"""The file beside the images: one that an older version compiled is not taken for this one's."""
PLACE = "/init"
"""Where it is in a box until its first process has begun, which removes it."""
LAUNCHER = "/proc/self/fd/3"
COMPILERS = (("musl-gcc",), ("gcc",), ("cc",), ("clang",), ("tcc",))
_REMEDY = "apt-get install gcc libc6-dev (musl-tools or tcc do as well)"
_SEPARATOR = "\x1f"
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


def compile_init(folder: Path, compilers: Iterable[tuple[str, ...]] = COMPILERS) -> Path:
    """Compile it into `folder` by the first compiler that can; the file. SandboxError where none can."""
    place, new = folder / NAME, folder / f"{NAME}.new"
    said = []
    for command in compilers:
        if shutil.which(command[0]) is None:
            continue
        done = subprocess.run(
            [*command, "-static", "-Os", "-o", str(new), str(SOURCE)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            new.chmod(0o755)
            new.replace(place)
            return place
        new.unlink(missing_ok=True)
        said.append(f"{command[0]}: {done.stderr.strip()[-200:]}")
    if said:
        raise SandboxError(f"the boxes' first process cannot be compiled ({'; '.join(said)}); {_REMEDY}")
    raise SandboxError(f"there is no C compiler for the boxes' first process: {_REMEDY}")


REAL = frozenset({"cron"})
"""Services that run and are not just shown: what attackers leave to them is to happen."""


def residents(persona: Persona) -> list[str]:
    """The services of a persona as the first process takes them; the same that the emulated `ps` shows."""
    return [
        _SEPARATOR.join(
            (str(each.uid), str(each.uid), ("+" if each.comm in REAL else "") + each.comm[:15], *each.argv)
        )
        for each in persona.residents
        if each.argv and each.pid != 1
    ]


def launched(command: Command) -> Command:
    """The same program, started by the launcher, which is descriptor 3; its pipes are 4 to 6."""
    kind = "pipes" if command.terminal is None else "terminal"
    argv = [LAUNCHER, kind, command.folder, command.argv[0], *command.argv]
    return replace(command, argv=argv, folder="/")


def sealed(program: bytes) -> int:
    """A descriptor of a program that has no path and that nobody can change: boxes execute it, and see it meanwhile."""
    file = os.memfd_create("init", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        with open(file, "wb", closefd=False) as writer:
            writer.write(program)
        os.fchmod(file, 0o755)
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, _SEALS)
    except BaseException:
        os.close(file)
        raise
    return file
