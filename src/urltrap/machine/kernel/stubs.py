"""What a tiny program does: the few x86 instructions of hand-made ELF files that write a text and exit.

Loaders and testers bring such files (some hundred bytes, one segment) to see whether what they write is run. Nothing is
executed: at most `_STEPS` instructions of a handful of kinds are read, and what is none of them ends the reading.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from urltrap.machine.effects import Content

_LARGEST = 8_192
_STEPS = 400
_MASK = (1 << 64) - 1
_WIDE = {"write": 1, "exit": 60, "exit_group": 231}
_NARROW = {"write": 4, "exit": 1, "exit_group": 252}


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the file that is loaded: where it lies in memory and in the file."""

    address: int
    offset: int
    in_file: int
    in_memory: int
    writable: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """What the program headers say; `interpreter` is empty for a static file."""

    wide: bool
    machine: int
    entry: int
    segments: tuple[Segment, ...]
    interpreter: str


@dataclass(slots=True)
class Behaviour:
    """What a stub writes, as (descriptor, bytes), and the status it exits with."""

    writes: list[tuple[int, bytes]] = field(default_factory=list)
    status: int = 0


def layout(content: Content) -> Layout | None:
    """Read the program headers of an ELF file; None where the kernel would not (ENOEXEC)."""
    head = content.read(0, 64)
    if head[:4] != b"\x7fELF" or len(head) < 52:
        return None
    wide, order = head[4] == 2, ">" if head[5] == 2 else "<"
    if wide and len(head) < 64:
        return None
    kind, machine = struct.unpack_from(order + "HH", head, 16)
    entry = struct.unpack_from(order + ("Q" if wide else "I"), head, 24)[0]
    at = struct.unpack_from(order + ("Q" if wide else "I"), head, 32 if wide else 28)[0]
    size, count = struct.unpack_from(order + "HH", head, 54 if wide else 42)
    if kind not in (2, 3) or size != (56 if wide else 32) or not 0 < count <= 65_536 // size:
        return None
    table = content.read(at, size * count)
    if len(table) < size * count:
        return None
    segments, interpreter = [], ""
    for number in range(count):
        if wide:
            what, flags, offset, address, _, in_file, in_memory, _ = struct.unpack_from(
                order + "IIQQQQQQ", table, number * size
            )
        else:
            what, offset, address, _, in_file, in_memory, flags, _ = struct.unpack_from(
                order + "IIIIIIII", table, number * size
            )
        if what == 3:
            interpreter = content.read(offset, min(in_file, 256)).rstrip(b"\0").decode("utf-8", "replace")
        elif what == 1:
            segments.append(Segment(address, offset, in_file, in_memory, flags & 2 != 0))
    return Layout(wide, machine, entry, tuple(segments), interpreter)


def is_cut(found: Layout, size: int) -> bool:
    """Whether a loaded part lies behind the end of the file: clearing the rest of its last page faults then."""
    page = 4096
    return any(
        each.in_file and each.offset // page * page < each.offset + each.in_file
        and (each.offset + each.in_file - 1) // page > max(size - 1, 0) // page
        for each in found.segments
    )  # fmt: skip


def behaviour(content: Content, found: Layout) -> Behaviour | None:
    """What a tiny static x86 file does; None where it is no such file, or does anything else."""
    if content.size > _LARGEST or found.machine not in (3, 62) or found.interpreter:
        return None
    return _Reader(content.read(0, _LARGEST), found).run()


