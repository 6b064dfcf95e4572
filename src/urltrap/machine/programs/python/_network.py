"""socket: what is sent to a web server is asked of the fetcher; nothing else is ever connected."""

from __future__ import annotations

import errno
from typing import Any

from urltrap.machine.api import O_RDWR, decode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._connecting import PATIENCE, told
from urltrap.machine.programs.python._addresses import aton, ntoa, ntop, pton, swapped16, swapped32
from urltrap.machine.programs.python._imports import functions, module
from urltrap.machine.programs.python._objects import (
    EXCEPTIONS,
    Class,
    Gen,
    Instance,
    PyError,
    Thing,
    class_of,
    error,
)
from urltrap.machine.programs.python._vm import Vm, os_error
from urltrap.machine.reach import is_own, listens

_WEB = frozenset({80, 81, 88, 8000, 8008, 8080, 8081, 8088, 8888})
_DATAGRAMS, _SIX = 2, 10
_GAI_ERROR = Class("gaierror", (EXCEPTIONS["OSError"],), module="socket")


def gai_error(number: int, words: str) -> PyError:
    """socket.gaierror."""
    return PyError(Instance(_GAI_ERROR, {"args": (number, words), "errno": number, "strerror": words}))


def _known(vm: Vm, host: str) -> str | None:
    """The address of what needs nobody to be asked; None for other names."""
    if not host or host == "0.0.0.0":
        return "0.0.0.0"
    if all(part.isdecimal() for part in host.split(".")) and host.count(".") == 3:
        return host
    for line in decode(vm.p.fs.read("/etc/hosts")).splitlines():
        words = line.partition("#")[0].split()
        if host in words[1:] and ":" not in words[0]:
            return words[0]
    return None


def _resolve(vm: Vm, host: str) -> Gen:
    place = _known(vm, host)
    if place is not None:
        return place
    yield from vm.p.sleep(PATIENCE)
    raise gai_error(-3, "Temporary failure in name resolution")


