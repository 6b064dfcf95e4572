"""The other end of a box's wire: a network namespace without any other link, in which all that a box sends
ends in a few sockets.

Each box has one of its own, so boxes never meet and all may have the same address. Nothing is forwarded there, and the
kernel takes every address of the world for its own (a local route for 0.0.0.0/0), so packets have nowhere else to go.
The namespace lives as long as its sockets are open: closing them removes it, the wire and the box's interface.
"""

from __future__ import annotations

import array
import ctypes
import os
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from urltrap.sandbox.bundle import FIRST_UID, UIDS
from urltrap.sandbox.driver import SandboxError
from urltrap.wire.internet.names import NETWORKS

T = TypeVar("T")

TCP_PORT, UDP_PORT = 9000, 9001
"""Where redirected packets go within the namespace; the sockets see the address that the box meant."""
UNNAMED_PER_MINUTE = 20
"""Connections to addresses that no name was given out for, which are answered; more are dropped, as by a filter."""
NAMED_PER_SECOND, DATAGRAMS_PER_SECOND, ECHOES_PER_SECOND = 50, 200, 20
_CLONE_NEWNET = 0x40000000
_SOL_PACKET, _SO_ATTACH_FILTER = 263, 26
_ETH_P_IP = 0x0800
_IP_TRANSPARENT, _IP_RECVORIGDSTADDR = 19, 20
_LINK = "up0"
_libc = ctypes.CDLL(None, use_errno=True)

NOWHERE = ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
           "192.168.0.0/16", "224.0.0.0/4", "240.0.0.0/4")  # fmt: skip
"""Where no connection is answered: a rented machine has nobody there either. Name servers are asked all the same."""

_SYN = "tcp flags & (fin | syn | rst | ack) == syn"
_RULES = """
table ip uplink {{
 set named {{ type ipv4_addr; flags interval; elements = {{ {named} }} }}
 set nowhere {{ type ipv4_addr; flags interval; elements = {{ {nowhere} }} }}
 chain prerouting {{
  type filter hook prerouting priority mangle; policy drop;
  iifname != "{link}" drop
  ip protocol icmp ip daddr != @nowhere limit rate {echoes}/second burst {echoes} packets accept
  ip protocol icmp ip daddr {gateway} accept
  tcp dport 53 tproxy to 127.0.0.1:{tcp} accept
  ip protocol udp limit rate over {datagrams}/second burst {datagrams} packets drop
  udp dport 53 tproxy to 127.0.0.1:{udp} accept
  ip daddr @nowhere drop
  {syn} ip daddr @named limit rate over {per_second}/second burst {per_second} packets drop
  {syn} ip daddr != @named limit rate over {per_minute}/minute burst {per_minute} packets drop
  ip protocol tcp tproxy to 127.0.0.1:{tcp} accept
  ip protocol udp tproxy to 127.0.0.1:{udp} accept
 }}
 chain forward {{ type filter hook forward priority 0; policy drop; }}
}}
table ip6 uplink {{
 chain prerouting {{ type filter hook prerouting priority mangle; policy drop; }}
 chain forward {{ type filter hook forward priority 0; policy drop; }}
}}
"""


@dataclass(frozen=True, slots=True)
class Place:
    """How a box stands in its network: the interface's name and hardware address, IPv4 address with the length of its
    network, and the router's address."""

    interface: str
    mac: str
    address: str
    prefix: int
    gateway: str


@dataclass(frozen=True, slots=True)
class Wire:
    """The sockets at the other end of a box's wire, as descriptors that the owner closes: connections (listening),
    datagrams (each with the address that it was sent to), whole packets to send, echo requests, first packets of
    connections."""

    tcp: int
    udp: int
    out: int
    icmp: int
    syns: int

    @property
    def files(self) -> tuple[int, ...]:
        """All of them, in the order in which they are sent."""
        return (self.tcp, self.udp, self.out, self.icmp, self.syns)

    def close(self) -> None:
        """Close them: where nobody else has them, the wire is gone."""
        for file in self.files:
            os.close(file)


def missing() -> tuple[str, str]:
    """What is lacking on this machine for it, and the remedy; empty where nothing is."""
    for program, package in (("ip", "iproute2"), ("nft", "nftables")):
        if _program(program) is None:
            return f"needs {program} for the boxes' network", f"sudo apt-get install {package}"
    return "", ""


def attach(pid: int, place: Place) -> Wire:
    """Give the network namespace of the process `pid` its only link. SandboxError or OSError where that fails."""
    return _in_a_thread_of_its_own(lambda: _attach(pid, place))


