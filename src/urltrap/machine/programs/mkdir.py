"""mkdir, mkfifo and mknod."""

from __future__ import annotations

import errno

from urltrap.machine.api import S_IFBLK, S_IFCHR, S_IFIFO, Run
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, Gen, command
from urltrap.machine.programs._modes import parse_mode
from urltrap.machine.programs._paths import is_dir, join

_MODE = {"mode:": "m", "context::": "Z"}


@command("mkdir", short="m:pvZ", long={**_MODE, "parents": "p", "verbose": "v"}, bb="m:p")
def mkdir(c: Cmd) -> Run:
    """Make directories."""
    if not c.args:
        return (yield from c.usage("missing operand" if not c.bb else ""))
    text = c.value("m")
    mode = parse_mode(text, 0o777, c.p.umask, True) if text is not None else None
    if text is not None and mode is None:
        yield from c.warn(f"invalid mode {c.lq(text)}")
        return 1
    for path in c.args:
        yield from c.p.tick(2)
        yield from (_chain(c, path, mode) if c.has("p") else _one(c, path, mode))
    return c.status


def _one(c: Cmd, path: str, mode: int | None) -> Gen:
    try:
        if not path:
            raise SysError(errno.ENOENT, path)
        c.p.fs.mkdir(path, 0o777 & ~c.p.umask)
        if mode is not None:
            c.p.fs.chmod(path, mode)
    except SysError as problem:
        verb = "can't" if c.bb else "cannot"
        yield from c.fail(f"{verb} create directory {c.quoted(path)}: {problem.words}")
        return
    if c.has("v"):
        yield from c.say(f"{c.name}: created directory {c.quoted(path)}\n")


def _chain(c: Cmd, path: str, mode: int | None) -> Gen:
    walked = "/" if path.startswith("/") else ""
    parts = [part for part in path.split("/") if part]
    for number, part in enumerate(parts):
        walked = join(walked, part) if walked else part
        try:
            c.p.fs.mkdir(walked, 0o777 & ~c.p.umask)
            if mode is not None and number == len(parts) - 1:
                c.p.fs.chmod(walked, mode)
        except SysError as problem:
            if problem.errno in (errno.EEXIST, errno.EROFS, errno.EACCES, errno.EPERM) and is_dir(
                c.p, walked
            ):
                continue
            verb = "can't" if c.bb else "cannot"
            words = (
                "Not a directory"
                if problem.errno == errno.EEXIST and number < len(parts) - 1
                else problem.words
            )
            yield from c.fail(f"{verb} create directory {c.quoted(walked)}: {words}")
            return
        if c.has("v"):
            yield from c.say(f"{c.name}: created directory {c.quoted(walked)}\n")


@command("mkfifo", short="m:Z", long=_MODE)
def mkfifo(c: Cmd) -> Run:
    """Make named pipes."""
    if not c.args:
        return (yield from c.usage("missing operand" if not c.bb else ""))
    mode = parse_mode(c.value("m") or "666", 0, 0, False)
    if mode is None:
        yield from c.warn("invalid mode")
        return 1
    for path in c.args:
        try:
            c.p.fs.mknod(path, S_IFIFO | (mode & ~c.p.umask))
        except SysError as problem:
            yield from c.fail(f"cannot create fifo {c.quoted(path)}: {problem.words}")
    return c.status


@command("mknod", short="m:Z", long=_MODE)
def mknod(c: Cmd) -> Run:
    """Make device files and pipes."""
    args = c.args
    if len(args) < 2:
        return (yield from c.usage("missing operand" + (f" after {c.quoted(args[-1])}" if args else "")))
    path, kind, *numbers = args
    if kind not in ("b", "c", "u", "p"):
        return (yield from c.usage(f"invalid device type {c.lq(kind)}"))
    wanted = 0 if kind == "p" else 2
    if len(numbers) < wanted:
        yield from c.warn(f"missing operand after {c.lq(args[-1])}")
        if not numbers:
            yield from c.p.err("Special files require major and minor device numbers.\n")
        return (yield from c.usage())
    if len(numbers) > wanted:
        yield from c.warn(f"extra operand {c.lq(numbers[wanted])}")
        if kind == "p":
            yield from c.p.err("Fifos do not have major and minor device numbers.\n")
        return (yield from c.usage())
    mode = parse_mode(c.value("m") or "666", 0, 0, False)
    values = []
    for word in numbers:
        try:
            values.append(int(word[:20], 0))
        except ValueError:
            yield from c.warn(f"invalid {'major' if not values else 'minor'} device number {c.quoted(word)}")
            return 1
    try:
        type_bits = {"b": S_IFBLK, "p": S_IFIFO}.get(kind, S_IFCHR)
        rdev = (values[0], values[1]) if values else (0, 0)
        c.p.fs.mknod(path, type_bits | ((mode or 0) & ~c.p.umask), rdev)
    except SysError as problem:
        yield from c.warn(f"{c.quote(path)}: {problem.words}")
        return 1
    return 0
