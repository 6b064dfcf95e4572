"""crypt(3) for $1$ (FreeBSD's MD5 crypt), $5$ and $6$ (Drepper, "SHA-crypt", version 0.6)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

_ITOA = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def _digits(value: int, count: int) -> str:
    out = ""
    for _ in range(count):
        out += _ITOA[value & 63]
        value >>= 6
    return out


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def md5_crypt(password: bytes, salt: str, magic: str = "$1$") -> str:
    """$1$SALT$HASH (`magic` "$apr1$" for Apache's)."""
    seasoning = salt.encode("utf-8", "surrogateescape")[:8]
    inner = _md5(password + seasoning + password)
    mixed = password + magic.encode() + seasoning
    left = len(password)
    while left > 0:
        mixed += inner[: min(16, left)]
        left -= 16
    bits = len(password)
    while bits:
        mixed += b"\0" if bits & 1 else password[:1]
        bits >>= 1
    final = _md5(mixed)
    for turn in range(1000):
        step = password if turn & 1 else final
        step += seasoning if turn % 3 else b""
        step += password if turn % 7 else b""
        step += final if turn & 1 else password
        final = _md5(step)
    out = ""
    for a, b, c in ((0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5)):
        out += _digits(final[a] << 16 | final[b] << 8 | final[c], 4)
    out += _digits(final[11], 2)
    return f"{magic}{seasoning.decode('utf-8', 'surrogateescape')}${out}"


def sha_crypt(password: bytes, salt: str, kind: str, rounds: int = 5000) -> str:
    """$5$SALT$HASH or $6$SALT$HASH (`kind` "5" or "6")."""
    name = "sha256" if kind == "5" else "sha512"
    size = 32 if kind == "5" else 64

    def digest(data: bytes) -> bytes:
        return hashlib.new(name, data).digest()

    def stretch(data: bytes, length: int) -> bytes:
        return (data * (length // size + 1))[:length]

    seasoning = salt.encode("utf-8", "surrogateescape")[:16]
    b = digest(password + seasoning + password)
    a = password + seasoning + stretch(b, len(password))
    bits = len(password)
    while bits:
        a += b if bits & 1 else password
        bits >>= 1
    final = digest(a)
    p = stretch(digest(password * len(password)), len(password))
    s = stretch(digest(seasoning * (16 + final[0])), len(seasoning))
    for turn in range(rounds):
        step = p if turn & 1 else final
        step += s if turn % 3 else b""
        step += p if turn % 7 else b""
        step += final if turn & 1 else p
        final = digest(step)
    out = ""
    if kind == "5":
        x, y, z = 0, 10, 20
        for _ in range(10):
            out += _digits(final[x] << 16 | final[y] << 8 | final[z], 4)
            x, y, z = z + 1, x + 1, y + 1
        out += _digits(final[31] << 8 | final[30], 3)
    else:
        x, y, z = 0, 21, 42
        for _ in range(21):
            out += _digits(final[x] << 16 | final[y] << 8 | final[z], 4)
            x, y, z = y + 1, z + 1, x + 1
        out += _digits(final[63], 2)
    return f"${kind}${seasoning.decode('utf-8', 'surrogateescape')}${out}"


SALT_LETTERS = _ITOA
_MAX_ROUNDS = 20_000
"""Hashes with more rounds are not computed: a line in /etc/shadow must not buy seconds of processor time."""


def portable_crypt(password: bytes, setting: str) -> str | None:
    """crypt(3) for a setting or hash of these kinds; None for any other (DES, yescrypt, bcrypt)."""
    parts = setting.split("$")
    if len(parts) < 3 or parts[0] or parts[1] not in ("1", "5", "6") or not setting.isascii():
        return None
    if parts[1] == "1":
        return md5_crypt(password, parts[2])
    if not parts[2].startswith("rounds="):
        return sha_crypt(password, parts[2], parts[1])
    digits = parts[2].removeprefix("rounds=")
    if len(parts) < 4 or not digits.isdecimal() or len(digits) > 9:
        return None
    rounds = min(max(int(digits), 1000), 999_999_999)
    if rounds > _MAX_ROUNDS:
        return None
    made = sha_crypt(password, parts[3], parts[1], rounds)
    return f"${parts[1]}$rounds={rounds}${made[3:]}"


def new_setting(kind: str, below: Callable[[int], int]) -> str:
    """A setting with a fresh salt: `kind` "1", "5", "6" or "y" (yescrypt as Debian's PAM makes it); `below(n)` gives
    numbers below n."""
    if kind == "y":
        # 128 bits in groups of six: the last letter holds only two of them.
        salt = "".join(SALT_LETTERS[below(64)] for _ in range(21)) + SALT_LETTERS[below(4)]
        return f"$y$j9T${salt}$"
    return f"${kind}$" + "".join(SALT_LETTERS[below(64)] for _ in range(8 if kind == "1" else 16)) + "$"
