"""Which address a name has in a box, and which name an address was given out for."""

from __future__ import annotations

import hashlib
from ipaddress import ip_address, ip_network

NETWORKS = (
    "45.33.0.0/17", "45.55.0.0/16", "46.101.0.0/17", "51.38.0.0/16", "51.75.0.0/16", "64.227.0.0/17",
    "68.183.0.0/16", "91.121.0.0/16", "94.130.0.0/16", "95.216.0.0/16", "104.131.0.0/16", "116.203.0.0/16",
    "128.199.0.0/16", "134.209.0.0/16", "138.68.0.0/16", "139.59.0.0/16", "142.93.0.0/16", "144.76.0.0/16",
    "157.230.0.0/16", "159.65.0.0/16", "165.22.0.0/16", "167.99.0.0/16", "178.62.0.0/16", "188.166.0.0/16",
)  # fmt: skip
"""Networks of hosters, from which addresses are drawn: nothing that is sent to them leaves the machine."""

MAX_NAMES = 4096
"""Names of one box that are kept; the oldest go."""


class Names:
    """The names of one box. `secret` makes an installation's addresses its own, and the same in all its boxes."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._addresses: dict[str, str] = {}
        self._names: dict[str, str] = {}

    def address(self, name: str) -> str:
        """The IPv4 address of a name; the same whenever it is asked for."""
        name = plain(name)
        known = self._addresses.get(name)
        if known is not None:
            return known
        if len(self._addresses) >= MAX_NAMES:
            oldest = next(iter(self._addresses))
            self._names.pop(self._addresses.pop(oldest), None)
        for attempt in range(256):
            made = self._draw(name, attempt)
            if made not in self._names:
                break
        self._addresses[name] = made
        self._names[made] = name
        return made

    def name(self, address: str) -> str:
        """The name that an address was given out for, empty where it was none."""
        return self._names.get(address, "")

    def _draw(self, name: str, attempt: int) -> str:
        key = name.encode("utf-8", "surrogateescape") + bytes([attempt])
        digest = hashlib.blake2b(key, key=self._secret[:64], digest_size=8).digest()
        network = ip_network(NETWORKS[digest[0] % len(NETWORKS)])
        host = int.from_bytes(digest[1:5], "big") % (network.num_addresses - 2) + 1
        if host & 0xFF in (0, 255):
            host ^= 0x11
        return str(ip_address(int(network.network_address) + host))


def plain(name: str) -> str:
    """A name as it is compared: without the last dot, in small letters."""
    return name.rstrip(".").lower()
