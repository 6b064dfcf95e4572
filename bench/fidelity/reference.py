"""The reference environments: made once from real packages, furnished with the persona's files, asked line by line."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import importlib.resources
import json
import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from fidelity.cell import FIRST_ID
from fidelity.facts import PROBE, SEED, persona_from
from urltrap.machine.api import Connection
from urltrap.machine.image import RECORDS
from urltrap.machine.image.load import persona_tree
from urltrap.machine.image.record import Entry
from urltrap.machine.persona import Persona, generate
from urltrap.machine.persona.model import Kind
from urltrap.ops.image_build import PACKAGES, _own_sources

Side = Literal["bash", "ash"]
KINDS: dict[Side, Kind] = {"bash": "debian-12", "ash": "busybox-mips"}
LAYOUT = "1"
"""Raise it when cells or the preparation change what a line answers: recorded captures are made again."""

WALL_SECONDS = 5.0
_PRIVATE = ("root", "home", "var/log", "var/tmp", "tmp", "run")
"""Folders whose content is only the persona's."""
_PACKAGES_OWN = "/var/lib/dpkg/"
"""The image keeps a shortened copy; apt needs the whole."""
_DEVICE_BITS = ("proc", "sys", "dev")
CONNECTION = Connection("ssh", "198.51.100.23", 50514, "192.0.2.10", 22, "root", 0.0)


class ReferenceError(RuntimeError):
    """The reference cannot be made or used here; the message says what is missing."""


@dataclasses.dataclass(frozen=True)
class Result:
    """What a line answered. `ended` is "exit", "wall" (stopped after the wall limit) or "output" (too much of it)."""

    stdout: bytes
    stderr: bytes
    status: int | None
    ended: str = "exit"

    def to_json(self) -> dict[str, Any]:
        """As kept in the cache."""
        encoded = [base64.b64encode(part).decode() for part in (self.stdout, self.stderr)]
        return {"stdout": encoded[0], "stderr": encoded[1], "status": self.status, "ended": self.ended}

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> Result:
        """The inverse of `to_json`."""
        out, err = base64.b64decode(row["stdout"]), base64.b64decode(row["stderr"])
        return cls(out, err, row["status"], row["ended"])


@dataclasses.dataclass(frozen=True)
class Environment:
    """One prepared reference: its folder, the persona that both sides claim, and a version for the cache."""

    side: Side
    root: Path
    persona: Persona
    version: str
    stale: bool = False
    """True where the machine's image changed since: make it again (`rebuild`), or lines that read files differ."""


