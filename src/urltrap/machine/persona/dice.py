"""Draws from a seed: every name is a stream of its own, so that adding one draw changes no other."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

ALPHABET64 = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""The letters of crypt(3) hashes."""


class Dice:
    """Deterministic draws; `name` tells which fact is drawn (BLAKE2b keyed by the seed, counter mode)."""

    def __init__(self, seed: bytes, scope: str = "") -> None:
        self._key = hashlib.blake2b(seed, digest_size=32, person=b"urltrap-persona").digest()
        self._scope = scope

    def scoped(self, scope: str) -> Dice:
        """Draws of their own for one part."""
        dice = Dice.__new__(Dice)
        dice._key, dice._scope = self._key, f"{self._scope}/{scope}"
        return dice

    def data(self, name: str, length: int) -> bytes:
        """`length` bytes."""
        out = b""
        counter = 0
        while len(out) < length:
            text = f"{self._scope}/{name}/{counter}".encode()
            out += hashlib.blake2b(text, key=self._key).digest()
            counter += 1
        return out[:length]

    def hex(self, name: str, digits: int) -> str:
        """`digits` hexadecimal digits."""
        return self.data(name, (digits + 1) // 2).hex()[:digits]

    def number(self, name: str, low: int, high: int) -> int:
        """An integer, both ends included."""
        return low + int.from_bytes(self.data(name, 12), "big") % (high - low + 1)

    def real(self, name: str, low: float, high: float) -> float:
        """A number between both ends."""
        return low + (high - low) * int.from_bytes(self.data(name, 7), "big") / 2**56

    def choice(self, name: str, options: Sequence[T]) -> T:
        """One of `options`."""
        return options[self.number(name, 0, len(options) - 1)]

    def uuid(self, name: str) -> str:
        """A random (version 4) UUID."""
        raw = bytearray(self.data(name, 16))
        raw[6] = raw[6] & 0x0F | 0x40
        raw[8] = raw[8] & 0x3F | 0x80
        digits = raw.hex()
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

    def crypt64(self, name: str, length: int) -> str:
        """`length` letters of crypt(3)'s alphabet."""
        return "".join(ALPHABET64[byte & 63] for byte in self.data(name, length))

    def letters(self, name: str, length: int, alphabet: str) -> str:
        """`length` letters of `alphabet`."""
        return "".join(alphabet[byte % len(alphabet)] for byte in self.data(name, length))
