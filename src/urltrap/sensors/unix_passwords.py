"""This system's crypt(3), for the kinds of hashes that take too long in Python (yescrypt)."""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
from collections.abc import Callable

_MAX_SETTING = 512
_COSTLY = ("$2", "$gy$", "$7$", "$y$")
_DEBIAN = "$y$j9T$"


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


@functools.lru_cache(maxsize=512)
def system_crypt(password: bytes, setting: str) -> str | None:
    """The hash of a password as the setting (or a hash) says; None where this system's crypt(3) does not know the kind,
    and for settings that cost more than Debian's own: an attacker chooses what is in /etc/shadow.

    Takes some 10 ms for yescrypt. A client that tries one pair again and again pays once.
    """
    crypt = _crypt()
    encoded = setting.encode("utf-8", "surrogateescape")
    if crypt is None or len(encoded) > _MAX_SETTING or b"\0" in encoded + password:
        return None
    if setting.startswith(_COSTLY) and not setting.startswith(_DEBIAN):
        return None
    made = crypt(password[:_MAX_SETTING], encoded)
    if made is None or made.startswith(b"*"):
        return None
    return made.decode("latin-1")
