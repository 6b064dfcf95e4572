"""Constants in machine code: what instructions load as immediates or from literal pools, per architecture.

Only the few encodings by which compilers load a 32-bit constant or small arguments are known; code is never executed
and never fully disassembled. Source: the architectures' instruction set manuals.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

X86, X86_64, ARM, AARCH64, MIPS, PPC, SH, M68K, SPARC = 3, 62, 40, 183, 8, 20, 42, 4, 2


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that code loads: where, how wide in bytes, as the bytes that end up in memory; `register` of arguments
    (-1 where it is none, -2 for a push)."""

    at: int
    data: bytes
    register: int = -1

    @property
    def small(self) -> int:
        """The value, where it is one byte or two; -1 otherwise."""
        return int.from_bytes(self.data, "big") if len(self.data) <= 2 else -1


_X86_WORDS = re.compile(
    rb"(?<!\x66)(?:[\xb8-\xbf]|\x68|\xc7\x45.|\xc7\x04\x24|\xc7\x44\x24.|\xc7\x05....|\xc7\x85....|"
    rb"\xc7[\x40-\x43\x46\x47].|\xc7[\x00-\x03\x06\x07])(....)",
    re.DOTALL,
)
_X86_HALVES = re.compile(
    rb"\x66(?:\xc7\x45.|\xc7\x44\x24.|\xc7\x04\x24|\x68|\xc7\x05....|[\xb8-\xbf])(..)", re.DOTALL
)
_X86_LONGS = re.compile(rb"[\x48\x49][\xb8-\xbf](........)", re.DOTALL)
_X86_PUSH = rb"(?:\x6a(.)|\x68(.)\x00\x00\x00)"
_X86_PUSHES = re.compile(_X86_PUSH * 4, re.DOTALL)
_X86_ARGUMENTS = re.compile(
    rb"\xbf(.)\x00\x00\x00|\xbe(.)\x00\x00\x00|\xba(.)\x00\x00\x00|\xb9(.)\x00\x00\x00", re.DOTALL
)
_M68K = re.compile(
    rb"(?:\x2f\x3c|[\x20\x22\x24\x26\x28\x2a\x2c\x2e]\x3c|\x48\x79|\x21\x7c|\x2d\x7c|\x2f\x7c|\x23\xfc)(....)",
    re.DOTALL,
)
_M68K_HALVES = re.compile(rb"(?:\x3f\x3c|\x3d\x7c|\x3f\x7c|\x48\x78)(..)", re.DOTALL)
_REACH = 12


