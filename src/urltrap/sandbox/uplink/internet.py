"""The Internet of one box: everything that comes out of its wire ends here, is recorded and answered, or is not."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import struct
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from urltrap.sandbox.uplink.authority import Authority
from urltrap.sandbox.uplink.connections import Connections, asked, group
from urltrap.sandbox.uplink.downloads import Downloads
from urltrap.sandbox.uplink.files import serve_tftp
from urltrap.sandbox.uplink.namespace import first_packets
from urltrap.sandbox.uplink.record import KEPT_BYTES, BoxRecord
from urltrap.sandbox.uplink.visit import Address, Owner, Visit
from urltrap.wire.internet import dns, tftp
from urltrap.wire.internet.datagram import echo_target, tcp_target, udp_packet
from urltrap.wire.internet.names import Names

log = structlog.get_logger("uplink")

MAX_CONNECTIONS = 64
"""Connections of one box at once; what comes beyond is reset."""
MAX_TASKS = 256
"""Connections, and questions whose they are, at once; what a box asks beyond is answered and not recorded."""
_SOL_IP, _IP_RECVORIGDSTADDR = 0, 20
_BATCH, _QUEUED = 64, 16
SCAN_SECONDS = 10.0
SCANNED = 30
"""Connections without an answer, within a minute, from which on it is called a scan."""
_SCAN_ENDS = timedelta(minutes=1)
_SAMPLES = 20

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
        self._port = 32_768
        self._transfers: dict[Address, asyncio.Queue[bytes]] = {}
        self._connections = Connections(shared.authority, self._names, shared.exists, self._free_port)
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
        try:
            if self._connections.is_expected(target):
                await self._connections.hand_over(connection, target)
            else:
                await self._connections.serve(
                    connection, self._visit(target, self._owner(False, peer[1], target))
                )
        finally:
            self._open -= 1

    def _visit(self, target: Address, owner: Owner) -> Visit:
        return Visit(target, self._names.name(target[0]), owner, self._record, self._downloads)

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
                    self._record.would_be_new(question.name, group(question.type))
                    and len(self._tasks) < MAX_TASKS
                )
                if not new:
                    self._send(target, peer, reply)
                    return
                visit = self._visit(target, self._owner(True, peer[1], target))
                self._spawn(self._resolved(reply, question, peer, visit))
                return
        arrived = self._transfers.get(target)
        if arrived is not None:
            with contextlib.suppress(asyncio.QueueFull):  # as a full buffer loses it
                arrived.put_nowait(data)
        elif len(self._tasks) < MAX_TASKS:
            request = tftp.request(data) if target[1] == 69 else None
            if request is not None:
                # A client that has not heard of us asks again.
                if self._record.is_new(f"tftp {peer} {target}", repr(request.name)):
                    visit = self._visit(target, self._owner(True, peer[1], target))
                    self._spawn(self._transfer(request, peer, visit))
            elif self._record.is_new(f"udp {target[0]}", str(target[1])):
                self._spawn(self._kept(data, self._visit(target, self._owner(True, peer[1], target))))

    async def _resolved(self, reply: bytes, question: dns.Question, peer: Address, visit: Visit) -> None:
        """Answer once it is known who asks: he may end as soon as he is answered."""
        await asked(question, visit)
        self._send(visit.target, peer, reply)

    async def _kept(self, data: bytes, visit: Visit) -> None:
        await visit.seen("udp", visit.url("udp"), size=len(data), first=data[:KEPT_BYTES], outcome="kept")

    async def _transfer(self, request: tftp.Request, peer: Address, visit: Visit) -> None:
        """A file by TFTP, from a port of the server's choice (RFC 1350 4)."""
        port = self._free_port()
        arrived = self._transfers[visit.target[0], port] = asyncio.Queue(_QUEUED)
        try:
            await serve_tftp(
                request, visit, lambda data: self._send((visit.target[0], port), peer, data), arrived.get
            )
        finally:
            del self._transfers[visit.target[0], port]

    def _free_port(self) -> int:
        self._port = 32_768 + (self._port - 32_768 + 1 + secrets.randbelow(97)) % 28_000
        return self._port

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
        visit = self._visit((address, 0), self._owner(True, 0, (address, 0)))
        await visit.seen(
            "icmp", visit.url("icmp"), size=len(data), first=data[:KEPT_BYTES], outcome="answered"
        )

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
