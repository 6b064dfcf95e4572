"""A data folder, a door that lets loopback in, names that mean what a test says, and servers that misbehave."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from urltrap.egress.address import AddressPolicy, IpAddress
from urltrap.egress.door import Door
from urltrap.egress.fetcher import Fetcher
from urltrap.egress.resolver import NameNotResolved
from urltrap.egress.switch import KillSwitch
from urltrap.egress.window import Window
from urltrap.model.capture import Capture, FetchRequest
from urltrap.model.settings import EgressSettings
from urltrap.quarantine import Quarantine

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Names:
    """A resolver whose answers the test sets; each question takes the next answer, the last one stays."""

    def __init__(self) -> None:
        self.answers: dict[str, list[list[str]]] = {}
        self.asked: list[str] = []

    async def resolve(self, host: str, timeout: float) -> list[IpAddress]:
        self.asked.append(host)
        if host not in self.answers:
            raise NameNotResolved("the name does not exist")
        answers = self.answers[host]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return [ipaddress.ip_address(text) for text in answer]


@dataclass
class Server:
    """A raw TCP server on loopback: what it was sent, and how many connections it had."""

    port: int = 0
    connections: int = 0
    heads: list[bytes] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    def url(self, path: str = "/x", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"


@asynccontextmanager
async def serving(handler: Handler, host: str = "127.0.0.1", **options: object) -> AsyncIterator[Server]:
    """Run `handler` for each connection; `closed` is set when one ends. Handlers that hang are cancelled."""
    server = Server()
    tasks: set[asyncio.Task[None]] = set()

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        try:
            await handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away, which is what some tests want
        finally:
            server.closed.set()
            writer.transport.abort() if getattr(writer, "reset", False) else writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(run(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    listener = await asyncio.start_server(accept, host, 0, **options)  # type: ignore[arg-type]
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def answering(reply: bytes | Callable[[bytes], bytes], **options: object) -> AsyncIterator[Server]:
    """An HTTP server that notes each request's head and sends `reply` (or what `reply` makes of the head)."""
    holder: list[Server] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        holder[0].heads.append(head)
        writer.write(reply if isinstance(reply, bytes) else reply(head))
        await writer.drain()

    async with serving(handle, **options) as server:  # type: ignore[arg-type]
        holder.append(server)
        yield server


def ok(body: bytes, extra: bytes = b"") -> bytes:
    """A complete answer with `body`."""
    return b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s" % (extra, len(body), body)


def redirect(location: bytes, status: int = 302) -> bytes:
    """A redirect to `location`."""
    return b"HTTP/1.1 %d Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % (status, location)


class Bench:
    """A fetcher over a data folder of its own. `captures` is what would have been journalled."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.quarantine = Quarantine(data / "quarantine")
        self.switch = KillSwitch.of(data)
        self.names = Names()
        self.captures: list[Capture] = []
        self.fetchers: list[Fetcher] = []
        self.window: Window | None = None

    def fetcher(self, *, public: list[str] | None = None, **settings: object) -> Fetcher:
        """A fetcher with `settings`, that lets `public` in (loopback's IPv4 network if not said)."""
        egress = EgressSettings.model_validate({"connect_seconds": 2, "total_seconds": 10, **settings})
        policy = AddressPolicy(public_networks=["127.0.0.0/8"] if public is None else public)
        door = Door(egress, self.quarantine, self.names, policy, self.switch)
        window = self.window
        fetcher = Fetcher(egress, door, self.quarantine, self.switch, self.captures.append, window=window)
        self.fetchers.append(fetcher)
        return fetcher

    def body(self, capture: Capture) -> bytes:
        """The kept body of a capture."""
        assert capture.sha256 is not None, capture
        assert capture.size is not None
        return self.quarantine.read(capture.sha256, 0, capture.size + 1)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path)
    yield made
    for fetcher in made.fetchers:
        await fetcher.close()


def wget(url: str, **more: object) -> FetchRequest:
    """A request as the machine's wget makes it."""
    return FetchRequest.model_validate(
        {"url": url, "client": "wget", "user_agent": "Wget/1.21.3", "for_session": "s", **more}
    )
