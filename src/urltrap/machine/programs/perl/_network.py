# ruff: noqa: E501 - tables and messages read best with several on a line
"""IO::Socket, IO::Socket::INET, IO::Select, IO::Handle and IO::File: handles as objects."""

from __future__ import annotations

import errno
from typing import Any

from urltrap.machine.errors import STRERROR
from urltrap.machine.programs.perl import _files, _format, _sockets
from urltrap.machine.programs.perl._attention import pause
from urltrap.machine.programs.perl._files import glob_of, handle_of, keep
from urltrap.machine.programs.perl._handles import Handle
from urltrap.machine.programs.perl._library import plain
from urltrap.machine.programs.perl._modules import Native, module
from urltrap.machine.programs.perl._values import (
    Array,
    Gen,
    Glob,
    Hash,
    Ref,
    Scalar,
    Unsupported,
    hash_of,
    num,
    string,
    truth,
    values,
    whole,
)
from urltrap.machine.programs.perl._vm import Vm
from urltrap.machine.reach import resolve4

_SERVICES = {
    "http": 80,
    "https": 443,
    "ftp": 21,
    "ssh": 22,
    "telnet": 23,
    "smtp": 25,
    "pop3": 110,
    "ircd": 6667,
}


def _port(text: str) -> int:
    name = text.partition("(")[0]
    return int(name) if name.isdecimal() else _SERVICES.get(name, 0)


def _refused(vm: Vm, words: str, number: int) -> None:
    vm.errno, vm.errno_words = number, STRERROR.get(number, "")
    vm.sv("main::@").v = f"IO::Socket::INET: {words}"


def _new(vm: Vm, args: list[Any], want: Any) -> Gen:
    given = values(args)[1:]
    if len(given) == 1:
        given = ["PeerAddr", given[0]]
    options = {string(key).lower(): each.v for key, each in hash_of(given).items()}
    address = string(options.get("peeraddr", options.get("peerhost")))
    host, _, behind = address.partition(":") if address.count(":") == 1 else (address, "", "")
    port = _port(string(options.get("peerport") or behind))
    protocol = string(options.get("proto") or "tcp").lower()
    kind = whole(options.get("type")) or (2 if protocol in ("udp", "17") else 1)
    made = Glob("Symbol::GEN0")
    made.bless = string(values(args)[0])
    handle = made.io = Handle(-1, "GEN0", writes=True)
    handle.at_once = True
    point = handle.socket = _sockets.Endpoint(kind)
    point.local_port = whole(options.get("localport"))
    keep(vm, handle)
    if not host:
        here = string(options.get("localaddr") or options.get("localhost") or "0.0.0.0")
        if truth(options.get("listen")) and not _sockets.bind(
            vm, handle, resolve4(vm.p, here) or here, point.local_port
        ):
            _refused(vm, f"bind: {vm.errno_words}", vm.errno)
            return None
        return Ref(made)
    if not port and kind == 1:
        _refused(vm, "Bad service ''" if behind else "Bad hostname", errno.EINVAL)
        return None
    patience = float(num(options["timeout"])) if options.get("timeout") is not None else None
    if not resolve4(vm.p, host) and port not in (80, 8080):
        yield from _sockets.find_address(vm, host)
        if kind == 1:
            _sockets.tell(vm, host, port)
        _refused(vm, f"Bad hostname '{host}'", errno.EINVAL)
        return None
    problem = yield from _sockets.connect_to(vm, handle, host, port, patience)
    if problem:
        words = (
            "timeout" if problem == errno.ETIMEDOUT and patience is not None else STRERROR.get(problem, "")
        )
        _refused(vm, f"connect: {words}", problem)
        return None
    return Ref(made)


def _method(how: Any) -> Native:
    """A method of a handle: how(vm, handle, value, …)."""

    def run(vm: Vm, args: list[Any], want: Any) -> Any:
        owner, *rest = values(args)
        handle = handle_of(vm, owner)
        if handle is None:
            vm.set_errno(errno.EBADF)
            return None
        try:
            return how(vm, handle, *rest)
        except TypeError as problem:
            raise Unsupported("arguments of a handle's method") from problem

    return run


