"""What od, xxd and hexdump share: numbers with units, the names of bytes, reading as much as is wanted."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any

from urltrap.machine.programs._cmd import Cmd
from urltrap.machine.programs._lines import Source

CHARS = {0: "\\0", 7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r"}
"""C's escapes of control characters."""
LIMIT = 16_000_000
"""The most that a dump reads, in bytes."""
_UNITS = {"": 1, "b": 512, "k": 1024, "K": 1024, "m": 1024**2, "M": 1024**2, "G": 1024**3}


def count(text: str | None) -> int | None:
    """A number in decimal, hex or octal with b, k, m behind; -1 where it is none."""
    if text is None:
        return None
    match = re.fullmatch(r"(0[xX][0-9a-fA-F]{1,12}|[0-9]{1,15})([bkKmMG]?)B?", text)
    if match is None:
        return -1
    digits = match[1]
    octal = digits.startswith("0") and len(digits) > 1 and set(digits) <= set("01234567")
    base = 16 if digits[:2].lower() == "0x" else 8 if octal else 10
    return int(digits, base) * _UNITS[match[2]]


def escaped(byte: int) -> str:
    """A byte as od -c shows it: itself, C's escape, or three octal digits."""
    return CHARS.get(byte) or (chr(byte) if 32 <= byte < 127 else f"{byte:03o}")


def gather(c: Cmd, path: str, data: bytearray, need: int | None) -> Generator[Any, Any, None]:
    """Add what `path` holds to `data` until there are `need` bytes, and no more is read. SysError."""
    source = Source(c, path)
    try:
        while len(data) < (LIMIT if need is None else need):
            wanted = 65_536 if need is None else max(1, min(65_536, need - len(data)))
            piece = yield from c.p.read(source.fd, wanted)
            if not piece:
                break
            data += piece
    finally:
        source.close()
