"""Identifiers: a session is a ULID, an event is ``SESSION/SEQ``."""

from __future__ import annotations

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_ulid(unix_ms: int, entropy: bytes) -> str:
    """A ULID of 26 characters from a time in milliseconds and 10 random bytes (clock and randomness are arguments).

    Raises ValueError where the time does not fit 48 bits or the entropy is not 10 bytes.
    Source: the ULID specification (Crockford base32, time first, so that ids sort by time).
    """
    if not 0 <= unix_ms < 1 << 48:
        raise ValueError(f"time out of range for a ULID: {unix_ms}")
    if len(entropy) != 10:
        raise ValueError(f"a ULID takes 10 bytes of randomness, not {len(entropy)}")
    number = (unix_ms << 80) | int.from_bytes(entropy, "big")
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))


def ulid_time_ms(ulid: str) -> int:
    """The millisecond in which a ULID was made; ValueError for what is not a ULID."""
    if len(ulid) != 26:
        raise ValueError(f"not a ULID: {ulid[:40]!r}")
    number = 0
    for char in ulid:
        number = (number << 5) | _ALPHABET.index(char)
    return number >> 80


def event_id(session: str, seq: int) -> str:
    """The id of one event, unique for ever, so that a repeated delivery can be recognised."""
    return f"{session}/{seq}"
