"""TCP within the machine: sockets that its own processes listen on, and the ends of connections between them."""

from __future__ import annotations

import errno
from collections import deque
from typing import TYPE_CHECKING

from urltrap.machine.api import S_IFSOCK, Stat
from urltrap.machine.errors import SysError
from urltrap.machine.kernel.files import File
from urltrap.machine.kernel.pipe import Pipe, PipeReader, PipeWriter
from urltrap.machine.kernel.waiting import WaitQueue
from urltrap.machine.proc.sockets import Socket, sockets
from urltrap.machine.reach import is_own

if TYPE_CHECKING:
    from urltrap.machine.kernel.kernel import Kernel
    from urltrap.machine.kernel.state import ProcessState

BACKLOG = 128
Address = tuple[str, int]
_FIRST_FREE_PORT = 1024
_FIRST_OWN_PORT, _OWN_PORTS = 32_768, 28_232
_WILD = frozenset(("0.0.0.0", "::"))


class ListenSocket(File):
    """A socket that waits for connections (or, of UDP, is bound only). `protocol` as `proc.sockets.Socket` has it."""

    __slots__ = ("address", "backlog", "inode", "port", "protocol", "waiting")

    def __init__(self, protocol: str, address: str, port: int, inode: int, backlog: int = BACKLOG) -> None:
        super().__init__(f"socket:[{inode}]", 2)
        self.protocol = protocol
        self.address = address
        self.port = port
        self.inode = inode
        self.backlog = backlog
        self.waiting: deque[StreamSocket] = deque()
        self.read_queue = WaitQueue()

    def stat(self) -> Stat:
        """fstat(2)."""
        return Stat(S_IFSOCK | 0o777, 0, inode=self.inode)

    def try_read(self, process: ProcessState, length: int) -> bytes | None:
        """Nothing is read from it: a datagram never comes, a connection has to be accepted."""
        if self.protocol.startswith("tcp"):
            raise SysError(errno.ENOTCONN, self.path)
        return None

    def takes(self, address: str, port: int) -> bool:
        """Whether a TCP connection to this address comes to it."""
        if port != self.port or not self.protocol.startswith("tcp"):
            return False
        same_kind = (":" in address) == (":" in self.address)
        return self.address == address or (self.address in _WILD and (same_kind or self.address == "::"))

    def meet(self, client: StreamSocket) -> None:
        """A connection has come; SysError ECONNREFUSED where too many wait."""
        if len(self.waiting) >= BACKLOG:
            raise SysError(errno.ECONNREFUSED)
        self.waiting.append(client)
        assert self.read_queue is not None
        self.read_queue.wake()

    def released(self, process: ProcessState) -> None:
        """Whoever still waits to be accepted is hung up on."""
        while self.waiting:
            self.waiting.popleft().released(process)


class StreamSocket(File):
    """One end of a connection."""

    __slots__ = ("_open", "_reader", "_writer", "inode", "local", "remote")

    def __init__(self, incoming: Pipe, outgoing: Pipe, local: Address, remote: Address, inode: int) -> None:
        super().__init__(f"socket:[{inode}]", 2)
        self._reader, self._writer = PipeReader(incoming), PipeWriter(outgoing)
        self._open = True
        self.local, self.remote, self.inode = local, remote, inode
        self.read_queue, self.write_queue = self._reader.read_queue, self._writer.write_queue

    def stat(self) -> Stat:
        """fstat(2)."""
        return Stat(S_IFSOCK | 0o777, 0, inode=self.inode)

    def try_read(self, process: ProcessState, length: int) -> bytes | None:
        """What the other end wrote; the end once it wrote its last."""
        return self._reader.try_read(process, length)

    def try_write(self, process: ProcessState, data: bytes) -> int:
        """As much as there is room for."""
        if not self._open:
            raise SysError(errno.EPIPE, self.path)
        return self._writer.try_write(process, data)

    def shut(self, process: ProcessState) -> None:
        """shutdown(2) of what is written: the other end reads to the end."""
        if self._open:
            self._open = False
            self._writer.released(process)

    def released(self, process: ProcessState) -> None:
        """Closed: both directions end."""
        self.shut(process)
        self._reader.released(process)


