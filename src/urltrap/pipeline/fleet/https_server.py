"""The collector's door for sensors by HTTPS. It stands on a public address, so whoever has no credential gets nothing.

``POST /v1/chunks``, ``GET /v1/marks/STREAM``, ``GET`` and ``PUT /v1/artifacts/SHA256``, ``POST /v1/beats``; answers are
JSON. 409 says that the store stands elsewhere, 503 and 507 that the sensor shall keep it and try again.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
import weakref
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import structlog
from aiohttp import web

from urltrap.journal import JournalError, JournalFullError, Position
from urltrap.journal.shipping.chunk import MAX_ENCODED, STREAM, ChunkError, decode_chunk
from urltrap.journal.shipping.transport import Beat
from urltrap.pipeline.fleet.accounts import AccountError, Accounts
from urltrap.pipeline.fleet.beats import Beats
from urltrap.pipeline.fleet.collecting import Collector, NotYet, OutOfPlace
from urltrap.pipeline.fleet.receiving import MAX_ARTIFACT
from urltrap.quarantine import (
    ArtifactTooLargeError,
    InvalidDigestError,
    Quarantine,
    QuarantineError,
    QuarantineFullError,
)
from urltrap.store import StoreError

_BODY_SECONDS = 120.0
_BODIES_AT_ONCE = 4
_CHUNKS_AT_ONCE = 64
"""Unpacked and waiting for the store; more of them wait unread."""

_IDLE_SECONDS = 60.0
_MAX_BEAT = 10_000
_COMPLAINTS = 1000
_SENSOR = web.RequestKey("sensor", str)

log = structlog.get_logger("urltrap.collector")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class HttpsServer:
    """The door of one collector process, in front of `collector`."""

    def __init__(
        self,
        collector: Collector,
        accounts: Accounts,
        beats: Beats,
        quarantine: Quarantine,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        idle_seconds: float = _IDLE_SECONDS,
    ) -> None:
        self._collector = collector
        self._accounts = accounts
        self._beats = beats
        self._quarantine = quarantine
        self._now = now
        self._idle_seconds = idle_seconds
        self._chunks = asyncio.Semaphore(_CHUNKS_AT_ONCE)
        self._busy: weakref.WeakSet[Any] = weakref.WeakSet()
        self._reaping: asyncio.Task[None] | None = None
        self._bodies = asyncio.Semaphore(_BODIES_AT_ONCE)
        self._complained: set[tuple[str, str]] = set()
        self._runner: web.AppRunner | None = None

    async def start(self, listening: socket.socket, tls: ssl.SSLContext) -> None:
        """Serve on a bound socket."""
        app = web.Application(middlewares=[self._guard], client_max_size=MAX_ENCODED)
        app.add_routes(
            [
                web.post("/v1/chunks", self._chunk),
                web.get("/v1/marks/{stream}", self._marks),
                web.get("/v1/artifacts/{sha256}", self._has_artifact, allow_head=False),
                web.put("/v1/artifacts/{sha256}", self._artifact),
                web.post("/v1/beats", self._beat),
            ]
        )
        self._runner = web.AppRunner(
            app,
            access_log=None,
            keepalive_timeout=self._idle_seconds,
            handle_signals=False,
            shutdown_timeout=2,
        )
        await self._runner.setup()
        await web.SockSite(self._runner, listening, ssl_context=tls).start()
        self._reaping = asyncio.create_task(self._reap(self._runner))

    async def close(self) -> None:
        """Stop listening; requests under way get two seconds."""
        if self._reaping is not None:
            self._reaping.cancel()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _reap(self, runner: web.AppRunner) -> None:
        """Hang up on those who are connected and ask nothing: strangers must not hold all descriptors."""
        since: weakref.WeakKeyDictionary[Any, float] = weakref.WeakKeyDictionary()
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(self._idle_seconds / 4)
            for connection in runner.server.connections if runner.server else ():
                if connection in self._busy:
                    since.pop(connection, None)
                elif clock() - since.setdefault(connection, clock()) > self._idle_seconds:
                    connection.force_close()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Nobody without a credential is listened to, and no error says more than the sensor needs."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        try:
            sensor = self._accounts.whose(token) if scheme == "Bearer" else None
            if sensor is None:
                self._complain(str(request.remote), "wrong or no credential")
                return _refusal(
                    401, "this credential is not known here; see `urltrap fleet` on the collector"
                )
            request[_SENSOR] = sensor
            return await handler(request)
        except OutOfPlace as error:
            return web.json_response({"committed": list(error.mark)}, status=409)
        except ChunkError as error:
            self._complain(request[_SENSOR], f"damaged chunk: {error}")
            return _refusal(400, str(error))
        except (NotYet, StoreError, AccountError, TimeoutError) as error:
            return _refusal(
                503, str(error) if isinstance(error, NotYet) else "the collector's database is away"
            )
        except (JournalFullError, QuarantineFullError):
            self._complain("disk", "no room for what sensors send; they keep it meanwhile")
            return _refusal(507, "the collector's disk is full")
        except (JournalError, QuarantineError) as error:
            log.error("collector.disk_fails", error=str(error))
            return _refusal(503, "the collector's disk fails")

    async def _chunk(self, request: web.Request) -> web.Response:
        async with self._chunks:
            async with self._bodies:
                async with asyncio.timeout(_BODY_SECONDS):
                    body = await request.read()
                chunk = await asyncio.to_thread(decode_chunk, body)
                del body
            if chunk.sensor != request[_SENSOR]:
                self._complain(request[_SENSOR], f"said that it was {chunk.sensor}")
                return _refusal(403, "this credential belongs to another sensor")
            return _committed(await self._collector.take(chunk))

    async def _marks(self, request: web.Request) -> web.Response:
        stream = request.match_info["stream"]
        if not STREAM.fullmatch(stream):
            return _refusal(400, "no name of a stream")
        marks = await self._collector.marks(request[_SENSOR], stream)
        return web.json_response({"marks": {writer: list(place) for writer, place in marks.items()}})

    async def _has_artifact(self, request: web.Request) -> web.Response:
        try:
            kept = await asyncio.to_thread(self._quarantine.exists, request.match_info["sha256"])
        except InvalidDigestError:
            return _refusal(400, "no SHA-256")
        return web.json_response({"kept": kept})

    async def _artifact(self, request: web.Request) -> web.Response:
        wanted, digest = request.match_info["sha256"], hashlib.sha256()
        with await asyncio.to_thread(self._quarantine.writer, MAX_ARTIFACT) as writer:
            async with asyncio.timeout(_BODY_SECONDS):
                async for piece in request.content.iter_chunked(1 << 18):
                    digest.update(piece)
                    try:
                        await asyncio.to_thread(writer.write, piece)
                    except ArtifactTooLargeError:
                        return _refusal(413, f"no payload is longer than {MAX_ARTIFACT} bytes")
            if digest.hexdigest() != wanted:
                self._complain(request[_SENSOR], "sent a payload that is not what it was called")
                return _refusal(400, "the payload is not the one of this name")
            await asyncio.to_thread(writer.commit)
        return web.json_response({"kept": True})

    async def _beat(self, request: web.Request) -> web.Response:
        body = await request.content.read(_MAX_BEAT)
        try:
            beat = Beat.model_validate_json(body)
        except ValueError:
            return _refusal(400, "no beat of this version; update the collector first")
        try:
            await asyncio.to_thread(self._beats.put, request[_SENSOR], beat, self._now())
        except OSError as error:
            raise JournalError(f"beats cannot be kept: {error.strerror}") from error
        return web.json_response({})

    def _complain(self, who: str, what: str) -> None:
        """One log line per who and what: strangers must not fill the disk."""
        if (who, what) not in self._complained and len(self._complained) < _COMPLAINTS:
            self._complained.add((who, what))
            log.warning("collector.refused", who=who, what=what, further="not logged again")


def bound(address: str) -> socket.socket:
    """A socket on HOST:PORT (no host: all addresses). OSError where it is taken or not allowed.

    Several collector processes may share it: the kernel spreads connections over those that live.
    """
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if not host and socket.has_dualstack_ipv6():
        return socket.create_server(
            ("", int(port)), family=socket.AF_INET6, reuse_port=True, dualstack_ipv6=True
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, int(port)), family=family, reuse_port=True)


def shown(listening: socket.socket) -> str:
    """A socket's address as HOST:PORT."""
    host, port = listening.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _refusal(status: int, words: str) -> web.Response:
    return web.json_response({"error": words}, status=status)


def _committed(place: Position) -> web.Response:
    return web.json_response({"committed": list(place)})
