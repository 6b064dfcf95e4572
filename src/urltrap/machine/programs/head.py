"""head and tail."""

from __future__ import annotations

import re
from collections import deque

from urltrap.machine.api import Run
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, Gen, command, paths_or_stdin
from urltrap.machine.programs._lines import Source

_UNITS = {
    "": 1, "b": 512, "kB": 1000, "KB": 1000,
    "K": 1024, "k": 1024, "KiB": 1024, "MB": 1000**2, "M": 1024**2, "m": 1024**2,
    "MiB": 1024**2, "GB": 1000**3, "G": 1024**3, "GiB": 1024**3, "T": 1024**4, "P": 1024**5, "E": 1024**6,
}  # fmt: skip
_LONG = {
    "bytes:": "c", "lines:": "n", "quiet": "q", "silent": "q", "verbose": "v", "zero-terminated": "z", "follow::": "f",
    "pid:": "pid", "retry": "retry", "sleep-interval:": "s", "max-unchanged-stats:": "max",
}  # fmt: skip


def size_of(text: str) -> int | None:
    """A number with a unit; None where it is none."""
    match = re.fullmatch(r"([0-9]{1,18})(\w*)", text)
    if match is None or match[2] not in _UNITS:
        return None
    return int(match[1]) * _UNITS[match[2]]


def _titles(c: Cmd, path: str, first: bool) -> Gen:
    count = len(c.args)
    if (count > 1 or c.last("qv") == "v") and c.last("qv") != "q":
        shown = "standard input" if path == "-" else path
        yield from c.say(f"{'' if first else chr(10)}==> {shown} <==\n")


@command("head", short="c:n:qvz0123456789", long=_LONG)
def head(c: Cmd) -> Run:
    """The beginning of files."""
    mode, text = "n", "10"
    digits = "".join(name for name, _ in c.opts if name.isdigit())
    if digits:
        text = digits
    for name, value in c.opts:
        if name in "nc":
            mode, text = name, value
    count = size_of(text.lstrip("-+") if text[:1] in "-+" else text)
    if count is None:
        what = "lines" if mode == "n" else "bytes"
        if c.bb:
            yield from c.p.err(f"{c.name}: invalid number '{text}'\n")
            return 1
        yield from c.p.err(f"{c.name}: invalid number of {what}: '{text}'\n")
        return 1
    but_last = text.startswith("-")
    end = b"\0" if c.has("z") else b"\n"
    first = True
    for path in paths_or_stdin(c.args):
        try:
            source = Source(c, path)
        except SysError as problem:
            if problem.errno == 21:
                yield from _titles(c, path, first)
                first = False
                yield from c.fail(f"error reading {c.quoted(path)}: {problem.words}")
            elif c.bb:
                yield from c.fail(f"{path}: {problem.words}")
            else:
                yield from c.fail(f"cannot open {c.quoted(path)} for reading: {problem.words}")
            continue
        yield from _titles(c, path, first)
        first = False
        yield from _head_one(c, source, mode, count, but_last, end)
        source.close()
    return c.status


def _head_one(c: Cmd, source: Source, mode: str, count: int, but_last: bool, end: bytes) -> Gen:
    if mode == "c" and not but_last:
        left = count
        while left > 0:
            piece = yield from c.p.read(source.fd, min(65_536, left))
            if not piece:
                return
            left -= len(piece)
            yield from c.put(piece)
        return
    if mode == "c":
        data = yield from c.p.read_all(source.fd)
        yield from c.put(data[: max(0, len(data) - count)])
        return
    if but_last:
        kept: deque[bytes] = deque()
        while line := (yield from source.line(end)):
            kept.append(line)
            if len(kept) > count:
                yield from c.put(kept.popleft())
            yield from c.p.tick()
        return
    for _ in range(count):
        line = yield from source.line(end)
        if not line:
            return
        yield from c.put(line)
        yield from c.p.tick()
    source.give_back()


@command("tail", short="c:n:qvzfFs:0123456789", long=_LONG)
def tail(c: Cmd) -> Run:
    """The end of files."""
    mode, text = "n", "10"
    digits = "".join(name for name, _ in c.opts if name.isdigit())
    if digits:
        text = digits
    for name, value in c.opts:
        if name in "nc":
            mode, text = name, value
    if c.args and not c.has("n", "c") and not digits and re.fullmatch(r"\+[0-9]{1,18}", c.args[0]):
        text = c.args.pop(0)
    count = size_of(text.lstrip("-+") if text[:1] in "-+" else text)
    if count is None:
        what = "lines" if mode == "n" else "bytes"
        yield from c.p.err(f"{c.name}: invalid number" + ("" if c.bb else f" of {what}:") + f" '{text}'\n")
        return 1
    end = b"\0" if c.has("z") else b"\n"
    follow = c.has("f", "F")
    first = True
    followed: list[Source] = []
    for path in paths_or_stdin(c.args):
        try:
            source = Source(c, path)
        except SysError as problem:
            if problem.errno == 21:
                yield from _titles(c, path, first)
                first = False
                yield from c.fail(f"error reading {c.quoted(path)}: {problem.words}")
            elif c.bb:
                yield from c.fail(f"can't open '{path}': {problem.words}")
            else:
                yield from c.fail(f"cannot open {c.quoted(path)} for reading: {problem.words}")
            continue
        yield from _titles(c, path, first)
        first = False
        if text.startswith("+"):
            yield from _from(c, source, mode, max(0, count - 1), end)
        else:
            yield from _last(c, source, mode, count, end)
        if follow:
            followed.append(source)
        else:
            source.close()
    if follow and followed:
        yield from _follow(c, followed)
    elif c.bb and first:
        yield from c.fail("no files")
    elif follow and c.args:
        yield from c.fail("no files remaining")
    return c.status


def _from(c: Cmd, source: Source, mode: str, skip: int, end: bytes) -> Gen:
    if mode == "n":
        for _ in range(skip):
            if not (yield from source.line(end)):
                return
            yield from c.p.tick()
        skip = 0
    while piece := (yield from source.chunk()):
        if skip < len(piece):
            yield from c.put(piece[skip:])
        skip = max(0, skip - len(piece))


def _last(c: Cmd, source: Source, mode: str, count: int, end: bytes) -> Gen:
    data = yield from c.p.read_all(source.fd)
    source.eof = True
    if mode == "c":
        yield from c.put(data[-count:] if count else b"")
        return
    if not count:
        return
    at = len(data) - (1 if data.endswith(end) else 0)
    for _ in range(count):
        at = data.rfind(end, 0, at)
        if at < 0:
            break
    yield from c.put(data[at + 1 :])


def _follow(c: Cmd, sources: list[Source]) -> Gen:
    """Show what is appended, until the job's budget of time ends it."""
    shown = sources[-1]
    while True:
        yield from c.flush()
        if all(not source.own for source in sources):
            return  # a pipe that ended cannot grow
        yield from c.p.sleep(1.0)
        for source in sources:
            while source.own and (piece := (yield from c.p.read(source.fd))):
                if source is not shown and len(sources) > 1:
                    yield from c.say(f"\n==> {c.args[sources.index(source)]} <==\n")
                    shown = source
                yield from c.put(piece)
