"""hexdump and hd of util-linux 2.38."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from urltrap.machine.api import Run, encode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._bytes import count, escaped, gather
from urltrap.machine.programs._cmd import Cmd, Gen, command, paths_or_stdin
from urltrap.machine.programs._words import words

_ASCII = words(
    "nul soh stx etx eot enq ack bel bs ht lf vt ff cr so si dle dcl dc2 dc3 dc4 nak syn etb can em sub esc fs gs rs "
    "us"
)


@command(
    "hexdump",
    "hd",
    short="bcCdoxve:f:n:s:L",
    bad=1,
    package="util-linux",
    version="2.38.1",
    bb="bcCdoxve:f:n:s:",
)
def hexdump(c: Cmd) -> Run:
    """A hex dump."""
    data = bytearray()
    opened = 0
    skip, limit = count(c.value("s")) or 0, count(c.value("n"))
    need = None if limit is None or limit < 0 else skip + limit
    for path in paths_or_stdin(c.args):
        try:
            yield from gather(c, path, data, need)
        except SysError as problem:
            yield from c.fail(f"{path}: {problem.words}")
            continue
        opened += 1
    if not opened:
        if not c.bb:
            yield from c.warn("all input file arguments failed")
        return 1
    whole = bytes(data[skip : need if need is not None else len(data)])
    templates = c.values("e")
    if templates:
        yield from _formatted(c, [_units(each) for each in templates], whole, skip)
        return c.status
    canonical = c.has("C") or c.name.endswith("hd")
    kind = c.last("bcdox") or "plain"
    last, starred = b"", False
    for at in range(0, len(whole), 16):
        row = whole[at : at + 16]
        if row == last and not c.has("v"):
            if not starred:
                yield from c.say("*\n")
            starred = True
            continue
        last, starred = row, False
        yield from c.say(_row(row, at + skip, canonical, kind))
        yield from c.p.tick()
    if whole:
        yield from c.say(f"{len(whole) + skip:0{8 if canonical else 7}x}\n")
    return c.status


def _row(row: bytes, at: int, canonical: bool, kind: str) -> str:
    if canonical:
        left = " ".join(f"{byte:02x}" for byte in row[:8])
        right = " ".join(f"{byte:02x}" for byte in row[8:])
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        return f"{at:08x}  {left:<23}  {right:<23}  |{shown}|\n"
    if kind == "b":
        return f"{at:07x}" + "".join(f" {byte:03o}" for byte in row).ljust(64) + "\n"
    if kind == "c":
        return f"{at:07x}" + "".join(escaped(byte).rjust(4) for byte in row).ljust(64) + "\n"
    numbers = [int.from_bytes(row[n : n + 2], "little") for n in range(0, len(row), 2)]
    form = {"d": "   {:05d}", "o": "  {:06o}", "x": "    {:04x}", "plain": " {:04x}"}[kind]
    text = "".join(form.format(number) for number in numbers)
    return f"{at:07x}{text:<{len(form.format(0)) * 8}}\n"


@dataclass(frozen=True, slots=True)
class _Piece:
    """A conversion with the text around it: `size` bytes of input; none where `kind` is empty or an address."""

    before: str
    flags: str
    width: str
    kind: str
    size: int
    after: str


@dataclass(frozen=True, slots=True)
class _Unit:
    """A format unit: how often it is used, and its pieces."""

    times: int
    pieces: tuple[_Piece, ...]

    @property
    def size(self) -> int:
        """Bytes that all its uses take."""
        return self.times * sum(piece.size for piece in self.pieces)


_CONVERSION = re.compile(r"%([-#0 +]*)(\d*(?:\.\d+)?)(_[aA][dox]|_[cpu]|[diouxXcseEfgG])")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "\\": "\\", '"': '"'}


def _units(template: str) -> list[_Unit]:
    """The units of one -e: ``ITERATIONS/BYTES "FORMAT"``, the numbers may be left out."""
    found = []
    for times, size, text in re.findall(r"(\d{0,4})\s*(?:/\s*(\d{1,2}))?\s*\"((?:[^\"\\]|\\.)*)\"", template):
        form = re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), text)
        pieces = []
        at = 0
        for match in _CONVERSION.finditer(form):
            kind = match[3]
            if kind.startswith(("_a", "_A")):
                taken = 0
            elif size:
                taken = max(1, min(int(size), 8))
            else:
                taken = 1 if kind in ("c", "_c", "_p", "_u") else 8 if kind in "eEfgG" else 4
                if kind == "s":
                    taken = max(1, int("0" + match[2].partition(".")[2][:4]))
            pieces.append(_Piece(form[at : match.start()], match[1], match[2], kind, taken, ""))
            at = match.end()
        rest = form[at:]
        if pieces:
            last = pieces.pop()
            pieces.append(_Piece(last.before, last.flags, last.width, last.kind, last.size, rest))
        else:
            pieces.append(_Piece(rest, "", "", "", 0, ""))
        found.append(_Unit(int(times or 1), tuple(pieces)))
    return found


def _formatted(c: Cmd, templates: list[list[_Unit]], data: bytes, skip: int) -> Gen:
    """Block after block through every template; a block like the one before is shown as one star."""
    size = max((sum(unit.size for unit in units) for units in templates), default=0)
    if not size:
        return
    last, starred = b"", False
    for at in range(0, len(data), size):
        block = data[at : at + size]
        if not c.has("v") and last and last.startswith(block):
            if not starred:
                yield from c.say("*\n")
            starred = True
            continue
        last, starred = block, False
        for units in templates:
            yield from c.put(b"".join(encode(text) for text in _block(units, block, at + skip)))
        yield from c.p.tick(1 + size // 16)


def _block(units: list[_Unit], block: bytes, address: int) -> list[str]:
    out: list[str] = []
    pos = 0
    for unit in units:
        for turn in range(unit.times):
            for number, piece in enumerate(unit.pieces):
                after = piece.after
                final = turn == unit.times - 1 and number == len(unit.pieces) - 1
                if final and unit.times > 1 and after[-1:].isspace():
                    after = after[:-1]  # the blank between two iterations does not end the last one
                data = block[pos : pos + piece.size]
                if piece.size and not data:
                    text = ("%" + piece.width.partition(".")[0] + "s") % ""
                else:
                    text = _converted(piece, data.ljust(piece.size, b"\0"), address + pos)
                out.append(piece.before + text + after)
                pos += piece.size
    return out


def _converted(piece: _Piece, data: bytes, address: int) -> str:
    kind = piece.kind
    if not kind:
        return ""
    form = "%" + piece.flags + piece.width
    if kind.startswith(("_a", "_A")):
        return (form + kind[2]) % address
    if kind == "_p":
        return (form + "s") % (chr(data[0]) if 32 <= data[0] < 127 else ".")
    if kind == "_c":
        return (form + "s") % escaped(data[0])
    if kind == "_u":
        name = _ASCII[data[0]] if data[0] < 32 else "del" if data[0] == 127 else f"{data[0]:02x}"
        return (form + "s") % (chr(data[0]) if 32 <= data[0] < 127 else name)
    if kind in "cs":
        return (form + "s") % data.partition(b"\0")[0].decode("latin-1")
    if kind in "eEfgG":
        order, size = ("<f", 4) if len(data) == 4 else ("<d", 8)
        value: float = struct.unpack(order, data.ljust(size, b"\0"))[0]
        return (form + kind) % value
    number = int.from_bytes(data, "little", signed=kind in "di")
    return (form + ("d" if kind in "diu" else kind)) % number
