"""ifconfig, route, arp: the net-tools' view of the network."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from urltrap.machine.api import Process, Run
from urltrap.machine.netstate import Address, netstate
from urltrap.machine.persona import addressing
from urltrap.machine.persona.lan import station
from urltrap.machine.programs._interfaces import Shown, interfaces, outer_name
from urltrap.machine.programs._oldnet import set_interface, set_route
from urltrap.machine.programs._system import is_device
from urltrap.machine.programs.registry import program

_WHOLE = 32


@program("ifconfig")
def ifconfig(p: Process) -> Run:
    """Show interfaces, or take a change without a word where root asks for it."""
    words = [word for word in p.argv[1:] if not word.startswith("-")]
    found = interfaces(p)
    if words:
        if len(words) > 1:
            return (yield from set_interface(p, words[0], words[1:]))
        chosen = [each for each in _labelled(found) if each.label == words[0]]
        if not chosen:
            yield from p.err(f"{words[0]}: error fetching interface information: Device not found\n" if not is_device(p)
                             else f"ifconfig: {words[0]}: error fetching interface information: Device not "
                             f"found\n")  # fmt: skip
            return 1
        found = [each.shown for each in chosen]
        for one in chosen:
            yield from p.out(_stanza(p, one))
        return 0
    found.sort(key=lambda each: _natural(each.name))
    if not any(word in p.argv for word in ("-a", "--all")):
        found = [each for each in found if each.up]
    if "-s" in p.argv and not is_device(p):
        yield from p.out(f"Iface      MTU    {SHORT_COUNTERS}{''.join(short_line(each) for each in found)}")
        return 0
    for labelled in _labelled(found):
        yield from p.out(_stanza(p, labelled))
    return 0


@dataclass(frozen=True, slots=True)
class _Labelled:
    """One stanza: an interface under its own name, or a label of it with its address."""

    shown: Shown
    label: str


def _labelled(found: list[Shown]) -> list[_Labelled]:
    out = []
    for each in found:
        own = next((one for one in each.link.addresses if one.label == each.name), None)
        out.append(_Labelled(_with_address(each, own), each.name))
        for one in each.link.addresses:
            if one.label != each.name:
                out.append(_Labelled(_with_address(each, one), one.label))
    return out


def _with_address(each: Shown, own: Address | None) -> Shown:
    if own is None:
        return replace(each, address="", prefix=0, broadcast="", netmask="")
    broadcast = own.broadcast or ("" if each.loopback else "0.0.0.0")
    return replace(
        each, address=own.text, prefix=own.prefix, broadcast=broadcast, netmask=str(own.net.netmask)
    )


def _stanza(p: Process, one: _Labelled) -> str:
    text = _old(one.shown) if is_device(p) else _new(one.shown)
    if one.label == one.shown.name:
        return text
    lines = [
        line
        for line in text.splitlines()
        if "inet6" not in line and "X " not in line and "collisions" not in line
    ]
    return "\n".join(lines).replace(one.shown.name, one.label, 1) + ("\n\n" if lines[-1:] != [""] else "\n")


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


_IFF = (("UP", 1), ("BROADCAST", 2), ("LOOPBACK", 8), ("RUNNING", 64), ("NOARP", 128), ("PROMISC", 256),
        ("MULTICAST", 4096))  # fmt: skip
"""The flags in net-tools' order, with their bits (linux/if.h)."""


def _flags(each: Shown) -> str:
    given = {"UP", "RUNNING"} if each.up else set()
    given |= (
        {"LOOPBACK"}
        if each.loopback
        else {"BROADCAST", "NOARP" if each.link.kind == "dummy" else "MULTICAST"}
    )
    given |= {"PROMISC"} if each.link.promiscuous else set()
    shown = [(name, bit) for name, bit in _IFF if name in given]
    return f"{sum(bit for _, bit in shown)}<{','.join(name for name, _ in shown)}>"


def _new(each: Shown) -> str:
    rx, rx_packets, tx, tx_packets = each.counters
    flags = _flags(each)
    lines = [f"{each.name}: flags={flags}  mtu {each.interface.mtu}"]
    broadcast = f"  broadcast {each.broadcast}" if each.broadcast else ""
    if each.address:
        lines.append(f"        inet {each.address}  netmask {each.netmask}{broadcast}")
    if each.loopback:
        lines += [
            "        inet6 ::1  prefixlen 128  scopeid 0x10<host>",
            "        loop  txqueuelen 1000  (Local Loopback)",
        ]
    else:
        if each.link_local:
            lines.append(f"        inet6 {each.link_local}  prefixlen 64  scopeid 0x20<link>")
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
    up = "UP " if each.up else ""
    flags = f"{up}LOOPBACK {running}".rstrip() if each.loopback else f"{up}BROADCAST {running}MULTICAST"
    six = ["          inet6 addr: ::1/128 Scope:Host"] if each.loopback and each.up else []
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
    words = list(p.argv[1:])
    while (words and words[0] in ("-A", "-inet", "-4", "inet")) or (
        words and re.fullmatch(r"-[veFCn]+", words[0])
    ):
        words.pop(0)
    if words and words[0] in ("add", "del", "delete", "flush"):
        return (yield from set_route(p, words))
    numeric = any(re.fullmatch(r"-\w*n\w*", word) for word in p.argv[1:])
    yield from p.out(
        "Kernel IP routing table\nDestination     Gateway         Genmask         Flags Metric Ref    "
        "Use Iface\n"
    )
    anywhere = "0.0.0.0" if numeric or p.persona.is_server else "*"
    for each in netstate(p).routes:
        to = str(each.to.network_address)
        if not each.to.prefixlen and not numeric:
            to = "default"
        refused = each.kind in ("unreachable", "prohibit")
        way = "-" if refused else anywhere
        if each.via:
            way = "_gateway" if not numeric and p.persona.is_server and not each.to.prefixlen else each.via
        flags = ("!" if refused else "U") + "G" * bool(each.via) + "H" * (each.to.prefixlen == _WHOLE)
        uses = "-        0 -" if refused else f"0        0 {each.device or '*'}"
        yield from p.out(f"{to:<15} {way:<15} {each.to.netmask!s:<15} {flags:<5} {each.metric:<6} {uses}\n")
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
