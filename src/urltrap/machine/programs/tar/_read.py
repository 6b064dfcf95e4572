"""tar -t and -x: reading archives."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Generator
from typing import Any

from urltrap.machine.api import Process, Run
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, Gen
from urltrap.machine.programs._compression import DecodeError, decompress
from urltrap.machine.programs._modes import mode_text
from urltrap.machine.programs._paths import join
from urltrap.machine.programs._zone import local
from urltrap.machine.programs.tar._failing import child_died, die, previous_errors
from urltrap.machine.shell.glob import compile_pattern, has_magic

_MAX_TOTAL = 64_000_000


def read(c: Cmd, extract: bool) -> Run:
    """List an archive, or unpack it."""
    p = c.p
    source = c.value("f") or "-"
    if (folder := c.value("C")) is not None and extract:
        try:
            p.fs.listdir(folder)
        except SysError as problem:
            return (yield from die(c, f"{folder}: Cannot open: {problem.words}"))
    if source == "-" and p.is_tty(0):
        return (yield from die(c, "Refusing to read archive contents from terminal (missing -f option?)"))
    try:
        raw = yield from c.load(source, _MAX_TOTAL)
    except SysError as problem:
        if c.bb:
            yield from p.err(f"{c.name}: can't open '{source}': {problem.words}\n")
            return 1
        give_up = child_died if c.has("z", "j", "J") else die
        return (yield from give_up(c, f"{source}: Cannot open: {problem.words}"))
    yield from p.tick(1 + len(raw) // 1024)
    try:
        data, kind = decompress(raw, _MAX_TOTAL)
    except DecodeError:
        data, kind = raw, ""
    if kind == "" and c.has("z", "j", "J") and not c.bb:
        helper = "gzip" if c.has("z") else "bzip2" if c.has("j") else "xz"
        yield from p.err(
            f"\n{helper}: stdin: not in {helper} format\n"
            if helper != "xz"
            else "xz: (stdin): File format not recognized\n"
        )
        yield from p.err(
            f"{c.name}: Child returned status 1\n{c.name}: Error is not recoverable: exiting now\n"
        )
        return 2
    if kind and source == "-" and not c.has("z", "j", "J", "a") and not c.bb:
        flag = {"gz": "-z", "bz2": "-j", "xz": "-J"}[kind]
        return (yield from die(c, f"Archive is compressed. Use {flag} option"))
    try:
        archive = tarfile.TarFile(fileobj=io.BytesIO(data), mode="r")
        members = archive.getmembers()
    except (tarfile.TarError, ValueError, OverflowError, EOFError):
        if c.bb:
            yield from p.err(f"{c.name}: invalid tar magic\n" if data else f"{c.name}: short read\n")
            return 1
        yield from p.err(f"{c.name}: This does not look like a tar archive\n")
        return (yield from previous_errors(c))
    return (yield from _members(c, archive, members, extract))


def _wanted(c: Cmd, name: str, seen: set[str]) -> bool:
    if not c.args:
        return True
    bare = name.rstrip("/")
    for each in c.args:
        goal = each.rstrip("/")
        if (
            bare == goal
            or bare.startswith(goal + "/")
            or (has_magic(goal) and compile_pattern(goal).matches(bare))
        ):
            seen.add(each)
            return True
    return False


def _members(c: Cmd, archive: tarfile.TarFile, members: list[tarfile.TarInfo], extract: bool) -> Run:
    p = c.p
    seen: set[str] = set()
    strip = c.value("strip-components") or "0"
    levels = int(strip[:4]) if strip.isdecimal() else 0
    excluded = [compile_pattern(each) for each in c.values("exclude")]
    verbose = len(c.values("v"))
    failed = False
    if any(info.name.startswith("/") for info in members) and not c.has("P") and not c.bb:
        yield from p.err(f"{c.name}: Removing leading `/' from member names\n")
    for info in members[:50_000]:
        yield from p.tick(3)
        name = info.name + ("/" if info.isdir() else "")
        if not _wanted(c, name, seen) or any(each.matches(info.name) for each in excluded):
            continue
        if not extract or verbose:
            line = _long_line(p, info, name) if (not extract and verbose) or verbose > 1 else name
            yield from c.p.write(2 if c.has("O") else 1, (line + "\n").encode("utf-8", "surrogateescape"))
        if extract:
            failed = (yield from _extract(c, archive, info, levels)) or failed
    for each in c.args:
        if each not in seen:
            yield from p.err(
                f"{c.name}: {each}: {'not found in archive' if c.bb else 'Not found in archive'}\n"
            )
            failed = True
    if failed and not c.bb:
        return (yield from previous_errors(c))
    return 1 if failed else 0


def _long_line(p: Process, info: tarfile.TarInfo, name: str) -> str:
    kind = 0o040000 if info.isdir() else 0o120000 if info.issym() else 0o100000
    shown = ("h" if info.islnk() else "") + mode_text(kind | info.mode & 0o7777)[1 if info.islnk() else 0 :]
    owner = f"{info.uname or info.uid}/{info.gname or info.gid}"
    at = local(p, min(max(info.mtime, 0), 4e9))
    size = str(info.size)
    pad = max(1, 18 - len(owner) - len(size))
    tail = f" -> {info.linkname}" if info.issym() else f" link to {info.linkname}" if info.islnk() else ""
    return f"{shown} {owner}{' ' * pad}{size} {at.clock:%Y-%m-%d %H:%M} {name}{tail}"


def _extract(
    c: Cmd, archive: tarfile.TarFile, info: tarfile.TarInfo, levels: int
) -> Generator[Any, Any, bool]:
    """Put one member into the tree; True where it failed."""
    p = c.p
    name = info.name if c.has("P") else info.name.lstrip("/")
    parts = [part for part in name.split("/") if part and part != "."]
    if ".." in parts and not c.has("P"):
        yield from p.err(f"{c.name}: {name}: Member name contains '..'\n")
        return True
    parts = parts[levels:]
    if not parts:
        return False
    path = ("/" if name.startswith("/") else "") + "/".join(parts)
    if base := c.value("C"):
        path = join(base, path)
    try:
        if c.has("O"):
            if info.isreg():
                member = archive.extractfile(info)
                yield from c.put(member.read() if member is not None else b"")
            return False
        yield from _parents(p, path)
        if info.isdir():
            try:
                p.fs.mkdir(path, info.mode & 0o777 | 0o700)
            except SysError as problem:
                if problem.errno != 17:
                    raise
            p.fs.chmod(path, info.mode & 0o7777)
            return False
        if c.has("k"):
            try:
                p.fs.stat(path, follow=False)
            except SysError:
                pass  # free
            else:
                yield from p.err(f"{c.name}: {name}: Cannot open: File exists\n")
                return True
        try:
            p.fs.unlink(path)
        except SysError:
            pass  # nothing was there
        if info.issym():
            p.fs.symlink(info.linkname, path)
        elif info.islnk():
            target = join(base, info.linkname) if (base := c.value("C")) else info.linkname
            p.fs.link(target, path)
        elif info.isreg():
            member = archive.extractfile(info)
            p.fs.write(path, member.read() if member is not None else b"", mode=info.mode & 0o777)
            p.fs.chmod(path, info.mode & (0o7777 if p.uid == 0 else 0o777))
            if p.uid == 0 and not c.has("no-same-owner", "o"):
                p.fs.chown(path, max(info.uid, 0), max(info.gid, 0))
            if not c.has("m", "touch"):
                moment = float(min(max(info.mtime, 0), 4e9))
                p.fs.utime(path, moment, moment)
    except SysError as problem:
        yield from p.err(
            f"{c.name}: {name}: Cannot open: {problem.words}\n"
            if not c.bb
            else f"{c.name}: can't open '{path}': {problem.words}\n"
        )
        return True
    except (tarfile.TarError, ValueError, OverflowError):
        yield from p.err(f"{c.name}: Unexpected EOF in archive\n")
        return True
    return False


def _parents(p: Process, path: str) -> Gen:
    walked = "/" if path.startswith("/") else ""
    for part in [each for each in path.split("/") if each][:-1]:
        walked = join(walked, part) if walked else part
        try:
            p.fs.mkdir(walked, 0o777 & ~p.umask)
        except SysError as problem:
            if problem.errno != 17:
                raise
    yield from p.tick()
