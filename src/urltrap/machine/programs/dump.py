"""od: bytes in octal and other forms."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

from urltrap.machine.api import Run, encode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._bytes import count, escaped, gather
from urltrap.machine.programs._cmd import Cmd, command, paths_or_stdin
from urltrap.machine.programs._words import words

_NAMES = words(
    "nul soh stx etx eot enq ack bel bs ht nl vt ff cr so si dle dc1 dc2 dc3 dc4 nak syn etb can em sub esc fs gs rs "
    "us sp"
)
_OLD = {
    "a": "a", "b": "o1", "B": "o2", "c": "c", "d": "u2", "D": "u4", "f": "f4", "F": "f8", "h": "x2", "H": "x4",
    "i": "d4", "I": "d8", "l": "d8", "L": "d8", "o": "o2", "s": "d2", "x": "x2", "X": "x4",
}  # fmt: skip
"""The options from before -t."""
_WIDTHS = {
    "o": {1: 3, 2: 6, 4: 11, 8: 22},
    "x": {1: 2, 2: 4, 4: 8, 8: 16},
    "u": {1: 3, 2: 5, 4: 10, 8: 20},
    "d": {1: 4, 2: 6, 4: 11, 8: 20},
}
_SIZES = {"C": 1, "S": 2, "I": 4, "L": 8}


@dataclass(frozen=True, slots=True)
class _Form:
    """How one type shows its units: `size` bytes in `width` columns; `text` adds the printable characters."""

    show: Callable[[bytes], str]
    size: int
    width: int
    text: bool = False


def _named(data: bytes) -> str:
    byte = data[0] & 127
    return _NAMES[byte] if byte < 33 else "del" if byte == 127 else chr(byte)


def _integer(kind: str, width: int, order: str) -> Callable[[bytes], str]:
    def show(data: bytes) -> str:
        value = int.from_bytes(data, "big" if order == "big" else "little", signed=kind == "d")
        return str(value) if kind in "du" else f"{value:0{width}{kind}}"

    return show


def _real(size: int, order: str) -> Callable[[bytes], str]:
    form = (">" if order == "big" else "<") + ("f" if size == 4 else "d")

    def show(data: bytes) -> str:
        value = struct.unpack(form, data)[0]
        # The fewest digits that tell this number from its neighbours; a denormal has fewer to tell.
        low = 6 if size == 4 else 15
        if size == 4 and 0 < abs(value) < 2.0**-126:
            low = 1
        for digits in range(low, 10 if size == 4 else 18):
            text = f"{value:.{digits}g}"
            try:
                if struct.pack(form, float(text)) == data:
                    return text
            except OverflowError:
                continue
        return f"{value:.{9 if size == 4 else 17}g}"

    return show


def _forms(text: str, order: str) -> list[_Form] | None:
    """The types in the argument of -t; None where one is wrong."""
    found: list[_Form] = []
    for match in re.finditer(r"([acdfoux])([0-9]+|[CSIL])?(z)?|(.)", text):
        kind = match[1]
        if match[4]:
            return None
        default = 1 if kind in "ac" else 8 if kind == "f" else 4
        size = _SIZES.get(match[2] or "", 0) or int((match[2] or "0")[:2]) or default
        if size not in (1, 2, 4, 8) or (kind == "f" and size < 4):
            return None
        if kind in "ac":
            found.append(
                _Form((lambda data: escaped(data[0])) if kind == "c" else _named, 1, 3, bool(match[3]))
            )
        elif kind == "f":
            found.append(_Form(_real(size, order), size, 15 if size == 4 else 24, bool(match[3])))
        else:
            width = _WIDTHS[kind][size]
            found.append(_Form(_integer(kind, width, order), size, width, bool(match[3])))
    return found


@command(
    "od",
    short="A:j:N:S:t:vw::abBcdDeFfhHiIlLosxX",
    long={
        "address-radix:": "A",
        "skip-bytes:": "j",
        "read-bytes:": "N",
        "strings::": "S",
        "format:": "t",
        "output-duplicates": "v",
        "width::": "w",
        "endian:": "endian",
    },
)
def od(c: Cmd) -> Run:
    """Dump in octal and other forms."""
    forms: list[_Form] = []
    for name, value in c.opts:
        text = value if name == "t" else _OLD.get(name)
        if text is not None:
            each = _forms(text, c.value("endian") or "little")
            if each is None:
                yield from c.warn(f"invalid character '{text[0]}' in type string {c.lq(text)}")
                return 1
            forms += each
    forms = forms or (_forms("o2", c.value("endian") or "little") or [])
    radix = (c.value("A") or "o")[:1]
    if radix not in "doxn":
        yield from c.warn(f"invalid output address radix '{radix}'; it must be one character from [doxn]")
        return 1
    skip, limit = count(c.value("j")) or 0, count(c.value("N"))
    if skip < 0 or limit == -1:
        yield from c.warn(
            f"invalid {'-j' if skip < 0 else '-N'} argument {c.lq(c.value('j' if skip < 0 else 'N') or '')}"
        )
        return 1
    width = count(c.value("w") or "32") or 16 if c.has("w") else 16
    data = bytearray()
    for path in paths_or_stdin(c.args):
        try:
            yield from gather(c, path, data, None if limit is None else skip + limit)
        except SysError as problem:
            what = "read error: " if problem.errno == 21 else ""
            yield from c.fail(f"{c.quote(path)}: {what}{problem.words}")
    whole = bytes(data[skip:] if limit is None else data[skip : skip + limit])
    if len(data) < skip:
        yield from c.warn("cannot skip past end of combined input")
        return 1
    if c.has("S"):
        yield from _strings(c, whole, radix, skip, count(c.value("S") or "3") or 3)
    elif not (c.status and not whole):
        yield from _rows(c, whole, forms, radix, skip, max(1, min(width, 4096)))
    return c.status


def _address(at: int, radix: str) -> str:
    return {"o": f"{at:07o}", "d": f"{at:07d}", "x": f"{at:06x}", "n": ""}[radix]


def _strings(c: Cmd, data: bytes, radix: str, skip: int, least: int) -> Run:
    """Runs of at least `least` printable characters that a NUL ends."""
    for found in re.finditer(rb"[\x07-\r -~]{%d,}(?=\0)" % max(1, min(least, 60_000)), data):
        text = "".join(escaped(byte) for byte in found.group().splitlines()[-1]) if found.group() else ""
        begin = found.end() - len(found.group().splitlines()[-1]) if text else found.start()
        yield from c.put(encode(f"{_address(begin + skip, radix)} {text}\n".lstrip(" ")))
        yield from c.p.tick()
    return 0


def _rows(c: Cmd, data: bytes, forms: list[_Form], radix: str, skip: int, width: int) -> Run:
    largest = max(form.size for form in forms)
    block = max(largest // form.size * (form.width + 1) for form in forms)
    full = block * -(-width // largest)
    last, starred = b"", False
    for at in range(0, len(data), width):
        row = data[at : at + width]
        if row == last and len(row) == width and not c.has("v"):
            if not starred:
                yield from c.say("*\n")
            starred = True
            continue
        last, starred = row, False
        for number, form in enumerate(forms):
            text = "".join(
                form.show(row[n : n + form.size].ljust(form.size, b"\0")).rjust(block * form.size // largest)
                for n in range(0, len(row), form.size)
            )
            head = _address(at + skip, radix)
            head = head if number == 0 else " " * len(head)
            if form.text:
                shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
                text = f"{text:<{full}}  >{shown}<"
            yield from c.say(f"{head}{text}\n")
        yield from c.p.tick(2)
    if radix != "n":
        yield from c.say(_address(skip + len(data), radix) + "\n")
    return 0
