"""uniq, comm, shuf."""

from __future__ import annotations

import itertools
import re
from collections.abc import Generator, Iterator
from typing import Any

from urltrap.machine.api import Run, encode
from urltrap.machine.effects import BytesContent
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, command
from urltrap.machine.programs._lines import Source

_LARGE = 100_000


@command(
    "uniq",
    short="cdDf:is:uw:z0123456789",
    bb="cdiuf:s:w:z",
    long={
        "count": "c",
        "repeated": "d",
        "all-repeated::": "D",
        "skip-fields:": "f",
        "ignore-case": "i",
        "skip-chars:": "s",
        "unique": "u",
        "check-chars:": "w",
        "zero-terminated": "z",
        "group::": "group",
    },
)
def uniq(c: Cmd) -> Run:
    """Fold neighbouring lines that are equal."""
    numbers = {}
    for name, words in (("f", "fields to skip"), ("s", "bytes to skip"), ("w", "bytes to compare")):
        text = c.value(name)
        if text is not None and not re.fullmatch(r"[0-9]{1,18}", text):
            yield from c.warn(f"{text}: invalid number of {words}")
            return 1
        numbers[name] = int(text) if text is not None else None
    if len(c.args) > 2:
        return (yield from c.usage(f"extra operand {c.lq(c.args[2])}"))
    path = c.args[0] if c.args else "-"
    try:
        source = Source(c, path)
    except SysError as problem:
        yield from c.warn(
            f"can't open '{path}': {problem.words}" if c.bb else f"{c.quote(path)}: {problem.words}"
        )
        return 1
    end = b"\0" if c.has("z") else b"\n"
    out = bytearray()
    grouping = c.value("group") if c.has("group") else None
    style = grouping or "separate" if c.has("group") else c.value("D") or "none"
    groups = 0

    def mark(line: bytes) -> bytes:
        for _ in range(min(numbers["f"] or 0, 10_000)):
            line = re.sub(rb"^[ \t]*[^ \t]*", b"", line, count=1)
        line = line[numbers["s"] or 0 :]
        if numbers["w"] is not None:
            line = line[: numbers["w"]]
        return line.upper() if c.has("i") else line

    def show(group: list[bytes]) -> bytes:
        nonlocal groups
        count = len(group)
        if c.has("D") or c.has("group"):
            if count < 2 and not c.has("group"):
                return b""
            groups += 1
            before = style in ("prepend", "both") or (style in ("separate", "append") and groups > 1)
            return (end if before else b"") + b"".join(each + end for each in group)
        if (c.has("d") and count < 2) or (c.has("u") and count > 1):
            return b""
        return (b"%7d " % count if c.has("c") else b"") + group[0] + end

    group: list[bytes] = []
    while True:
        raw = yield from source.line(end)
        line = raw[:-1] if raw.endswith(end) else raw
        if raw and group and mark(line) == mark(group[0]):
            group.append(line)
        else:
            piece = show(group) if group else b""
            if not raw and style in ("append", "both") and groups:
                piece += end
            out += piece
            if len(c.args) < 2:
                yield from c.put(bytes(out))
                out.clear()
            group = [line]
        if not raw:
            break
        yield from c.p.tick()
    source.close()
    if len(c.args) == 2:
        c.p.fs.put(c.args[1], BytesContent(bytes(out)), mode=0o666 & ~c.p.umask)
    return 0


