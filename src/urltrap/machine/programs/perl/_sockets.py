# ruff: noqa: E501 - tables and messages read best with several on a line
"""Sockets: what is sent to a web server is asked of the fetcher; nothing else is ever connected."""

from __future__ import annotations

import errno
from typing import Any

from urltrap.machine.errors import STRERROR, SysError
from urltrap.machine.programs._connecting import PATIENCE, told
from urltrap.machine.programs.perl import _eval
from urltrap.machine.programs.perl._attention import pause
from urltrap.machine.programs.perl._files import handle_node, handle_of, keep, new_handle
from urltrap.machine.programs.perl._functions import FUNCTIONS, fixed, function, unary
from urltrap.machine.programs.perl._handles import Handle
from urltrap.machine.programs.perl._library import plain
from urltrap.machine.programs.perl._modules import Native, constants, module
from urltrap.machine.programs.perl._values import Gen, Node, string, to_bytes, values, whole
from urltrap.machine.programs.perl._vm import Frame, Vm
from urltrap.machine.reach import is_own, numeric, reach, resolve4

_WEB = frozenset({80, 81, 88, 8000, 8008, 8080, 8081, 8088, 8888})
_WORDS = {"refused": errno.ECONNREFUSED, "unreachable": errno.EHOSTUNREACH, "timeout": errno.ETIMEDOUT}
_SERVICES = {
    "http": 80,
    "https": 443,
    "ftp": 21,
    "ssh": 22,
    "telnet": 23,
    "smtp": 25,
    "ircd": 6667,
    "domain": 53,
}
_PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 1, "ip": 0}
_MOST_TOLD, _MOST_PLACES = 4, 64
"""How often one place is told of, and how many places."""
_PACE = 0.01
"""Seconds that a datagram takes that is not told of."""


class Endpoint:
    """What a socket is beside its stream."""

    def __init__(self, kind: int, family: int = 2) -> None:
        self.kind, self.family = kind, family
        self.host, self.port = "", 0
        self.local_port = 0
        self.connected = False
        self.waits = False

    def send(self, vm: Vm, handle: Handle, text: str, host: str = "", port: int = 0) -> Gen:
        """Send: a datagram is told of, what goes to a web server is written; the number of bytes, or None."""
        data = to_bytes(text)
        if self.kind != 1:
            if not tell(vm, host or self.host, port or self.port, data):
                yield from pause(vm, _PACE)  # a flood lasts as long as it was to last
            yield from vm.p.tick(20 + (len(data) >> 6))
            return len(data)
        if not self.connected:
            vm.set_errno(errno.EPIPE)
            return None
        yield from handle.flush(vm)
        try:
            yield from vm.p.write(handle.fd, data)
        except SysError as problem:
            vm.set_errno(problem)
            return None
        return len(data)


def tell(vm: Vm, host: str, port: int, data: bytes = b"") -> bool:
    """Journal where a program wanted to; False where it was told of often enough already."""
    times = vm.told.get((host, port), 0)
    if times >= _MOST_TOLD or len(vm.told) >= _MOST_PLACES:
        return False
    vm.told[(host, port)] = times + 1
    told(vm.p, host, port, data)
    return True


def find_address(vm: Vm, host: str) -> Gen:
    """The address of a name; empty, after a while, where no server tells."""
    found = resolve4(vm.p, host)
    if not found:
        yield from pause(vm, PATIENCE)
    return found


def connect_to(vm: Vm, handle: Handle, host: str, port: int, patience: float | None) -> Gen:
    """Connect: 0, or the number of the error."""
    point: Endpoint = handle.socket
    point.host, point.port = host, port
    if point.kind != 1:
        point.connected = True
        return 0
    address = host if numeric(host) else resolve4(vm.p, host)
    if address and is_own(vm.p, address):
        if reach(vm.p, address, port) != "open":
            return errno.ECONNREFUSED
    elif port not in _WEB:
        tell(vm, host, port)
        verdict = reach(vm.p, address, port) if address else "unreachable"
        if verdict == "refused":
            return errno.ECONNREFUSED
        yield from pause(vm, min(PATIENCE, PATIENCE if patience is None else patience))
        return (
            errno.ETIMEDOUT
            if patience is not None and patience < PATIENCE
            else _WORDS.get(verdict, errno.EHOSTUNREACH)
        )
    handle.fd = vm.p.connect(host, port)
    point.connected = True
    return 0


def bind(vm: Vm, handle: Handle, host: str, port: int) -> Any:
    """Wait at a port: 1, or "" with $! set."""
    point: Endpoint = handle.socket
    try:
        handle.fd = vm.p.listen("tcp" if point.kind == 1 else "udp", host or "0.0.0.0", port)
    except SysError as problem:
        vm.set_errno(problem)
        return ""
    point.local_port, point.waits = port, True
    return 1


def accepted(vm: Vm, handle: Handle | None, name: str) -> Gen:
    """The next client's handle (one on the machine: of others nobody comes); None with $! set where none can."""
    if handle is None or handle.socket is None or not handle.socket.waits:
        fail(vm, errno.EBADF if handle is None else errno.EINVAL)
        return None
    fd = yield from vm.p.accept(handle.fd)
    made = Handle(fd, name, writes=True)
    point = made.socket = Endpoint(1, handle.socket.family)
    point.host, point.port = vm.p.peer(fd)
    point.local_port, point.connected = handle.socket.local_port, True
    keep(vm, made)
    return made


