"""ifconfig, route, arp: the net-tools' view of the network."""

from __future__ import annotations

import re

from urltrap.machine.api import Process, Run
from urltrap.machine.persona import addressing
from urltrap.machine.persona.lan import station
from urltrap.machine.programs._interfaces import Shown, interfaces, outer_name
from urltrap.machine.programs._system import is_device
from urltrap.machine.programs.registry import program


@program("ifconfig")
def ifconfig(p: Process) -> Run:
    """Show interfaces, or take a change without a word where root asks for it."""
    words = [word for word in p.argv[1:] if not word.startswith("-")]
    found = interfaces(p)
    if words:
        chosen = [each for each in found if each.name == words[0]]
        if not chosen:
            yield from p.err(f"{words[0]}: error fetching interface information: Device not found\n" if not is_device(p)
                             else f"ifconfig: {words[0]}: error fetching interface information: Device not "
                             f"found\n")  # fmt: skip
            return 1
        if len(words) > 1:
            if p.uid:
                yield from p.err("SIOCSIFFLAGS: Operation not permitted\n")
                return 255
            return 0
        found = chosen
    if not words:
        found.sort(
            key=lambda each: _natural(each.name) if is_device(p) else (each.loopback, each.interface.index)
        )
    if "-s" in p.argv and not is_device(p):
        yield from p.out(f"Iface      MTU    {SHORT_COUNTERS}{''.join(short_line(each) for each in found)}")
        return 0
    for each in found:
        yield from p.out(_old(each) if is_device(p) else _new(each))
    return 0


def _natural(name: str) -> tuple[str | int, ...]:
    """The order of names in which BusyBox shows them: numbers count as such."""
    return tuple(int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name))


SHORT_COUNTERS = "RX-OK RX-ERR RX-DRP RX-OVR    TX-OK TX-ERR TX-DRP TX-OVR Flg\n"
"""The titles behind the name in the table of interfaces."""


def short_line(each: Shown) -> str:
    """An interface in one line, as netstat -i and ifconfig -s show it."""
    _, rx, _, tx = each.counters
    flags = "LRU" if each.loopback else "BMRU"
    return (
        f"{each.name:<15} {each.interface.mtu:>5} {rx:>8} {0:>6} {0:>6} {0:<6} {tx:>8} {0:>6} "
        f"{0:>6} {0:>6} {flags}\n"
    )


def _bytes(value: int) -> str:
    size, unit = float(value), "B"
    for name in ("KiB", "MiB", "GiB", "TiB"):
        if size < 1024:
            break
        size, unit = size / 1024, name
    return f"{value} ({size:.1f} {unit})"


def _new(each: Shown) -> str:
    rx, rx_packets, tx, tx_packets = each.counters
    flags = "73<UP,LOOPBACK,RUNNING>" if each.loopback else "4163<UP,BROADCAST,RUNNING,MULTICAST>"
    lines = [f"{each.name}: flags={flags}  mtu {each.interface.mtu}"]
    broadcast = f"  broadcast {each.broadcast}" if each.broadcast else ""
    lines.append(f"        inet {each.address}  netmask {each.netmask}{broadcast}")
    if each.loopback:
        lines += [
            "        inet6 ::1  prefixlen 128  scopeid 0x10<host>",
            "        loop  txqueuelen 1000  (Local Loopback)",
        ]
    else:
        if each.interface.link_local:
            lines.append(f"        inet6 {each.interface.link_local}  prefixlen 64  scopeid 0x20<link>")
        lines.append(f"        ether {each.interface.mac}  txqueuelen 1000  (Ethernet)")
    lines += [
        f"        RX packets {rx_packets}  bytes {_bytes(rx)}", "        RX errors 0  dropped 0  overruns 0  frame 0",
        f"        TX packets {tx_packets}  bytes {_bytes(tx)}",
        "        TX errors 0  dropped 0 overruns 0  carrier 0  collisions 0", "",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _old(each: Shown) -> str:
    rx, rx_packets, tx, tx_packets = each.counters
    kind = "Local Loopback  " if each.loopback else f"Ethernet  HWaddr {each.interface.mac.upper()}  "
    broadcast = "" if each.loopback else f"Bcast:{each.broadcast}  "
    running = "RUNNING " if each.running else ""
    flags = "UP LOOPBACK RUNNING" if each.loopback else f"UP BROADCAST {running}MULTICAST"
    six = ["          inet6 addr: ::1/128 Scope:Host"] if each.loopback else []
    lines = [
        f"{each.name:<9} Link encap:{kind}",
        *([f"          inet addr:{each.address}  {broadcast}Mask:{each.netmask}"] if each.address else []), *six,
        f"          {flags}  MTU:{each.interface.mtu}  Metric:1",
        f"          RX packets:{rx_packets} errors:0 dropped:0 overruns:0 frame:0",
        f"          TX packets:{tx_packets} errors:0 dropped:0 overruns:0 carrier:0", "          collisions:0 "
        "txqueuelen:1000 ",
        f"          RX bytes:{_bytes(rx)}  TX bytes:{_bytes(tx)}", "",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


@program("route")
def route(p: Process) -> Run:
    """Show the routes."""
    words = [word for word in p.argv[1:] if not word.startswith("-")]
    if words:
        if p.uid:
            yield from p.err("SIOCADDRT: Operation not permitted\n")
            return 7
        return 0
    flags = "".join(word[1:] for word in p.argv[1:])
    own = addressing(p.persona, p.connection.server_ip)
    name = outer_name(p)
    gateway = own.gateway if "n" in flags else "_gateway" if p.persona.is_server else own.gateway
    default = "0.0.0.0" if "n" in flags else "default"
    yield from p.out(
        "Kernel IP routing table\nDestination     Gateway         Genmask         Flags Metric Ref    "
        "Use Iface\n"
    )
    yield from p.out(f"{default:<15} {gateway:<15} {'0.0.0.0':<15} UG    0      0        0 {name}\n")
    anywhere = "0.0.0.0" if "n" in flags or p.persona.is_server else "*"
    yield from p.out(f"{own.network:<15} {anywhere:<15} {own.netmask:<15} U     0      0        0 {name}\n")
    if is_device(p):
        yield from p.out(
            f"{'192.168.1.0':<15} {anywhere:<15} {'255.255.255.0':<15} U     0      0        0 br-lan\n"
        )
    return 0


@program("arp")
def arp(p: Process) -> Run:
    """Show the neighbours."""
    flags = "".join(word[1:] for word in p.argv[1:] if word.startswith("-"))
    own = addressing(p.persona, p.connection.server_ip)
    mac, name = p.persona.network.gateway_mac, outer_name(p)
    if "a" in flags or is_device(p):
        host = "?" if "n" in flags or is_device(p) else "_gateway"
        tail = "  " if is_device(p) else " "
        yield from p.out(f"{host} ({own.gateway}) at {mac} [ether]{tail}on {name}\n")
        if not p.persona.is_server:
            guest = station(p.persona)
            yield from p.out(f"{host} ({guest.address}) at {guest.mac} [ether]{tail}on br-lan\n")
        return 0
    yield from p.out("Address                  HWtype  HWaddress           Flags Mask            Iface\n")
    host = own.gateway if "n" in flags else "_gateway"
    yield from p.out(f"{host:<24} ether   {mac:<19} C                     {name}\n")
    return 0
