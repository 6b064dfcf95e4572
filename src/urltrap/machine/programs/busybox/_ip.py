"""BusyBox's ip: the words of its own printing code, which leaves out what iproute2 tells of states and origins."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from urltrap.machine.api import Process, Run
from urltrap.machine.errors import SysError
from urltrap.machine.netstate import NetState, Route, netstate
from urltrap.machine.persona import addressing
from urltrap.machine.persona.lan import below, bridged, station
from urltrap.machine.programs._cmd import bb_usage
from urltrap.machine.programs._interfaces import Shown, interfaces, outer_name
from urltrap.machine.programs._ipchange import WrongError, apply_change

_OBJECTS = ("address", "route", "link", "tunnel", "tunl", "neigh", "rule")
_CHANGES = ("add", "del", "delete", "set", "replace", "change", "flush", "append", "up", "down")


def busybox_ip(p: Process) -> Run:
    """Show the network's configuration, or take a change without a word where root asks for it."""
    words = list(p.argv[1:])
    flags: set[str] = set()
    while words and words[0].startswith("-"):
        flag = words.pop(0).lstrip("-")
        if "family".startswith(flag) and words:
            flag = {"inet": "4", "inet6": "6"}.get(words.pop(0), "")
        flags.add(flag[:1])
    name = next((each for each in _OBJECTS if words and each.startswith(words[0])), None)
    if name is None:
        yield from p.err(bb_usage(p, "ip"))
        return 1
    rest = words[1:]
    if rest and any(each.startswith(rest[0]) for each in _CHANGES) and rest[0] not in ("s", "l"):
        return (yield from _change(p, name, rest[0], rest[1:]))
    if rest and any(each.startswith(rest[0]) for each in ("show", "list", "lst")):
        rest = rest[1:]
    device = (
        rest[rest.index("dev") + 1] if "dev" in rest[:-1] else rest[0] if rest and name != "route" else ""
    )
    if name in ("address", "link"):
        found = [each for each in interfaces(p) if device in ("", each.name)]
        if not found:
            yield from p.err(f"ip: can't find device '{device}'\n")
            return 1
        for each in found:
            yield from p.out("".join(_link(p, each, flags, name == "address")))
    elif name == "route":
        yield from p.out("".join(_routes(p, rest)) if "6" not in flags else "")
    elif name == "neigh":
        yield from p.out("".join(_neighbours(p, device)))
    elif name == "rule":
        yield from p.out(
            "0:\tfrom all lookup local \n32766:\tfrom all lookup main \n32767:\tfrom all lookup default \n"
        )
    return 0


_WORDS = {
    errno.EEXIST: "File exists",
    errno.ESRCH: "No such process",
    errno.ENETUNREACH: "Network is unreachable",
}


def _change(p: Process, name: str, verb: str, rest: list[str]) -> Run:
    if p.uid:
        yield from p.err("ip: RTNETLINK answers: Operation not permitted\n")
        return 2
    try:
        apply_change(p, {"tunl": "tunnel"}.get(name, name), verb, rest)
    except WrongError as problem:
        yield from p.err(f"ip: {problem.bare}\n")
        return 1
    except SysError as problem:
        if problem.errno == errno.ENODEV:
            yield from p.err(f"ip: can't find device '{problem.path}'\n")
            return 1
        yield from p.err(f"ip: RTNETLINK answers: {_WORDS.get(problem.errno, problem.words)}\n")
        return 2
    return 0


def _link(p: Process, each: Shown, flags: set[str], with_addresses: bool) -> Iterator[str]:
    words = "LOOPBACK,UP,LOWER_UP" if each.loopback else "BROADCAST,MULTICAST,UP,LOWER_UP"
    words = words if each.running else "NO-CARRIER,BROADCAST,MULTICAST,UP"
    words = words if each.up else "LOOPBACK" if each.loopback else "BROADCAST,MULTICAST"
    discipline = "fq_codel" if each.name == "eth0" else "noqueue"
    card = below(each.name)
    shown = f"{each.name}@{card}" if card else each.name
    master = " master br-lan" if each.name in bridged(p.persona) else ""
    if not with_addresses or not flags & {"4", "6"}:
        kind = "loopback" if each.loopback else "ether"
        broadcast = "00:00:00:00:00:00" if each.loopback else "ff:ff:ff:ff:ff:ff"
        yield (
            f"{each.interface.index}: {shown}: <{words}> mtu {each.interface.mtu} qdisc {discipline}{master} "
            f"qlen 1000\n    link/{kind} {each.interface.mac} brd {broadcast}\n"
        )
    if not with_addresses:
        return
    forever = "       valid_lft forever preferred_lft forever\n"
    for one in each.link.addresses if "6" not in flags else ():
        brd = f" brd {one.broadcast}" if one.broadcast else ""
        scope = ("host" if each.loopback else "global") + (" secondary" if one.secondary else "")
        yield f"    inet {one.text}/{one.prefix}{brd} scope {scope} {one.label}\n{forever}"
    if each.loopback and each.up and "4" not in flags:
        yield f"    inet6 ::1/128 scope host \n{forever}"


def _routes(p: Process, rest: list[str]) -> Iterator[str]:
    state = netstate(p)
    if rest[:1] == ["get"] and len(rest) > 1:
        found = state.way(rest[1])
        if found is None:
            return
        source = found.source or next((one.text for one in state.link(found.device).addresses), "")
        via = f" via {found.via}" if found.via else ""
        yield f"{rest[1]}{via} dev {found.device}  src {source} \n"
        return
    for each in state.routes:
        to = "default" if not each.to.prefixlen else str(each.to).removesuffix("/32")
        if rest and rest[0] not in ("dev", "table", to):
            continue
        source = each.source or (_source(state, each) if each.via and not each.given else "")
        via = f"via {each.via} " if each.via else ""
        scope = "" if each.via or each.kind else "scope link "
        kind = f"{each.kind} " if each.kind else ""
        device = f"dev {each.device} " if each.device else ""
        yield f"{kind}{to} {via}{device}{scope}{f' src {source} ' if source else ''}\n"


def _source(state: NetState, each: Route) -> str:
    return next((one.text for one in state.link(each.device).addresses), "")


def _neighbours(p: Process, device: str) -> Iterator[str]:
    own, name, guest = addressing(p.persona, p.connection.server_ip), outer_name(p), station(p.persona)
    if device in ("", name):
        yield f"{own.gateway} dev {name} lladdr {p.persona.network.gateway_mac} ref 1 used 0/0/0 probes 1 REACHABLE\n"
    if device in ("", "br-lan"):
        yield f"{guest.address} dev br-lan lladdr {guest.mac} used 814/877/811 probes 4 STALE\n"
