# ruff: noqa: E501 - the programs' own texts and tables are longer than a line
"""sort, uniq, comm, shuf."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from urltrap.machine.api import Run, decode
from urltrap.machine.effects import BytesContent
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, command, paths_or_stdin
from urltrap.machine.programs._lines import Source
from urltrap.machine.programs.ls import version_key

_LONG = {
    "ignore-leading-blanks": "b", "dictionary-order": "d", "ignore-case": "f", "general-numeric-sort": "g",
    "ignore-nonprinting": "i", "month-sort": "M", "human-numeric-sort": "h", "numeric-sort": "n", "random-sort": "R",
    "reverse": "r", "sort:": "sort", "version-sort": "V", "batch-size:": "batch", "check::": "c", "compress-program:": "cp",
    "debug": "debug", "key:": "k", "merge": "m", "output:": "o", "stable": "s", "buffer-size:": "S",
    "field-separator:": "t", "temporary-directory:": "T", "parallel:": "parallel", "unique": "u", "zero-terminated": "z",
}  # fmt: skip
_NUMBER = re.compile(rb"[ \t]*(-?)([0-9,]*)(?:\.([0-9]*))?")
_FLOAT = re.compile(
    rb"[ \t]*([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?inf|nan)", re.IGNORECASE
)
_MONTHS = (b"JAN", b"FEB", b"MAR", b"APR", b"MAY", b"JUN", b"JUL", b"AUG", b"SEP", b"OCT", b"NOV", b"DEC")
_KEY = re.compile(r"(\d+)(?:\.(\d+))?([bdfgiMhnRrV]*)(?:,(\d+)(?:\.(\d+))?([bdfgiMhnRrV]*))?")


def _numeric(data: bytes) -> float:
    match = _NUMBER.match(data)
    if match is None or not (match[2] or match[3]):
        return 0.0
    try:
        value = float((match[2].replace(b",", b"")[:300] or b"0") + b"." + (match[3] or b"0")[:300])
    except (ValueError, OverflowError):
        return 0.0
    return -value if match[1] else value


def _human(data: bytes) -> tuple[int, float]:
    match = re.match(rb"[ \t]*-?[0-9.]*([KkMGTPEZY]?)", data)
    unit = b"KMGTPEZY".find(match[1].upper()) + 1 if match is not None and match[1] else 0
    value = _numeric(data)
    return (unit if value >= 0 else -unit, value)


def _general(data: bytes) -> tuple[int, float]:
    match = _FLOAT.match(data)
    if match is None:
        return (0, 0.0)
    value = float(match[1])
    return (1, -1e308) if value != value else (2, value)


def _transform(letters: str) -> Callable[[bytes], Any]:
    if "n" in letters:
        return _numeric
    if "h" in letters:
        return _human
    if "g" in letters:
        return _general
    if "M" in letters:
        return lambda data: _MONTHS.index(found) + 1 if (found := data.lstrip()[:3].upper()) in _MONTHS else 0
    if "V" in letters:
        return lambda data: version_key(decode(data))

    def plain(data: bytes) -> bytes:
        if "b" in letters:
            data = data.lstrip(b" \t")
        if "f" in letters:
            data = data.upper()
        if "d" in letters:
            data = re.sub(rb"[^A-Za-z0-9 \t]", b"", data)
        if "i" in letters:
            data = re.sub(rb"[^ -~]", b"", data)
        return data

    return plain


def _fields(data: bytes, separator: bytes | None) -> list[tuple[int, int]]:
    """Spans of the fields; with blanks as separators a field owns the blanks before it."""
    if separator is not None:
        spans, pos = [], 0
        for part in data.split(separator):
            spans.append((pos, pos + len(part)))
            pos += len(part) + 1
        return spans
    return [match.span() for match in re.finditer(rb"[ \t]*[^ \t]+|[ \t]+$", data)]


def _cut_key(spec: re.Match[str], separator: bytes | None) -> Callable[[bytes], bytes]:
    first, offset = int(spec[1][:6]), int(spec[2][:6]) if spec[2] else 1
    last = int(spec[4][:6]) if spec[4] else 0
    last_offset = int(spec[5][:6]) if spec[5] else 0
    skip_first = "b" in (spec[3] or "")
    skip_last = "b" in (spec[6] or "")

    def cut(data: bytes) -> bytes:
        spans = _fields(data, separator)
        if first > len(spans):
            return b""
        begin = spans[first - 1][0]
        if skip_first or (offset > 1 and skip_first):
            while begin < len(data) and data[begin] in b" \t":
                begin += 1
        begin += offset - 1
        end = len(data)
        if last and last <= len(spans):
            if last_offset:
                end = spans[last - 1][0]
                if skip_last:
                    while end < len(data) and data[end] in b" \t":
                        end += 1
                end += last_offset
            else:
                end = spans[last - 1][1]
        return data[begin : min(end, len(data))]

    return cut


@command("sort", short="bdfghik:mMno:rRsS:t:T:uVzcC", bb="bcdfgik:mMno:rsS:t:T:uzh", long=_LONG, bad=2)
def sort(c: Cmd) -> Run:
    """Sort lines."""
    general = "".join(name for name, _ in c.opts if name in tuple("bdfgiMhnRV"))
    by = c.value("sort")
    general += {
        "numeric": "n",
        "human-numeric": "h",
        "version": "V",
        "month": "M",
        "general-numeric": "g",
        "random": "R",
    }.get(by or "", "")
    text = c.value("t")
    separator = None
    if text is not None:
        if text == "\\0":
            text = "\0"
        if not text:
            yield from c.warn("empty tab")
            return 2
        separator = text.encode("utf-8", "surrogateescape")
        if len(separator) > 1:
            yield from c.warn(f"multi-character tab {c.lq(text)}")
            return 2
    clash = [each for each in "nhgMV" if each in general]
    if len(clash) > 1:
        yield from c.warn(f"options '-{''.join(sorted(clash))}' are incompatible")
        return 2
    keys: list[tuple[Callable[[bytes], bytes], Callable[[bytes], Any], bool]] = []
    for spec in c.values("k"):
        match = _KEY.fullmatch(spec)
        if match is None:
            yield from c.warn(f"invalid number at field start: invalid count at start of {c.lq(spec)}")
            return 2
        if int(match[1][:6]) == 0 or (match[4] and int(match[4][:6]) == 0 and False):
            yield from c.warn(
                f"-: invalid field specification {c.lq(spec)}"
                if False
                else f"field number is zero: invalid field specification {c.lq(spec)}"
            )
            return 2
        own = (match[3] or "") + (match[6] or "")
        letters = own or general
        reverse = "r" in own or (not own and c.has("r"))
        keys.append((_cut_key(match, separator), _transform(letters), reverse))
    end = b"\0" if c.has("z") else b"\n"
    lines: list[bytes] = []
    held = 0
    for path in paths_or_stdin(c.args):
        try:
            source = Source(c, path)
        except SysError as problem:
            if c.bb:
                yield from c.p.err(f"{c.name}: {path}: {problem.words}\n")
            else:
                yield from c.warn(
                    f"cannot read: {c.quote(path)}: {problem.words}"
                    if problem.errno != 21
                    else f"read failed: {path}: {problem.words}"
                )
            return 2
        while line := (yield from source.line(end)):
            lines.append(line[:-1] if line.endswith(end) else line)
            held += len(line) + 60
            if held > 65_536:
                c.p.hold(held)
                held = 0
            yield from c.p.tick()
        source.close()
    if c.has("c", "C"):
        return (yield from _check(c, lines, keys, general))
    yield from c.p.tick(1 + len(lines) // 2)
    ordered = _ordered(c, lines, keys, general)
    if c.has("u"):
        ordered = _unique(ordered, keys, general)
    if (output := c.value("o")) is not None:
        try:
            c.p.fs.put(
                output, BytesContent(b"".join(line + end for line in ordered)), mode=0o666 & ~c.p.umask
            )
        except SysError as problem:
            yield from c.warn(f"open failed: {c.quote(output)}: {problem.words}")
            return 2
        return 0
    for line in ordered:
        yield from c.put(line + end)
    return 0


def _ordered(c: Cmd, lines: list[bytes], keys: list[Any], general: str) -> list[bytes]:
    reverse = c.has("r")
    if "R" in general:
        return sorted(lines, key=lambda line: hash((line, c.p.pid)))
    if not keys and not general:
        return sorted(lines, reverse=reverse)
    if not c.has("s", "u"):
        lines = sorted(lines, reverse=reverse)
    if not keys:
        lines = sorted(lines, key=_transform(general), reverse=reverse)
        return lines
    for cut, transform, backwards in reversed(keys):

        def key(line: bytes, cut: Any = cut, transform: Any = transform) -> Any:
            return transform(cut(line))

        lines = sorted(lines, key=key, reverse=backwards)
    return lines


def _identity(keys: list[Any], general: str) -> Callable[[bytes], Any]:
    if keys:
        return lambda line: [transform(cut(line)) for cut, transform, _ in keys]
    return _transform(general) if general else lambda line: line


def _unique(lines: list[bytes], keys: list[Any], general: str) -> list[bytes]:
    same = _identity(keys, general)
    found: list[bytes] = []
    last: Any = object()
    for line in lines:
        mark = same(line)
        if mark != last:
            found.append(line)
        last = mark
    return found


def _check(c: Cmd, lines: list[bytes], keys: list[Any], general: str) -> Run:
    ordered = _ordered(c, list(lines), keys, general)
    for number, (line, wanted) in enumerate(zip(lines, ordered, strict=True), 1):
        if line != wanted:
            if not c.has("C"):
                wrong = next(
                    at
                    for at in range(1, len(lines))
                    if _ordered(c, lines[at - 1 : at + 1], keys, general) != lines[at - 1 : at + 1]
                )
                yield from c.p.err(
                    f"{c.name}: {c.args[0] if c.args else '-'}:{wrong + 1}: disorder: {decode(lines[wrong])}\n"
                )
            del number
            return 1
    return 0


@command("uniq", short="cdDf:is:uw:z0123456789", bb="cdiuf:s:w:z", long={"count": "c", "repeated": "d", "all-repeated::": "D", "skip-fields:": "f",
         "ignore-case": "i", "skip-chars:": "s", "unique": "u", "check-chars:": "w", "zero-terminated": "z", "group::": "group"})  # fmt: skip
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
        yield from c.warn(f"{c.quote(path)}: {problem.words}")
        return 1
    end = b"\0" if c.has("z") else b"\n"
    out = bytearray()

    def mark(line: bytes) -> bytes:
        for _ in range(min(numbers["f"] or 0, 10_000)):
            line = re.sub(rb"^[ \t]*[^ \t]*", b"", line, count=1)
        line = line[numbers["s"] or 0 :]
        if numbers["w"] is not None:
            line = line[: numbers["w"]]
        return line.upper() if c.has("i") else line

    def show(line: bytes, count: int) -> bytes:
        if (c.has("d") and count < 2) or (c.has("u") and count > 1):
            return b""
        if c.has("D"):
            return b"" if count < 2 else line + end
        return (b"%7d " % count if c.has("c") else b"") + line + end

    last: bytes | None = None
    last_mark = b""
    count = 0
    group: list[bytes] = []
    while True:
        raw = yield from source.line(end)
        line = raw[:-1] if raw.endswith(end) else raw
        if raw and last is not None and mark(line) == last_mark:
            count += 1
            group.append(line)
        else:
            if last is not None:
                piece = (
                    b"".join(each + end for each in group) if c.has("D") and count > 1 else show(last, count)
                )
                if len(c.args) == 2:
                    out += piece
                else:
                    yield from c.put(piece)
            last, last_mark, count, group = line, mark(line), 1, [line]
        if not raw:
            break
        yield from c.p.tick()
    source.close()
    if len(c.args) == 2:
        c.p.fs.put(c.args[1], BytesContent(bytes(out)), mode=0o666 & ~c.p.umask)
    return 0


@command("comm", short="123z", bb="123", long={"check-order": "co", "nocheck-order": "nco", "output-delimiter:": "od", "total": "total",
                                               "zero-terminated": "z"})  # fmt: skip
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
    gap = (c.value("od") or "\t").encode()
    left, right = (yield from one.line()), (yield from other.line())
    tabs = [b"", b"" if c.has("1") else gap, (b"" if c.has("1") else gap) + (b"" if c.has("2") else gap)]
    while left or right:
        a, b = left.removesuffix(b"\n"), right.removesuffix(b"\n")
        if not right or (left and a < b):
            if not c.has("1"):
                yield from c.put(a + b"\n")
            left = yield from one.line()
        elif not left or b < a:
            if not c.has("2"):
                yield from c.put(tabs[1] + b + b"\n")
            right = yield from other.line()
        else:
            if not c.has("3"):
                yield from c.put(tabs[2] + a + b"\n")
            left, right = (yield from one.line()), (yield from other.line())
        yield from c.p.tick()
    return 0


@command(
    "shuf",
    short="ei:n:o:rz",
    long={
        "echo": "e",
        "input-range:": "i",
        "head-count:": "n",
        "output:": "o",
        "repeat": "r",
        "zero-terminated": "z",
    },
)
def shuf(c: Cmd) -> Run:
    """Lines in a random order."""
    span = c.value("i")
    if span is not None:
        match = re.fullmatch(r"(\d{1,9})-(\d{1,9})", span)
        if match is None or int(match[2]) < int(match[1]):
            yield from c.warn(f"invalid input range: {c.lq(span)}")
            return 1
        low, count = int(match[1]), int(match[2]) - int(match[1]) + 1
        lines = [b"%d" % (low + at) for at in range(count)] if count <= 100_000 else []
        wanted = int(c.value("n") or count) if (c.value("n") or "0").isdecimal() else count
        if not lines:
            lines = [b"%d" % (low + c.p.random(count)) for _ in range(min(wanted, 100_000))]
    elif c.has("e"):
        lines = [each.encode("utf-8", "surrogateescape") for each in c.args]
    else:
        try:
            data = yield from c.load(c.args[0] if c.args else "-")
        except SysError as problem:
            yield from c.warn(f"{c.args[0]}: {problem.words}")
            return 1
        lines = data.split(b"\n")
        if lines and not lines[-1]:
            lines.pop()
    yield from c.p.tick(len(lines))
    for at in range(len(lines) - 1, 0, -1):
        swap = c.p.random(at + 1)
        lines[at], lines[swap] = lines[swap], lines[at]
    text = c.value("n")
    for line in lines[: int(text[:9])] if text is not None and text.isdecimal() else lines:
        yield from c.put(line + b"\n")
    return 0
