"""Bracket expressions of patterns and regular expressions: where one ends, and which characters it holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

_CLASSES: dict[str, Callable[[str], bool]] = {
    "alpha": str.isalpha,
    "digit": lambda c: c in "0123456789",
    "alnum": str.isalnum,
    "upper": str.isupper,
    "lower": str.islower,
    "space": lambda c: c in " \t\n\r\v\f",
    "blank": lambda c: c in " \t",
    "punct": lambda c: c in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
    "cntrl": lambda c: ord(c) < 32 or ord(c) == 127,
    "graph": lambda c: 32 < ord(c) < 127 or ord(c) > 160,
    "print": lambda c: 32 <= ord(c) < 127 or ord(c) > 160,
    "xdigit": lambda c: c in "0123456789abcdefABCDEF",
    "word": lambda c: c.isalnum() or c == "_",
}


def bracket_end(pattern: str, pos: int) -> int:
    """The position of the ``]`` that closes the ``[`` at `pos`; -1 where it is an ordinary character."""
    at = pos + 1
    size = len(pattern)
    if at < size and pattern[at] in "!^":
        at += 1
    first = True
    while at < size:
        char = pattern[at]
        if char == "]" and not first:
            return at
        if char == "[" and pattern[at + 1 : at + 2] in (":", ".", "="):
            kind = pattern[at + 1]
            close = pattern.find(kind + "]", at + 2)
            if close > 0:
                at = close + 2
                first = False
                continue
        if char == "\\":
            at += 1
        first = False
        at += 1
    return -1


@dataclass(frozen=True, slots=True)
class CharSet:
    """A bracket expression."""

    negate: bool
    singles: frozenset[str]
    ranges: tuple[tuple[str, str], ...]
    classes: tuple[str, ...]

    def holds(self, char: str) -> bool:
        """True where `char` belongs to the set."""
        found = char in self.singles
        if not found:
            for low, high in self.ranges:
                if low <= char <= high:
                    found = True
                    break
            else:
                for name in self.classes:
                    test = _CLASSES.get(name)
                    if test is not None and test(char):
                        found = True
                        break
        return found != self.negate


def parse_set(pattern: str, pos: int, end: int) -> CharSet:
    """The bracket expression from the ``[`` at `pos` to the ``]`` at `end`."""
    at = pos + 1
    negate = pattern[at] in "!^"
    if negate:
        at += 1
    singles: set[str] = set()
    ranges: list[tuple[str, str]] = []
    classes: list[str] = []
    while at < end:
        char = pattern[at]
        if char == "[" and pattern[at + 1] == ":":
            close = pattern.find(":]", at + 2)
            if 0 < close < end:
                classes.append(pattern[at + 2 : close])
                at = close + 2
                continue
        if char == "\\" and at + 1 < end:
            at += 1
            char = pattern[at]
        if at + 2 < end and pattern[at + 1] == "-":
            high = pattern[at + 2]
            skip = 3
            if high == "\\" and at + 3 < end:
                high = pattern[at + 3]
                skip = 4
            ranges.append((char, high))
            at += skip
            continue
        singles.add(char)
        at += 1
    return CharSet(negate, frozenset(singles), tuple(ranges), tuple(classes))