class Cells:
    """A process that makes cells (`cell.py`); one line at a time."""

    def __init__(
        self, environment: Environment, shell_env: dict[str, str], cgroups: Iterable[Path] = ()
    ) -> None:
        self.environment = environment
        self._request = {
            "root": str(environment.root.parent),
            "path": "/bin/bash" if environment.side == "bash" else "/bin/ash",
            "env": shell_env,
            "cwd": "/root",
            "hostname": environment.persona.hostname,
            "wall": WALL_SECONDS,
            "cgroups": [str(group) for group in cgroups],
        }
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(Path(__file__).with_name("cell.py"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={},
        )  # fmt: skip

    def run(self, line: str) -> Result:
        """Run a line with the environment's shell, as sshd does: ``bash -c LINE``."""
        if "\0" in line:
            raise ValueError("a command line cannot hold a NUL")
        argv = [self.environment.side, "-c", line]
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({**self._request, "argv": argv}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline() or '{"error": "the cell maker ended"}')
        if "error" in answer:
            raise ReferenceError(f"{answer['error']}: cells need root and user namespaces")
        return Result.from_json(answer)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


def cgroups() -> list[Path]:
    """Control groups that bound all cells together (version 1 hierarchies); those that cannot be had are left out."""
    found = []
    for name, file, value in (("pids", "pids.max", "600"), ("memory", "memory.limit_in_bytes", str(1 << 30))):
        group = Path("/sys/fs/cgroup", name, "urltrap-fidelity")
        try:
            group.mkdir(exist_ok=True)
            (group / file).write_text(value)
        except OSError:
            continue  # the limits of each cell (rlimits) hold anyway
        found.append(group)
    return found


def can_run() -> str:
    """ "" where the reference can be made and run here, else why not."""
    if os.geteuid() != 0:
        return "cells need root"
    if shutil.which("mmdebstrap") is None:
        return "mmdebstrap is missing: apt-get install mmdebstrap"
    if shutil.which("busybox") is None:
        return "busybox is missing: apt-get install busybox"
    return ""


def load(side: Side, folder: Path, *, build: bool = True, rebuild: bool = False) -> Environment:
    """The prepared reference of `side` in `folder`; made first where it is not there and `build` is True."""
    known = folder / f"{side}.json"
    if rebuild or not known.is_file():
        if not build:
            raise ReferenceError(f"there is no reference in {folder}: run bench/fidelity.py as root once")
        _make(side, folder)
    saved = json.loads(known.read_text())
    persona = Persona.model_validate(saved["persona"])
    stale = saved["files"] != tree_digest(persona)
    return Environment(side, folder / side / "tree", persona, saved["version"], stale)


def _make(side: Side, folder: Path) -> None:
    reason = can_run()
    if reason:
        raise ReferenceError(reason)
    folder.mkdir(parents=True, exist_ok=True)
    root = folder / side / "tree"
    shutil.rmtree(root.parent, ignore_errors=True)
    root.parent.mkdir()
    if side == "bash":
        raw = folder / "debian-12.raw"
        if not raw.is_dir():
            _bootstrap(raw)
        subprocess.run(["cp", "-a", str(raw), str(root)], check=True)
    else:
        _busybox_root(root)
    _shift(root)
    now = float(int(time.time()))
    probing = Environment(side, root, persona_from_nothing(KINDS[side], now), "probe")
    with_path = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/"}
    cells = Cells(probing, with_path)
    try:
        (root / "root").mkdir(exist_ok=True)
        os.chown(root / "root", FIRST_ID, FIRST_ID)
        probe = cells.run(PROBE)
    finally:
        cells.close()
    persona = persona_from(KINDS[side], probe.stdout.decode(), now)
    prepare(root, persona)
    _shift(root, persona.installed)
    ours = ("", "bin", "lib", "lib64") if side == "ash" else ("",)
    for name in filter(lambda each: (root / each).is_dir(), ours):
        os.utime(root / name, (persona.installed, persona.installed))
    text = persona.model_dump_json()
    files = tree_digest(persona)
    facts = f"{LAYOUT}\0{side}\0{','.join(PACKAGES)}\0{text}\0{files}"
    version = hashlib.sha256(facts.encode()).hexdigest()[:16]
    (folder / f"{side}.json").write_text(
        json.dumps({"version": version, "files": files, "persona": json.loads(text)})
    )


def persona_from_nothing(kind: Kind, now: float) -> Persona:
    """A persona of the kind before the cell was asked."""
    return generate(SEED, kind, now)


def _bootstrap(raw: Path) -> None:
    building = raw.with_suffix(".building")
    shutil.rmtree(building, ignore_errors=True)
    command = ["mmdebstrap", "--quiet", "--variant=minbase", "--mode=root", f"--include={','.join(PACKAGES)}",
               "bookworm", str(building), *(str(path) for path in _own_sources())]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReferenceError(f"mmdebstrap failed ({done.returncode}): {done.stderr.strip()[-600:]}")
    locale = ["chroot", str(building), "localedef", "-i", "en_US", "-f", "UTF-8", "en_US.UTF-8"]
    subprocess.run(locale, check=True, capture_output=True)
    building.rename(raw)


def _busybox_root(root: Path) -> None:
    """The real BusyBox with its libraries; the device's own tree comes with `prepare`."""
    for name in ("bin", "proc", "sys", "dev", "tmp", "root"):
        (root / name).mkdir(parents=True, exist_ok=True)
    binary = shutil.which("busybox")
    assert binary is not None
    shutil.copy2(binary, root / "bin/busybox")
    listed = subprocess.run(["ldd", binary], capture_output=True, text=True, check=False).stdout
    for word in listed.split():
        if word.startswith("/") and Path(word).is_file():
            target = root / word.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(Path(word).resolve(), target)
    for name in ("ash", "sh", "cat", "uname", "df", "echo"):
        (root / "bin" / name).symlink_to("busybox")


def _shift(root: Path, installed: float | None = None) -> None:
    """Give every file that is not yet to the ids that the cell's users have outside (and the time `installed`)."""
    for folder, names, files in os.walk(os.fsencode(root)):
        for path in (folder, *(os.path.join(folder, name) for name in (*names, *files))):
            info = os.lstat(path)
            if info.st_uid < FIRST_ID:
                _own(path, info.st_uid, info.st_gid, None if stat.S_ISLNK(info.st_mode) else info.st_mode)
                if installed is not None:
                    os.utime(path, (installed, installed), follow_symlinks=False)


def _own(path: bytes, uid: int, gid: int, mode: int | None) -> None:
    os.chown(path, uid + FIRST_ID, gid + FIRST_ID, follow_symlinks=False)
    if mode is not None:
        os.chmod(path, stat.S_IMODE(mode))


def prepare(root: Path, persona: Persona) -> None:
    """Write the persona's tree into a reference's root: contents, links, modes, owners and times."""
    entries = claimed_tree(persona)
    _remove_strangers(root, entries)
    ordered = sorted(entries.values(), key=lambda entry: entry.path.split("/"))
    for entry in ordered:
        if entry.path != "/" and entry.path.split("/")[1] not in _DEVICE_BITS:
            _put(root, entry)
    for entry in reversed(ordered):
        path = os.fsencode(root) + os.fsencode(entry.path)
        if entry.path.split("/")[1] not in _DEVICE_BITS and os.path.lexists(path):
            when = entry.mtime or persona.installed
            os.utime(path, (when, when), follow_symlinks=False)


def of_the_device(persona: Persona) -> Persona:
    """The persona as its tree is made from it: a device's tree knows the device's processor, uname says the cell's."""
    if persona.is_server:
        return persona
    own = persona_from_nothing(persona.kind, persona.made).kernel.machine
    return persona.model_copy(update={"kernel": persona.kernel.model_copy(update={"machine": own})})


def claimed_tree(persona: Persona) -> dict[str, Entry]:
    """The files that the persona's machine has, by path."""
    blob = (importlib.resources.files("urltrap.machine.data") / RECORDS[persona.kind]).read_bytes()
    return persona_tree(blob, of_the_device(persona), {}).entries


def tree_digest(persona: Persona) -> str:
    """A digest of these files: what the reference was furnished with."""
    rows = sorted(repr(dataclasses.astuple(entry)) for entry in claimed_tree(persona).values())
    return hashlib.sha256("\n".join(rows).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _remove_strangers(root: Path, entries: dict[str, Entry]) -> None:
    for name in _PRIVATE:
        top = root / name
        if not top.is_dir() or top.is_symlink():
            continue
        for folder, names, files in os.walk(top, topdown=False):
            for each in (*files, *names):
                path = Path(folder, each)
                if "/" + str(path.relative_to(root)) in entries:
                    continue
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()


def _put(root: Path, entry: Entry) -> None:
    path = os.fsencode(root) + os.fsencode(entry.path)
    present = os.path.lexists(path)
    if entry.kind == "d":
        if not os.path.isdir(path) or os.path.islink(path):
            if present:
                os.unlink(path)
            os.makedirs(path)
    elif entry.kind == "l":
        if present and not os.path.islink(path):
            return  # a folder or the program itself stands there
        if present:
            os.unlink(path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.symlink(os.fsencode(entry.target), path)
    elif entry.kind == "f":
        _put_file(path, entry, present)
    else:
        return  # hard links of the packages are there; devices are the cell's
    _own(path, entry.uid, entry.gid, None if entry.kind == "l" else entry.mode)


def _put_file(path: bytes, entry: Entry, present: bool) -> None:
    if present and (entry.elf or entry.data is None or entry.path.startswith(_PACKAGES_OWN)):
        return
    if present:
        os.unlink(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        if entry.data is None:
            file.truncate(entry.size)
        else:
            file.write(entry.data)