class _Reader:
    """Registers, a stack, and the bytes that are loaded."""

    def __init__(self, data: bytes, found: Layout) -> None:
        self.data = data
        self.found = found
        self.bits = 64 if found.wide else 32
        self.registers = [0] * 16
        self.stack: list[int] = []
        self.at = found.entry
        self.done = Behaviour()

    def read(self, address: int, length: int) -> bytes:
        """Bytes of memory; short where nothing is loaded."""
        for each in self.found.segments:
            within = address - each.address
            if 0 <= within < each.in_file:
                start = each.offset + within
                return self.data[start : min(start + length, each.offset + each.in_file)]
        return b""

    def run(self) -> Behaviour | None:
        """Read on until it exits."""
        for _ in range(_STEPS):
            code = self.read(self.at, 16)
            if len(code) < 2:
                return None
            ended = self._step(code)
            if ended is not None:
                return self.done if ended else None
        return None

    def _step(self, code: bytes) -> bool | None:
        """One instruction; True where it exits, False where it is not known."""
        rex = code[0] if self.bits == 64 and code[0] & 0xF0 == 0x40 else 0
        body = code[1:] if rex else code
        skip = 1 if rex else 0
        w, r, b = rex & 8, (rex & 4) << 1, (rex & 1) << 3
        op = body[0]
        modrm = body[1] if len(body) > 1 else 0
        mode, reg, rm = modrm >> 6, (modrm >> 3 & 7) + r, (modrm & 7) + b
        if body[:2] in (b"\xcd\x80", b"\x0f\x05"):
            self.at += skip + 2
            return self._call(body[0] == 0x0F)
        if 0xB8 <= op <= 0xBF:
            size = 8 if w else 4
            self._set(op - 0xB8 + b, int.from_bytes(body[1 : 1 + size], "little"), size)
            self.at += skip + 1 + size
        elif 0xB0 <= op <= 0xB7 and (rex or op <= 0xB3):
            number = op - 0xB0 + b
            self.registers[number] = self.registers[number] & ~0xFF | body[1]
            self.at += skip + 2
        elif op == 0xC7 and mode == 3:
            value = int.from_bytes(body[2:6], "little", signed=True)
            self._set(rm, value, 8 if w else 4)
            self.at += skip + 6
        elif op in (0x31, 0x29) and mode == 3 and reg == rm:
            self._set(rm, 0, 8)
            self.at += skip + 2
        elif op == 0x89 and mode == 3:
            self._set(rm, self.registers[reg], 8 if w else 4)
            self.at += skip + 2
        elif op == 0x8D and mode == 0 and modrm & 7 == 5:
            offset = int.from_bytes(body[2:6], "little", signed=True)
            self.at += skip + 6
            self._set(reg, offset + self.at if self.bits == 64 else offset, 8 if w else 4)
        elif op == 0x6A:
            self.stack.append(int.from_bytes(body[1:2], "little", signed=True) & _MASK)
            self.at += skip + 2
        elif op == 0x68:
            self.stack.append(int.from_bytes(body[1:5], "little", signed=True) & _MASK)
            self.at += skip + 5
        elif 0x58 <= op <= 0x5F and self.stack:
            self._set(op - 0x58 + b, self.stack.pop(), 8)
            self.at += skip + 1
        elif op == 0xFF and mode == 3 and modrm >> 3 & 7 == 0:
            self._set(rm, self.registers[rm] + 1, 8 if w else 4)
            self.at += skip + 2
        elif self.bits == 32 and 0x40 <= op <= 0x47:
            self._set(op - 0x40, self.registers[op - 0x40] + 1, 4)
            self.at += 1
        elif op == 0xEB:
            self.at += skip + 2 + int.from_bytes(body[1:2], "little", signed=True)
        elif op == 0xE8:
            self.stack.append(self.at + skip + 5)
            self.at += skip + 5 + int.from_bytes(body[1:5], "little", signed=True)
        elif op == 0x90:
            self.at += skip + 1
        else:
            return False
        return None

    def _set(self, number: int, value: int, size: int) -> None:
        self.registers[number] = value & (_MASK if size == 8 and self.bits == 64 else 0xFFFFFFFF)

    def _call(self, fast: bool) -> bool | None:
        numbers = _WIDE if fast else _NARROW
        what = self.registers[0] & 0xFFFFFFFF
        order = (7, 6, 2) if fast else (3, 1, 2)
        first, second, third = (self.registers[each] for each in order)
        if what == numbers["write"] and first in (1, 2) and third <= _LARGEST:
            text = self.read(second, third)
            if len(text) < third:
                return False
            self.done.writes.append((first, text))
            self.registers[0] = third
            return None
        if what in (numbers["exit"], numbers["exit_group"]):
            self.done.status = first & 0xFF
            return True
        return False
