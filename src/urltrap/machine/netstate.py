"""The network as it is configured now: the persona's, and over it what root changed since the start.

A change is a few words that are kept (`Overlay.network`) and played over the persona's configuration each time somebody
looks; the primary interface's address follows the one that the visitor reached. The kernel's rules are those of
Linux (net/ipv4/devinet.c, fib_frontend.c), compared with `ip` and `ifconfig` in a network namespace.
"""

from __future__ import annotations

import errno
import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from urltrap.machine.errors import SysError
from urltrap.machine.persona.lan import all_interfaces
from urltrap.machine.persona.network import addressing

if TYPE_CHECKING:
    from urltrap.machine.api import Connection
    from urltrap.machine.persona import Interface, Persona

CHANGES_MAX = 200
_LINKS_MAX = 64
_ALL = 32


@dataclass(frozen=True, slots=True)
class Address:
    """An IPv4 address of a link; `label` differs from the link's name for ``eth0:1``, `given` where it is root's."""

    text: str
    prefix: int
    label: str
    broadcast: str = ""
    secondary: bool = False
    given: bool = True

    @property
    def net(self) -> ipaddress.IPv4Network:
        """The network that it is in."""
        return ipaddress.IPv4Network(f"{self.text}/{self.prefix}", strict=False)


@dataclass(frozen=True, slots=True)
class Route:
    """A row of the main table. `via` "" where it is on the link; `kind` ""
    or one that refuses: "blackhole", "unreachable", "prohibit"."""

    to: ipaddress.IPv4Network
    device: str
    via: str = ""
    source: str = ""
    kernel: bool = False
    metric: int = 0
    kind: str = ""
    given: bool = True


@dataclass(slots=True)
class Link:
    """An interface: the persona's with what was changed; `kind` of one that was added ("bridge", "dummy" …)."""

    interface: Interface
    up: bool = True
    kind: str = ""
    promiscuous: bool = False
    touched: bool = False  # it was down once
    addresses: list[Address] = field(default_factory=list)
    own: str = ""  # the IPv6 address that it gives itself when it goes up

    @property
    def name(self) -> str:
        """Its name."""
        return self.interface.name


@dataclass(slots=True)
class NetState:
    """Links in the kernel's order, and the main table's routes in theirs."""

    links: list[Link]
    routes: list[Route]

    def link(self, name: str) -> Link:
        """The link of a name (or of its alias, or of a label); SysError ENODEV."""
        base = name.partition(":")[0]
        for each in self.links:
            if base in (each.name, each.interface.altname):
                return each
        raise SysError(errno.ENODEV, name)

    def way(self, address: str) -> Route | None:
        """The route that a packet to `address` takes."""
        to = ipaddress.IPv4Address(address)
        fitting = [each for each in self.routes if to in each.to]
        return max(fitting, key=lambda each: (each.to.prefixlen, -each.metric), default=None)


class NetView(Protocol):
    """Who looks at the network."""

    @property
    def persona(self) -> Persona: ...
    @property
    def connections(self) -> Sequence[Connection]: ...
    @property
    def network(self) -> list[list[str]]: ...


def netstate(view: NetView) -> NetState:
    """How it is now."""
    state = _installed(view.persona, view.connections[-1].server_ip if view.connections else "")
    for words in view.network:
        try:
            _apply(state, words)
        except SysError:
            continue  # it was made with another address of ours, and does not fit the one that was reached now
    return state


def change(view: NetView, *words: str) -> None:
    """Change it; SysError as the kernel answers (EEXIST, ESRCH, ENODEV, EADDRNOTAVAIL, ENETUNREACH, EOPNOTSUPP)."""
    state = netstate(view)
    _apply(state, words)
    if len(view.network) >= CHANGES_MAX:
        raise SysError(errno.ENOBUFS)
    view.network.append(list(words))


