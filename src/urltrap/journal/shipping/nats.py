"""The way to the collectors through NATS JetStream. The broker keeps a chunk while no collector is there, but what it

says of it is not believed: a chunk is delivered when a collector says that the store has it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from typing import Any

from nats import errors
from nats.aio.msg import Msg

from urltrap.journal.position import Position
from urltrap.journal.shipping.broker import FROM, TO, Broker, BrokerKey
from urltrap.journal.shipping.chunk import Chunk, encode_chunk
from urltrap.journal.shipping.transport import Beat, Behind, TransportAway, TransportRefused
from urltrap.quarantine import Quarantine

ANSWER_SECONDS = 15.0
"""After so long a chunk is sent again; it takes the place of the first one at the broker."""

UNKNOWN = ""
"""In place of the stream, where a chunk that is refused could not be read."""

_WORDS = 300
_ASK_SECONDS = 10.0
_PIECE = 500_000
_WINDOW = 8
"""Pieces of a payload between two words of the collector."""


class NatsTransport:
    """Speaks with the collectors behind the broker at `url`, as `sensor`. Belongs to one event loop."""

    def __init__(
        self,
        url: str,
        sensor: str,
        token: str,
        stream: str,
        ca: str = "",
        *,
        answer_seconds: float = ANSWER_SECONDS,
        ask_seconds: float = _ASK_SECONDS,
    ) -> None:
        self._url = url
        self._key = BrokerKey(token.encode())
        self._stream = stream
        self._ca = ca
        self._from, self._to = f"{FROM}.{sensor}", f"{TO}.{sensor}"
        self._answer_seconds = answer_seconds
        self._ask_seconds = ask_seconds
        self._broker: Broker | None = None
        self._opening = asyncio.Lock()
        self._waiting: dict[tuple[str, ...], asyncio.Future[dict[str, Any]]] = {}
        self._why: dict[tuple[str, ...], str] = {}

    async def marks(self) -> Mapping[str, Position]:
        """How far the collectors' store has each writer."""
        body = await self._ask(
            ("marks",), "ask", json.dumps({"stream": self._stream}).encode(), self._ask_seconds
        )
        return {str(name): Position(*map(int, place)) for name, place in body["marks"].items()}

    async def send(self, chunk: Chunk) -> Position:
        """Publish a chunk; returns once a collector says that the store has it."""
        message = await asyncio.to_thread(encode_chunk, chunk)
        key = ("chunk", chunk.writer, str(chunk.end))
        body = await self._ask(key, f"chunk.{chunk.writer}", message, self._answer_seconds)
        place = Position(*map(int, body["committed"]))
        if body.get("behind"):
            raise Behind(place)
        return place

    async def send_artifact(self, quarantine: Quarantine, sha256: str) -> None:
        """Send a payload in pieces, from where the collector has it."""
        size = (await asyncio.to_thread(quarantine.stat, sha256)).size
        key, subject = ("artifact", sha256), f"artifact.{sha256}"
        head = json.dumps({"size": size, "stream": self._stream}).encode()
        body = await self._ask(key, subject, head, self._ask_seconds)
        while not body.get("kept"):
            offset = int(body["offset"])
            for place in range(offset, min(size, offset + _WINDOW * _PIECE), _PIECE):
                piece = await asyncio.to_thread(quarantine.read, sha256, place, _PIECE)
                await self._publish(f"{subject}.{place}", piece)
            body = await self._ask(key, subject, head, self._answer_seconds)

    async def beat(self, beat: Beat) -> None:
        """Publish a beat."""
        await self._publish("beat", beat.encoded())

    async def close(self) -> None:
        """Close the connection."""
        broker, self._broker = self._broker, None
        if broker is not None:
            with contextlib.suppress(errors.Error, OSError):
                await broker.close()

    async def _ask(self, key: tuple[str, ...], subject: str, body: bytes, seconds: float) -> dict[str, Any]:
        """Publish and wait for the word that answers it."""
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[key] = answer
        try:
            await self._publish(subject, body)
            async with asyncio.timeout(seconds):
                said = await answer
        except TimeoutError:
            if why := self._why.get(key):
                raise TransportAway(f"the collector waits: {why}") from None
            raise TransportAway(f"no collector behind {self._url} answered within {seconds:g} s") from None
        finally:
            self._waiting.pop(key, None)
            self._why.pop(key, None)
        if "refused" in said:
            raise TransportRefused(f"the collector refuses it: {str(said['refused'])[:_WORDS]}")
        return said

    async def _publish(self, subject: str, body: bytes) -> None:
        broker = await self._connected()
        try:
            await broker.publish(f"{self._from}.{subject}", body)
            await broker.flush(int(self._ask_seconds) or 1)
        except (errors.Error, OSError, TimeoutError) as error:
            await self.close()
            raise TransportAway(f"{self._url} went away ({str(error) or type(error).__name__})") from error

    async def _connected(self) -> Broker:
        async with self._opening:
            if self._broker is None or self._broker.is_closed:
                broker = Broker(self._key)
                await broker.open(self._url, self._ca, closed_cb=self._lost)
                await broker.subscribe(self._to, cb=self._heard)
                self._broker = broker
            return self._broker

    async def _lost(self) -> None:
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(TransportAway(f"the connection to {self._url} was lost"))

    async def _heard(self, message: Msg) -> None:
        try:
            body = json.loads(message.data)
            if body["stream"] not in (self._stream, UNKNOWN):
                return  # meant for an earlier installation of this sensor
            key = tuple(map(str, body["answer"]))
        except (ValueError, KeyError, TypeError):
            return  # not a collector's word; nobody waits for it
        if "waits" in body and key in self._waiting:
            self._why[key] = str(body["waits"])[:_WORDS]
            return  # it is given to a collector again, whose word may still come in time
        if body["stream"] == UNKNOWN:
            # A chunk that could not be read: the one that is under way of this writer.
            if "refused" not in body or len(key) != 2:
                return
            key = next((known for known in self._waiting if known[:2] == key), key)
        answer = self._waiting.get(key)
        if answer is not None and not answer.done():
            answer.set_result(body)
