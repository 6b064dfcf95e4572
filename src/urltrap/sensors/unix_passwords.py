"""Checking a password against a crypt(3) hash, as log-in does."""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import hmac
from collections.abc import Callable


class PasswordHashError(ValueError):
    """The hash is locked, or of a kind that this system's crypt(3) does not know."""


@functools.cache
def _crypt() -> Callable[[bytes, bytes], bytes | None] | None:
    name = ctypes.util.find_library("crypt")
    if name is None:
        return None
    function = ctypes.CDLL(name).crypt
    function.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
    function.restype = ctypes.c_char_p
    found: Callable[[bytes, bytes], bytes | None] = function
    return found


def verify_password(password: bytes, stored: str) -> bool:
    """Whether `password` is behind the hash `stored`. PasswordHashError where that cannot be found out.

    Costs what the hash costs (some 10 ms for yescrypt); call it only for accounts that somebody changed.
    """
    crypt = _crypt()
    encoded = stored.encode("utf-8", "surrogateescape")
    if crypt is None or stored.startswith(("!", "*")) or len(encoded) > 512 or b"\0" in encoded + password:
        raise PasswordHashError("this hash cannot be checked here")
    made = crypt(password[:512], encoded)
    if made is None or made.startswith(b"*"):
        raise PasswordHashError("the system's crypt does not know this kind of hash")
    return hmac.compare_digest(made, encoded)