def _installed(persona: Persona, server_ip: str) -> NetState:
    own, primary = addressing(persona, server_ip), persona.primary.name
    links, routes = [], []
    for each in all_interfaces(persona):
        link = Link(each, own=each.link_local)
        if each.name == "lo":
            link.addresses.append(Address("127.0.0.1", 8, "lo", given=False))
        elif each.name == primary:
            link.addresses.append(Address(own.address, own.prefix, primary, own.broadcast, given=False))
        elif each.address:
            net = ipaddress.IPv4Network(f"{each.address}/{each.prefix}", strict=False)
            broadcast = str(net.broadcast_address)
            link.addresses.append(Address(each.address, each.prefix, each.name, broadcast, given=False))
        for address in link.addresses if each.name != "lo" else ():
            routes.append(Route(address.net, each.name, "", address.text, kernel=True, given=False))
        links.append(link)
    routes.append(Route(_net("default"), primary, own.gateway, given=False))
    state = NetState(links, routes)
    _in_order(state)
    return state


def _net(text: str) -> ipaddress.IPv4Network:
    return ipaddress.IPv4Network("0.0.0.0/0" if text == "default" else text, strict=False)


def _in_order(state: NetState) -> None:
    state.routes.sort(key=lambda each: (int(each.to.network_address), each.to.prefixlen, each.metric))


def _apply(state: NetState, words: Sequence[str]) -> None:
    what, *rest = words
    _CHANGES[what](state, *rest)


def _add_address(state: NetState, device: str, text: str, label: str, broadcast: str) -> None:
    link = state.link(device)
    address, _, prefix = text.partition("/")
    made = Address(address, int(prefix or _ALL), label or link.name, broadcast)
    if any(each.text == address and each.prefix == made.prefix for each in link.addresses):
        raise SysError(errno.EEXIST)
    if any(each.net == made.net and not each.secondary for each in link.addresses):
        made = replace(made, secondary=True)
    link.addresses.append(made)
    link.addresses.sort(key=lambda each: each.secondary)
    if link.up:
        _connect(state, link, made)


def _connect(state: NetState, link: Link, address: Address) -> None:
    if not address.secondary and address.prefix < _ALL and link.name != "lo":
        route = Route(address.net, link.name, "", address.text, kernel=True)
        if not any(
            (each.to, each.device) == (route.to, route.device) and each.kernel for each in state.routes
        ):
            state.routes.append(route)
            _in_order(state)


def _delete_address(state: NetState, device: str, text: str) -> None:
    link = state.link(device)
    wanted, _, prefix = text.partition("/")
    found = next(
        (each for each in link.addresses if each.text == wanted and prefix in ("", str(each.prefix))), None
    )
    if found is None:
        raise SysError(errno.EADDRNOTAVAIL)
    gone = [found]
    if (
        not found.secondary
    ):  # those that came second in its network go with it, unless promote_secondaries is set
        gone += [each for each in link.addresses if each.secondary and each.net == found.net]
    link.addresses = [each for each in link.addresses if each not in gone]
    texts = {each.text for each in gone}
    state.routes = [each for each in state.routes if not (each.device == link.name and each.source in texts)]
    reachable = [each.to for each in state.routes if each.kernel]
    state.routes = [
        each for each in state.routes
        if each.device != link.name or not each.via or any(ipaddress.IPv4Address(each.via) in net for net in reachable)
    ]  # fmt: skip


def _set_own(state: NetState, label: str, text: str, broadcast: str) -> None:
    """The one address of a label, as ifconfig sets it; none where `text` is empty."""
    link = state.link(label)
    before = next((each for each in link.addresses if each.label == label), None)
    if before is not None:
        _delete_address(state, label, f"{before.text}/{before.prefix}")
    if text:
        _give_own(link)
        _add_address(state, label, text, label, broadcast)
        if ":" not in label:
            link.addresses.sort(key=lambda each: (each.secondary, each.label != label))


def _flush(state: NetState, device: str) -> None:
    link = state.link(device)
    for each in list(link.addresses):
        if each in link.addresses:
            _delete_address(state, device, f"{each.text}/{each.prefix}")
    link.interface = link.interface.model_copy(update={"link_local": ""})


