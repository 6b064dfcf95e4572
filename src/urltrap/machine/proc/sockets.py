"""Sockets that exist on the machine: what residents listen on, and the visitors' own connections."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from urltrap.machine.api import Connection, ProcessInfo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from urltrap.machine.persona import Persona

PORTS = {"ssh": 22, "telnet": 23, "http": 80, "smtp": 25}


@dataclass(frozen=True, slots=True)
class Socket:
    """One row of ss and netstat. `protocol` "tcp", "tcp6", "udp", "udp6"; `state` as ss names it."""

    protocol: str
    state: str
    local: str
    local_port: int
    remote: str
    remote_port: int
    pid: int
    comm: str
    fd: int
    uid: int
    inode: int
    backlog: int = 128


def own_port(connection: Connection) -> int:
    """The port as the machine itself sees it: the service's own, whatever the trap listens on."""
    return PORTS.get(connection.protocol, connection.server_port)


def session_number(persona: Persona, position: int) -> int:
    """logind's number of the session of the visitor at `position` (0: the first of those who are in)."""
    return persona.first_pid % 700 + position + 1


def sockets(
    persona: Persona,
    processes: Sequence[ProcessInfo],
    connections: Sequence[Connection],
    started: Sequence[Socket] = (),
) -> list[Socket]:
    """All sockets: listeners whose process is alive, those of what was `started` by somebody who is in, then
    connections in the order of their start."""
    from urltrap.machine.persona import visible_address

    rows = {row.pid: row for row in processes}
    out = []
    for each in persona.listeners:
        if each.pid in rows:
            state = "LISTEN" if each.protocol.startswith("tcp") else "UNCONN"
            other = "::" if each.protocol.endswith("6") else "0.0.0.0"
            out.append(Socket(each.protocol, state, each.address, each.port, other, 0, each.pid, rows[each.pid].comm,
                              each.fd, each.uid, each.inode))  # fmt: skip
    out += [each for each in started if each.state != "ESTAB"]
    for connection in connections:
        six = ":" in connection.client_ip
        service = (
            "telnetd" if connection.protocol == "telnet" else "sshd" if persona.is_server else "dropbear"
        )
        server = _server_process(processes, connection, service)
        inode = 20_000 + int.from_bytes(
            hashlib.blake2b(f"{connection.client_ip} {connection.client_port} {connection.since}".encode(),
            digest_size=3).digest(), "big"
        ) % 900_000  # fmt: skip
        local = connection.server_ip if six else visible_address(persona, connection.server_ip)
        out.append(Socket("tcp6" if six else "tcp", "ESTAB", local, own_port(connection), connection.client_ip,
                          connection.client_port, server, service if server else "", 4, 0, inode))  # fmt: skip
    out += [each for each in started if each.state == "ESTAB"]
    return out


def _server_process(processes: Sequence[ProcessInfo], connection: Connection, service: str) -> int:
    # The service's child of this connection: started with it, not the listener.
    found = [row for row in processes if row.comm == service and row.ppid != 1 and row.pid > 1]
    near = [row for row in found if abs(row.started - connection.since) < 30]
    return (
        min((near or found), key=lambda row: abs(row.started - connection.since)).pid if near or found else 0
    )


def hex4(address: str) -> str:
    """An IPv4 address as /proc/net shows it on a little-endian machine."""
    return "".join(f"{int(part):02X}" for part in reversed(address.split(".")))


def hex6(address: str) -> str:
    """An IPv6 (or IPv4, then mapped) address as /proc/net/tcp6 shows it on a little-endian machine."""
    import ipaddress

    parsed = ipaddress.ip_address(address)
    raw = parsed.packed if parsed.version == 6 else bytes(10) + b"\xff\xff" + parsed.packed
    return "".join(raw[at : at + 4][::-1].hex().upper() for at in range(0, 16, 4))
