"""How long sshd takes to answer a log-in try.

Source: OpenSSH auth2.c: ensure_minimum_time_since() with a user-specific minimum, so that the time says nothing about
whether the user exists or the password was right.
"""

from __future__ import annotations

import hashlib

_FLOOR = 0.005
_SPREAD = 4_294_967  # nanoseconds: 32 bits of a hash, divided by a thousand


def refusal_seconds(base: float, chances: tuple[float, float, float]) -> float:
    """How long PAM waits before it says no to a wrong password: about `base`, half as long to half as long again.

    `chances` are numbers from 0 to 1. Source: Linux-PAM libpam/pam_delay.c (_pam_compute_delay); Debian's pam_unix asks
    for two seconds.
    """
    return base * (1 + (sum(chances) / 3 - 0.5))


def answer_seconds(secret: bytes, user: bytes, spent: float) -> float:
    """Seconds between the arrival of a try and its answer, where checking it took `spent` seconds."""
    digest = hashlib.blake2b(user, key=secret[:64], digest_size=4).digest()
    minimum = _FLOOR + (int.from_bytes(digest, "big") // 1000 % _SPREAD) / 1e9
    while minimum < spent:
        minimum *= 2
    return minimum
