"""SHA-512 crypt(3) hashes, so that a changed password lets its owner in again (Drepper, "SHA-crypt", version 0.6)."""

from __future__ import annotations

import hashlib
import itertools

from urltrap.machine.api import Process, encode

_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ROUNDS = 5000
_TRIPLES = [(0, 21, 42), (22, 43, 1), (44, 2, 23), (3, 24, 45), (25, 46, 4), (47, 5, 26), (6, 27, 48), (28, 49, 7),
            (50, 8, 29), (9, 30, 51), (31, 52, 10), (53, 11, 32), (12, 33, 54), (34, 55, 13), (56, 14, 35), (15,
            36, 57),
            (37, 58, 16), (59, 17, 38), (18, 39, 60), (40, 61, 19), (62, 20, 41)]  # fmt: skip


def _spread(digest: bytes, length: int) -> bytes:
    return (digest * (length // len(digest) + 1))[:length]


def sha512_crypt(password: bytes, salt: str) -> str:
    """The ``$6$SALT$HASH`` of a password; the salt has at most 16 letters of crypt's alphabet."""
    password, seed = password[:512], salt.encode("ascii")[:16]
    mixed = hashlib.sha512(password + seed + password).digest()
    first = hashlib.sha512(password + seed + _spread(mixed, len(password)))
    length = len(password)
    while length:
        first.update(mixed if length & 1 else password)
        length >>= 1
    digest = first.digest()
    p_bytes = _spread(hashlib.sha512(password * len(password)).digest(), len(password))
    s_bytes = _spread(hashlib.sha512(seed * (16 + digest[0])).digest(), len(seed))
    for number in range(_ROUNDS):
        turn = p_bytes if number & 1 else digest
        if number % 3:
            turn += s_bytes
        if number % 7:
            turn += p_bytes
        digest = hashlib.sha512(turn + (digest if number & 1 else p_bytes)).digest()
    out = []
    for a, b, c in _TRIPLES:
        value = digest[a] << 16 | digest[b] << 8 | digest[c]
        out += [_ALPHABET[value >> shift & 63] for shift in (0, 6, 12, 18)]
    out += [_ALPHABET[digest[63] & 63], _ALPHABET[digest[63] >> 6]]
    return f"$6${salt}${''.join(out)}"


def new_hash(p: Process, password: str) -> str:
    """A hash with a fresh salt."""
    salt = "".join(_ALPHABET[p.random(64)] for _ in itertools.repeat(None, 16))
    return sha512_crypt(encode(password), salt)


def matches(password: str, kept: str) -> bool:
    """True where `password` is behind a hash that `new_hash` made; other kinds of hashes match nothing."""
    parts = kept.split("$")
    return len(parts) == 4 and parts[1] == "6" and sha512_crypt(encode(password), parts[2]) == kept
