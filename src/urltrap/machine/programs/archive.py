# ruff: noqa: E501 - the programs' own texts and tables are longer than a line
"""tar."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Generator
from typing import Any

from urltrap.machine.api import Process, Run, decode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import APPLETS, Cmd, Gen, guard
from urltrap.machine.programs._compression import DecodeError, compress, decompress
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._modes import mode_text
from urltrap.machine.programs._paths import join
from urltrap.machine.programs._system import group_names, names
from urltrap.machine.programs.registry import program
from urltrap.machine.shell.glob import compile_pattern, has_magic
from urltrap.machine.shell.timeformat import strftime

_SHORT = "ctxruAdvf:C:zjJZaphkmoOPSWX:T:wb:g:K:N:lhUB"
_LONG = {
    "create": "", "list": "", "extract": "", "get": "", "file": ":", "directory": ":", "verbose": "", "gzip": "", "gunzip": "", "bzip2": "", "xz": "",
    "auto-compress": "", "exclude": ":", "strip-components": ":", "to-stdout": "", "overwrite": "", "keep-old-files": "", "no-same-owner": "",
    "same-owner": "", "preserve-permissions": "", "absolute-names": "", "files-from": ":", "version": "", "help": "", "append": "", "wildcards": "",
    "touch": "", "no-same-permissions": "", "totals": "", "numeric-owner": "", "transform": ":", "owner": ":", "group": ":", "zstd": "", "lzma": "",
    "warning": ":", "checkpoint": "::", "exclude-vcs": "", "ignore-failed-read": "", "one-file-system": "", "show-transformed-names": "",
}  # fmt: skip
_NAMES = {"create": "c", "list": "t", "extract": "x", "get": "x", "file": "f", "directory": "C", "verbose": "v", "gzip": "z", "gunzip": "z", "bzip2": "j",
          "xz": "J", "auto-compress": "a", "to-stdout": "O", "keep-old-files": "k", "absolute-names": "P", "files-from": "T", "append": "r"}  # fmt: skip
_MAX_TOTAL = 64_000_000


def _register() -> None:
    for flavour in (False, True):

        def tar(p: Process, flavour: bool = flavour) -> Run:
            words = list(p.argv[1:])
            if words and not words[0].startswith("-"):
                words = _old_style(words)
            try:
                found, args = getopt(words, _SHORT, _LONG)
            except OptionError as problem:
                c = Cmd(p, [], [], flavour)
                c.hint = "Try '{0} --help' or '{0} --usage' for more information.\n"
                return (yield from c.usage(str(problem), 64))
            opts = [
                (_NAMES.get(name[2:], name[2:]) if name.startswith("--") else name, value)
                for name, value in found
            ]
            return (yield from guard(Cmd(p, opts, args, flavour), _tar))

        if flavour:
            APPLETS["tar"] = tar
        else:
            program("tar")(tar)


def _old_style(words: list[str]) -> list[str]:
    """``tar xzf a.tar`` with its values taken from the words behind."""
    letters, rest = words[0], words[1:]
    out: list[str] = []
    for letter in letters:
        at = _SHORT.find(letter)
        if at >= 0 and _SHORT[at + 1 : at + 2] == ":":
            out += ["-" + letter, *([rest.pop(0)] if rest else [])]
        else:
            out.append("-" + letter)
    return out + rest


def _tar(c: Cmd) -> Run:
    if c.has("version"):
        yield from c.p.out("tar (GNU tar) 1.34\n" if not c.bb else "tar (busybox) 1.35.0\n")
        return 0
    if c.has("help"):
        yield from c.p.out(f"Usage: {c.name} [OPTION...] [FILE]...\n")
        return 0
    modes = [name for name in "ctxru" if c.has(name)]
    if not modes:
        if c.bb:
            return (yield from c.usage())
        yield from c.p.err(f"{c.name}: You must specify one of the '-Acdtrux', '--delete' or '--test-label' options\n"
                           f"Try '{c.name} --help' or '{c.name} --usage' for more information.\n")  # fmt: skip
        return 2
    if len(modes) > 1:
        yield from c.p.err(f"{c.name}: You may not specify more than one '-Acdtrux', '--delete' or  '--test-label' option\n"
                           f"Try '{c.name} --help' or '{c.name} --usage' for more information.\n")  # fmt: skip
        return 2
    if modes[0] in "cru":
        return (yield from _create(c))
    return (yield from _read(c, modes[0] == "x"))


def _die(c: Cmd, text: str) -> Generator[Any, Any, int]:
    yield from c.flush()
    yield from c.p.err(f"{c.name}: {text}\n")
    if not c.bb:
        yield from c.p.err(f"{c.name}: Error is not recoverable: exiting now\n")
        return 2
    return 1


def _child_died(c: Cmd, text: str) -> Generator[Any, Any, int]:
    """What is said where the compressor's child cannot open the archive."""
    yield from c.flush()
    yield from c.p.err(
        f"{c.name} (child): {text}\n{c.name} (child): Error is not recoverable: exiting now\n"
        f"{c.name}: Child returned status 2\n{c.name}: Error is not recoverable: exiting now\n"
    )
    return 2


