"""A provider's HTTP server and a DNS server on loopback, which answer what a test tells them to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
from aiohttp import web


@dataclass
class Asked:
    """One request as the server saw it."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


@dataclass
class FakeHttp:
    """Answers every request with `answer`; `stall` never ends the answer."""

    base: str = ""
    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    stall: bool = False
    cut: bool = False
    endless: bool = False
    asked: list[Asked] = field(default_factory=list)
    answer: Callable[[Asked], tuple[int, bytes, dict[str, str]]] | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        asked = Asked(
            request.method, request.path, request.query_string, dict(request.headers), await request.read()
        )
        self.asked.append(asked)
        status, body, headers = self.answer(asked) if self.answer else (self.status, self.body, self.headers)
        if self.stall or self.cut or self.endless:
            response = web.StreamResponse(status=status, headers=headers)
            if self.cut:
                response.content_length = len(body) + 1000
            await response.prepare(request)
            await response.write(body)
            if self.cut:
                assert request.transport is not None
                request.transport.close()
                return response
            while self.endless:
                try:
                    await response.write(b" " * 65536)
                except (ConnectionError, asyncio.CancelledError):
                    return response
            await asyncio.Event().wait()
        return web.Response(status=status, body=body, headers=headers)


@asynccontextmanager
async def http_server() -> AsyncIterator[FakeHttp]:
    """A running FakeHttp; `base` is its address."""
    fake = FakeHttp()
    application = web.Application(client_max_size=1 << 30)
    application.router.add_route("*", "/{tail:.*}", fake.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    fake.base = f"http://{host}:{port}"
    try:
        yield fake
    finally:
        await runner.cleanup()


class FakeDns(asyncio.DatagramProtocol):
    """Answers from `table`: (name, kind) → records; what is not there does not exist."""

    def __init__(self) -> None:
        self.table: dict[tuple[str, str], list[str]] = {}
        self.codes: dict[str, str] = {}
        self.recursion = True
        self.silent = False
        self.garbage = False
        self.asked: list[tuple[str, str]] = []
        self.server = ""
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if self.silent:
            return
        if self.garbage:
            self.transport.sendto(data[:2] + b"\xff" * 7, addr)
            return
        question = dns.message.from_wire(data)
        name = question.question[0].name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.question[0].rdtype)
        self.asked.append((name, kind))
        answer = dns.message.make_response(question)
        answer.flags = (answer.flags | dns.flags.RA) if self.recursion else (answer.flags & ~dns.flags.RA)
        values = self.table.get((name, kind))
        if name in self.codes:
            answer.set_rcode(dns.rcode.from_text(self.codes[name]))
        elif values is not None:
            answer.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", kind, *values))
        elif not any(known == name for known, _ in self.table):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self.transport.sendto(answer.to_wire(), addr)


@asynccontextmanager
async def dns_server() -> AsyncIterator[FakeDns]:
    """A running FakeDns; `server` is its ADDRESS:PORT."""
    loop = asyncio.get_running_loop()
    transport, fake = await loop.create_datagram_endpoint(FakeDns, local_addr=("127.0.0.1", 0))
    fake.server = f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    try:
        yield fake
    finally:
        transport.close()
