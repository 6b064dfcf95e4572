"""The inside of a router: the ports behind its bridge and its uplink, and the phone that uses its radio.

A persona holds the interfaces that carry addresses; these are drawn from it and the same wherever they are shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from urltrap.machine.persona.dice import Dice

if TYPE_CHECKING:
    from urltrap.machine.persona.model import Interface, Persona

_OVER_THE_AIR = 0.62
"""The share of the inner traffic that the radio carries."""


@dataclass(frozen=True, slots=True)
class Station:
    """Somebody in the router's network."""

    mac: str
    address: str
    name: str


def switch_ports(persona: Persona) -> tuple[str, ...]:
    """The wired ports of the bridge: a VLAN of a switch that the kernel sees as one card, or a port each."""
    return ("eth0.1",) if persona.primary.name.startswith("eth0.") else ("lan1", "lan2", "lan3", "lan4")


def below(name: str) -> str:
    """The card that an interface is made of (what ``ip link`` writes behind the @); empty for a card itself."""
    return "eth0" if name.startswith(("eth0.", "lan")) or name == "wan" else ""


def bridged(persona: Persona) -> tuple[str, ...]:
    """What is in br-lan, in the order in which it joined."""
    return (*switch_ports(persona), "wlan0")


def all_interfaces(persona: Persona) -> tuple[Interface, ...]:
    """All interfaces in the kernel's order: a server's own, a router's with the ports and the radio."""
    if persona.is_server:
        return persona.network.interfaces
    loop, bridge, wan = persona.network.interfaces
    found = [loop, bridge, wan, _counted(bridge, "eth0", 2, bridge.mac, 1 - _OVER_THE_AIR, wan)]
    ports = switch_ports(persona)
    for number, name in enumerate(ports):
        share = (1 - _OVER_THE_AIR) if number == 0 else 0.0
        found.append(_counted(bridge, name, bridge.index - len(ports) + number, bridge.mac, share))
    head, _, tail = bridge.mac.rpartition(":")
    found.append(_counted(bridge, "wlan0", wan.index + 3, f"{head}:{int(tail, 16) + 2:02x}", _OVER_THE_AIR))
    return tuple(sorted(found, key=lambda each: each.index))


def _counted(
    bridge: Interface, name: str, index: int, mac: str, share: float, besides: Interface | None = None
) -> Interface:
    counters = {
        field: int(getattr(bridge, field) * share) + (getattr(besides, field) if besides is not None else 0)
        for field in ("rx_bytes", "rx_packets", "tx_bytes", "tx_packets")
    }
    return bridge.model_copy(update={"name": name, "index": index, "mac": mac, "address": "", **counters})


def station(persona: Persona) -> Station:
    """The one that the log shows coming and going."""
    dice = Dice(bytes.fromhex(persona.fingerprint), "station")
    first = f"{dice.number('kind', 0, 15):x}{dice.choice('private', '26ae')}"
    mac = ":".join((first, *(dice.hex(f"mac {number}", 2) for number in range(5))))
    name = dice.choice("name", ("android-", "Galaxy-", "")) + dice.hex("suffix", 4)
    return Station(mac, f"192.168.1.{dice.number('host', 101, 248)}", name if "-" in name else "*")
