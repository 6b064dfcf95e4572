"""touch: make files, change their times."""

from __future__ import annotations

import errno
import re
from collections.abc import Generator
from datetime import UTC, datetime
from typing import Any

from urltrap.machine.api import Run
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, command
from urltrap.machine.programs._paths import lstat
from urltrap.machine.programs._when import parse
from urltrap.machine.programs._zone import local

_TIMES = {"atime": "a", "access": "a", "use": "a", "mtime": "m", "modify": "m"}
_ARGUMENTS = """\
Valid arguments are:
  - {0}, {1}, {2}
  - {3}, {4}
"""


def _stamp(c: Cmd, text: str) -> float | None:
    """Seconds of ``[[CC]YY]MMDDhhmm[.ss]`` in the machine's zone."""
    match = re.fullmatch(r"(?:(\d\d)?(\d\d))?(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d\d))?", text)
    if match is None:
        return None
    year = local(c.p, c.p.now()).clock.year
    if match[2]:
        century = int(match[1]) if match[1] else (19 if int(match[2]) > 68 else 20)
        year = century * 100 + int(match[2])
    month, day, hour, minute, second = (int(match[number] or 0) for number in range(3, 8))
    if second > 60:
        return None
    try:
        wall = datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp() + second
    except (ValueError, OverflowError):
        return None
    guess = local(c.p, wall).offset
    return wall - local(c.p, wall - guess).offset


def _moments(c: Cmd) -> Generator[Any, Any, tuple[float, float] | None]:
    """(atime, mtime) that are asked for; None after a complaint."""
    atime = mtime = c.p.now()
    reference, words, stamp = c.value("r"), c.value("d"), c.value("t")
    if stamp is not None and (reference is not None or words is not None):
        yield from c.usage("cannot specify times from more than one source")
        return None
    if reference is not None:
        try:
            stat = c.p.fs.stat(reference, follow=not c.has("h"))
        except SysError as problem:
            if c.bb:
                yield from c.warn(f"{reference}: {problem.words}")
            else:
                yield from c.warn(f"failed to get attributes of {c.quoted(reference)}: {problem.words}")
            return None
        atime, mtime = stat.atime, stat.mtime
    if words is None and stamp is None:
        return atime, mtime
    found: tuple[float | None, float | None]
    if words is not None:
        found = parse(c.p, words, atime), parse(c.p, words, mtime)
    else:
        moment = _stamp(c, stamp or "")
        found = moment, moment
    if found[0] is None or found[1] is None:
        text = words if words is not None else stamp or ""
        yield from c.warn(f"invalid date '{text}'" if c.bb else f"invalid date format {c.lq(text)}")
        return None
    return found[0], found[1]


@command("touch", short="acd:fhmr:t:", bb="acd:fhmr:t:", long={
    "no-create": "c", "date:": "d", "no-dereference": "h", "reference:": "r", "time:": "time"})  # fmt: skip
def touch(c: Cmd) -> Run:
    """Make files, or change their times."""
    which = c.value("time")
    if which is not None and which not in _TIMES:
        yield from c.warn(f"invalid argument {c.lq(which)} for {c.lq('--time')}")
        yield from c.p.err(_ARGUMENTS.format(*(c.lq(name) for name in _TIMES)))
        return (yield from c.usage())
    moments = yield from _moments(c)
    if moments is None:
        return 1
    atime, mtime = moments
    if not c.args:
        return (yield from c.usage("missing file operand" if not c.bb else ""))
    fields = {name for name, _ in c.opts if name in ("a", "m")} | {_TIMES[name] for name in c.values("time")}
    only_a, only_m = fields == {"a"}, fields == {"m"}
    follow = not c.has("h")
    for path in c.args:
        yield from c.p.tick()
        if path == "-" and not c.bb:
            path = c.p.fs.readlink("/proc/self/fd/1")
            if not path.startswith("/"):
                continue  # a pipe or socket: its times are nobody's
        try:
            there = lstat(c.p, path) if not follow else None
            if follow:
                try:
                    there = c.p.fs.stat(path)
                except SysError as problem:
                    if problem.errno != errno.ENOENT:
                        raise
            if there is None:
                if c.has("c"):
                    continue
                if not c.bb and (c.has("h") or path.endswith("/")):
                    yield from c.fail(f"setting times of {c.quoted(path)}: No such file or directory")
                    continue
                c.p.fs.write(path, b"", mode=0o666 & ~c.p.umask, append=True)
                if c.has("d", "t", "r"):
                    c.p.fs.utime(path, atime, mtime)
                continue
            c.p.fs.utime(
                path, there.atime if only_m else atime, there.mtime if only_a else mtime, follow=follow
            )
        except SysError as problem:
            if c.bb:
                yield from c.fail(f"{path}: {problem.words}")
            else:
                verb = (
                    "setting times of" if problem.errno == errno.EPERM or lstat(c.p, path) else "cannot touch"
                )
                verb = "cannot touch" if problem.errno in (errno.EACCES, errno.ENOENT, errno.EROFS) else verb
                yield from c.fail(f"{verb} {c.quoted(path)}: {problem.words}")
    return c.status
