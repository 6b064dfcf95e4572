"""ip: addresses, links, routes and neighbours."""

from __future__ import annotations

import ipaddress
from collections.abc import Generator
from typing import Any

from urltrap.machine.api import Process, Run
from urltrap.machine.netstate import Address, NetState, Route, netstate
from urltrap.machine.persona import addressing
from urltrap.machine.programs._interfaces import Shown, interfaces, outer_name
from urltrap.machine.programs._ipchange import change_network
from urltrap.machine.programs._system import is_device
from urltrap.machine.programs.busybox._ip import busybox_ip
from urltrap.machine.programs.registry import program

_USAGE = """\
Usage: ip [ OPTIONS ] OBJECT { COMMAND | help }
       ip [ -force ] -batch filename
where  OBJECT := { address | addrlabel | amt | fou | help | ila | ioam | l2tp |
                   link | macsec | maddress | monitor | mptcp | mroute | mrule |
                   neighbor | neighbour | netconf | netns | nexthop | ntable |
                   ntbl | route | rule | sr | tap | tcpmetrics |
                   token | tunnel | tuntap | vrf | xfrm }
       OPTIONS := { -V[ersion] | -s[tatistics] | -d[etails] | -r[esolve] |
                    -h[uman-readable] | -iec | -j[son] | -p[retty] |
                    -f[amily] { inet | inet6 | mpls | bridge | link } |
                    -4 | -6 | -M | -B | -0 |
                    -l[oops] { maximum-addr-flush-attempts } | -br[ief] |
                    -o[neline] | -t[imestamp] | -ts[hort] | -b[atch] [filename] |
                    -rc[vbuf] [size] | -n[etns] name | -N[umeric] | -a[ll] |
                    -c[olor]}
"""
_WHOLE = 32
_OBJECTS = (
    "address",
    "link",
    "route",
    "neighbour",
    "neighbor",
    "rule",
    "maddress",
    "tunnel",
    "tuntap",
    "netns",
    "monitor",
    "help",
)


@program("ip")
def ip(p: Process) -> Run:
    """Show the network's configuration, or take a change without a word where root asks for it."""
    if is_device(p):
        return (yield from busybox_ip(p))
    words = list(p.argv[1:])
    flags: set[str] = set()
    while words and words[0].startswith("-"):
        flag = words.pop(0).lstrip("-")
        if flag in ("V", "Version"):
            yield from p.out("ip utility, iproute2-6.1.0, libbpf 1.1.0\n")
            return 0
        if flag in ("f", "family") and words:
            flag = {"inet": "4", "inet6": "6"}.get(words.pop(0), "")
        if flag and not any(
            full.startswith(flag) or flag in ("br", "4", "6", "0", "iec")
            for full in ("statistics", "details", "oneline", "brief", "human-readable", "resolve", "json",
            "pretty", "color",
                         "Numeric", "all", "c", "h")
        ):  # fmt: skip
            yield from p.err(f'Option "-{flag}" is unknown, try "ip -help".\n')
            return 255
        flags.add(flag if flag in ("br", "4", "6") else flag[:2] if flag.startswith("br") else flag[:1])
    if not words:
        yield from p.err(_USAGE)
        return 255
    name = next((each for each in _OBJECTS if each.startswith(words[0])), None)
    if name is None:
        yield from p.err(f'Object "{words[0]}" is unknown, try "ip help".\n')
        return 1
    rest = words[1:]
    verb = rest[0] if rest else "show"
    if name == "help":
        yield from p.err(_USAGE)
        return 255
    # "s" is short for show, but for a link, which can be set.
    shows = verb in ("s", "sh") and name != "link"
    changes = ("add", "delete", "set", "replace", "change", "flush", "append")
    if verb and not shows and any(full.startswith(verb) for full in changes):
        return (yield from change_network(p, name, verb, rest[1:]))
    if "show".startswith(verb) or "list".startswith(verb) or verb == "lst":
        rest = rest[1:]
    if name in ("address", "link"):
        return (yield from _addresses(p, flags, rest, name == "address"))
    if name == "route" and verb == "get" and len(rest) < 2:
        yield from p.err("need at least a destination address\n")
        return 1
    if name == "route":
        return (yield from _routes(p, flags, verb, rest))
    elif name.startswith("neigh"):
        if "6" not in flags:
            own = addressing(p.persona, p.connection.server_ip)
            yield from p.out(
                f"{own.gateway} dev {outer_name(p)} lladdr {p.persona.network.gateway_mac} REACHABLE \n"
            )
    elif name == "rule":
        yield from p.out(
            "0:\tfrom all lookup local\n32766:\tfrom all lookup main\n32767:\tfrom all lookup default\n"
        )
    return 0