def _print(vm: Vm, handle: Handle, *items: Any) -> Gen:
    between, behind = vm.sv("main::,").v, vm.sv("main::\\").v
    text = ("" if between is None else string(between)).join(map(string, items))
    return 1 if (yield from handle.put(vm, text + ("" if behind is None else string(behind)))) else ""


def _say(vm: Vm, handle: Handle, *items: Any) -> Gen:
    return 1 if (yield from handle.put(vm, "".join(map(string, items)) + "\n")) else ""


def _printf(vm: Vm, handle: Handle, form: Any, *items: Any) -> Gen:
    return 1 if (yield from handle.put(vm, _format.sprintf(vm, string(form), list(items)))) else ""


def _lines(vm: Vm, handle: Handle) -> Gen:
    found = []
    while (line := (yield from handle.readline(vm, vm.sv("main::/").v))) is not None:
        found.append(line)
    return found


def _autoflush(vm: Vm, handle: Handle, on: Any = 1) -> Gen:
    handle.at_once = truth(on)
    yield from handle.flush(vm)
    return 1


def _into(reads: bool) -> Native:
    """read and sysread, whose second argument is the variable that they fill."""

    def run(vm: Vm, args: list[Any], want: Any) -> Gen:
        handle = handle_of(vm, values(args)[0])
        place, size = args[1], whole(values(args)[2])
        if handle is None:
            vm.set_errno(errno.EBADF)
            return None
        text = yield from (handle.read(vm, size) if reads else handle.sysread(vm, size))
        if isinstance(place, Scalar):
            place.set(text)
        return len(text)

    return run


def _recv(vm: Vm, args: list[Any], want: Any) -> Gen:
    handle = handle_of(vm, values(args)[0])
    if handle is None or handle.socket is None:
        return None
    if handle.socket.kind != 1:
        yield from pause(vm, 86_400.0)  # datagrams are never answered
    text = yield from handle.sysread(vm, whole(values(args)[2]))
    args[1].set(text)
    return ""


def _send(vm: Vm, handle: Handle, text: Any, *rest: Any) -> Gen:
    if handle.socket is None:
        return None
    port, host = _sockets._unpacked(rest[1]) if len(rest) > 1 else (0, "")
    return (yield from handle.socket.send(vm, handle, string(text), host, port))


def _close(vm: Vm, handle: Handle, *rest: Any) -> Gen:
    return 1 if (yield from handle.close(vm)) else ""


def _flush(vm: Vm, handle: Handle) -> Gen:
    return "0 but true" if (yield from handle.flush(vm)) else None


def _at_end(vm: Vm, handle: Handle) -> Gen:
    return 1 if (yield from handle.at_end(vm)) else ""


def _layer(vm: Vm, handle: Handle, layer: Any = "") -> int:
    handle.utf8 = "utf" in string(layer).lower()
    return 1


def _accept(vm: Vm, handle: Handle, *rest: Any) -> Gen:
    made = yield from _sockets.accepted(vm, handle, "GEN1")
    if made is None:
        return None
    glob = Glob("Symbol::GEN1")
    glob.bless, glob.io = "IO::Socket::INET", made
    made.at_once = True
    return Ref(glob)


def _endpoint(how: Any) -> Native:
    return _method(lambda vm, handle, *rest: None if handle.socket is None else how(vm, handle.socket))


@module("IO::Handle", needs=())
def _io_handle() -> dict[str, Native]:
    return {
        "print": _method(_print), "say": _method(_say), "printf": _method(_printf), "autoflush": _method(_autoflush),
        "getline": _method(lambda vm, handle: handle.readline(vm, vm.sv("main::/").v)), "getlines": _method(_lines),
        "close": _method(_close), "flush": _method(_flush), "eof": _method(_at_end), "read": _into(True),
        "sysread": _into(False), "binmode": _method(_layer), "fileno": _method(lambda vm, handle: handle.fd),
        "opened": _method(lambda vm, handle: 1 if handle.fd >= 0 else ""), "blocking": _method(lambda vm, handle, *on: 1),
        "getc": _method(lambda vm, handle: handle.read(vm, 1)), "write": _method(_print),
        "syswrite": _method(lambda vm, handle, *rest: _files._syswrite(vm, handle, *rest)),
        "seek": _method(lambda vm, handle, at, whence: handle.seek(vm, whole(at), whole(whence))),
        "tell": _method(lambda vm, handle: handle.tell(vm)),
        "input_line_number": _method(lambda vm, handle: handle.lines),
    }  # fmt: skip


