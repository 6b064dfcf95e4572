"""Which address a machine shows as its own: the one that the attacker reached, or the one behind NAT."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from urltrap.machine.persona.model import Persona


@dataclass(frozen=True, slots=True)
class Addressing:
    """The primary interface's IPv4 configuration."""

    address: str
    prefix: int
    gateway: str

    @property
    def network(self) -> str:
        """Network address."""
        return str(self._net.network_address)

    @property
    def broadcast(self) -> str:
        """Broadcast address."""
        return str(self._net.broadcast_address)

    @property
    def netmask(self) -> str:
        """Netmask in dotted form."""
        return str(self._net.netmask)

    @property
    def _net(self) -> ipaddress.IPv4Network:
        return ipaddress.IPv4Network(f"{self.address}/{self.prefix}", strict=False)


def addressing(persona: Persona, server_ip: str = "") -> Addressing:
    """The configuration to show to somebody who reached `server_ip` (text of an IPv4 or IPv6 address, or empty).

    A globally reachable IPv4 address is shown as it is, in the /24 around it; anything else (a loopback test, a
    container's network, IPv6) would tell where the trap runs, so the persona's own address behind NAT is shown.
    """
    try:
        address = ipaddress.ip_address(server_ip)
    except ValueError:
        address = None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    primary = persona.primary
    if not isinstance(address, ipaddress.IPv4Address) or not address.is_global:
        return Addressing(primary.address, primary.prefix, persona.network.gateway)
    net = ipaddress.IPv4Network(f"{address}/24", strict=False)
    gateway = net.network_address + 1
    if gateway == address:
        gateway = net.broadcast_address - 1
    return Addressing(str(address), 24, str(gateway))


def visible_address(persona: Persona, server_ip: str) -> str:
    """The machine's own address as `$SSH_CONNECTION`, ss and netstat show it to whoever reached `server_ip`."""
    return addressing(persona, server_ip).address
