"""The ELF header, read by hand: right on files that were cut short, and cheap on hostile ones.

Source: System V ABI, chapter 4 "Object Files" (e_ident, e_machine), and the machine numbers of binutils' elf/common.h.
"""

from __future__ import annotations

from dataclasses import dataclass

_MACHINES = {
    2: "sparc", 3: "x86", 4: "m68k", 7: "i860", 8: "mips", 10: "mips", 15: "parisc", 18: "sparc32plus", 20: "powerpc",
    21: "powerpc64", 22: "s390", 40: "arm", 42: "superh", 43: "sparc64", 45: "arc", 50: "ia64", 62: "x86-64",
    76: "cris", 88: "m32r", 92: "openrisc", 93: "arc", 94: "xtensa", 106: "blackfin", 113: "nios2", 183: "aarch64",
    189: "microblaze", 195: "arc", 243: "riscv", 247: "bpf", 252: "csky", 258: "loongarch", 0x9026: "alpha",
}  # fmt: skip
_TYPES = {1: "relocatable", 2: "executable", 3: "shared", 4: "core"}


@dataclass(frozen=True, slots=True)
class ElfHeader:
    """What the header says. `machine` is empty where the file ends before it, `type` likewise."""

    bits: int | None
    endian: str
    machine: str
    machine_number: int | None
    type: str


def read_elf(head: bytes) -> ElfHeader | None:
    """The header of an ELF file from its first 20 bytes, or from as many as there are; None for anything else."""
    if not head.startswith(b"\x7fELF"):
        return None
    bits = {1: 32, 2: 64}.get(head[4]) if len(head) > 4 else None
    order = {1: "little", 2: "big"}.get(head[5]) if len(head) > 5 else None
    if order is None or len(head) < 20:
        return ElfHeader(bits, order or "", "", None, "")
    # mypy wants the literal type of int.from_bytes' second argument.
    little = order == "little"
    kind = int.from_bytes(head[16:18], "little" if little else "big")
    number = int.from_bytes(head[18:20], "little" if little else "big")
    return ElfHeader(bits, order, _MACHINES.get(number, f"machine-{number}"), number, _TYPES.get(kind, ""))