@module("IO::File", needs=("IO::Handle",), parents=("IO::Handle",))
def _io_file() -> dict[str, Native]:
    def new(vm: Vm, args: list[Any], want: Any) -> Gen:
        given = values(args)
        made = Glob("Symbol::GEN0")
        made.bless = string(given[0])
        if len(given) > 1:
            modes = {"r": "<", "w": ">", "a": ">>", "r+": "+<", "w+": "+>"}
            mode = [modes.get(string(given[2]), string(given[2]))] if len(given) > 2 else []
            if not (yield from _files._opened(vm, made, [*mode, given[1]])):
                return None
        return Ref(made)

    return {"new": new}


@module(
    "IO::Socket",
    needs=("IO::Handle", "IO::Socket::INET", "Socket"),
    parents=("IO::Handle",),
    exports="Socket",
)
def _io_socket() -> dict[str, Native]:
    return {
        "new": _new, "send": _method(_send), "recv": _recv, "accept": _method(_accept),
        "connected": _endpoint(lambda vm, point: 1 if point.connected else None),
        "peerhost": _endpoint(lambda vm, point: resolve4(vm.p, point.host) or point.host),
        "peerport": _endpoint(lambda vm, point: point.port), "sockport": _endpoint(lambda vm, point: point.local_port),
        "sockhost": _endpoint(lambda vm, point: vm.p.connection.server_ip if point.connected else "0.0.0.0"),
        "shutdown": _method(lambda vm, handle, *how: 1), "setsockopt": _method(lambda vm, handle, *how: 1),
        "sockopt": _method(lambda vm, handle, *how: 1), "timeout": _method(lambda vm, handle, *how: None),
    }  # fmt: skip


@module(
    "IO::Socket::INET",
    needs=("IO::Socket", "IO::Handle", "Socket"),
    parents=("IO::Socket",),
    exports="Socket",
)
def _inet() -> dict[str, Native]:
    return {}


@module(
    "IO::Socket::IP", needs=("IO::Socket", "IO::Handle", "Socket"), parents=("IO::Socket",), exports="Socket"
)
def _ip() -> dict[str, Native]:
    return {}


@module("IO::Select")
def _io_select() -> dict[str, Native]:
    def new(vm: Vm, args: list[Any], want: Any) -> Ref:
        made = Hash({"handles": Scalar(Ref(Array([Scalar(each) for each in values(args)[1:]])))})
        made.bless = "IO::Select"
        return Ref(made)

    def members(owner: Any) -> Array:
        found: Array = owner.t.h["handles"].v.t
        return found

    def add(vm: Vm, owner: Any, *handles: Any) -> int:
        members(owner).a += [Scalar(each) for each in handles]
        return len(handles)

    def remove(vm: Vm, owner: Any, *handles: Any) -> int:
        gone = {id(glob_of(vm, each)) for each in handles}
        kept = members(owner)
        kept.a = [each for each in kept.a if id(glob_of(vm, each.v)) not in gone]
        return len(handles)

    def ready(vm: Vm, args: list[Any], want: Any) -> Gen:
        owner, *rest = values(args)
        found = []
        for each in members(owner).a:
            handle = handle_of(vm, each.v)
            if handle is not None and (handle.fd >= 0 or handle.buffer):
                found.append(each.v)
        if not found or (rest and rest[0] is not None and num(rest[0]) == 0):
            # A program that asks again and again is served once in a while.
            yield from pause(vm, max(0.05, float(num(rest[0]))) if rest and rest[0] is not None else 86_400.0)
        return found

    return {
        "new": new, "add": plain(add), "remove": plain(remove), "can_read": ready, "can_write": ready,
        "handles": lambda vm, args, want: (
            [each.v for each in members(values(args)[0]).a] if want else len(members(values(args)[0]).a)
        ),
        "count": plain(lambda vm, owner: len(members(owner).a)),
    }  # fmt: skip
