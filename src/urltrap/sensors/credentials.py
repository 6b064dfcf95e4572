"""Who gets in with what: a believable careless machine, not one that opens to everything.

An address gets in with the password of one of its first tries (which one says a keyed hash of the address), and from
then on only with that one. Probes for machines that accept everything are refused, and users that the machine does not
have never get in.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from urltrap.model.canary import Canary
from urltrap.model.settings import CredentialSettings

PROBES = frozenset({b"345gs5662d34", b"3245gs5662d34"})
"""Passwords that bots try to find out whether a machine accepts anything."""
MAX_ADDRESSES = 20_000
MAX_KEPT = 8
"""Credentials that one address keeps."""


@dataclass(slots=True)
class _Source:
    tries: int = 0
    twin: bool = False
    kept: dict[str, str] = field(default_factory=dict)  # digest of the user: digest of user and password
    last: float = 0.0


Authority = Callable[[str, bytes, bytes], bool | None]
"""(address, user, password): what the attacker's own machine says where he has changed the password, else None."""
Keys = Callable[[str, bytes], Iterable[bytes]]
"""(address, user): the public keys (wire form) that are authorized on the attacker's machine."""


class Credentials:
    """The policy. The table of addresses is bounded (least recently used go) and kept in `file` where one is given."""

    def __init__(
        self,
        settings: CredentialSettings,
        secret: bytes,
        users: Iterable[str],
        *,
        authority: Authority = lambda _address, _user, _password: None,
        keys: Keys = lambda _address, _user: (),
        canary: Canary | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._secret = hashlib.blake2b(secret, person=b"credentials").digest()
        self._users = frozenset(user.encode() for user in users)
        self._authority = authority
        self._keys = keys
        self._canary = canary
        self._clock = clock
        self._accept = [tuple(entry.encode().split(b":", 1)) for entry in settings.accept if ":" in entry]
        self._refuse = PROBES | {entry.encode() for entry in settings.refuse}
        self._sources: OrderedDict[str, _Source] = OrderedDict()
        self._changed = False

    def is_canary(self, address: str) -> bool:
        """Whether the synthetic attacker comes from this address."""
        return self._canary is not None and self._canary.comes_from(address)

    def password_opens(self, address: str, user: bytes, password: bytes) -> bool:
        """Whether `address` gets in; counts the try."""
        if self._canary is not None and self._canary.comes_from(address):
            return hmac.compare_digest(password, self._canary.password)
        if any(user == name and password == word for name, word in self._accept):
            # Unless he has changed it there himself: nobody who did gets in with the old one.
            return self._authority(address, user, password) is not False
        source = self._source(address)
        source.tries += 1
        twin, source.twin = source.twin, user == password
        if password in self._refuse:
            return False
        if any(name in (user, b"*") and word in (password, b"*") for name, word in self._accept):
            return True
        answer = self._authority(address, user, password)
        if answer is not None:
            return answer
        name, pair = self._digest(user), self._digest(user, password)
        if name in source.kept:
            return source.kept[name] == pair
        if user not in self._users or not password or (user == password and twin):
            return False
        if source.tries < self.opens_at(address) or len(source.kept) >= MAX_KEPT:
            return False
        source.kept[name] = pair
        self._changed = True
        return True

    def key_opens(self, address: str, user: bytes, key: bytes) -> bool:
        """Whether `key` is among the authorized keys of `user` on the machine of `address`."""
        return any(key == authorized for authorized in self._keys(address, user))

    def opens_at(self, address: str) -> int:
        """Which try of this address is the first that may succeed."""
        low, high = sorted(self._settings.after_tries)
        digest = hashlib.blake2b(address.encode(), key=self._secret, digest_size=8, person=b"tries").digest()
        return low + int.from_bytes(digest, "big") % (high - low + 1)

    def _source(self, address: str) -> _Source:
        source = self._sources.get(address)
        if source is None:
            source = self._sources[address] = _Source()
            while len(self._sources) > MAX_ADDRESSES:
                self._sources.popitem(last=False)
        self._sources.move_to_end(address)
        source.last = self._clock()
        return source

    def _digest(self, *parts: bytes) -> str:
        digest = hashlib.blake2b(key=self._secret, digest_size=16)
        for part in parts:
            digest.update(len(part).to_bytes(8, "big") + part)
        return digest.hexdigest()

    def save(self, file: Path) -> None:
        """Keep what was granted, where anything was granted since the last time."""
        if not self._changed:
            return
        rows = {
            address: {"kept": source.kept, "last": source.last}
            for address, source in self._sources.items()
            if source.kept
        }
        temporary = file.with_name(file.name + ".new")
        temporary.write_text(json.dumps(rows), "utf-8")
        os.replace(temporary, file)
        self._changed = False

    def load(self, files: Iterable[Path]) -> None:
        """Read what this and the other workers have granted; a damaged file is the same as none."""
        found: list[tuple[float, str, Mapping[str, str]]] = []
        for file in files:
            try:
                rows = json.loads(file.read_text("utf-8"))
                found += [(float(row["last"]), address, dict(row["kept"])) for address, row in rows.items()]
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                continue
        for last, address, kept in sorted(found, key=lambda row: row[0])[-MAX_ADDRESSES:]:
            source = self._source(address)
            source.last = last
            source.kept.update(kept)
