"""sort: GNU's and BusyBox's."""

from __future__ import annotations

import errno
import itertools
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
    "reverse": "r", "sort:": "sort", "version-sort": "V", "batch-size:": "batch", "check::": "c",
    "compress-program:": "cp", "debug": "debug", "key:": "k", "merge": "m", "output:": "o", "stable": "s",
    "buffer-size:": "S",
    "field-separator:": "t", "temporary-directory:": "T", "parallel:": "parallel", "unique": "u",
    "zero-terminated": "z",
}  # fmt: skip
_KINDS = {
    "numeric": "n", "human-numeric": "h", "version": "V", "month": "M", "general-numeric": "g", "random": "R",
}  # fmt: skip
_NUMBER = re.compile(rb"[ \t]*(-?)([0-9]*)(?:\.([0-9]*))?")
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
        value = float((match[2][:300] or b"0") + b"." + (match[3] or b"0")[:300])
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


def _wrong_key(c: Cmd, spec: str, match: re.Match[str] | None) -> str:
    """What sort says of a key that is none."""
    if match is not None:
        what = "field number" if not int(match[1][:6]) else "character offset"
        return f"{what} is zero: invalid field specification {c.lq(spec)}"
    if not spec[:1].isdecimal():
        return f"invalid number at field start: invalid count at start of {c.lq(spec)}"
    return f"stray character in field spec: invalid field specification {c.lq(spec)}"


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
        if skip_first:
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
    if by is not None and by not in _KINDS:
        kinds = "".join(f"  - {c.lq(each)}\n" for each in sorted(_KINDS))
        yield from c.warn(
            f"invalid argument {c.lq(by)} for {c.lq('--sort')}\nValid arguments are:\n{kinds}".rstrip()
        )
        return (yield from c.usage())
    general += _KINDS.get(by or "", "")
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
        if match is None or not int(match[1][:6]) or (match[2] and not int(match[2][:6])):
            yield from c.warn(_wrong_key(c, spec, match))
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
                verb = "read failed" if problem.errno == errno.EISDIR else "cannot read"
                verb = "open failed" if verb == "cannot read" and c.has("c", "C") else verb
                yield from c.warn(f"{verb}: {c.quote(path)}: {problem.words}")
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
    same = _identity(keys, general)
    for number, (before, line) in enumerate(itertools.pairwise(lines), 2):
        yield from c.p.tick()
        if _ordered(c, [before, line], keys, general) == [before, line] and not (
            c.has("u") and same(before) == same(line)
        ):
            continue
        if not c.has("C"):
            where = c.args[0] if c.args else "-"
            yield from c.p.err(f"{c.name}: {where}:{number}: disorder: {decode(line)}\n")
        return 1
    return 0
