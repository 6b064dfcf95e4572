"""Passwords of the machine's users: crypt(3), and the ones that the log-in let in although nobody knows their hash."""

from __future__ import annotations

import hmac
from collections.abc import Callable

from urltrap.machine.kernel.accounts import Accounts
from urltrap.machine.unix_crypt import portable_crypt

Crypt = Callable[[bytes, str], str | None]
"""crypt(3): (password, setting or hash) to the hash; None where the kind of hash is not known."""


class Passwords:
    """Hashes and checks. `crypt` is the caller's, for the kinds of hashes that `machine.unix_crypt` cannot make."""

    __slots__ = ("_accounts", "_crypt", "_typed")

    def __init__(self, accounts: Accounts, crypt: Crypt | None = None) -> None:
        self._accounts = accounts
        self._crypt = crypt
        self._typed: dict[str, tuple[str | None, bytes]] = {}

    def hash(self, password: bytes, setting: str) -> str | None:
        """The hash of a password; None for a kind that cannot be made here."""
        password = password[:512].partition(b"\0")[0]
        made = portable_crypt(password, setting)
        return made if made is not None or self._crypt is None else self._crypt(password, setting)

    def typed(self, name: str, password: bytes) -> None:
        """The log-in took this password, which is not behind the installation's hash: it is the user's as long as his
        hash stays as it is, so that sudo agrees with sshd."""
        self._typed[name] = (self._accounts.password_hash(name), password)

    def opens(self, name: str, password: bytes) -> bool:
        """Whether a password is the user's. False where he is unknown, locked or has none."""
        kept = self._accounts.password_hash(name)
        known = self._typed.get(name)
        if known is not None and known[0] == kept:
            return hmac.compare_digest(known[1], password)
        if not kept or kept[0] in "!*":
            return False
        made = self.hash(password, kept)
        return made is not None and hmac.compare_digest(
            made.encode(), kept.encode("utf-8", "surrogateescape")
        )