def _addresses(p: Process, flags: set[str], rest: list[str], with_addresses: bool) -> Run:
    wanted = (
        rest[rest.index("dev") + 1]
        if "dev" in rest[:-1]
        else next((w for w in rest if w not in ("up", "dev", "scope", "global")), "")
    )
    found = interfaces(p)
    if wanted and wanted not in {each.name for each in found} | {each.interface.altname for each in found}:
        yield from p.err(f'Device "{wanted}" does not exist.\n')
        return 1
    for each in found:
        if wanted and wanted not in (each.name, each.interface.altname):
            continue
        if "br" in flags:
            yield from p.out(_brief(each, with_addresses, flags))
        elif "o" in flags:
            yield from p.out(_one_line(each, with_addresses, flags))
        else:
            yield from _full(p, each, with_addresses, flags)
    return 0


def _brief(each: Shown, with_addresses: bool, flags: set[str]) -> str:
    state = _state(each)
    if not with_addresses:
        return f"{each.name:<16} {state:<14} {each.interface.mac} <{_flag_words(each)}> \n"
    six = "::1/128" if each.loopback and each.up else f"{each.link_local}/64" if each.link_local else ""
    own = [f"{one.text}/{one.prefix}" for one in each.link.addresses] if "6" not in flags else []
    if "4" not in flags and six:
        own.append(six)
    return f"{each.name:<16} {state:<14} {' '.join(own)} \n"


def _flag_words(each: Shown) -> str:
    words = (
        ["LOOPBACK"]
        if each.loopback
        else ["BROADCAST", "NOARP" if each.link.kind == "dummy" else "MULTICAST"]
    )
    words += ["PROMISC"] * each.link.promiscuous + ["UP", "LOWER_UP"] * each.up
    return ",".join(words)


def _state(each: Shown) -> str:
    return "DOWN" if not each.up else "UNKNOWN" if each.loopback or each.link.kind else "UP"


def _head(each: Shown) -> str:
    discipline = "noqueue" if each.loopback or not each.interface.driver else "pfifo_fast"
    if each.link.kind and not each.up and not each.link.touched:
        discipline = "noop"
    state = _state(each)
    return (
        f"{each.interface.index}: {each.name}: <{_flag_words(each)}> mtu {each.interface.mtu} qdisc {discipline} "
        f"state {state} "
        f"group default qlen 1000"
    )


def _one_line(each: Shown, with_addresses: bool, flags: set[str]) -> str:
    if not with_addresses:
        kind = "loopback" if each.loopback else "ether"
        broadcast = "00:00:00:00:00:00" if each.loopback else "ff:ff:ff:ff:ff:ff"
        return f"{_head(each)}\\    link/{kind} {each.interface.mac} brd {broadcast}\n"
    out = ""
    if "6" not in flags:
        for one in each.link.addresses:
            out += (f"{each.interface.index}: {each.name}    {_inet(each, one)}\\       "
                    "valid_lft forever preferred_lft forever\n")  # fmt: skip
    own = each.link_local
    six = "::1/128 scope host" if each.loopback and each.up else f"{own}/64 scope link" if own else ""
    if six and "4" not in flags:
        out += f"{each.interface.index}: {each.name}    inet6 {six} \\       valid_lft forever preferred_lft forever\n"
    return out


def _inet(each: Shown, one: Address, dynamic: str = "") -> str:
    brd = f" brd {one.broadcast}" if one.broadcast else ""
    scope = ("host" if each.loopback else "global") + (" secondary" if one.secondary else "")
    return f"inet {one.text}/{one.prefix}{brd} scope {scope}{dynamic} {one.label}"


