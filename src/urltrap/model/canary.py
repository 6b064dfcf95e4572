"""The synthetic attacker: how its sessions are told from those of attackers, and what it comes with.

Everything is made from the installation's secret: no attacker can look like it, and nothing of it is the same on
two installations. Its sessions are journalled as others and kept out of the store.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from urltrap.model.event import EventBase, owner_of

PREFIX = "CANARY"
"""How the id of its sessions begins: no time before the year 10889 makes a ULID that begins with a letter above 7."""
USER = "root"


@dataclass(frozen=True, slots=True)
class Canary:
    """What the synthetic attacker of one installation comes with."""

    network: str
    """First three bytes of the addresses that it comes from, with a dot; in 127/8, where nobody else comes from."""
    password: bytes
    host: str
    """The host that the fetcher answers for itself."""

    @classmethod
    def of(cls, secret: bytes) -> Canary:
        """The one of the installation with this secret."""
        digest = hashlib.blake2b(secret, person=b"canary").digest()
        return cls(
            f"127.{digest[0] % 253 + 2}.{digest[1]}.", digest[2:18].hex().encode(), canary_host(secret)
        )

    def address(self, turn: int) -> str:
        """The address of its `turn`-th visit: another each time, so that every trap process is visited."""
        return f"{self.network}{turn % 254 + 1}"

    def comes_from(self, address: str) -> bool:
        """Whether an address is one of its own."""
        return address.startswith(self.network)


def canary_host(secret: bytes) -> str:
    """The name that the fetcher answers itself: another one on each installation, so that it gives nobody away."""
    return hashlib.sha256(b"canary host\0" + secret).hexdigest()[:16] + ".invalid"


def canary_session(ulid: str) -> str:
    """The id of one of its sessions."""
    return PREFIX + ulid[len(PREFIX) :]


def is_canary(event: EventBase) -> bool:
    """Whether an event is of the synthetic attacker, or a capture that was made for it."""
    return owner_of(event).startswith(PREFIX)
