"""Random numbers for the machines: the system's, taken in larger pieces.

A log-in draws some twenty small numbers (pids, inodes, seeds); one system call for each is most of what they cost.
"""

from __future__ import annotations

import os
from collections.abc import Callable

_PIECE = 4096


class Chance:
    """Numbers from `source` (bytes by length, os.urandom where none is given), of which each byte is used once.

    To be made after a fork: a copy would draw the same numbers.
    """

    __slots__ = ("_at", "_bytes", "_source")

    def __init__(self, source: Callable[[int], bytes] = os.urandom) -> None:
        self._source = source
        self._bytes = b""
        self._at = 0

    def below(self, limit: int) -> int:
        """A number from 0 to `limit` - 1, each as likely as the others; ValueError where there is none."""
        if limit <= 0:
            raise ValueError("limit must be at least 1")
        bits = (limit - 1).bit_length()
        length = (bits + 7) // 8
        excess = length * 8 - bits
        while True:
            number = int.from_bytes(self._take(length), "little") >> excess
            if number < limit:
                return number

    def _take(self, length: int) -> bytes:
        end = self._at + length
        if end > len(self._bytes):
            self._bytes = self._source(max(_PIECE, length))
            self._at, end = 0, length
        taken = self._bytes[self._at : end]
        self._at = end
        return taken
