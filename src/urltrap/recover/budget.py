"""How much of a text is worth its time: counted in what costs time, as this room has no clock."""

from __future__ import annotations

import re

MOST_MARKS = 6000
"""Separators, quotes and expansions of a text that is run (a shell's work goes with them, not with bytes)."""
MOST_WORDS = 12_000
"""The same for reading by words, which is cheaper."""
MOST_BYTES = 1_000_000
_MARK = re.compile(rb"[\s;|&()<>$`{}'\"\x00\[*?]|\\(?![x0-7])")
_NEAR = 4000


def affordable(text: bytes, marks: int) -> bytes:
    """The beginning of `text` with at most about `marks` marks, cut where a command ends, where one ends nearby."""
    if len(text) <= marks:
        return text
    text = text[:MOST_BYTES]
    cut = -1
    for number, match in enumerate(_MARK.finditer(text)):
        if number >= marks:
            cut = match.start()
            break
    if cut < 0:
        return text
    end = max(text.rfind(b"\n", cut - _NEAR, cut), text.rfind(b";", cut - _NEAR, cut))
    return text[:end] if end > 0 else text[:cut]
