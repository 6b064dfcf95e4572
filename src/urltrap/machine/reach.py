"""Which names resolve and which addresses answer: one rule behind ping, nc, ssh, /dev/tcp, curl, getent and host.

The machine's own ports answer as ss lists them. Of everything else it knows what the fetcher's answers told (`Heard`);
a name that was never fetched finds no resolver, a host that was never fetched no way, as a machine behind a filter sees
it: a client that downloads says the same where nothing was sent.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from urltrap.machine.errors import SysError
from urltrap.machine.netstate import netstate
from urltrap.machine.persona import addressing

if TYPE_CHECKING:
    from urltrap.machine.api import Connection, FileSystem, ProcessInfo
    from urltrap.machine.persona import Persona
    from urltrap.machine.proc.sockets import Socket

Verdict = Literal["open", "refused", "unreachable", "timeout"]
"""What connect(2) would answer: at once for the first two, after a while for the others."""
WORDS: Mapping[Verdict, str] = {
    "open": "Success",
    "refused": "Connection refused",
    "unreachable": "No route to host",
    "timeout": "Connection timed out",
}
PATIENCE = 3.0
"""How long an attempt to reach nobody lasts, in seconds (three ARP requests of the kernel)."""
_HEARD_MAX = 256


@dataclass(slots=True)
class Heard:
    """What an answer of the fetcher told of a host: its address ("" where it was not told), and its ports."""

    address: str
    ports: dict[int, Verdict] = field(default_factory=dict)


def hear(known: dict[str, Heard], host: str, address: str, port: int, verdict: Verdict) -> None:
    """Remember what was found out about a host (and its address); the oldest are forgotten."""
    entry = known.pop(host, None) or Heard(address)
    entry.address = address or entry.address
    entry.ports[port] = verdict
    known[host] = entry
    if address and address != host:
        known[address] = entry
    while len(known) > _HEARD_MAX:
        del known[next(iter(known))]


class Looker(Protocol):
    """What this room needs of a process."""

    @property
    def fs(self) -> FileSystem: ...
    @property
    def persona(self) -> Persona: ...
    @property
    def connections(self) -> Sequence[Connection]: ...
    @property
    def heard(self) -> dict[str, Heard]: ...
    @property
    def network(self) -> list[list[str]]: ...
    @property
    def sockets(self) -> list[Socket]: ...
    def processes(self) -> list[ProcessInfo]: ...


def numeric(host: str) -> str:
    """An address in its usual form (inet_aton's short forms are left to their callers); "" for a name."""
    try:
        return str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return ""


def hosts_file(p: Looker) -> Iterator[list[str]]:
    """The rows of /etc/hosts: the address and its names."""
    try:
        text = p.fs.read("/etc/hosts", 1_000_000).decode("utf-8", "surrogateescape")
    except SysError:
        return
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if len(words) > 1:
            yield words


def resolve(p: Looker, host: str) -> list[str]:
    """The addresses of a name in the order of /etc/hosts, or of what was heard; empty where no server tells."""
    if own := numeric(host):
        return [own]
    found = [words[0] for words in hosts_file(p) if host in words[1:]]
    if found:
        return found
    entry = p.heard.get(host.lower())
    return [entry.address] if entry is not None and entry.address else []


def resolve4(p: Looker, host: str) -> str:
    """The first IPv4 address of a name, else its first of any kind; "" where there is none."""
    found = resolve(p, host)
    return next((each for each in found if ":" not in each), found[0] if found else "")


def names_of(p: Looker, address: str) -> list[str]:
    """The names that /etc/hosts has for an address."""
    return next((words[1:] for words in hosts_file(p) if words[0] == address), [])


def own_addresses(p: Looker) -> set[str]:
    """Addresses of the machine's interfaces, but for the loop."""
    server = p.connections[-1].server_ip if p.connections else ""
    found = {each.address for each in p.persona.network.interfaces[1:-1] if each.address}
    found |= {addressing(p.persona, server).address}
    if p.network:
        found = {each.text for link in netstate(p).links if link.name != "lo" for each in link.addresses}
    return found


def is_own(p: Looker, address: str) -> bool:
    """True where a packet to this address never leaves the machine."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return parsed.is_loopback or parsed.is_unspecified or str(parsed) in own_addresses(p)


def listens(p: Looker, address: str, port: int) -> bool:
    """Whether one of the machine's own processes takes a TCP connection there: a line of ``ss -ltn`` says so."""
    alive = {row.pid for row in p.processes()}
    loop = ipaddress.ip_address(address).is_loopback or ipaddress.ip_address(address).is_unspecified
    wild = ("::",) if ":" in address and "ffff" not in address else ("0.0.0.0",)
    near = address if not ipaddress.ip_address(address).is_unspecified else "127.0.0.1"
    return any(
        each.port == port
        and each.pid in alive
        and each.protocol.startswith("tcp")
        and (each.address in wild or (loop and each.address == near) or each.address == address)
        for each in p.persona.listeners
    ) or any(
        each.local_port == port
        and each.state == "LISTEN"
        and (each.local in (near, "::") or (each.local == "0.0.0.0" and ":" not in address))
        for each in p.sockets
    )


def reach(p: Looker, address: str, port: int) -> Verdict:
    """What connecting to a TCP port of an address ends in."""
    if is_own(p, address):
        return "open" if listens(p, address, port) else "refused"
    entry = p.heard.get(address)
    if entry is None:
        return "unreachable"
    if port in entry.ports:
        return entry.ports[port]
    # A host that did not answer at one port does not at another; one that did is behind a filter for the rest.
    return next((each for each in entry.ports.values() if each in ("timeout", "unreachable")), "timeout")


def attempt(p: Looker, address: str, port: int) -> Verdict:
    """`reach`, remembered: whoever asks for the same host afterwards hears the same of it."""
    verdict = reach(p, address, port)
    if not is_own(p, address) and not is_neighbour(p, address):
        hear(p.heard, address, address, port, verdict)
    return verdict


def gone(p: Looker, address: str) -> bool:
    """True for a host of which nothing but silence was heard: it answers no echo request either."""
    entry = p.heard.get(address)
    return entry is not None and not {"open", "refused"} & set(entry.ports.values())


def unreachable(p: Looker, address: str) -> bool:
    """True for a host to which no way was found: a router on the way says so of every packet."""
    entry = p.heard.get(address)
    return gone(p, address) and entry is not None and "unreachable" in entry.ports.values()


def is_neighbour(p: Looker, address: str) -> bool:
    """True for an address in the machine's own networks: the kernel asks for it by ARP."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    server = p.connections[-1].server_ip if p.connections else ""
    own = addressing(p.persona, server)
    nets = [f"{own.address}/{own.prefix}"]
    nets += [f"{each.address}/{each.prefix}" for each in p.persona.network.interfaces[1:-1] if each.address]
    return any(parsed in ipaddress.ip_network(net, strict=False) for net in nets)


def greeting(p: Looker, port: int) -> bytes:
    """The first words of the machine's own service at a port, before the client speaks."""
    if port == 22:
        return p.persona.sshd_version.encode() + b"\r\n"
    if port == 23:
        return b"\xff\xfd\x01\xff\xfd\x1f\xff\xfb\x01\xff\xfb\x03"
    return b""


def retort(p: Looker, port: int, heard: bytes) -> bytes | None:
    """What the own service at a port says to the first bytes, and hangs up; None where it waits for more."""
    line, end, _ = heard.partition(b"\n")
    if port == 22:
        if heard.startswith(b"SSH-2.0-") or not (end or len(heard) > 255):
            return None
        return b"Invalid SSH identification string.\r\n" if p.persona.is_server else b""
    if port == 80:
        if not (b"\r\n\r\n" in heard or b"\n\n" in heard or (end and line.count(b" ") < 2)):
            return None
        body = own_page(p, line.split(b" ")[1].decode("latin-1") if line.count(b" ") else "/")
        status = b"200 OK" if body is not None else b"404 Not Found"
        shown = (
            body
            if body is not None
            else b"<h1>Not Found</h1>The requested URL was not found on this server.\r\n"
        )
        return b"HTTP/1.1 " + status + b"\r\nConnection: close\r\nContent-Type: text/html\r\n\r\n" + shown
    return None


def own_page(p: Looker, path: str) -> bytes | None:
    """What the machine's own web server (a device's uhttpd) has at a path; None where it has nothing."""
    name = path.partition("?")[0].strip("/") or "index.html"
    if ".." in name.split("/"):
        return None
    try:
        return p.fs.read(f"/www/{name}", 1_000_000)
    except SysError:
        return None
