"""Network interfaces as ip and ifconfig show them: the persona's, with the address that the visitor reached."""

from __future__ import annotations

from dataclasses import dataclass

from urltrap.machine.api import Process
from urltrap.machine.netstate import Link, netstate
from urltrap.machine.persona import Interface


@dataclass(frozen=True, slots=True)
class Shown:
    """An interface with its IPv4 configuration ("" for none) and counters (bytes and packets in, bytes and "
    "packets out)."""

    interface: Interface
    address: str
    prefix: int
    broadcast: str
    netmask: str
    counters: tuple[int, int, int, int]
    link: Link

    @property
    def name(self) -> str:
        """The name."""
        return self.interface.name

    @property
    def running(self) -> bool:
        """False for a port in which no cable is."""
        return self.link.up and (any(self.counters) or bool(self.link.kind))

    @property
    def up(self) -> bool:
        """False where it was switched off."""
        return self.link.up

    @property
    def link_local(self) -> str:
        """The IPv6 address that it gave itself; empty while it is down."""
        return self.interface.link_local if self.link.up else ""

    @property
    def loopback(self) -> bool:
        """True for lo."""
        return self.interface.name == "lo"


def interfaces(p: Process) -> list[Shown]:
    """All interfaces in the kernel's order; the outer one has the address that the visitor reached."""
    rows: dict[str, tuple[int, int, int, int]] = {}
    for line in p.fs.read("/proc/net/dev").decode().splitlines()[2:]:
        name, _, rest = line.partition(":")
        cells = rest.split()
        rows[name.strip()] = (int(cells[0]), int(cells[1]), int(cells[8]), int(cells[9]))
    shown = []
    for link in netstate(p).links:
        counters = rows.get(link.name, (0, 0, 0, 0))
        first = next(iter(link.addresses), None)
        if first is None:
            shown.append(Shown(link.interface, "", 0, "", "", counters, link))
        else:
            netmask = str(first.net.netmask)
            shown.append(
                Shown(link.interface, first.text, first.prefix, first.broadcast, netmask, counters, link)
            )
    return shown


def outer_name(p: Process) -> str:
    """The name of the interface that leads outside."""
    return p.persona.primary.name
