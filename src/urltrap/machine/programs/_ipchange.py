"""What ``ip address|link|route add|del|set|flush`` change, and iproute2's words where the kernel refuses."""

from __future__ import annotations

import errno
import ipaddress

from urltrap.machine.api import Process, Run
from urltrap.machine.errors import SysError
from urltrap.machine.netstate import change, netstate

_KINDS = (
    "bridge",
    "dummy",
    "veth",
    "vlan",
    "bond",
    "macvlan",
    "gre",
    "ipip",
    "sit",
    "tun",
    "vxlan",
    "wireguard",
    "ifb",
)
_REJECTS = ("blackhole", "unreachable", "prohibit")
_SPEAKS_MORE = (6, 3)
"""The kernel since which addresses that are there already, or not, are told in words of their own."""


class WrongError(Exception):
    """What ip itself does not understand."""

    @property
    def bare(self) -> str:
        """In BusyBox's shorter way."""
        return str(self).removeprefix("Error: ").rstrip(".")


def change_network(p: Process, name: str, verb: str, words: list[str]) -> Run:
    """Carry a change out: 0, 1 where ip does not understand it, 2 where the kernel refuses."""
    try:
        apply_change(p, name, verb, words)
    except WrongError as problem:
        yield from p.err(f"{problem}\n")
        return 1
    except SysError as problem:
        if problem.errno == errno.ENODEV:
            yield from p.err(f'Cannot find device "{problem.path}"\n')
            return 1
        yield from p.err(_refusal(p, name, problem))
        return 2
    return 0


def apply_change(p: Process, name: str, verb: str, words: list[str]) -> None:
    """Carry a change of an object out; WrongError, SysError (ENODEV with the device's name as its path)."""
    does = {"address": _address, "link": _link, "route": _route}.get(name)
    if does is not None:
        does(p, verb, words)
    elif p.uid:
        raise SysError(errno.EPERM)


def _refusal(p: Process, name: str, problem: SysError) -> str:
    if name == "route" and problem.errno == errno.ENETUNREACH:
        return "Error: Nexthop has invalid gateway.\n"
    if name == "route" and problem.errno == errno.ENETDOWN:
        return "Error: Device for nexthop is not up.\n"
    parts = p.persona.kernel.release.split(".")
    if name == "address" and (int(parts[0]), int(parts[1])) >= _SPEAKS_MORE:
        if problem.errno == errno.EEXIST:
            return "Error: ipv4: Address already assigned.\n"
        if problem.errno == errno.EADDRNOTAVAIL:
            return "Error: ipv4: Address not found.\n"
    return f"RTNETLINK answers: {problem.words}\n"


def _may(p: Process) -> None:
    if p.uid:
        raise SysError(errno.EPERM)


def _value(words: list[str], *names: str) -> str:
    for name in names:
        if name in words[:-1]:
            return words[words.index(name) + 1]
    return ""


def _prefix(text: str, kind: str = "prefix") -> str:
    try:
        address, slash, length = text.partition("/")
        ipaddress.IPv4Network(f"{address}/{length}" if slash else address, strict=False)
    except ValueError:
        raise WrongError(f'Error: any valid {kind} is expected rather than "{text}".') from None
    return text


def _address(p: Process, verb: str, words: list[str]) -> None:
    device = _value(words, "dev")
    if "flush".startswith(verb) and verb:
        device = device or next((word for word in words if word not in ("dev", "scope", "global")), "")
        if not device:
            raise WrongError("Flush requires arguments.")
        if all(device not in (each.name, each.interface.altname) for each in netstate(p).links):
            raise WrongError(f'Device "{device}" does not exist.')
        _may(p)
        change(p, "flush", device)
        return
    skip = {"dev", "label", "brd", "broadcast", "scope", "local", "valid_lft", "preferred_lft"}
    place = next(
        (
            word
            for at, word in enumerate(words)
            if word not in skip and (not at or words[at - 1] not in skip - {"local"})
        ),
        "",
    )
    if place and ":" not in place:
        _prefix(place)
    if not device:
        raise WrongError('Not enough information: "dev" argument is required.')
    netstate(p).link(device)
    _may(p)
    if ":" in place:
        return  # IPv6: taken, and shown nowhere
    if "delete".startswith(verb):
        change(p, "no-address", device, place)
        return
    broadcast = _value(words, "brd", "broadcast")
    if broadcast == "+" or (not broadcast and verb == "brd"):
        broadcast = str(ipaddress.IPv4Network(place, strict=False).broadcast_address)
    change(p, "address", device, place, _value(words, "label"), broadcast)


def _link(p: Process, verb: str, words: list[str]) -> None:
    if "add".startswith(verb):
        kind = _value(words, "type")
        name = _value(words, "name") or next((w for w in words if w not in ("link", "dev", "type", kind)), "")
        if not kind:
            raise WrongError('Not enough information: "type" argument is required')
        _may(p)
        if kind not in _KINDS:
            raise SysError(errno.EOPNOTSUPP)
        change(p, "link", name, kind, _value(words, "address") or _mac(p))
        if kind == "veth" and (
            peer := _value(words[words.index("peer") :] if "peer" in words else [], "name")
        ):
            change(p, "link", peer, kind, _mac(p))
        return
    device = _value(words, "dev") or next(iter(words), "")
    if device in ("up", "down") and len(words) > 1:
        device = words[1]
    if not device:
        raise WrongError('Not enough information: "dev" argument is required.')
    netstate(p).link(device)
    _may(p)
    if verb.startswith("d"):
        change(p, "no-link", device)
        return
    for field, option in (("mtu", "mtu"), ("mac", "address"), ("promisc", "promisc"), ("name", "name")):
        if value := _value(words, option):
            if field == "mtu" and not value.isdecimal():
                raise WrongError(f'Error: argument "{value}" is wrong: Invalid "mtu" value\n')
            change(p, "set", device, field, value)
            device = value if field == "name" else device
    if "down" in words:
        change(p, "down", device)
    elif "up" in words:
        change(p, "up", device)


def _mac(p: Process) -> str:
    first = p.random(64) << 2 | 2  # administered locally, for one card
    return ":".join(f"{each:02x}" for each in (first, *(p.random(256) for _ in range(5))))


def _route(p: Process, verb: str, words: list[str]) -> None:
    kind = words.pop(0) if words[:1] and words[0] in (*_REJECTS, "unicast") else ""
    kind = kind.removeprefix("unicast")
    device = _value(words, "dev")
    if "flush".startswith(verb):
        if not words:
            raise WrongError('"ip route flush" requires arguments.')
        if device:
            netstate(p).link(device)
        _may(p)
        change(p, "flush-routes", device)
        return
    skip = {"to"}
    place = next((word for word in words if word not in skip), "")
    if place in ("via", "dev", "metric"):
        place = "default"
    if ":" in place:
        _may(p)
        return  # IPv6: taken, and shown nowhere
    if place and place != "default":
        _prefix(place)
    if not place:
        raise SysError(errno.EINVAL)
    via = _value(words, "via")
    if via:
        _prefix(via, "address")
    if device:
        netstate(p).link(device)
    _may(p)
    if "delete".startswith(verb):
        change(p, "no-route", place, via, device, _value(words, "metric"))
    else:
        replaces = "yes" if verb.startswith(("r", "c")) else ""
        change(p, "route", place, via, device, _value(words, "metric"), kind, replaces)
