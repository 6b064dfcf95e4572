"""What ``ifconfig`` and ``route`` change, with the words of net-tools and BusyBox where the kernel refuses."""

from __future__ import annotations

import errno
import ipaddress

from urltrap.machine.api import Process, Run
from urltrap.machine.errors import STRERROR, SysError
from urltrap.machine.netstate import change, netstate
from urltrap.machine.programs._system import is_device

_VALUES = (
    "netmask",
    "broadcast",
    "mtu",
    "metric",
    "hw",
    "txqueuelen",
    "add",
    "del",
    "pointopoint",
    "dstaddr",
)
_CLASSES = ((128, 8), (192, 16))


def set_interface(p: Process, name: str, words: list[str]) -> Run:
    """``ifconfig NAME WORDS``: changes in the order in which they are named; the first that is refused ends it."""
    there = any(name.partition(":")[0] == each.name for each in netstate(p).links)
    address = words[0] if words[0][:1].isdigit() else ""
    mtu = _after(words, "mtu")
    if is_device(p):
        what = "SIOCSIFADDR" if address else "SIOCSIFMTU" if mtu else "SIOCGIFFLAGS"
        problem = "No such device" if not there else "Operation not permitted" if p.uid else ""
        if problem:
            yield from p.err(f"ifconfig: {what}: {problem}\n")
            return 1
    elif not there:
        flags = f"{name}: ERROR while getting interface flags: No such device\n"
        if address:
            yield from p.err(f"SIOCSIFADDR: No such device\n{flags}")
            if "netmask" in words:
                yield from p.err("SIOCSIFNETMASK: No such device\n")
            return 255
        yield from p.err("SIOCSIFMTU: No such device\n" if mtu else flags)
        return 1 if mtu else 255
    elif p.uid:
        calls = ["SIOCSIFADDR", "SIOCSIFFLAGS"] if address else ["SIOCSIFMTU"] if mtu else ["SIOCSIFFLAGS"]
        yield from p.err("".join(f"{each}: Operation not permitted\n" for each in calls))
        return 255
    try:
        _carry_out(p, name, words, address)
    except ValueError:
        yield from p.err(f"{address}: Unknown host\nifconfig: `--help' gives usage information.\n")
        return 1
    except SysError as problem:
        yield from p.err(f"SIOCSIFFLAGS: {problem.words}\n")
        return 255
    return 0


def _after(words: list[str], name: str) -> str:
    return words[words.index(name) + 1] if name in words[:-1] else ""


def _carry_out(p: Process, name: str, words: list[str], address: str) -> None:
    if ":" in address:
        return  # IPv6: taken, and shown nowhere
    if address:
        text, _, prefix = address.partition("/")
        first = ipaddress.IPv4Address(text).packed[0]
        length = next((bits for below, bits in _CLASSES if first < below), 24)
        if mask := _after(words, "netmask"):
            length = ipaddress.IPv4Network(f"0.0.0.0/{mask}").prefixlen
        net = ipaddress.IPv4Network(f"{text}/{prefix or length}", strict=False)
        broadcast = _after(words, "broadcast") or str(net.broadcast_address)
        change(p, "own-address", name, f"{text}/{net.prefixlen}", broadcast)
    elif mask := _after(words, "netmask"):
        link = netstate(p).link(name)
        own = next((each for each in link.addresses if each.label == name), None)
        if own is not None:
            net = ipaddress.IPv4Network(f"{own.text}/{mask}", strict=False)
            change(p, "own-address", name, f"{own.text}/{net.prefixlen}", str(net.broadcast_address))
    for word, way in (("promisc", "on"), ("-promisc", "off")):
        if word in words:
            change(p, "set", name, "promisc", way)
    if (mtu := _after(words, "mtu")).isdecimal():
        change(p, "set", name, "mtu", mtu)
    if "hw" in words and (mac := words[-1]).count(":") == 5:
        change(p, "set", name, "mac", mac.lower())
    if "down" in words and ":" in name:
        change(p, "own-address", name, "", "")
    elif "down" in words:
        change(p, "down", name)
    elif "up" in words:
        change(p, "up", name)


def set_route(p: Process, words: list[str]) -> Run:
    """``route add|del …``."""
    verb, *rest = words
    adds = verb == "add"
    call = "SIOCADDRT" if adds else "SIOCDELRT"
    lead, status = ("route: ", 1) if is_device(p) else ("", 7)
    if verb not in ("add", "del", "delete") or not rest:
        yield from p.err(
            "Usage: inet_route [-vF] del {-host|-net} Target[/prefix] [gw Gw] [metric M] [[dev] If]\n"
        )
        return 4
    kind = "unreachable" if "reject" in rest else ""
    rest = [word for word in rest if word not in ("-net", "-host", "reject", "-inet")]
    host = "-host" in words
    target = rest[0]
    try:
        if target not in ("default", "0.0.0.0"):
            length = _after(rest, "netmask") or ("32" if host or not _is_net(target) else "")
            net = ipaddress.IPv4Network(f"{target}/{length}" if length and "/" not in target else target)
            target = str(net)
        else:
            target = "default"
        via = _after(rest, "gw") or _after(rest, "gateway")
        if via:
            ipaddress.IPv4Address(via)
    except ValueError:
        yield from p.err(
            f"{lead}{rest[0]}: Unknown host\n" if not is_device(p) else f"route: bad address '{rest[0]}'\n"
        )
        return 6 if not is_device(p) else 1
    device = _after(rest, "dev") or (rest[-1] if len(rest) % 2 == 0 else "")
    try:
        if p.uid:
            raise SysError(errno.EPERM)
        if adds:
            if not via and not device and not kind:
                raise SysError(errno.ENODEV)
            change(p, "route", target, via, device, _after(rest, "metric"), kind, "")
        else:
            change(p, "no-route", target, via, device, _after(rest, "metric"))
    except SysError as problem:
        yield from p.err(f"{lead}{call}: {STRERROR.get(problem.errno, problem.words)}\n")
        return status
    return 0


def _is_net(target: str) -> bool:
    return "/" in target or target.endswith(".0")