def _give_own(link: Link) -> None:
    if not link.up:
        own = eui64(link.interface.mac) if link.kind else link.own
        link.up, link.interface = True, link.interface.model_copy(update={"link_local": own})


def eui64(mac: str) -> str:
    """The link-local address of a card (RFC 4291, appendix A)."""
    parts = [int(each, 16) for each in mac.split(":")]
    parts[0] ^= 2
    raw = bytes([0xFE, 0x80, *([0] * 6), *parts[:3], 0xFF, 0xFE, *parts[3:]])
    return str(ipaddress.IPv6Address(raw))


def _set_up(state: NetState, device: str) -> None:
    link = state.link(device)
    if not link.up:
        _give_own(link)
        for each in link.addresses:
            _connect(state, link, each)


def _set_down(state: NetState, device: str) -> None:
    link = state.link(device)
    link.up, link.touched = False, True
    state.routes = [each for each in state.routes if each.device != link.name]


def _set_field(state: NetState, device: str, name: str, value: str) -> None:
    link = state.link(device)
    if name == "promisc":
        link.promiscuous = value == "on"
        return
    if name == "name" and any(value == each.name for each in state.links):
        raise SysError(errno.EEXIST)
    if name == "name":
        link.addresses = [
            replace(each, label=value if each.label == link.name else each.label) for each in link.addresses
        ]
        state.routes = [
            replace(each, device=value) if each.device == link.name else each for each in state.routes
        ]
    link.interface = link.interface.model_copy(update={name: int(value) if name == "mtu" else value})


def _add_link(state: NetState, name: str, kind: str, mac: str) -> None:
    if any(each.name == name for each in state.links):
        raise SysError(errno.EEXIST)
    if len(state.links) >= _LINKS_MAX:
        raise SysError(errno.ENOBUFS)
    made = state.links[-1].interface.model_copy(update={
        "name": name, "index": max(each.interface.index for each in state.links) + 1, "mac": mac, "mtu": 1500,
        "address": "", "altname": "", "driver": "", "link_local": "", "rx_bytes": 0, "rx_packets": 0, "tx_bytes": 0,
        "tx_packets": 0,
    })  # fmt: skip
    state.links.append(Link(made, up=False, kind=kind))


def _delete_link(state: NetState, name: str) -> None:
    link = state.link(name)
    if not link.kind:
        raise SysError(errno.EOPNOTSUPP)
    state.links.remove(link)
    state.routes = [each for each in state.routes if each.device != link.name]


def _add_route(
    state: NetState, to: str, via: str, device: str, metric: str, kind: str, replaces: str
) -> None:
    net = _net(to)
    if device:
        link = state.link(device)
        if not link.up:
            raise SysError(errno.ENETDOWN)
    source = ""
    if via and not kind:
        way = state.way(via)
        if way is None or way.via or way.kind:
            raise SysError(errno.ENETUNREACH)
        device = device or way.device
    wanted = (net, int(metric or 0), kind)
    same = [each for each in state.routes if (each.to, each.metric, each.kind) == wanted]
    if same and replaces:
        state.routes.remove(same[0])
    elif same:
        raise SysError(errno.EEXIST)
    state.routes.append(Route(net, device, via, source, metric=int(metric or 0), kind=kind))
    _in_order(state)


def _delete_route(state: NetState, to: str, via: str, device: str, metric: str) -> None:
    net = _net(to)
    for each in state.routes:
        fits = each.to == net and via in ("", each.via) and device in ("", each.device)
        if fits and metric in ("", str(each.metric)):
            state.routes.remove(each)
            return
    raise SysError(errno.ESRCH)


def _flush_routes(state: NetState, device: str) -> None:
    state.routes = [each for each in state.routes if device not in ("", each.device)]


_CHANGES: dict[str, Callable[..., None]] = {
    "address": _add_address, "no-address": _delete_address, "own-address": _set_own,
    "flush": _flush, "up": _set_up, "down": _set_down,
    "set": _set_field, "link": _add_link, "no-link": _delete_link, "route": _add_route, "no-route": _delete_route,
    "flush-routes": _flush_routes,
}  # fmt: skip