def _in_a_thread_of_its_own(work: Callable[[], T]) -> T:
    """A namespace is a thread's: one that ends afterwards needs no way back."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="uplink")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def _attach(pid: int, place: Place) -> Wire:
    box = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc.unshare(_CLONE_NEWNET), "unshare a network namespace")
        gateway, prefix = place.gateway, place.prefix
        _ip(
            f"link add {_LINK} type veth peer name {place.interface} address {place.mac} netns {pid}",
            "link set lo up",
            f"addr add {gateway}/{prefix} dev {_LINK}",
            f"link set {_LINK} up",
            f"route add {place.address}/32 dev {_LINK} table local",
            "route add local 0.0.0.0/0 dev lo table local",
        )
        for name, value in (
            ("ipv4/conf/all/rp_filter", "0"),
            (f"ipv4/conf/{_LINK}/rp_filter", "0"),
            ("ipv4/ip_forward", "0"),
            ("ipv6/conf/all/disable_ipv6", "1"),
        ):
            _set(name, value)
        rules = _RULES.format(
            named=", ".join(NETWORKS), nowhere=", ".join(NOWHERE), link=_LINK, gateway=gateway, tcp=TCP_PORT,
            udp=UDP_PORT, syn=_SYN, echoes=ECHOES_PER_SECOND, datagrams=DATAGRAMS_PER_SECOND,
            per_second=NAMED_PER_SECOND, per_minute=UNNAMED_PER_MINUTE,
        )  # fmt: skip
        _call("nft", "-f", "-", told=rules)
        wire = _sockets()
        try:
            _check(_libc.setns(box, _CLONE_NEWNET), "enter the box's network namespace")
            _ip(
                "link set lo up",
                f"addr add {place.address}/{prefix} brd + dev {place.interface}",
                f"link set {place.interface} up",
                f"route add default via {gateway} dev {place.interface}",
            )
            _set("ipv6/conf/all/disable_ipv6", "1")
            # ping(8) without raw sockets: every group of the box may.
            _set("ipv4/ping_group_range", f"{FIRST_UID} {FIRST_UID + UIDS - 1}")
        except BaseException:
            wire.close()
            raise
        return wire
    finally:
        os.close(box)


def _sockets() -> Wire:
    made: list[socket.socket] = []
    try:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            sock = socket.socket(socket.AF_INET, kind)
            made.append(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.SOL_IP, _IP_TRANSPARENT, 1)
        tcp, udp = made
        tcp.bind(("0.0.0.0", TCP_PORT))
        tcp.listen(128)
        udp.setsockopt(socket.SOL_IP, _IP_RECVORIGDSTADDR, 1)
        udp.bind(("0.0.0.0", UDP_PORT))
        out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        made.append(out)
        out.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 0)
        icmp = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        made.append(icmp)
        syns = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        made.append(syns)
        syns.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)  # a sample: the kernel counts the rest
        _attach_filter(syns)
        syns.bind((_LINK, _ETH_P_IP))
        for sock in made:
            sock.setblocking(False)
        return Wire(*(sock.detach() for sock in made))
    except BaseException:
        for sock in made:
            sock.close()
        raise


def _attach_filter(sock: socket.socket) -> None:
    """Let first packets of TCP connections pass alone (bpf(2) of old: load protocol, skip the IP head, load flags)."""
    program = (
        (0x30, 0, 0, 9),  # ldb [9]
        (0x15, 0, 5, 6),  # jeq TCP
        (0xB1, 0, 0, 0),  # ldxb 4*([0]&0xf)
        (0x50, 0, 0, 13),  # ldb [x + 13]
        (0x54, 0, 0, 0x17),  # and FIN|SYN|RST|ACK
        (0x15, 0, 1, 2),  # jeq SYN
        (0x06, 0, 0, 64),  # ret 64
        (0x06, 0, 0, 0),  # ret 0
    )
    code = array.array("B", b"".join(struct.pack("HBBI", *step) for step in program))
    address, _ = code.buffer_info()
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HxxxxxxQ", len(program), address))


def first_packets(sock: socket.socket) -> int:
    """How many first packets of connections came since the last call, whether they could be read or not (packet(7))."""
    packets, _ = struct.unpack("II", sock.getsockopt(_SOL_PACKET, 6, 8))
    return int(packets)


def _ip(*lines: str) -> None:
    _call("ip", "-batch", "-", told="\n".join(lines) + "\n")


def _call(program: str, *arguments: str, told: str) -> None:
    found = _program(program)
    if found is None:
        raise SandboxError(": ".join(missing()))
    done = subprocess.run(
        [found, *arguments], input=told, capture_output=True, text=True, check=False, timeout=30
    )
    if done.returncode:
        raise SandboxError(f"the network of a box: {program}: {done.stderr.strip()[-300:]}")


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


def _set(name: str, value: str) -> None:
    Path("/proc/sys/net", name).write_text(value)


def _check(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
