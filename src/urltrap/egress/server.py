"""The fetcher's side of the Unix socket: several requests at once per connection, a bad peer ends only its own."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from urltrap.egress.messages import (
    MAX_REQUEST_LINE,
    EgressError,
    MalformedMessage,
    decode_request,
    encode_capture,
    encode_error,
)
from urltrap.model.capture import Capture, FetchRequest

_IN_FLIGHT = 256
"""Requests of one connection that are answered at the same time; behind them it is not read from."""

_LOG_SECONDS = 60.0

log = structlog.get_logger(__name__)

Fetch = Callable[[FetchRequest], Awaitable[Capture]]


class FetcherServer:
    """Serves `fetch` on the Unix socket `path`, which is created with `mode`; use it as an asynchronous context.

    EgressError where another fetcher is already listening there.
    """

    def __init__(self, path: Path, fetch: Fetch, *, mode: int = 0o600) -> None:
        self._path = path
        self._fetch = fetch
        self._mode = mode
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._logged: dict[str, float] = {}

    async def __aenter__(self) -> FetcherServer:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_stale(self._path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        # Nobody may connect between bind and chmod, so the mode is right from the start.
        before = os.umask(0o777 & ~self._mode)
        try:
            listener.bind(str(self._path))
        except OSError as error:
            listener.close()
            raise EgressError(f"the fetcher cannot listen on {self._path}: {error.strerror}") from error
        finally:
            os.umask(before)
        self._server = await asyncio.start_unix_server(self._accept, sock=listener, limit=MAX_REQUEST_LINE)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        self._path.unlink(missing_ok=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of our own: asyncio's would log an error of its own for every one that is cancelled.
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers: set[asyncio.Task[None]] = set()
        free = asyncio.Semaphore(_IN_FLIGHT)
        try:
            while True:
                await free.acquire()
                try:
                    line = await reader.readuntil(b"\n")
                except asyncio.LimitOverrunError as error:
                    raise MalformedMessage(f"a line is longer than {MAX_REQUEST_LINE} bytes") from error
                number, request = decode_request(line)
                answer = asyncio.ensure_future(self._answer(number, request, writer))
                answers.add(answer)
                answer.add_done_callback(answers.discard)
                answer.add_done_callback(lambda _: free.release())
        except MalformedMessage as error:
            log.warning("fetcher.malformed_peer", error=str(error))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the peer is gone; what it asked for is captured all the same
        finally:
            for answer in list(answers):
                answer.cancel()
            writer.transport.abort()

    async def _answer(self, number: int, request: FetchRequest, writer: asyncio.StreamWriter) -> None:
        try:
            line = encode_capture(number, await self._fetch(request))
        except Exception as error:
            # One bad input is one error: the others of this connection go on, and the asker is told.
            self._log(error)
            line = encode_error(number, f"{type(error).__name__}: {error}")
        try:
            writer.write(line)
            await writer.drain()
        except ConnectionError:
            pass  # as above

    def _log(self, error: Exception) -> None:
        """Each kind of error once a minute with its traceback: a full disk must not fill the log as well."""
        kind, now = type(error).__name__, asyncio.get_running_loop().time()
        if now - self._logged.get(kind, float("-inf")) >= _LOG_SECONDS:
            self._logged[kind] = now
            log.error("fetcher.no_capture", error=kind, exc_info=error)


def _remove_stale(path: Path) -> None:
    """Remove the socket that a killed fetcher left; EgressError where one still answers or something else is there."""
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(kind):
        raise EgressError(f"{path} is not a socket; move it away, the fetcher needs this name")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
        except OSError as error:
            raise EgressError(f"{path} cannot be looked at: {error}; stop the other fetcher") from error
    raise EgressError(f"another fetcher is listening on {path}; stop it first")
