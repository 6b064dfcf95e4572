"""The Internet of one box: everything that comes out of its wire ends here, is recorded and answered, or is not."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from urltrap.sandbox.uplink.authority import Authority
from urltrap.sandbox.uplink.downloads import Downloads
from urltrap.sandbox.uplink.namespace import first_packets
from urltrap.sandbox.uplink.record import KEPT_BYTES, BoxRecord
from urltrap.sandbox.uplink.web import serve_http
from urltrap.wire.internet import dns, tls
from urltrap.wire.internet.datagram import echo_target, tcp_target, udp_packet
from urltrap.wire.internet.http import is_request
from urltrap.wire.internet.names import Names

log = structlog.get_logger("uplink")

MAX_CONNECTIONS = 64
"""Connections of one box at once; what comes beyond is reset."""
MAX_TASKS = 256
"""Connections, and questions whose they are, at once; what a box asks beyond is answered and not recorded."""
_SPEAKS_LATE, _SPEAKS_SECONDS = 0.3, 15.0
"""How long a client may be silent where servers speak first, and elsewhere."""
_SERVERS_FIRST = frozenset({21, 22, 25, 110, 143, 465, 587, 3306})
_PEEKED, _MAX_HELLO = 4096, 16_384
_SOL_IP, _IP_RECVORIGDSTADDR = 0, 20
_BATCH = 64
SCAN_SECONDS = 10.0
SCANNED = 30
"""Connections without an answer, within a minute, from which on it is called a scan."""
_SCAN_ENDS = timedelta(minutes=1)
_SAMPLES = 20

Address = tuple[str, int]
Owner = asyncio.Future[tuple[list[bytes], str]]
"""Whose a socket in the box is, once that is known: the program's arguments, the session that it belongs to."""
Ask = Callable[[bool, int, Address], Coroutine[Any, Any, tuple[list[bytes], str]]]
"""(UDP?, port in the box, remote address) -> the program's arguments, the session that it belongs to."""


@dataclass(slots=True)
class Surroundings:
    """What all boxes share. `secret` draws addresses; `exists`: whether there is a top level of this name."""

    secret: bytes
    authority: Authority
    exists: Callable[[str], bool]


@dataclass(slots=True)
class _Scan:
    since: datetime
    count: int = 0
    ports: dict[int, None] = field(default_factory=dict)
    addresses: dict[str, None] = field(default_factory=dict)


