"""Passwords: hashed with argon2id, never kept, never shown."""

from __future__ import annotations

import threading
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

SHORTEST, LONGEST = 10, 1024
_HASHER = PasswordHasher()  # argon2id with the second set of RFC 9106, section 4: 64 MiB, 3 passes
_ONE = threading.Semaphore(1)
"""A hash takes 64 MiB: one at a time, so that many log-ins at once cannot fill the memory."""


def problem_with(password: str, name: str) -> str:
    """Why this is no password for a user of that name, as a sentence; empty where it is one."""
    if len(password) < SHORTEST:
        return f"A password has at least {SHORTEST} characters."
    if len(password) > LONGEST:
        return f"A password has at most {LONGEST} characters."
    if name and name.lower() in password.lower() and len(password) < 2 * len(name) + SHORTEST:
        return "The password holds the user's name."
    if len(set(password)) < 5:
        return "The password repeats a few characters."
    return ""


def hash_of(password: str) -> str:
    """What is kept of a password."""
    with _ONE:
        return _HASHER.hash(password)


def fits(password: str, kept: str | None) -> bool:
    """Whether this is the password of that hash. Without one (no such user) it takes as long, and is not."""
    if len(password) > LONGEST:
        return False
    with _ONE:
        try:
            _HASHER.verify(kept or _of_nobody(), password)
        except (VerifyMismatchError, VerificationError, InvalidHashError):
            return False
    return kept is not None


@cache
def _of_nobody() -> str:
    return _HASHER.hash("no user has this password")


def weak(kept: str) -> bool:
    """Whether a hash was made with other parameters than today's, and is to be made anew at a log-in."""
    return _HASHER.check_needs_rehash(kept)
