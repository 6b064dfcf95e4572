"""HASSH: a fingerprint of an SSH client (or server) from the algorithms that it offers.

Source: the HASSH specification (MD5 of the key-exchange, cipher, MAC and compression lists, joined by semicolons).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

_NAMES = (
    "kex",
    "host_keys",
    "ciphers_to_server",
    "ciphers_to_client",
    "macs_to_server",
    "macs_to_client",
    "compressions_to_server",
    "compressions_to_client",
)


@dataclass(frozen=True, slots=True)
class KexInit:
    """The name lists of a KEXINIT message, raw."""

    kex: bytes = b""
    host_keys: bytes = b""
    ciphers_to_server: bytes = b""
    ciphers_to_client: bytes = b""
    macs_to_server: bytes = b""
    macs_to_client: bytes = b""
    compressions_to_server: bytes = b""
    compressions_to_client: bytes = b""

    @property
    def client_algorithms(self) -> bytes:
        """What HASSH is computed from."""
        return b";".join((self.kex, self.ciphers_to_server, self.macs_to_server, self.compressions_to_server))

    @property
    def server_algorithms(self) -> bytes:
        """What HASSHServer is computed from."""
        return b";".join((self.kex, self.ciphers_to_client, self.macs_to_client, self.compressions_to_client))


def parse_kexinit(payload: bytes) -> KexInit | None:
    """The lists of a KEXINIT payload (message type first); None where it is cut short."""
    lists = list(_lists(payload[17:]))
    return KexInit(**dict(zip(_NAMES, lists, strict=True))) if len(lists) == len(_NAMES) else None


def hassh(algorithms: bytes) -> str:
    """The fingerprint: MD5 in hexadecimal (a name, not a protection)."""
    return hashlib.md5(algorithms, usedforsecurity=False).hexdigest()


def _lists(data: bytes) -> Iterator[bytes]:
    offset = 0
    for _ in _NAMES:
        if len(data) < offset + 4:
            return
        length = int.from_bytes(data[offset : offset + 4], "big")
        offset += 4
        if len(data) < offset + length:
            return
        yield data[offset : offset + length]
        offset += length