class Internet:
    """Serves a wire (`sockets`: as `namespace.Wire.files`) until it is closed; the sockets are its own from here on."""

    def __init__(
        self,
        sockets: tuple[socket.socket, ...],
        shared: Surroundings,
        record: BoxRecord,
        downloads: Downloads,
        ask: Ask,
    ) -> None:
        self._sockets = sockets
        self._tcp, self._udp, self._out, self._icmp, self._syns = sockets
        self._shared = shared
        self._record = record
        self._downloads = downloads
        self._ask = ask
        self._names = Names(shared.secret)
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._answered = self._open = 0
        self._scan = _Scan(datetime.now(UTC))
        for sock in sockets:
            sock.setblocking(False)
        self._loop.add_reader(self._tcp.fileno(), self._accept)
        self._loop.add_reader(self._udp.fileno(), self._datagrams)
        self._loop.add_reader(self._icmp.fileno(), self._echoes)
        self._spawn(self._count_scans())

    async def close(self) -> None:
        """End all connections."""
        for sock in (self._tcp, self._udp, self._icmp):
            self._loop.remove_reader(sock.fileno())
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for sock in self._sockets:
            sock.close()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("an error of our own", exc_info=error)

    def _owner(self, udp: bool, port: int, remote: Address) -> Owner:
        """Whose it is: asked at once, for the program may end as soon as it is answered."""
        asked = asyncio.ensure_future(self._ask(udp, port, remote))
        self._tasks.add(asked)  # type: ignore[arg-type]
        asked.add_done_callback(self._ended)  # type: ignore[arg-type]
        return asked

    # ---- connections ----

    def _accept(self) -> None:
        for _ in range(_BATCH):
            try:
                connection, peer = self._tcp.accept()
            except (BlockingIOError, ConnectionError):
                return
            self._answered += 1
            if self._open >= MAX_CONNECTIONS:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.close()
                continue
            connection.setblocking(False)
            self._open += 1
            self._spawn(self._serve(connection, peer))

    async def _serve(self, connection: socket.socket, peer: Address) -> None:
        target: Address = connection.getsockname()
        owner = self._owner(False, peer[1], target)
        writer: asyncio.StreamWriter | None = None
        try:
            patience = _SPEAKS_LATE if target[1] in _SERVERS_FIRST else _SPEAKS_SECONDS
            begun = await self._peek(connection, patience)
            host = self._names.name(target[0])
            scheme = "http"
            if tls.is_hello(begun):
                host, scheme = tls.server_name(begun) or host, "https"
                context = self._shared.authority.context(host or target[0])
                reader, writer = await self._streams(connection, context)
                begun = b""
            else:
                reader, writer = await self._streams(connection)
            await self._converse(reader, writer, scheme, begun, host, target, owner)
        except (OSError, TimeoutError, EOFError, ValueError) as error:
            # Gone, silent, or none of the protocol (ssl.SSLError is an OSError): that it connected is known.
            argv, session = await owner
            host = self._names.name(target[0])
            url = f"tcp://{host or target[0]}:{target[1]}".encode()
            self._record.seen(
                "tcp", url, session, argv=argv, host=host, dst_ip=target[0], dst_port=target[1],
                outcome=type(error).__name__,
            )  # fmt: skip
        finally:
            self._open -= 1
            if writer is not None:
                writer.close()
            else:
                connection.close()

    async def _converse(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        scheme: str,
        begun: bytes,
        host: str,
        target: Address,
        owner: Owner,
    ) -> None:
        if target[1] == 53 and scheme == "http":
            await self._dns_over_tcp(reader, writer, target, owner)
        elif scheme == "https" or is_request(begun):
            await serve_http(
                reader, writer, scheme, host, target, lambda: owner, self._record, self._downloads
            )
        else:
            await self._take(reader, host, target, owner)

    async def _take(
        self,
        reader: asyncio.StreamReader,
        host: str,
        target: Address,
        owner: Owner,
    ) -> None:
        """Something that nobody here speaks: its first bytes are kept, the rest is counted, and nothing is said."""
        first, size = b"", 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SPEAKS_SECONDS):
                while data := await reader.read(_MAX_HELLO):
                    first += data[: KEPT_BYTES - len(first)]
                    size += len(data)
        argv, session = await owner
        url = f"tcp://{host or target[0]}:{target[1]}".encode()
        self._record.seen(
            "tcp", url, session, argv=argv, host=host, dst_ip=target[0], dst_port=target[1], size=size,
            first=first, outcome="kept",
        )  # fmt: skip

    async def _peek(self, connection: socket.socket, patience: float) -> bytes:
        """What the client says first, left in the socket; empty where it is silent. TLS' first record comes whole."""
        data = b""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while True:
                    await self._readable(connection)
                    more = connection.recv(_MAX_HELLO, socket.MSG_PEEK)
                    if not tls.is_hello(more) or len(more) >= min(tls.wanted(more), _MAX_HELLO):
                        return more
                    if more == data:  # readable all the while: wait for the rest of it
                        await asyncio.sleep(0.02)
                    data = more
        return data

    async def _readable(self, sock: socket.socket) -> None:
        future: asyncio.Future[None] = self._loop.create_future()

        def wake() -> None:
            if not future.done():
                future.set_result(None)

        self._loop.add_reader(sock.fileno(), wake)
        try:
            await future
        finally:
            self._loop.remove_reader(sock.fileno())

    async def _streams(
        self, connection: socket.socket, context: Any = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader = asyncio.StreamReader(limit=_MAX_HELLO)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await self._loop.connect_accepted_socket(lambda: protocol, connection, ssl=context)
        return reader, asyncio.StreamWriter(transport, protocol, reader, self._loop)

    # ---- names ----

    async def _dns_over_tcp(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        target: Address,
        owner: Owner,
    ) -> None:
        while True:
            head = await asyncio.wait_for(reader.read(2), _SPEAKS_SECONDS)
            if len(head) < 2:
                return
            query = await asyncio.wait_for(reader.readexactly(int.from_bytes(head, "big")), _SPEAKS_SECONDS)
            reply, question = dns.answer(query, self._names, self._shared.exists, tcp=True)
            if question is None:
                return
            await self._asked(question, target, owner)
            writer.write(struct.pack(">H", len(reply)) + reply)
            await writer.drain()

    async def _asked(self, question: dns.Question, target: Address, owner: Owner) -> None:
        argv, session = await owner
        if self._record.is_new(question.name, _group(question.type)):
            self._record.seen(
                "dns", f"dns:{question.name}".encode("utf-8", "replace"), session, argv=argv, host=question.name[:253],
                dst_ip=target[0], dst_port=target[1], method=question.type, outcome=question.address or "none",
            )  # fmt: skip

    # ---- datagrams ----

    def _datagrams(self) -> None:
        for _ in range(_BATCH):
            try:
                data, ancillary, _, peer = self._udp.recvmsg(65_536, 256)
            except (BlockingIOError, ConnectionError):
                return
            for level, kind, value in ancillary:
                if level == _SOL_IP and kind == _IP_RECVORIGDSTADDR:
                    target = (socket.inet_ntoa(value[4:8]), int.from_bytes(value[2:4], "big"))
                    self._datagram(data, peer, target)

    def _datagram(self, data: bytes, peer: Address, target: Address) -> None:
        if target[1] == 53:
            reply, question = dns.answer(data, self._names, self._shared.exists)
            if question is not None:
                new = (
                    self._record.would_be_new(question.name, _group(question.type))
                    and len(self._tasks) < MAX_TASKS
                )
                if not new:
                    self._send(target, peer, reply)
                    return
                owner = self._owner(True, peer[1], target)
                self._spawn(self._resolved(reply, question, peer, target, owner))
                return
        if self._record.is_new(f"udp {target[0]}", str(target[1])) and len(self._tasks) < MAX_TASKS:
            self._spawn(self._kept(data, target, self._owner(True, peer[1], target)))

    async def _resolved(
        self, reply: bytes, question: dns.Question, peer: Address, target: Address, owner: Owner
    ) -> None:
        """Answer once it is known who asks: he may end as soon as he is answered."""
        await self._asked(question, target, owner)
        self._send(target, peer, reply)

    async def _kept(self, data: bytes, target: Address, owner: Owner) -> None:
        argv, session = await owner
        host = self._names.name(target[0])
        self._record.seen(
            "udp", f"udp://{host or target[0]}:{target[1]}".encode(), session, argv=argv, host=host,
            dst_ip=target[0], dst_port=target[1], size=len(data), first=data[:KEPT_BYTES], outcome="kept",
        )  # fmt: skip

    def _send(self, source: Address, peer: Address, data: bytes) -> None:
        """Answer a datagram as the one that it was sent to."""
        with contextlib.suppress(OSError):  # the wire is full or gone, as on any network
            self._out.sendto(udp_packet(source, peer, data), (peer[0], 0))

    def _echoes(self) -> None:
        for _ in range(_BATCH):
            try:
                packet = self._icmp.recv(2048)
            except (BlockingIOError, ConnectionError):
                return
            found = echo_target(packet)
            if found is not None and self._record.is_new(f"icmp {found[0]}", ""):
                self._spawn(self._pinged(found[0], found[1]))

    async def _pinged(self, address: str, data: bytes) -> None:
        _, session = await self._ask(True, 0, (address, 0))
        host = self._names.name(address)
        self._record.seen(
            "icmp", f"icmp://{host or address}".encode(), session, host=host, dst_ip=address, size=len(data),
            first=data[:KEPT_BYTES], outcome="answered",
        )  # fmt: skip

    # ---- scans ----

    async def _count_scans(self) -> None:
        while True:
            await asyncio.sleep(SCAN_SECONDS)
            await self.count_scan()

    async def count_scan(self) -> None:
        """Look at what was tried since the last call, and journal it where it is a scan by now."""
        scan = self._scan
        scan.count += max(0, first_packets(self._syns) - self._answered)
        self._answered = 0
        for _ in range(_BATCH):
            try:
                target = tcp_target(self._syns.recv(128))
            except (BlockingIOError, ConnectionError):
                break
            if target is not None and len(scan.addresses) < _SAMPLES:
                scan.addresses[target[0]] = scan.ports[target[1]] = None
        if scan.count >= SCANNED:
            _, session = await self._ask(False, 0, ("0.0.0.0", 0))
            self._record.scanned(session, scan.since, scan.count, list(scan.ports), list(scan.addresses))
        if scan.count >= SCANNED or datetime.now(UTC) - scan.since > _SCAN_ENDS:
            self._scan = _Scan(datetime.now(UTC))


def _group(kind: str) -> str:
    """Questions for either kind of address are one."""
    return "A" if kind == "AAAA" else kind
