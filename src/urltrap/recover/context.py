"""What recovery needs to know besides the text."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Literal

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Context:
    """Where the text comes from.

    `language`: "shell" is read as commands, "text" by looking for URLs only. `own_addresses` are the sensor's own
    addresses and names. `public_networks` count as public whatever they are (testing.public_networks). `cut` says
    that the text was cut at its end, so that a URL standing there is incomplete.
    """

    language: Literal["shell", "text"] = "shell"
    own_addresses: frozenset[str] = frozenset()
    public_networks: tuple[IpNetwork, ...] = field(default=())
    cut: bool = False

    def is_public_by_setting(self, address: IpAddress) -> bool:
        """Whether the settings of this run call the address public."""
        return any(address.version == net.version and address in net for net in self.public_networks)
