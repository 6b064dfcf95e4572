"""Network interfaces as ip and ifconfig show them: the persona's, with the address that the visitor reached."""

from __future__ import annotations

from dataclasses import dataclass

from urltrap.machine.api import Process
from urltrap.machine.persona import Interface, addressing
from urltrap.machine.persona.lan import all_interfaces


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

    @property
    def name(self) -> str:
        """The name."""
        return self.interface.name

    @property
    def running(self) -> bool:
        """False for a port in which no cable is."""
        return any(self.counters)

    @property
    def loopback(self) -> bool:
        """True for lo."""
        return self.interface.name == "lo"


def interfaces(p: Process) -> list[Shown]:
    """All interfaces in the kernel's order; the outer one has the address that the visitor reached."""
    persona = p.persona
    own = addressing(persona, p.connection.server_ip)
    rows: dict[str, tuple[int, int, int, int]] = {}
    for line in p.fs.read("/proc/net/dev").decode().splitlines()[2:]:
        name, _, rest = line.partition(":")
        cells = rest.split()
        rows[name.strip()] = (int(cells[0]), int(cells[1]), int(cells[8]), int(cells[9]))
    shown = []
    for each in all_interfaces(persona):
        counters = rows.get(each.name, (0, 0, 0, 0))
        if each.name == "lo":
            shown.append(Shown(each, "127.0.0.1", 8, "", "255.0.0.0", counters))
        elif each.name == persona.primary.name:
            shown.append(Shown(each, own.address, own.prefix, own.broadcast, own.netmask, counters))
        elif not each.address:
            shown.append(Shown(each, "", 0, "", "", counters))
        else:
            head = each.address.rpartition(".")[0]
            shown.append(Shown(each, each.address, each.prefix, f"{head}.255", "255.255.255.0", counters))
    return shown


def outer_name(p: Process) -> str:
    """The name of the interface that leads outside."""
    return p.persona.primary.name
