"""cut, paste, tr."""

from __future__ import annotations

import re

from urltrap.machine.api import Run, encode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, Gen, command, paths_or_stdin
from urltrap.machine.programs._lines import Source

_MAX = 1 << 30


def _ranges(text: str) -> list[tuple[int, int]] | str:
    found: list[tuple[int, int]] = []
    for part in re.split(r"[, ]", text):
        match = re.fullmatch(r"(\d*)(-?)(\d*)", part)
        if match is None:
            return "range"
        if not part:
            return "numbered"
        if part == "-":
            return "no-end"
        low = int(match[1][:12]) if match[1] else 1
        high = (int(match[3][:12]) if match[3] else _MAX) if match[2] else low
        if low == 0:
            return "numbered"
        if high < low:
            return "decreasing"
        found.append((low, high))
    found.sort()
    merged = [found[0]]
    for low, high in found[1:]:
        if low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return merged


@command(
    "cut",
    short="b:c:d:f:nsz",
    bb="b:c:d:f:ns",
    long={
        "bytes:": "b",
        "characters:": "c",
        "delimiter:": "d",
        "fields:": "f",
        "complement": "complement",
        "only-delimited": "s",
        "output-delimiter:": "out",
        "zero-terminated": "z",
    },
)
def cut(c: Cmd) -> Run:
    """Parts of lines."""
    lists = [(name, value) for name, value in c.opts if name in ("b", "c", "f")]
    if not lists:
        if c.bb:
            yield from c.p.err(f"{c.name}: expected a list of bytes, characters, or fields\n")
            return 1
        return (yield from c.usage("you must specify a list of bytes, characters, or fields"))
    if len(lists) > 1:
        return (yield from c.usage("only one list may be specified"))
    kind, text = lists[0]
    delimiter = c.value("d")
    if delimiter is not None and len(encode(delimiter)) > 1:
        return (yield from c.usage("the delimiter must be a single character"))
    if delimiter is not None and kind != "f":
        return (yield from c.usage("an input delimiter may be specified only when operating on fields"))
    if c.has("s") and kind != "f":
        return (
            yield from c.usage("suppressing non-delimited lines makes sense\n\tonly when operating on fields")
        )
    ranges = _ranges(text)
    if isinstance(ranges, str):
        what = "fields" if kind == "f" else "byte/character positions"
        message = {
            "range": f"invalid field value {c.lq(text)}"
            if kind == "f"
            else f"invalid byte/character position {c.lq(text)}",
            "numbered": f"{what} are numbered from 1",
            "no-end": "invalid range with no endpoint: -",
            "decreasing": "invalid decreasing range",
        }[ranges]
        return (yield from c.usage(message))
    if c.has("complement"):
        inverted, at = [], 1
        for low, high in ranges:
            if low > at:
                inverted.append((at, low - 1))
            at = high + 1
        if at < _MAX:
            inverted.append((at, _MAX))
        ranges = inverted
    separator = encode(delimiter) if delimiter else (b"\0" if delimiter == "" else b"\t")
    joiner = encode(c.value("out") or "") if c.has("out") else separator
    end = b"\0" if c.has("z") else b"\n"
    for path in paths_or_stdin(c.args):
        try:
            source = Source(c, path)
        except SysError as problem:
            yield from c.fail(f"{path}: {problem.words}")
            continue
        while line := (yield from source.line(end)):
            body = line[:-1] if line.endswith(end) else line
            yield from c.p.tick(1 + len(body) // 1000)
            if kind != "f":
                pieces = [body[low - 1 : high] for low, high in ranges]
                yield from c.put(
                    (joiner if c.has("out") else b"").join(piece for piece in pieces if piece) + end
                )
                continue
            if separator not in body:
                if not c.has("s"):
                    yield from c.put(body + end)
                continue
            fields = body.split(separator)
            chosen: list[bytes] = []
            for low, high in ranges:
                chosen += fields[low - 1 : high]
            yield from c.put(joiner.join(chosen) + end)
        source.close()
    return c.status


@command("paste", short="d:sz", long={"delimiters:": "d", "serial": "s", "zero-terminated": "z"})
def paste(c: Cmd) -> Run:
    """Lines of files side by side."""
    delimiters = [
        each.encode() if each != "\\0" else b""
        for each in re.findall(r"\\.|.", c.value("d") or "\t", re.DOTALL)
    ] or [b""]
    names = {b"\\n": b"\n", b"\\t": b"\t", b"\\\\": b"\\"}
    delimiters = [names.get(each, each) for each in delimiters]
    sources: list[Source] = []
    stdin: Source | None = None
    for path in paths_or_stdin(c.args):
        try:
            source = stdin if path == "-" and stdin is not None else Source(c, path)
            stdin = source if path == "-" else stdin  # "- -" takes two lines of it in turn
            sources.append(source)
        except SysError as problem:
            yield from c.fail(f"{path}: {problem.words}")
            if not c.has("s"):
                return 1
    if c.has("s"):
        for source in sources:
            number = 0
            first = True
            while line := (yield from source.line()):
                if not first:
                    yield from c.put(delimiters[number % len(delimiters)])
                    number += 1
                first = False
                yield from c.put(line.removesuffix(b"\n"))
                yield from c.p.tick()
            yield from c.put(b"\n")
        return c.status
    while sources:
        lines = []
        for source in sources:
            lines.append((yield from source.line()))
        if not any(lines):
            break
        out = bytearray()
        for number, line in enumerate(lines):
            out += line.removesuffix(b"\n")
            out += delimiters[number % len(delimiters)] if number < len(lines) - 1 else b"\n"
        yield from c.put(bytes(out))
        yield from c.p.tick(len(sources))
    return c.status


_CLASSES = {
    "alnum": [*range(48, 58), *range(65, 91), *range(97, 123)],
    "alpha": [*range(65, 91), *range(97, 123)],
    "blank": [9, 32],
    "cntrl": [*range(32), 127],
    "digit": [*range(48, 58)],
    "graph": [*range(33, 127)],
    "lower": [*range(97, 123)],
    "print": [*range(32, 127)],
    "punct": [*range(33, 48), *range(58, 65), *range(91, 97), *range(123, 127)],
    "space": [9, 10, 11, 12, 13, 32],
    "upper": [*range(65, 91)],
    "xdigit": [*range(48, 58), *range(65, 71), *range(97, 103)],
}


class _SetError(Exception):
    pass


def _set(text: str, size: int = 0) -> list[int]:
    """The bytes of a tr set; [c*] is filled up to `size`."""
    data = encode(text)
    out: list[int] = []
    pos = 0
    fill: tuple[int, int] | None = None
    escapes = {97: 7, 98: 8, 102: 12, 110: 10, 114: 13, 116: 9, 118: 11, 92: 92}

    def one(at: int) -> tuple[int, int]:
        if data[at] == 92 and at + 1 < len(data):
            octal = re.match(rb"[0-7]{1,3}", data[at + 1 :])
            if octal:
                return int(octal[0], 8) & 255, at + 1 + len(octal[0])
            return escapes.get(data[at + 1], data[at + 1]), at + 2
        return data[at], at + 1

    while pos < len(data):
        if data[pos : pos + 2] == b"[:" and (end := data.find(b":]", pos + 2)) > 0:
            name = data[pos + 2 : end].decode("latin-1")
            if name not in _CLASSES:
                raise _SetError(f"invalid character class '{name}'")
            out += _CLASSES[name]
            pos = end + 2
            continue
        if data[pos : pos + 2] == b"[=" and data[pos + 3 : pos + 5] == b"=]":
            out.append(data[pos + 2])
            pos += 5
            continue
        repeat = re.match(rb"\[(\\?.)\*([0-9]*)\]", data[pos:], re.DOTALL)
        if repeat and size:
            value, _ = one(pos + 1)
            count = int(repeat[2][:6], 8 if repeat[2].startswith(b"0") else 10) if repeat[2] else 0
            if count:
                out += [value] * min(count, 70_000)
            else:
                fill = (len(out), value)
            pos += repeat.end()
            continue
        low, following = one(pos)
        if data[following : following + 1] == b"-" and following + 1 < len(data):
            high, end = one(following + 1)
            if high < low:
                raise _SetError(
                    f"range-endpoints of '{chr(low)}-{chr(high)}' are in reverse collating sequence order"
                )
            out += range(low, high + 1)
            pos = end
        else:
            out.append(low)
            pos = following
    if fill is not None:
        out[fill[0] : fill[0]] = [fill[1]] * max(0, size - len(out))
    return out


@command(
    "tr",
    short="+cCdst",
    bb="+cCds",
    long={"complement": "c", "delete": "d", "squeeze-repeats": "s", "truncate-set1": "t"},
)
def tr(c: Cmd) -> Run:
    """Change, squeeze or delete bytes."""
    delete, squeeze = c.has("d"), c.has("s")
    wanted = 2 if (delete and squeeze) or not (delete or squeeze) else 1
    if len(c.args) < wanted:
        if c.bb:
            return (yield from c.usage())
        if not c.args:
            return (yield from c.usage("missing operand"))
        yield from c.warn(f"missing operand after {c.lq(c.args[0])}")
        what = "both deleting and squeezing repeats" if delete and squeeze else "translating"
        yield from c.p.err(f"Two strings must be given when {what}.\n")
        return (yield from c.usage())
    most = 2 if squeeze or not delete else 1
    if len(c.args) > most:
        yield from c.warn(f"extra operand {c.lq(c.args[most])}")
        if len(c.args) == 2 and delete:
            yield from c.p.err("Only one string may be given when deleting without squeezing repeats.\n")
        return (yield from c.usage())
    try:
        first = _set(c.args[0])
        if c.has("c", "C"):
            members = set(first)
            first = [byte for byte in range(256) if byte not in members]
        second = _set(c.args[1], len(first)) if len(c.args) > 1 else []
    except _SetError as problem:
        yield from c.warn(str(problem))
        return 1
    translate = not delete and len(c.args) > 1
    table = bytes(range(256))
    if translate:
        if not second:
            yield from c.warn("when not truncating set1, string2 must be non-empty")
            return 1
        if c.has("t"):
            first = first[: len(second)]
        second = (
            second[: len(first)]
            if len(second) > len(first)
            else second + [second[-1]] * (len(first) - len(second))
        )
        mapping = bytearray(table)
        for source, target in zip(first, second, strict=True):
            mapping[source] = target
        table = bytes(mapping)
    removed = bytes(set(first)) if delete else b""
    squeezed: set[int] = set()
    if squeeze:
        squeezed = set(second) if len(c.args) > 1 else set(first)
    yield from _translate(c, table, removed, squeezed)
    return 0


def _translate(c: Cmd, table: bytes, removed: bytes, squeezed: set[int]) -> Gen:
    last = -1
    pattern = None
    if squeezed:
        pattern = re.compile(
            b"([" + b"".join(re.escape(bytes([byte])) for byte in sorted(squeezed)) + b"])\\1+", re.DOTALL
        )
    while piece := (yield from c.p.read(0)):
        piece = piece.translate(table, removed)
        if pattern is not None and piece:
            piece = pattern.sub(rb"\1", piece)
            tail = piece[-1]
            if piece[0] == last and last in squeezed:
                piece = piece[1:]
            last = tail
        yield from c.put(piece)
        if c.p.is_tty(1) or c.p.is_tty(0):
            yield from c.flush()