def fail(vm: Vm, number: int) -> None:
    """Set $! by number."""
    words = STRERROR.get(number, "Transport endpoint is not connected" if number == errno.ENOTCONN else "")
    vm.errno, vm.errno_words = number, words


# perl's own functions
@function("socket")
def _socket(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    glob = yield from new_handle(vm, f, n.b[0])
    family, kind = (whole(each) for each in values((yield from _eval.listed(vm, f, n.b[1:])))[:2])
    if kind == 3 and vm.p.uid:
        fail(vm, errno.EPERM)
        return [""] if w else ""
    glob.io = Handle(-1, glob.name.removeprefix("main::"), writes=True)
    glob.io.socket = Endpoint(kind, family)
    keep(vm, glob.io)
    return [1] if w else 1


def _unpacked(address: Any) -> tuple[int, str]:
    data = to_bytes(string(address))
    if len(data) != 16:
        return 0, ""
    return int.from_bytes(data[2:4], "big"), ".".join(map(str, data[4:8]))


def _name_of(vm: Vm, address: str) -> str:
    """The name that an address was looked up by: web servers are asked for it."""
    known: dict[str, str] = vm.state.setdefault((-8, 0), {})
    return known.get(address, address)


@function("connect")
def _connect(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    handle = handle_of(vm, (yield from handle_node(vm, f, n.b[0])))
    port, host = _unpacked((yield from _eval.ev(vm, f, n.b[1])))
    problem = errno.EBADF
    if handle is not None and handle.socket is not None:
        problem = yield from connect_to(vm, handle, _name_of(vm, host), port, None)
    if problem:
        fail(vm, problem)
    value: Any = "" if problem else 1
    return [value] if w else value


def _each(vm: Vm, f: Frame, nodes: list[Node]) -> Gen:
    """The values of arguments, each in scalar context."""
    found = []
    for each in nodes:
        found.append((yield from _eval.ev(vm, f, each)))
    return found


@function("send")
def _send(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    handle = handle_of(vm, (yield from handle_node(vm, f, n.b[0])))
    args = yield from _each(vm, f, n.b[1:])
    found: Any = None
    if handle is None or handle.socket is None:
        vm.set_errno(errno.EBADF)
    else:
        port, host = _unpacked(args[2]) if len(args) > 2 else (0, "")
        found = yield from handle.socket.send(vm, handle, string(args[0]), host, port)
    return [found] if w else found


@function("recv")
def _recv(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    from urltrap.machine.programs.perl import _places

    handle = handle_of(vm, (yield from handle_node(vm, f, n.b[0])))
    place = yield from _places.scalar(vm, f, n.b[1])
    size = whole((yield from _eval.ev(vm, f, n.b[2])))
    if handle is None or handle.socket is None or not handle.socket.connected:
        fail(vm, errno.ENOTCONN)
        return [None] if w else None
    if handle.socket.kind != 1:
        yield from pause(vm, 86_400.0)
    place.set((yield from handle.sysread(vm, size)))
    return [""] if w else ""


@function("bind", "listen", "shutdown", "setsockopt", "getsockopt", "ioctl", "fcntl")
def _accepted(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    handle = handle_of(vm, (yield from handle_node(vm, f, n.b[0])))
    args = yield from _each(vm, f, n.b[1:])
    value: Any = 1
    if handle is None:
        vm.set_errno(errno.EBADF)
        value = ""
    elif n.a == "bind" and handle.socket is not None:
        port, host = _unpacked(args[0] if args else "")
        value = bind(vm, handle, host, port)
    elif n.a in ("fcntl", "ioctl"):
        value = "0 but true"
    return [value] if w else value


@function("accept")
def _accept(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    glob = yield from new_handle(vm, f, n.b[0])
    handle = handle_of(vm, (yield from handle_node(vm, f, n.b[1])))
    made = yield from accepted(vm, handle, glob.name.removeprefix("main::"))
    value: Any = ""
    if made is not None:
        glob.io = made
        value = packed_address(made.socket.port, made.socket.host)
    return [value] if w else value


@function("getsockname", "getpeername")
def _names(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    handle = handle_of(vm, (yield from handle_node(vm, f, n.b[0])))
    found: Any = None
    if handle is not None and handle.socket is not None:
        own = n.a == "getsockname"
        host = vm.p.connection.server_ip if own else resolve4(vm.p, handle.socket.host)
        found = packed_address(handle.socket.local_port if own else handle.socket.port, host)
    return [found] if w else found


def packed_address(port: int, host: str) -> str:
    """sockaddr_in()."""
    return "\x02\0" + (port & 65_535).to_bytes(2, "big").decode("latin-1") + _aton(host) + "\0" * 8


def _aton(host: str) -> str:
    parts = host.split(".")
    if len(parts) == 4 and all(each.isdecimal() and int(each) < 256 for each in parts):
        return bytes(map(int, parts)).decode("latin-1")
    return "\0\0\0\0"


def _inet_aton(vm: Vm, host: Any) -> Gen:
    name = string(host)
    if not name:
        return None
    found = yield from find_address(vm, name)
    if not found or ":" in found:
        # A name that nobody resolves is known by an address of its own, where it is asked for the web.
        return None
    if found != name:
        vm.state.setdefault((-8, 0), {})[found] = name
    return _aton(found)


@unary("gethostbyname")
def _gethostbyname(vm: Vm, v: Any) -> Gen:
    return (yield from _inet_aton(vm, v))


_by_name = FUNCTIONS["gethostbyname"]


@function("gethostbyname")
def _gethostbyname_listed(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    found = yield from _by_name(vm, f, n, False)
    if not w:
        return found
    if found is None:
        return []
    name = yield from _eval.ev(vm, f, n.b[0])
    return [name, "", 2, 4, found]


@function("getprotobyname")
def _getprotobyname(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    name = string((yield from _eval.ev(vm, f, n.b[0])))
    number = _PROTOCOLS.get(name)
    if not w:
        return number
    return [] if number is None else [name, name.upper(), number]


@fixed("getservbyname")
def _getservbyname(vm: Vm, name: Any, protocol: Any = "tcp") -> Any:
    return _SERVICES.get(string(name))


@fixed("gethostbyaddr")
def _gethostbyaddr(vm: Vm, address: Any, kind: Any = 2) -> Any:
    return None


_CONSTANTS = {
    "AF_INET": 2, "PF_INET": 2, "AF_UNIX": 1, "PF_UNIX": 1, "AF_INET6": 10, "PF_INET6": 10, "SOCK_STREAM": 1,
    "SOCK_DGRAM": 2, "SOCK_RAW": 3, "SOL_SOCKET": 1, "SO_REUSEADDR": 2, "SO_BROADCAST": 6, "SO_KEEPALIVE": 9,
    "SO_RCVTIMEO": 20, "SO_SNDTIMEO": 21, "SOMAXCONN": 4096, "IPPROTO_TCP": 6, "IPPROTO_UDP": 17, "IPPROTO_ICMP": 1,
    "IPPROTO_IP": 0, "IPPROTO_RAW": 255, "TCP_NODELAY": 1, "MSG_PEEK": 2, "MSG_DONTWAIT": 64, "MSG_NOSIGNAL": 0x4000,
    "SHUT_RD": 0, "SHUT_WR": 1, "SHUT_RDWR": 2, "INADDR_ANY": "\0\0\0\0", "INADDR_LOOPBACK": "\x7f\0\0\x01",
    "INADDR_BROADCAST": "\xff\xff\xff\xff", "IP_HDRINCL": 3,
}  # fmt: skip
_SOCKET_SUBS = (
    "inet_aton inet_ntoa inet_pton inet_ntop sockaddr_in pack_sockaddr_in unpack_sockaddr_in sockaddr_family"
)
_SOCKET_MORE = (
    "CRLF CR LF $CRLF IPPROTO_TCP TCP_NODELAY IPPROTO_UDP IPPROTO_ICMP IPPROTO_RAW IPPROTO_IP IP_HDRINCL"
)


def _start_socket(vm: Vm) -> None:
    constants(vm, "Socket", _CONSTANTS)
    constants(vm, "Socket", {"CRLF": "\r\n", "CR": "\r", "LF": "\n"})
    vm.sv("Socket::CRLF").v = "\r\n"


@module("Socket", f"{_SOCKET_SUBS} {' '.join(_CONSTANTS)}", _SOCKET_MORE, start=_start_socket,
        tags={"DEFAULT": (*_SOCKET_SUBS.split(), *_CONSTANTS), "crlf": ("CRLF", "CR", "LF", "$CRLF")})  # fmt: skip
def _socket_module() -> dict[str, Native]:
    def unpack(vm: Vm, address: Any) -> list[Any]:
        port, host = _unpacked(address)
        return [port, _aton(host)]

    def sockaddr(vm: Vm, args: list[Any], want: Any) -> Any:
        given = values(args)
        if len(given) == 1:
            return unpack(vm, given[0])
        if want:
            raise vm.die("usage:   (port,iaddr) = sockaddr_in(sin_sv)")
        return packed(vm, args, want)

    def packed(vm: Vm, args: list[Any], want: Any) -> Any:
        port, address = (*values(args), None, None)[:2]
        return packed_address(whole(port), ".".join(map(str, to_bytes(string(address)))))

    ntoa = plain(lambda vm, v: ".".join(map(str, to_bytes(string(v)))))
    return {
        "inet_aton": plain(_inet_aton), "inet_ntoa": ntoa, "sockaddr_in": sockaddr, "pack_sockaddr_in": packed,
        "unpack_sockaddr_in": plain(unpack), "sockaddr_family": plain(lambda vm, v: 2),
        "inet_pton": plain(lambda vm, family, v: _inet_aton(vm, v)), "inet_ntop": plain(lambda vm, family, v: ntoa(vm, [v], False)),
    }  # fmt: skip