@command(
    "comm",
    short="123z",
    bb="123",
    long={
        "check-order": "co",
        "nocheck-order": "nco",
        "output-delimiter:": "od",
        "total": "total",
        "zero-terminated": "z",
    },
)
def comm(c: Cmd) -> Run:
    """Compare two sorted files line by line."""
    if len(c.args) < 2:
        return (yield from c.usage("missing operand" + (f" after {c.lq(c.args[0])}" if c.args else "")))
    if len(c.args) > 2:
        return (yield from c.usage(f"extra operand {c.lq(c.args[2])}"))
    try:
        one, other = Source(c, c.args[0]), Source(c, c.args[1])
    except SysError as problem:
        yield from c.warn(f"{c.quote(problem.path)}: {problem.words}")
        return 1
    gap = encode(c.value("od") or "\t")
    files = (_Sorted(c, one, 1), _Sorted(c, other, 2))
    tabs = [b"", b"" if c.has("1") else gap, (b"" if c.has("1") else gap) + (b"" if c.has("2") else gap)]
    totals = [0, 0, 0]
    unpaired = c.has("co")
    left, right = (yield from files[0].next(False)), (yield from files[1].next(False))
    while left or right:
        a, b = left.removesuffix(b"\n"), right.removesuffix(b"\n")
        column = 0 if not right or (left and a < b) else 1 if not left or b < a else 2
        totals[column] += 1
        unpaired = unpaired or column < 2
        if not c.has("123"[column]):
            yield from c.put(tabs[column] + (b if column == 1 else a) + b"\n")
        if column != 1:
            left = yield from files[0].next(unpaired)
        if column != 0:
            right = yield from files[1].next(unpaired)
        yield from c.p.tick()
        if c.has("co") and c.status:
            return 1
    if c.has("total"):
        yield from c.put(gap.join([*(b"%d" % each for each in totals), b"total"]) + b"\n")
    if c.status:
        yield from c.warn("input is not in sorted order")
    return 0


class _Sorted:
    """A file of comm, which should be in order."""

    def __init__(self, c: Cmd, source: Source, number: int) -> None:
        self.c = c
        self.source = source
        self.number = number
        self.last = b""
        self.told = False

    def next(self, check: bool) -> Generator[Any, Any, bytes]:
        """The next line; with `check`, disorder is told once."""
        line = yield from self.source.line()
        if check and line and self.last > line and not self.told and not self.c.has("nco"):
            self.told = True
            yield from self.c.fail(f"file {self.number} is not in sorted order")
        self.last = line
        return line


@command(
    "shuf",
    short="ei:n:o:rz",
    long={
        "echo": "e",
        "input-range:": "i",
        "head-count:": "n",
        "output:": "o",
        "random-source:": "random",
        "repeat": "r",
        "zero-terminated": "z",
    },
)
def shuf(c: Cmd) -> Run:
    """Lines in a random order."""
    span, text = c.value("i"), c.value("n")
    if text is not None and not text.isdecimal():
        yield from c.warn(f"invalid line count: {c.lq(text)}")
        return 1
    wanted = None if text is None else int(text[:9])
    if not c.has("e") and len(c.args) > (0 if span is not None else 1):
        return (yield from c.usage(f"extra operand {c.lq(c.args[0 if span is not None else 1])}"))
    if span is not None:
        match = re.fullmatch(r"(\d{1,9})-(\d{1,9})", span)
        if match is None or int(match[2]) < int(match[1]):
            yield from c.warn(f"invalid input range: {c.lq(span)}")
            return 1
        low, count = int(match[1]), int(match[2]) - int(match[1]) + 1
        if count <= _LARGE:
            lines = [b"%d" % (low + at) for at in range(count)]
        else:
            some = min(wanted if wanted is not None else count, _LARGE)
            lines = [b"%d" % (low + c.p.random(count)) for _ in range(some)]
    elif c.has("e"):
        lines = [encode(each) for each in c.args]
    else:
        try:
            data = yield from c.load(c.args[0] if c.args else "-")
        except SysError as problem:
            yield from c.warn(f"{c.args[0]}: {problem.words}")
            return 1
        lines = data.removesuffix(b"\n").split(b"\n") if data else []
    yield from c.p.tick(len(lines))
    if c.has("r"):
        return (yield from _write(c, _forever(c, lines, wanted)))
    for at in range(len(lines) - 1, 0, -1):
        swap = c.p.random(at + 1)
        lines[at], lines[swap] = lines[swap], lines[at]
    return (yield from _write(c, iter(lines[:wanted])))


def _forever(c: Cmd, lines: list[bytes], wanted: int | None) -> Iterator[bytes]:
    """Lines with repetition, as many as wanted."""
    count = 0
    while lines and (wanted is None or count < wanted):
        count += 1
        yield lines[c.p.random(len(lines))]


def _write(c: Cmd, lines: Iterator[bytes]) -> Run:
    end = b"\0" if c.has("z") else b"\n"
    target = c.value("o")
    if target is not None:
        data = b"".join(line + end for line in itertools.islice(lines, _LARGE))
        c.p.fs.put(target, BytesContent(data), mode=0o666 & ~c.p.umask)
        return 0
    for line in lines:
        yield from c.p.tick()
        yield from c.put(line + end)
    return 0
