"""stat and du."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any

from urltrap.machine.api import Process, Run, Stat
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, command, shell_quote
from urltrap.machine.programs._modes import kind_words, mode_text
from urltrap.machine.programs._paths import join
from urltrap.machine.programs._system import group_names, human, names
from urltrap.machine.programs._zone import local
from urltrap.machine.programs.head import size_of
from urltrap.machine.shell.timeformat import strftime


def _when(p: Process, moment: float) -> str:
    at = local(p, moment)
    nano = round((moment % 1) * 1e9) % 1_000_000_000
    minutes = abs(at.offset) // 60
    zone = f"{'-' if at.offset < 0 else '+'}{minutes // 60:02d}{minutes % 60:02d}"
    return f"{strftime('%Y-%m-%d %H:%M:%S', moment + at.offset)}.{nano:09d} {zone}"


@command(
    "stat",
    short="Lfc:t",
    bb="Lfc:tz",
    long={
        "dereference": "L",
        "file-system": "f",
        "format:": "c",
        "printf:": "printf",
        "terse": "t",
        "cached:": "cached",
    },
)
def stat(c: Cmd) -> Run:
    """What is known of files."""
    if not c.args:
        return (yield from c.usage("missing operand" if not c.bb else ""))
    users, groups = names(c.p), group_names(c.p)
    template, end = (c.value("printf"), "") if c.has("printf") else (c.value("c"), "\n")
    for path in c.args:
        try:
            found = c.p.fs.stat(path, follow=c.has("L"))
        except SysError as problem:
            verb = (
                "can't stat"
                if c.bb
                else "cannot statx"
                if not c.has("f")
                else "cannot read file system information for"
            )
            yield from c.fail(f"{verb} {c.quoted(path)}: {problem.words}")
            continue
        if c.has("f"):
            yield from c.say(_file_system(c, path, template, end))
        elif template is not None:
            yield from c.say(
                _fill(c, template if not c.has("printf") else _escapes(template), path, found, users, groups)
                + end
            )
        elif c.has("t"):
            yield from c.say(
                _fill(c, "%n %s %b %f %u %g %D %i %h %t %T %X %Y %Z %W %o", path, found, users, groups) + "\n"
            )
        else:
            yield from c.say(_report(c, path, found, users, groups))
    return c.status


def _report(c: Cmd, path: str, found: Stat, users: dict[int, str], groups: dict[int, str]) -> str:
    p = c.p
    shown = path
    if found.is_link:
        shown = f"{path} -> {p.fs.readlink(path)}" if not c.bb else f"'{path}' -> '{p.fs.readlink(path)}'"
    device = f"{found.device >> 8},{found.device & 255}" if not c.bb else f"{found.device:x}h/{found.device}d"
    kind = kind_words(found)
    special = found.mode & 0o170000 in (0o020000, 0o060000)
    row = f"Device: {device}\tInode: {found.inode:<10}  Links: {found.nlink}"
    if special:
        numbers = f"{found.rdev[0]},{found.rdev[1]}"
        row = f"Device: {device}\tInode: {found.inode:<10}  Links: {found.nlink:<5} Device type: {numbers}"
    return (
        f"  File: {shown}\n  Size: {found.size:<10}\tBlocks: {found.blocks:<10} IO Block: 4096   {kind}\n{row}\n"
        f"Access: ({found.mode & 0o7777:04o}/{mode_text(found.mode)})  Uid: "
        f"({found.uid:5d}/{users.get(found.uid, 'UNKNOWN'):>8})   "
        f"Gid: ({found.gid:5d}/{groups.get(found.gid, 'UNKNOWN'):>8})\n"
        f"Access: {_when(p, found.atime)}\nModify: {_when(p, found.mtime)}\nChange: {_when(p, found.ctime)}\n"
        + ("" if c.bb else f" Birth: {_when(p, min(found.ctime, found.mtime))}\n")
    )


def _escapes(text: str) -> str:
    known = {
        "n": "\n",
        "t": "\t",
        "\\": "\\",
        "0": "\0",
        "r": "\r",
        "a": "\a",
        "b": "\b",
        "f": "\f",
        "v": "\v",
        '"': '"',
    }
    return re.sub(r"\\(.)", lambda match: known.get(match[1], match[0]), text)


def _fill(
    c: Cmd, template: str, path: str, found: Stat, users: dict[int, str], groups: dict[int, str]
) -> str:
    p = c.p

    def one(match: re.Match[str]) -> str:
        letter = match[2]
        if letter == "%":
            return "%"
        quoted = shell_quote(path, True) + (
            f" -> {shell_quote(p.fs.readlink(path), True)}" if found.is_link else ""
        )
        value = {
            "n": path,
            "N": quoted,
            "s": str(found.size),
            "b": str(found.blocks),
            "B": "512",
            "f": f"{found.mode:x}",
            "a": f"{found.mode & 0o7777:o}",
            "A": mode_text(found.mode),
            "F": kind_words(found),
            "u": str(found.uid),
            "g": str(found.gid),
            "U": users.get(found.uid, "UNKNOWN"),
            "G": groups.get(found.gid, "UNKNOWN"),
            "i": str(found.inode),
            "h": str(found.nlink),
            "d": str(found.device),
            "D": f"{found.device:x}",
            "t": f"{found.rdev[0]:x}",
            "T": f"{found.rdev[1]:x}",
            "o": "4096",
            "X": str(int(found.atime)),
            "Y": str(int(found.mtime)),
            "Z": str(int(found.ctime)),
            "W": str(int(min(found.ctime, found.mtime))),
            "x": _when(p, found.atime),
            "y": _when(p, found.mtime),
            "z": _when(p, found.ctime),
            "w": _when(p, min(found.ctime, found.mtime)),
            "m": "/",
            "C": "?",
        }.get(letter)
        if value is None:
            return "?"
        width = match[1]
        size = int(re.sub(r"\D", "", width)[:4] or 0)
        return (
            value.ljust(size)
            if width.startswith("-")
            else value.rjust(size, "0" if width.startswith("0") else " ")
        )

    return re.sub(r"%([-#0 +]*\d*)([a-zA-Z%])", one, template)


def _file_system(c: Cmd, path: str, template: str | None, end: str) -> str:
    persona = c.p.persona
    disk = getattr(persona, "disk_bytes", 0) or 26_000_000_000
    blocks = disk // 4096
    free = blocks * 71 // 100
    values = {
        "n": path,
        "T": "ext2/ext3",
        "b": str(blocks),
        "f": str(free),
        "a": str(free * 93 // 100),
        "s": "4096",
        "S": "4096",
        "i": "0",
        "l": "255",
        "t": "ef53",
        "c": str(blocks // 4),
        "d": str(blocks // 5),
    }
    if template is not None:
        return re.sub(r"%(.)", lambda match: values.get(match[1], "?"), template) + end
    return (
        f'  File: "{path}"\n    ID: {c.p.fs.stat("/").device:x} Namelen: 255     Type: ext2/ext3\n'
        "Block size: 4096       Fundamental block size: 4096\n"
        f"Blocks: Total: {values['b']:<10} Free: {values['f']:<10} Available: {values['a']}\n"
        f"Inodes: Total: {values['c']:<10} Free: {values['d']}\n"
    )


_DU = {
    "all": "a",
    "apparent-size": "apparent",
    "bytes": "b",
    "total": "c",
    "dereference": "L",
    "dereference-args": "D",
    "human-readable": "h",
    "si": "si",
    "max-depth:": "d",
    "summarize": "s",
    "separate-dirs": "S",
    "one-file-system": "x",
    "exclude:": "exclude",
    "block-size:": "B",
    "null": "0",
    "threshold:": "t",
    "time::": "time",
    "count-links": "l",
    "inodes": "inodes",
}


@command("du", short="0aB:bcDd:hHkLlmPsSt:xX:", bb="aHLdlchkmsx", long=_DU)
def du(c: Cmd) -> Run:
    """How much space directories take."""
    depth = c.value("d")
    if depth is not None and not depth.isdecimal():
        yield from c.warn(f"invalid maximum depth {c.lq(depth)}")
        return (yield from c.usage())
    if c.has("s") and c.has("a"):
        yield from c.warn("cannot both summarize and show all entries")
        return (yield from c.usage())
    most = 0 if c.has("s") else int(depth[:5]) if depth is not None else 10_000
    total = 0
    for path in c.args or ["."]:
        try:
            c.p.fs.stat(path, follow=False)
        except SysError as problem:
            yield from c.fail(
                f"{path}: {problem.words}" if c.bb else f"cannot access {c.quoted(path)}: {problem.words}"
            )
            continue
        total += yield from _sum(c, path, most, set())
    if c.has("c"):
        yield from c.say(f"{_amount(c, total)}\ttotal\n")
    return c.status


def _amount(c: Cmd, size: int) -> str:
    if c.has("b") and not c.has("h"):
        return str(size)
    if c.has("h"):
        return human(size).removesuffix("B")
    if c.has("m"):
        return str(-(-size // 1_048_576))
    unit = size_of((c.value("B") or "1K").replace("KB", "kB")) or 1024
    return str(-(-size // unit))


def _sum(c: Cmd, top: str, most: int, seen: set[int]) -> Generator[Any, Any, int]:
    """Print what is below `top`, deepest first; its size in bytes."""
    p = c.p
    apparent = c.has("b", "apparent")

    def own(found: Stat) -> int:
        if found.nlink > 1 and not found.is_dir:
            if found.inode in seen:
                return 0
            seen.add(found.inode)
        return found.size if apparent else found.blocks * 512

    found = p.fs.stat(top, follow=c.has("L", "D"))
    if not found.is_dir:
        size = own(found)
        yield from c.say(f"{_amount(c, size)}\t{top}\n")
        return size
    frames: list[tuple[str, int, list[str]]] = []
    totals: list[int] = []

    def enter(path: str, info: Stat) -> Generator[Any, Any, None]:
        try:
            below = p.fs.listdir(path)
        except SysError as problem:
            yield from c.fail(f"cannot read directory {c.quoted(path)}: {problem.words}")
            below = []
        frames.append((path, own(info), list(reversed(below))))
        totals.append(own(info) if not info.nlink > 1 or info.is_dir else 0)

    yield from enter(top, found)
    result = 0
    while frames:
        path, _, below = frames[-1]
        yield from p.tick(1)
        if below:
            each = join(path, below.pop())
            try:
                info = p.fs.stat(each, follow=c.has("L"))
            except SysError:
                continue  # gone meanwhile
            if info.is_dir:
                yield from enter(each, info)
            else:
                size = own(info)
                totals[-1] += size
                if c.has("a") and len(frames) <= most:
                    yield from c.say(f"{_amount(c, size)}\t{each}\n")
            continue
        frames.pop()
        result = totals.pop()
        if len(frames) <= most:
            yield from c.say(f"{_amount(c, result)}\t{path}\n")
        if totals and not c.has("S"):
            totals[-1] += result
    return result