class Socket(Thing):
    """A socket: what is sent to a web server is asked of the fetcher, nothing else is ever connected."""

    type_name, module = "socket", "socket"

    def __init__(self, family: Any = 2, kind: Any = 1, proto: int = 0) -> None:
        self.family, self.kind, self.proto = family, kind, proto
        self.fd = -1
        self.connected = self.closed = self.listening = False
        self.timeout: Any = None
        self.bound = ("0.0.0.0", 0)

    def attribute(self, name: str) -> Any:
        """family, type, proto, and the methods."""
        if name in ("family", "type", "proto"):
            return {"family": self.family, "type": self.kind, "proto": self.proto}[name]
        return super().attribute(name)

    def m_settimeout(self, vm: Vm, seconds: Any) -> None:
        """settimeout."""
        self.timeout = seconds

    def m_setsockopt(self, vm: Vm, *args: Any) -> None:
        """setsockopt."""

    def m_setblocking(self, vm: Vm, flag: Any) -> None:
        """setblocking."""

    def m_bind(self, vm: Vm, address: Any) -> None:
        """bind."""
        self.bound = (address[0], address[1] or 30_000 + vm.p.random(20_000))
        self._bind(vm)

    def m_listen(self, vm: Vm, *backlog: Any) -> None:
        """listen."""
        if self.kind != _DATAGRAMS and not self.listening:
            self._bind(vm)

    def _bind(self, vm: Vm) -> None:
        protocol = ("udp" if self.kind == _DATAGRAMS else "tcp") + ("6" if self.family == _SIX else "")
        host = self.bound[0] or ("::" if self.family == _SIX else "0.0.0.0")
        try:
            fd = vm.p.listen(protocol, _known(vm, host) or host, self.bound[1])
        except SysError as problem:
            raise os_error(problem.errno, problem.words) from None
        self._let_go(vm)
        self.fd, self.listening = fd, True

    def m_accept(self, vm: Vm) -> Gen:
        """accept: clients on the machine itself; of others nobody comes."""
        if not self.listening:
            raise os_error(22, "Invalid argument")
        try:
            fd = yield from vm.p.accept(
                self.fd, timeout=None if self.timeout is None else float(self.timeout)
            )
        except SysError as problem:
            if problem.errno == errno.EAGAIN:
                raise error("TimeoutError", "timed out") from None
            raise os_error(problem.errno, problem.words) from None
        made = Socket(self.family, self.kind)
        made.fd, made.connected = fd, True
        host, port = vm.p.peer(fd)
        made.bound = (host, self.bound[1])
        return made, (host, port)

    def m_connect(self, vm: Vm, address: Any) -> Gen:
        """connect."""
        if not isinstance(address, tuple):
            raise error(
                "TypeError", f"connect(): AF_INET address must be tuple, not {type(address).__name__}"
            )
        if not isinstance(address[1], int):
            raise error(
                "TypeError", f"'{class_of(address[1]).name}' object cannot be interpreted as an integer"
            )
        host, port = str(address[0]), address[1]
        web = port in _WEB and self.kind != _DATAGRAMS
        # A name of a web server is the fetcher's to look up.
        place = (_known(vm, host) or host) if web else (yield from _resolve(vm, host))
        if self.kind == _DATAGRAMS:
            here = "127.0.0.1" if place.startswith("127.") else vm.p.connection.server_ip
            self.bound = (here, self.bound[1] or 30_000 + vm.p.random(20_000))
            return
        own = is_own(vm.p, place)
        if own and not listens(vm.p, place, port):
            raise os_error(111, "Connection refused")
        if web or own:
            self._let_go(vm)
            self.fd = vm.p.connect(place if own else host, port)
            self.connected = True
            return
        told(vm.p, host, port)
        seconds = PATIENCE if self.timeout is None else min(float(self.timeout), PATIENCE)
        yield from vm.p.sleep(seconds)
        if self.timeout is not None and float(self.timeout) < PATIENCE:
            raise error("TimeoutError", "timed out")
        raise os_error(113, "No route to host")

    def m_connect_ex(self, vm: Vm, address: Any) -> Gen:
        """connect_ex."""
        try:
            yield from self.m_connect(vm, address)
        except PyError as problem:
            return problem.value.attributes.get("errno", 11)
        return 0

    def m_send(self, vm: Vm, data: Any, *flags: Any) -> Gen:
        """send."""
        if not self.connected:
            raise os_error(32, "Broken pipe")
        yield from vm.p.write(self.fd, bytes(data))
        return len(data)

    m_sendall = m_send

    def m_sendto(self, vm: Vm, data: Any, *rest: Any) -> int:
        """sendto: datagrams go nowhere."""
        address = rest[-1]
        told(vm.p, str(address[0]), int(address[1]), bytes(data))
        return len(data)

    def m_recv(self, vm: Vm, size: int, *flags: Any) -> Gen:
        """recv."""
        if not self.connected:
            raise os_error(107, "Transport endpoint is not connected")
        return (yield from vm.p.read(self.fd, min(int(size), 65_536)))

    def m_fileno(self, vm: Vm) -> int:
        """fileno; what is not connected has a descriptor as well, behind which there is nothing."""
        if self.fd < 0 and not self.closed:
            self.fd = vm.p.open("/dev/null", O_RDWR)
        return self.fd

    def m_getsockname(self, vm: Vm) -> tuple[str, int]:
        """getsockname."""
        return self.bound

    def m_shutdown(self, vm: Vm, how: Any) -> None:
        """shutdown."""
        try:
            if how:
                vm.p.shut(self.fd)
        except SysError:
            if not self.connected:
                raise os_error(107, "Transport endpoint is not connected") from None

    def m_close(self, vm: Vm) -> None:
        """close."""
        self._let_go(vm)
        self.closed = True

    def _let_go(self, vm: Vm) -> None:
        if self.fd >= 0:
            vm.p.close(self.fd)
        self.fd, self.connected, self.listening = -1, False, False

    def m___enter__(self, vm: Vm) -> Socket:
        """with."""
        return self

    def m___exit__(self, vm: Vm, *problem: Any) -> None:
        """End of with."""
        self.m_close(vm)


@module("socket")
def _socket(vm: Vm) -> dict[str, Any]:
    def connected(vm: Vm, address: Any, timeout: Any = None, *rest: Any) -> Gen:
        made = Socket()
        made.timeout = timeout
        yield from made.m_connect(vm, address)
        return made

    return {
        "AF_INET": 2, "AF_INET6": 10, "AF_UNIX": 1, "SOCK_STREAM": 1, "SOCK_DGRAM": 2, "SOCK_RAW": 3,
        "SOL_SOCKET": 1, "SO_REUSEADDR": 2, "SO_KEEPALIVE": 9, "IPPROTO_TCP": 6, "IPPROTO_UDP": 17, "SHUT_RDWR": 2,
        "TCP_NODELAY": 1, "INADDR_ANY": 0, "error": EXCEPTIONS["OSError"], "timeout": EXCEPTIONS["TimeoutError"],
        "gaierror": _GAI_ERROR, "herror": EXCEPTIONS["OSError"], "SO_BROADCAST": 6,
        **functions(
            "socket", socket=lambda vm, *args, **given: Socket(*args, **given), gethostname=lambda vm: vm.p.hostname,
            getfqdn=lambda vm, name="": name or vm.p.hostname, gethostbyname=_resolve, create_connection=connected,
            setdefaulttimeout=lambda vm, seconds: None, inet_aton=aton, inet_ntoa=ntoa, inet_pton=pton, inet_ntop=ntop,
            htons=swapped16("htons"), ntohs=swapped16("ntohs"), htonl=swapped32, ntohl=swapped32,
        ),
    }  # fmt: skip