def bind(process: ProcessState, protocol: str, address: str, port: int, backlog: int) -> ListenSocket:
    """A socket that waits at a port (0: any); SysError EACCES, EADDRINUSE, EADDRNOTAVAIL as bind(2)."""
    if 0 < port < _FIRST_FREE_PORT and process.uid:
        raise SysError(errno.EACCES)
    if not is_own(process, address):
        raise SysError(errno.EADDRNOTAVAIL)
    kernel = process.kernel
    port = port or own_port(kernel)
    for each in sockets(process.persona, process.processes(), (), own_sockets(kernel)):
        same = each.local == address or {address, each.local} & _WILD
        if each.state != "ESTAB" and each.local_port == port and each.protocol == protocol and same:
            raise SysError(errno.EADDRINUSE)
    return ListenSocket(protocol, address, port, kernel.next_inode(), backlog)


def own_port(kernel: Kernel) -> int:
    """A port of those that the kernel gives to clients."""
    taken = {each.local_port for each in own_sockets(kernel)}
    port = _FIRST_OWN_PORT + kernel.entropy(_OWN_PORTS)
    while port in taken:
        port += 1
    return port


def connection(kernel: Kernel, listener: ListenSocket, address: str) -> StreamSocket:
    """The client's end of a new connection to `listener`, which has the other one to accept."""
    there, back = Pipe(0), Pipe(0)
    client, server = (address, own_port(kernel)), (address, listener.port)
    listener.meet(StreamSocket(there, back, server, client, kernel.next_inode()))
    return StreamSocket(back, there, client, server, kernel.next_inode())


def listener_at(kernel: Kernel, address: str, port: int) -> ListenSocket | None:
    """The socket of a running process that takes a TCP connection to an own address."""
    near = "127.0.0.1" if address == "0.0.0.0" else "::1" if address == "::" else address
    for process in kernel.processes.values():
        for file in process.fds.values():
            if isinstance(file, ListenSocket) and file.takes(near, port):
                return file
    return None


def own_sockets(kernel: Kernel) -> list[Socket]:
    """Sockets of running processes and of those that were left behind, as ss lists them."""
    found: dict[int, Socket] = {}
    for process in sorted(kernel.processes.values(), key=lambda each: each.pid):
        for fd, file in sorted(process.fds.items()):
            if isinstance(file, ListenSocket) and file.inode not in found:
                found[file.inode] = _bound(process.pid, process.comm, process.uid, fd, file)
                for each in file.waiting:
                    found[each.inode] = _joined(0, "", process.uid, 0, each)
            elif isinstance(file, StreamSocket) and file.inode not in found:
                found[file.inode] = _joined(process.pid, process.comm, process.uid, fd, file)
    for row in kernel.tree.overlay.left.values():
        for protocol, address, port, fd, inode in row.listening:
            file = ListenSocket(protocol, address, port, inode)
            found.setdefault(inode, _bound(row.pid, row.comm, row.uid, fd, file))
    return list(found.values())


def _bound(pid: int, comm: str, uid: int, fd: int, file: ListenSocket) -> Socket:
    state = "LISTEN" if file.protocol.startswith("tcp") else "UNCONN"
    other = "::" if file.protocol.endswith("6") else "0.0.0.0"
    return Socket(file.protocol, state, file.address, file.port, other, 0, pid, comm, fd, uid, file.inode,
                  file.backlog)  # fmt: skip


def _joined(pid: int, comm: str, uid: int, fd: int, file: StreamSocket) -> Socket:
    protocol = "tcp6" if ":" in file.local[0] else "tcp"
    return Socket(protocol, "ESTAB", *file.local, *file.remote, pid, comm, fd, uid, file.inode)