def constants(code: bytes, machine: int, big: bool) -> Iterator[Constant]:
    """The constants of a piece of code for `machine` (ELF's e_machine), in their order."""
    if machine in (X86, X86_64):
        yield from _x86(code, machine == X86_64)
    elif machine == M68K:
        for match in _M68K.finditer(code):
            yield Constant(match.start(), match[1])
        for match in _M68K_HALVES.finditer(code):
            yield Constant(match.start(), match[1], -2)
    elif machine == SH:
        yield from _sh(code, big)
    elif machine in (ARM, MIPS, PPC, SPARC):
        order = ">" if big else "<"
        count = min(len(code) // 4, 40_000)
        words = struct.unpack(f"{order}{count}I", code[: count * 4])
        reader = {ARM: _arm, MIPS: _mips, PPC: _ppc, SPARC: _sparc}[machine]
        yield from reader(words, code, "big" if big else "little")


def _x86(code: bytes, wide: bool) -> Iterator[Constant]:
    found = [Constant(match.start(), match[1]) for match in _X86_WORDS.finditer(code)]
    found += [Constant(match.start(), match[1]) for match in _X86_HALVES.finditer(code)]
    for match in _X86_PUSHES.finditer(code):
        found += [
            Constant(match.start() + number, data, -2)
            for number, data in enumerate(filter(None, match.groups()))
        ]
    if wide:
        found += [Constant(match.start(), match[1]) for match in _X86_LONGS.finditer(code)]
        for match in _X86_ARGUMENTS.finditer(code):
            register = next(number for number in range(4) if match[number + 1] is not None)
            found.append(Constant(match.start(), match[register + 1], register))
    return iter(sorted(found, key=lambda each: each.at))


def _memory(value: int, order: str) -> bytes:
    return (value & 0xFFFFFFFF).to_bytes(4, "big" if order == "big" else "little")


def _arm(words: tuple[int, ...], code: bytes, order: str) -> Iterator[Constant]:
    lower: dict[int, int] = {}
    for number, word in enumerate(words):
        if word & 0x0FFF0000 == 0x059F0000:  # ldr rX, [pc, #N]: a literal
            target = number * 4 + 8 + (word & 0xFFF)
            if target + 4 <= len(code):
                yield Constant(number * 4, code[target : target + 4])
        elif word & 0x0FEF0000 == 0x03A00000:  # mov rX, #N
            turn = (word >> 8 & 15) * 2
            value = word & 0xFF
            value = (value >> turn | value << (32 - turn)) & 0xFFFFFFFF if turn else value
            register = word >> 12 & 15
            if value < 65_536:
                yield Constant(number * 4, _small(value), register)
            else:
                yield Constant(number * 4, _memory(value, order))
        elif word & 0x0FF00000 == 0x03000000:  # movw
            lower[word >> 12 & 15] = (word >> 4 & 0xF000) | (word & 0xFFF)
            upper = 0x03400000 | word & 0xF000
            if all(after & 0x0FF0F000 != upper for after in words[number + 1 : number + 1 + _REACH]):
                yield Constant(number * 4, _small(lower[word >> 12 & 15]), word >> 12 & 15)
        elif word & 0x0FF00000 == 0x03400000:  # movt
            high = (word >> 4 & 0xF000) | (word & 0xFFF)
            yield Constant(number * 4, _memory(high << 16 | lower.get(word >> 12 & 15, 0), order))


def _mips(words: tuple[int, ...], code: bytes, order: str) -> Iterator[Constant]:
    upper: dict[int, tuple[int, int]] = {}
    for number, word in enumerate(words):
        operation, source, target, value = word >> 26, word >> 21 & 31, word >> 16 & 31, word & 0xFFFF
        if operation == 15:  # lui
            upper[target] = (value, number)
        elif operation in (9, 13) and source == 0:  # li
            # Arguments are $a0 to $a3, registers 4 to 7.
            yield Constant(number * 4, _small(value), target - 4)
        elif operation in (9, 13) and source in upper and number - upper[source][1] <= _REACH:
            high = upper[source][0] << 16
            signed = value - 65_536 if operation == 9 and value > 32_767 else value
            yield Constant(number * 4, _memory(high + signed, order))


def _ppc(words: tuple[int, ...], code: bytes, order: str) -> Iterator[Constant]:
    upper: dict[int, tuple[int, int]] = {}
    for number, word in enumerate(words):
        operation, target, source, value = word >> 26, word >> 21 & 31, word >> 16 & 31, word & 0xFFFF
        if operation == 15 and source == 0:  # lis
            upper[target] = (value, number)
        elif operation == 14 and source == 0:  # li; arguments are r3 to r6
            yield Constant(number * 4, _small(value), target - 3)
        elif operation == 24 and target in upper and number - upper[target][1] <= _REACH:  # ori rA, rS, N
            yield Constant(number * 4, _memory(upper[target][0] << 16 | value, order))
        elif operation == 14 and source in upper and number - upper[source][1] <= _REACH:  # addi
            signed = value - 65_536 if value > 32_767 else value
            yield Constant(number * 4, _memory((upper[source][0] << 16) + signed, order))


def _sparc(words: tuple[int, ...], code: bytes, order: str) -> Iterator[Constant]:
    upper: dict[int, tuple[int, int]] = {}
    for number, word in enumerate(words):
        if word >> 30 == 0 and word >> 22 & 7 == 4:  # sethi
            upper[word >> 25 & 31] = ((word & 0x3FFFFF) << 10, number)
        elif word >> 30 == 2 and word >> 13 & 1 and word >> 19 & 63 in (0, 2):  # add, or with an immediate
            source, target, value = word >> 14 & 31, word >> 25 & 31, word & 0x1FFF
            if source == 0:  # arguments are %o0 to %o3, registers 8 to 11
                yield Constant(number * 4, _small(value), target - 8)
            elif source in upper and number - upper[source][1] <= _REACH:
                yield Constant(number * 4, _memory(upper[source][0] | value, order))


def _sh(code: bytes, big: bool) -> Iterator[Constant]:
    order = ">" if big else "<"
    for at in range(0, min(len(code), 160_000) - 1, 2):
        (word,) = struct.unpack_from(order + "H", code, at)
        if word >> 12 == 0xD:  # mov.l @(disp,pc),rN
            target = (at & ~3) + 4 + (word & 0xFF) * 4
            if target + 4 <= len(code):
                yield Constant(at, code[target : target + 4])
        elif word >> 12 == 0x9:  # mov.w
            target = at + 4 + (word & 0xFF) * 2
            if target + 2 <= len(code):
                (value,) = struct.unpack_from(order + "H", code, target)
                yield Constant(at, _small(value), (word >> 8 & 15) - 4)
        elif word >> 12 == 0xE:  # mov #imm,rN; arguments are r4 to r7
            yield Constant(at, bytes((word & 0xFF,)), (word >> 8 & 15) - 4)


def _small(value: int) -> bytes:
    return bytes((value,)) if value < 256 else value.to_bytes(2, "big")
