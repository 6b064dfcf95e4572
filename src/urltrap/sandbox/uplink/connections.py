"""The connections of one box: told apart by their port and first bytes, and served by who speaks their protocol."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Callable
from dataclasses import replace

from urltrap.sandbox.uplink.authority import Authority
from urltrap.sandbox.uplink.files import FtpServer, Streams
from urltrap.sandbox.uplink.mail import serve_smtp
from urltrap.sandbox.uplink.record import KEPT_BYTES
from urltrap.sandbox.uplink.visit import Address, Visit
from urltrap.sandbox.uplink.web import serve_http
from urltrap.wire.internet import dns, tls
from urltrap.wire.internet.http import is_request
from urltrap.wire.internet.names import Names

_FTP, _DNS = 21, 53
_MAIL, _MAIL_BY_TLS = frozenset({25, 587, 2525}), 465
_SPEAKS_LATE, _SPEAKS_SECONDS = 0.3, 15.0
"""How long a client may be silent where servers speak first, and elsewhere."""
_MAX_HELLO = 16_384
_MAX_EXPECTED = 64


class Connections:
    """Serves one connection at a time, any number at once. `free_port` gives numbers for data connections of FTP."""

    def __init__(
        self, authority: Authority, names: Names, exists: Callable[[str], bool], free_port: Callable[[], int]
    ) -> None:
        self._authority = authority
        self._names = names
        self._exists = exists
        self._free_port = free_port
        self._loop = asyncio.get_running_loop()
        self._expected: dict[Address, asyncio.Future[Streams]] = {}

    def is_expected(self, target: Address) -> bool:
        """Whether it is a data connection that was announced."""
        return target in self._expected

    async def hand_over(self, connection: socket.socket, target: Address) -> None:
        """Give an announced data connection to whom it was announced by; it closes it."""
        waiting = self._expected.pop(target)
        try:
            streams = await self._streams(connection)
        except OSError:
            connection.close()
            return
        if waiting.done():
            streams[1].close()
        else:
            waiting.set_result(streams)

    async def serve(self, connection: socket.socket, visit: Visit) -> None:
        """Serve a connection to its end, and record it."""
        writer: asyncio.StreamWriter | None = None
        port = visit.target[1]
        first_to_speak = port == _FTP or port in _MAIL
        try:
            begun = await self._peek(connection, _SPEAKS_LATE if first_to_speak else _SPEAKS_SECONDS)
            secure = tls.is_hello(begun)
            if secure:
                visit = replace(visit, host=tls.server_name(begun) or visit.host)
                reader, writer = await self._streams(connection, self._authority.context(visit.place))
            else:
                reader, writer = await self._streams(connection)
            if port == _MAIL_BY_TLS or port in _MAIL:
                await serve_smtp(reader, writer, visit, self._authority.context(visit.place), secure=secure)
            elif secure:
                await serve_http(reader, writer, "https", visit)
            elif port == _DNS:
                await self._resolve(reader, writer, visit)
            elif is_request(begun):
                await serve_http(reader, writer, "http", visit)
            elif port == _FTP:
                await FtpServer(reader, writer, visit, lambda: self._expect(visit.target[0])).serve()
            else:
                await _take(reader, visit)
        except (OSError, TimeoutError, EOFError, ValueError) as error:
            # Gone, silent, or none of the protocol (ssl.SSLError is an OSError): that it connected is known.
            await visit.seen("tcp", visit.url("tcp"), outcome=type(error).__name__)
        finally:
            if writer is not None:
                writer.close()
            else:
                connection.close()

    def _expect(self, address: str) -> tuple[int, asyncio.Future[Streams]]:
        if len(self._expected) >= _MAX_EXPECTED:  # announced and never made
            self._expected.pop(next(iter(self._expected))).cancel()
        port = self._free_port()
        future: asyncio.Future[Streams] = self._loop.create_future()
        self._expected[address, port] = future
        return port, future

    async def _resolve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, visit: Visit
    ) -> None:
        while True:
            head = await asyncio.wait_for(reader.read(2), _SPEAKS_SECONDS)
            if len(head) < 2:
                return
            query = await asyncio.wait_for(reader.readexactly(int.from_bytes(head, "big")), _SPEAKS_SECONDS)
            reply, question = dns.answer(query, self._names, self._exists, tcp=True)
            if question is None:
                return
            await asked(question, visit)
            writer.write(struct.pack(">H", len(reply)) + reply)
            await writer.drain()

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

    async def _streams(self, connection: socket.socket, context: ssl.SSLContext | None = None) -> Streams:
        reader = asyncio.StreamReader(limit=_MAX_HELLO)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await self._loop.connect_accepted_socket(lambda: protocol, connection, ssl=context)
        return reader, asyncio.StreamWriter(transport, protocol, reader, self._loop)


async def _take(reader: asyncio.StreamReader, visit: Visit) -> None:
    """Something that nobody here speaks: its first bytes are kept, the rest is counted, and nothing is said."""
    first, size = b"", 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_SPEAKS_SECONDS):
            while data := await reader.read(_MAX_HELLO):
                first += data[: KEPT_BYTES - len(first)]
                size += len(data)
    await visit.seen("tcp", visit.url("tcp"), size=size, first=first, outcome="kept")


async def asked(question: dns.Question, visit: Visit) -> None:
    """Record a name that is asked for, once in a box."""
    await visit.owner
    if visit.record.is_new(question.name, group(question.type)):
        await replace(visit, host=question.name).seen(
            "dns", f"dns:{question.name}".encode("utf-8", "replace"), method=question.type,
            outcome=question.address or "none",
        )  # fmt: skip


def group(kind: str) -> str:
    """Questions for either kind of address are one."""
    return "A" if kind == "AAAA" else kind
