"""ip: addresses, links, routes and neighbours."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from urltrap.machine.api import Process, Run
from urltrap.machine.persona import addressing
from urltrap.machine.programs._interfaces import Shown, interfaces, outer_name
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
        return (yield from _change(p, name, verb, rest[1:]))
    if "show".startswith(verb) or "list".startswith(verb) or verb == "lst":
        rest = rest[1:]
    if name in ("address", "link"):
        return (yield from _addresses(p, flags, rest, name == "address"))
    if name == "route" and verb == "get" and len(rest) < 2:
        yield from p.err("need at least a destination address\n")
        return 1
    if name == "route":
        yield from _routes(p, flags, verb, rest)
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


def _change(p: Process, name: str, verb: str, rest: list[str]) -> Run:
    if name == "address" and "add".startswith(verb) and "dev" not in rest:
        yield from p.err('Not enough information: "dev" argument is required.\n')
        return 1
    if p.uid:
        yield from p.err("RTNETLINK answers: Operation not permitted\n")
        return 2
    names = {each.name for each in interfaces(p)}
    device = (
        rest[rest.index("dev") + 1] if "dev" in rest[:-1] else rest[0] if rest and "." not in rest[0] else ""
    )
    if device and device not in names and "type" not in rest and not verb.startswith("a"):
        yield from p.err(f'Cannot find device "{device}"\n')
        return 1
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
    state = "UNKNOWN" if each.loopback else "UP"
    if not with_addresses:
        return f"{each.name:<16} {state:<14} {each.interface.mac} <{_flag_words(each)}> \n"
    six = (
        "::1/128" if each.loopback else f"{each.interface.link_local}/64" if each.interface.link_local else ""
    )
    own = [f"{each.address}/{each.prefix}"] if "6" not in flags else []
    if "4" not in flags and six:
        own.append(six)
    return f"{each.name:<16} {state:<14} {' '.join(own)} \n"


def _flag_words(each: Shown) -> str:
    return "LOOPBACK,UP,LOWER_UP" if each.loopback else "BROADCAST,MULTICAST,UP,LOWER_UP"


def _head(each: Shown) -> str:
    discipline = "noqueue" if each.loopback or not each.interface.driver else "pfifo_fast"
    state = "UNKNOWN" if each.loopback else "UP"
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
    brd = f" brd {each.broadcast}" if each.broadcast else ""
    scope = "host" if each.loopback else "global"
    if "6" not in flags:
        out += (f"{each.interface.index}: {each.name}    inet {each.address}/{each.prefix}{brd} scope {scope} "
        f"{each.name}\\       "
                "valid_lft forever preferred_lft forever\n")  # fmt: skip
    own = each.interface.link_local
    six = "::1/128 scope host" if each.loopback else f"{own}/64 scope link" if own else ""
    if six and "4" not in flags:
        out += f"{each.interface.index}: {each.name}    inet6 {six} \\       valid_lft forever preferred_lft forever\n"
    return out


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
        brd = f" brd {each.broadcast}" if each.broadcast else ""
        scope = "host" if each.loopback else "global"
        if "6" not in flags:
            lines.append(
                f"    inet {each.address}/{each.prefix}{brd} scope {scope}{' dynamic' if dynamic else ''} "
                f"{each.name}"
            )
            left = 86_400 - int(p.now() - p.boot_time) % 43_200
            lines.append(f"       valid_lft {left}sec preferred_lft {left}sec" if dynamic else forever)
        if "4" not in flags and (each.loopback or each.interface.link_local):
            noprefix = " noprefixroute" if p.persona.kind == "debian-13" else ""
            lines += [f"    inet6 ::1/128 scope host{noprefix} " if each.loopback else f"    inet6 "
            f"{each.interface.link_local}/64 scope link ",
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


def _routes(p: Process, flags: set[str], verb: str, rest: list[str]) -> Generator[Any, Any, None]:
    own = addressing(p.persona, p.connection.server_ip)
    name = outer_name(p)
    if verb == "get" and len(rest) > 1:
        yield from p.out(
            f"{rest[1]} via {own.gateway} dev {name} src {own.address} uid {p.uid} \n    cache \n"
        )
        return
    if "6" in flags:
        yield from p.out(
            f"::1 dev lo proto kernel metric 256 pref medium\nfe80::/64 dev {name} proto kernel "
            f"metric 256 pref medium\n"
        )
        return
    static = "proto static " if not p.persona.is_server else ""
    onlink = (
        "" if any(r.comm == "dhclient" for r in p.persona.residents) or not p.persona.is_server else "onlink "
    )
    if rest[:1] and rest[0] not in ("default", "dev", "table", "0.0.0.0/0"):
        return
    yield from p.out(f"default via {own.gateway} dev {name} {static}{onlink}\n")
    if rest[:1] in (["default"], ["0.0.0.0/0"]):
        return
    yield from p.out(f"{own.network}/{own.prefix} dev {name} proto kernel scope link src {own.address} \n")
    if not p.persona.is_server:
        yield from p.out("192.168.1.0/24 dev br-lan proto kernel scope link src 192.168.1.1 \n")