def _create(c: Cmd) -> Run:
    p = c.p
    if not c.args and not c.has("T"):
        yield from p.err(f"{c.name}: Cowardly refusing to create an empty archive\nTry '{c.name} --help' or '{c.name} --usage' for more information.\n"
                         if not c.bb else f"{c.name}: empty archive\n")  # fmt: skip
        return 2
    target = c.value("f")
    if target is None and p.is_tty(1):
        return (yield from _die(c, "Refusing to write archive contents to terminal (missing -f option?)"))
    base = c.value("C") or ""
    buffer = io.BytesIO()
    users, groups = names(p), group_names(p)
    excluded = [compile_pattern(each) for each in c.values("exclude")]
    operands = list(c.args)
    if (listing := c.value("T")) is not None:
        operands += decode((yield from c.load(listing))).split()
    stripped = False
    failed = False
    total = 0
    archive = tarfile.TarFile(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT)
    waiting = list(reversed(operands))
    told = 2 if target in (None, "-") else 1
    while waiting:
        name = waiting.pop()
        path = join(base, name) if base and not name.startswith("/") else name
        yield from p.tick(2)
        if any(each.matches(name) or each.matches(name.rstrip("/").rpartition("/")[2]) for each in excluded):
            continue
        try:
            stat = p.fs.stat(path, follow=c.has("h"))
            info = tarfile.TarInfo(name.rstrip("/") + ("/" if stat.is_dir else ""))
            if name.startswith("/") and not c.has("P"):
                info.name = info.name.lstrip("/") or "./"
                if not stripped and not c.bb:
                    yield from p.err(f"{c.name}: Removing leading `/' from member names\n")
                stripped = True
            info.mode, info.uid, info.gid, info.mtime = (
                stat.mode & 0o7777,
                stat.uid,
                stat.gid,
                int(stat.mtime),
            )
            info.uname, info.gname = users.get(stat.uid, ""), groups.get(stat.gid, "")
            data = b""
            if stat.is_dir:
                info.type = tarfile.DIRTYPE
                waiting.extend(join(name, each) for each in reversed(p.fs.listdir(path)))
            elif stat.is_link:
                info.type, info.linkname = tarfile.SYMTYPE, p.fs.readlink(path)
            elif stat.is_file:
                data = p.fs.read(path)
                info.size = len(data)
            else:
                continue
        except SysError as problem:
            yield from p.err(f"{c.name}: {name.rstrip('/') or '/'}: Cannot {'stat' if problem.errno == 2 else 'open'}: {problem.words}\n" if not c.bb
                             else f"{c.name}: {name}: {problem.words}\n")  # fmt: skip
            failed = True
            continue
        total += len(data) + 512
        if total > _MAX_TOTAL:
            return (yield from _die(c, f"{target or '-'}: Cannot write: No space left on device"))
        archive.addfile(info, io.BytesIO(data))
        if c.has("v"):
            yield from p.write(
                told,
                (name.rstrip("/") + ("/" if stat.is_dir else "") + "\n").encode("utf-8", "surrogateescape"),
            )
    archive.close()
    raw = buffer.getvalue()
    kind = "gz" if c.has("z") else "bz2" if c.has("j") else "xz" if c.has("J") else ""
    if c.has("a") and target:
        kind = {"gz": "gz", "tgz": "gz", "bz2": "bz2", "xz": "xz"}.get(target.rpartition(".")[2], kind)
    yield from p.tick(1 + len(raw) // 1024)
    data = compress(raw, kind, p.now()) if kind else raw
    if target in (None, "-"):
        yield from p.write(1, data)
    else:
        try:
            p.fs.write(target or "", data, mode=0o666 & ~p.umask)
        except SysError as problem:
            return (yield from _die(c, f"{target}: Cannot open: {problem.words}"))
    if failed:
        yield from p.err(f"{c.name}: Exiting with failure status due to previous errors\n")
        return 2
    return 0


def _read(c: Cmd, extract: bool) -> Run:
    p = c.p
    source = c.value("f") or "-"
    if (folder := c.value("C")) is not None and extract:
        try:
            p.fs.listdir(folder)
        except SysError as problem:
            return (yield from _die(c, f"{folder}: Cannot open: {problem.words}"))
    if source == "-" and p.is_tty(0):
        return (yield from _die(c, "Refusing to read archive contents from terminal (missing -f option?)"))
    try:
        raw = yield from c.load(source)
    except SysError as problem:
        if c.bb:
            yield from p.err(f"{c.name}: can't open '{source}': {problem.words}\n")
            return 1
        die = _child_died if c.has("z", "j", "J") else _die
        return (yield from die(c, f"{source}: Cannot open: {problem.words}"))
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
        return (yield from _die(c, f"Archive is compressed. Use {flag} option"))
    try:
        archive = tarfile.TarFile(fileobj=io.BytesIO(data), mode="r")
        members = archive.getmembers()
    except (tarfile.TarError, ValueError, OverflowError, EOFError):
        if c.bb:
            yield from p.err(f"{c.name}: invalid tar magic\n" if data else f"{c.name}: short read\n")
            return 1
        yield from p.err(f"{c.name}: This does not look like a tar archive\n")
        yield from p.err(f"{c.name}: Exiting with failure status due to previous errors\n")
        return 2
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
    for info in members[:50_000]:
        yield from p.tick(3)
        name = info.name + ("/" if info.isdir() else "")
        if not _wanted(c, name, seen) or any(each.matches(info.name) for each in excluded):
            continue
        if not extract or verbose:
            line = _long_line(info, name) if (not extract and verbose) or verbose > 1 else name
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
        yield from p.err(f"{c.name}: Exiting with failure status due to previous errors\n")
        return 2
    return 1 if failed else 0


def _long_line(info: tarfile.TarInfo, name: str) -> str:
    kind = 0o040000 if info.isdir() else 0o120000 if info.issym() else 0o100000
    owner = f"{info.uname or info.uid}/{info.gname or info.gid}"
    moment = min(max(info.mtime, 0), 4e9)
    size = str(info.size)
    pad = max(1, 18 - len(owner) - len(size))
    tail = f" -> {info.linkname}" if info.issym() else f" link to {info.linkname}" if info.islnk() else ""
    return f"{mode_text(kind | info.mode & 0o7777)} {owner}{' ' * pad}{size} {strftime('%Y-%m-%d %H:%M', moment)} {name}{tail}"


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


_register()
