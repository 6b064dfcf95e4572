"""tar -c, -r, -u and --delete: writing archives."""

from __future__ import annotations

import errno
import io
import tarfile
from collections.abc import Generator
from typing import Any

from urltrap.machine.api import Run, decode, encode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd
from urltrap.machine.programs._compression import compress
from urltrap.machine.programs._paths import join
from urltrap.machine.programs._system import group_names, names
from urltrap.machine.programs.tar._failing import die, previous_errors
from urltrap.machine.shell.glob import compile_pattern

_MAX_TOTAL = 64_000_000
_KINDS = {"gz": "gz", "tgz": "gz", "bz2": "bz2", "xz": "xz"}


def create(c: Cmd, mode: str) -> Run:
    """Make an archive (mode "c"), add to one ("r", "u") or take from one ("delete")."""
    p = c.p
    if not c.args and not c.has("T"):
        if c.bb:
            yield from c.warn("empty archive")
            return 2
        return (yield from c.usage("Cowardly refusing to create an empty archive", 2))
    target = c.value("f")
    if target is None and p.is_tty(1):
        return (yield from die(c, "Refusing to write archive contents to terminal (missing -f option?)"))
    operands = list(c.args)
    if (listing := c.value("T")) is not None:
        operands += decode((yield from c.load(listing))).split()
    writer = _Writer(c)
    if mode != "c":
        try:
            old = tarfile.TarFile(
                fileobj=io.BytesIO((yield from c.load(target or "-", _MAX_TOTAL))), mode="r"
            )
            writer.keep(old, set(operands) if mode == "delete" else set())
        except SysError as problem:
            return (yield from die(c, f"{target}: Cannot open: {problem.words}"))
        except (tarfile.TarError, ValueError, OverflowError, EOFError):
            return (yield from die(c, "This does not look like a tar archive"))
    if mode != "delete":
        waiting = list(reversed(operands))
        while waiting:
            below = yield from writer.add(waiting.pop(), newer=mode == "u")
            if below is None:
                return (yield from die(c, f"{target or '-'}: Cannot write: No space left on device"))
            waiting.extend(reversed(below))
    writer.archive.close()
    return (yield from _write(c, writer, target))


def _write(c: Cmd, writer: _Writer, target: str | None) -> Run:
    raw = writer.buffer.getvalue()
    kind = "gz" if c.has("z") else "bz2" if c.has("j") else "xz" if c.has("J") else ""
    if c.has("a") and target:
        kind = _KINDS.get(target.rpartition(".")[2], kind)
    yield from c.p.tick(1 + len(raw) // 1024)
    data = compress(raw, kind, c.p.now()) if kind else raw
    if target in (None, "-"):
        yield from c.p.write(1, data)
    else:
        try:
            c.p.fs.write(target or "", data, mode=0o666 & ~c.p.umask)
        except SysError as problem:
            return (yield from die(c, f"{target}: Cannot open: {problem.words}"))
    return (yield from previous_errors(c)) if writer.failed else 0


class _Writer:
    """An archive that grows."""

    def __init__(self, c: Cmd) -> None:
        self.c = c
        self.buffer = io.BytesIO()
        self.archive = tarfile.TarFile(fileobj=self.buffer, mode="w", format=tarfile.GNU_FORMAT)
        self.users, self.groups = names(c.p), group_names(c.p)
        self.excluded = [compile_pattern(each) for each in c.values("exclude")]
        self.base = c.value("C") or ""
        self.linked: dict[tuple[int, int], str] = {}
        self.times: dict[str, float] = {}
        self.stripped = False
        self.failed = False
        self.total = 0
        self.told = 2 if c.value("f") in (None, "-") else 1

    def keep(self, old: tarfile.TarFile, without: set[str]) -> None:
        """Take the members of an archive over."""
        for info in old.getmembers():
            if info.name.rstrip("/") not in without:
                self.archive.addfile(info, old.extractfile(info) if info.isreg() else None)
                self.times[info.name] = info.mtime

    def add(self, name: str, *, newer: bool) -> Generator[Any, Any, list[str] | None]:
        """Add a file; the names below a directory, None where there is no more room."""
        c, p = self.c, self.c.p
        path = join(self.base, name) if self.base and not name.startswith("/") else name
        yield from p.tick(2)
        last = name.rstrip("/").rpartition("/")[2]
        if any(each.matches(name) or each.matches(last) for each in self.excluded):
            return []
        try:
            stat = p.fs.stat(path, follow=c.has("h"))
            if newer and self.times.get(name, -1.0) >= int(stat.mtime):
                return []
            info = tarfile.TarInfo(name.rstrip("/") + ("/" if stat.is_dir else ""))
            if name.startswith("/") and not c.has("P"):
                info.name = info.name.lstrip("/") or "./"
                if not self.stripped and not c.bb:
                    yield from p.err(f"{c.name}: Removing leading `/' from member names\n")
                self.stripped = True
            info.mode, info.uid, info.gid = stat.mode & 0o7777, stat.uid, stat.gid
            info.mtime = int(stat.mtime)
            info.uname = c.value("owner") or self.users.get(stat.uid, "")
            info.gname = c.value("group") or self.groups.get(stat.gid, "")
            below: list[str] = []
            data = b""
            first = self.linked.setdefault((stat.device, stat.inode), info.name)
            if stat.is_dir:
                info.type = tarfile.DIRTYPE
                below = [join(name, each) for each in p.fs.listdir(path)]
            elif stat.is_link:
                info.type, info.linkname = tarfile.SYMTYPE, p.fs.readlink(path)
            elif stat.is_file and stat.nlink > 1 and first != info.name:
                info.type, info.linkname = tarfile.LNKTYPE, first
            elif stat.is_file:
                data = p.fs.read(path)
                info.size = len(data)
            else:
                return []
        except SysError as problem:
            verb = "stat" if problem.errno == errno.ENOENT else "open"
            shown = name.rstrip("/") or "/"
            yield from c.warn(
                f"{shown if not c.bb else name}: {'' if c.bb else f'Cannot {verb}: '}{problem.words}"
            )
            self.failed = True
            return []
        self.total += len(data) + 512
        if self.total > _MAX_TOTAL:
            return None
        self.archive.addfile(info, io.BytesIO(data))
        if c.has("v"):
            yield from p.write(self.told, encode(name.rstrip("/") + ("/" if stat.is_dir else "") + "\n"))
        return below
