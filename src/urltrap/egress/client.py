"""Asking the fetcher: an asynchronous client for the trap and the pipeline, a synchronous one for worker threads."""

from __future__ import annotations

import asyncio
import itertools
import socket
import time
from pathlib import Path

from urltrap.egress.messages import (
    MAX_REPLY_LINE,
    FetcherUnavailable,
    FetchNotPossible,
    MalformedMessage,
    decode_reply,
    encode_request,
)
from urltrap.model.capture import Capture, FetchRequest

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 2.0


class _ConnectionLost(Exception):
    """The fetcher went away while a request was on its way."""


class FetcherClient:
    """Asks the fetcher on the Unix socket `path`; any number of requests at once over one connection.

    A lost connection is made again, with growing pauses, and what was not answered is asked again (a running fetcher
    fetches a URL once per window). Belongs to one event loop; `close` it at the end.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Capture]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._connecting = asyncio.Lock()
        self._closed = False

    async def __aenter__(self) -> FetcherClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def fetch(self, request: FetchRequest, timeout: float = 120.0) -> Capture:
        """The capture of `request`. FetcherUnavailable where none came within `timeout` seconds, FetchNotPossible where
        the fetcher could make none, MalformedMessage for a request that is too large."""
        number = next(self._numbers)
        line = encode_request(number, request)
        pause, trouble = _FIRST_PAUSE, "it did not answer"
        try:
            async with asyncio.timeout(timeout):
                while True:
                    try:
                        return await self._ask(number, line)
                    except (_ConnectionLost, OSError) as error:
                        trouble = str(error) or type(error).__name__
                        await asyncio.sleep(pause)
                        pause = min(pause * 2, _LONGEST_PAUSE)
        except TimeoutError as error:
            raise _unavailable(self._path, timeout, trouble) from error

    async def close(self) -> None:
        """Close the connection; requests on their way end with FetcherUnavailable."""
        self._closed = True
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _ask(self, number: int, line: bytes) -> Capture:
        writer = await self._connected()
        future: asyncio.Future[Capture] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            writer.write(line)
            await writer.drain()
            return await future
        finally:
            del self._waiting[number]
            if future.done() and not future.cancelled():
                future.exception()  # seen, whichever of the two ended first

    async def _connected(self) -> asyncio.StreamWriter:
        async with self._connecting:
            if self._closed:
                raise FetcherUnavailable("this client of the fetcher was closed; make a new one")
            if self._writer is None:
                reader, self._writer = await asyncio.open_unix_connection(
                    str(self._path), limit=MAX_REPLY_LINE
                )
                self._reading = asyncio.ensure_future(self._read(reader, self._writer))
            return self._writer

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reason = "it closed the connection"
        try:
            while True:
                number, reply = decode_reply(await reader.readuntil(b"\n"))
                future = self._waiting.get(number)
                if future is None or future.done():
                    continue  # its asker did not wait for it
                if isinstance(reply, str):
                    future.set_exception(FetchNotPossible(f"the fetcher could not capture this URL: {reply}"))
                else:
                    future.set_result(reply)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except (asyncio.LimitOverrunError, MalformedMessage) as error:
            reason = f"it answered what is no reply: {error}"
        finally:
            self._writer = None
            writer.transport.abort()
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(_ConnectionLost(reason))


class BlockingFetcherClient:
    """The same for a worker thread: one connection per request, so that threads share nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def fetch(self, request: FetchRequest, timeout: float = 120.0) -> Capture:
        """The capture of `request`; errors as those of `FetcherClient.fetch`."""
        line = encode_request(1, request)
        deadline = time.monotonic() + timeout
        pause, trouble = _FIRST_PAUSE, "it did not answer"
        while (left := deadline - time.monotonic()) > 0:
            try:
                return self._ask(line, left)
            except (OSError, MalformedMessage) as error:
                trouble = str(error) or type(error).__name__
            time.sleep(max(0.0, min(pause, deadline - time.monotonic())))
            pause = min(pause * 2, _LONGEST_PAUSE)
        raise _unavailable(self._path, timeout, trouble)

    def _ask(self, line: bytes, timeout: float) -> Capture:
        deadline = time.monotonic() + timeout
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            connection.connect(str(self._path))
            connection.sendall(line)
            reply = bytearray()
            while not reply.endswith(b"\n"):
                # Each receive has only what is left: a peer that trickles does not hold the thread.
                connection.settimeout(max(0.001, deadline - time.monotonic()))
                part = connection.recv(65_536)
                if not part:
                    raise ConnectionError("it closed the connection")
                reply += part
                if len(reply) > MAX_REPLY_LINE:
                    raise MalformedMessage(f"the fetcher's reply is longer than {MAX_REPLY_LINE} bytes")
        _, answer = decode_reply(bytes(reply))
        if isinstance(answer, str):
            raise FetchNotPossible(f"the fetcher could not capture this URL: {answer}")
        return answer


def _unavailable(path: Path, timeout: float, trouble: str) -> FetcherUnavailable:
    return FetcherUnavailable(
        f"no answer from the fetcher on {path} within {timeout:g} s ({trouble}); "
        "see whether its process runs (urltrap status), then ask again"
    )
