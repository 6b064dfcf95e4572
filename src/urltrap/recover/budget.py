"""How much of a text is worth its time: counted in what costs time, as this room has no clock."""

from __future__ import annotations

MOST_MARKS = 6000
"""Separators, quotes and expansions of a text that is run (a shell's work goes with them, not with bytes)."""
MOST_WORDS = 12_000
"""The same for reading by words, which is cheaper."""
MOST_BYTES = 1_000_000
BYTES_PER_STEP = 4
STEPS_PER_MARK = 3
"""The interpreter counts what it executes; reading has its price too, or texts that start texts would read for ever."""
_MARKS = b" \t\r\n\v\f;|&()<>$`{}'\"\x00[*?\\"
_OTHERS = bytes(byte for byte in range(256) if byte not in _MARKS)
_ESCAPES = tuple(b"\\" + bytes((letter,)) for letter in b"x01234567")
_ESCAPES_PER_MARK = 4
"""``\\x7f`` and ``\\177`` are cheaper than anything else that begins with a backslash: whole programs are typed so."""
_NEAR = 4000


def marks_of(text: bytes) -> int:
    """How many marks a text has."""
    marks = len(text.translate(None, _OTHERS))
    if b"\\" in text:
        escapes = sum(text.count(escape) for escape in _ESCAPES)
        marks -= escapes - escapes // _ESCAPES_PER_MARK
    return marks


def price(text: bytes) -> int:
    """Steps that reading a text costs which was put together while another one ran."""
    return 1 + max(len(text) // BYTES_PER_STEP, STEPS_PER_MARK * marks_of(text))


def affordable(text: bytes, marks: int) -> bytes:
    """The beginning of `text` with at most about `marks` marks, cut where a command ends, where one ends nearby."""
    text = text[:MOST_BYTES]
    if len(text) <= marks or marks_of(text) <= marks:
        return text
    low, high = 0, len(text)
    left = marks
    while high - low > 16:
        middle = (low + high) // 2
        inside = marks_of(text[low:middle])
        if inside <= left:
            low, left = middle, left - inside
        else:
            high = middle
    end = max(text.rfind(b"\n", max(0, low - _NEAR), low), text.rfind(b";", max(0, low - _NEAR), low))
    return text[:end] if end > 0 else text[:low]