def _full(p: Process, each: Shown, with_addresses: bool, flags: set[str]) -> Generator[Any, Any, None]:
    kind = "loopback" if each.loopback else "ether"
    broadcast = "00:00:00:00:00:00" if each.loopback else "ff:ff:ff:ff:ff:ff"
    lines = [_head(each) if with_addresses or each.loopback else _head(each).replace("state", "state", 1)]
    if not with_addresses:
        lines[0] = lines[0].replace(" group default", " mode DEFAULT group default")
    if not (with_addresses and ("4" in flags or "6" in flags)):
        lines.append(f"    link/{kind} {each.interface.mac} brd {broadcast}")
        if each.interface.altname:
            lines.append(f"    altname {each.interface.altname}")
    elif each.interface.altname:
        lines.append(f"    altname {each.interface.altname}")
    if with_addresses:
        forever = "       valid_lft forever preferred_lft forever"
        dynamic = any(resident.comm == "dhclient" for resident in p.persona.residents) and not each.loopback
        for one in each.link.addresses if "6" not in flags else ():
            lines.append(f"    {_inet(each, one, ' dynamic' if dynamic and not one.given else '')}")
            left = 86_400 - int(p.now() - p.boot_time) % 43_200
            moves = dynamic and not one.given
            lines.append(f"       valid_lft {left}sec preferred_lft {left}sec" if moves else forever)
        if "4" not in flags and ((each.loopback and each.up) or each.link_local):
            noprefix = " noprefixroute" if p.persona.kind == "debian-13" else ""
            lines += [f"    inet6 ::1/128 scope host{noprefix} " if each.loopback else f"    inet6 "
            f"{each.link_local}/64 scope link ",
                      forever]  # fmt: skip
    if "s" in flags:
        rx, rx_packets, tx, tx_packets = each.counters
        lines += [
            "    RX:  bytes packets errors dropped  missed   mcast           ",
            f"    {rx:>10} {rx_packets:>7} {0:>6} {0:>7} {0:>7} {0:>7} ",
            "    TX:  bytes packets errors dropped carrier collsns           ",
            f"    {tx:>10} {tx_packets:>7} {0:>6} {0:>7} {0:>7} {0:>7} ",
        ]
    yield from p.out("\n".join(lines) + "\n")


def _routes(p: Process, flags: set[str], verb: str, rest: list[str]) -> Run:
    state = netstate(p)
    if verb == "get":
        return (yield from _get_route(p, state, rest[1]))
    if "6" in flags:
        yield from p.out("::1 dev lo proto kernel metric 256 pref medium\n")
        for link in interfaces(p):
            if link.link_local:
                yield from p.out(f"fe80::/64 dev {link.name} proto kernel metric 256 pref medium\n")
        return 0
    static = any(resident.comm == "dhclient" for resident in p.persona.residents)
    wanted = rest[0] if rest[:1] and rest[0] not in ("dev", "table", "to", "match") else ""
    device = rest[rest.index("dev") + 1] if "dev" in rest[:-1] else ""
    for each in state.routes:
        to = _target(each)
        if wanted and wanted not in (to, str(each.to)):
            continue
        if device and device != each.device:
            continue
        shown = "" if device else f" dev {each.device}" if each.device else ""
        way = f" via {each.via}" if each.via else ""
        tail = " onlink" if each.via and not each.given and not static else ""
        if each.kernel:
            tail = f" proto kernel scope link src {each.source}"
        elif not each.via and not each.kind:
            tail = " scope link"
        elif each.kind == "unreachable":
            tail = " scope host"
        metric = f" metric {each.metric}" if each.metric else ""
        kind = f"{each.kind} " if each.kind else ""
        yield from p.out(f"{kind}{to}{way}{shown}{tail}{metric} \n")
    return 0


def _target(each: Route) -> str:
    if not each.to.prefixlen:
        return "default"
    return str(each.to.network_address) if each.to.prefixlen == _WHOLE else str(each.to)


def _get_route(p: Process, state: NetState, address: str) -> Run:
    try:
        ipaddress.IPv4Address(address.partition("/")[0])
    except ValueError:
        yield from p.err(f'Error: any valid prefix is expected rather than "{address}".\n')
        return 1
    address = address.partition("/")[0]
    for link in state.links:
        if any(one.text == address for one in link.addresses) or (
            link.name == "lo" and address.startswith("127.")
        ):
            yield from p.out(f"local {address} dev lo src {address} uid {p.uid} \n    cache <local> \n")
            return 0
    way = state.way(address)
    if way is None or way.kind:
        words = {
            "blackhole": "Invalid argument",
            "prohibit": "Permission denied",
            "unreachable": "No route to host",
        }
        yield from p.err(f"RTNETLINK answers: {words[way.kind] if way else 'Network is unreachable'}\n")
        return 2
    source = way.source or next((one.text for one in state.link(way.device).addresses), "")
    via = f" via {way.via}" if way.via else ""
    yield from p.out(f"{address}{via} dev {way.device} src {source} uid {p.uid} \n    cache \n")
    return 0
