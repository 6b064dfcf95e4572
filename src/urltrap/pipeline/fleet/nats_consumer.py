"""The collector's door to NATS: one of a group of consumers. What one of them took and did not finish, another gets."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import structlog
from nats import errors
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import BadRequestError

from urltrap.journal import JournalError
from urltrap.journal.shipping.broker import FROM, TO, Broker, BrokerKey
from urltrap.journal.shipping.chunk import STREAM, ChunkError, decode_chunk, sensor_name
from urltrap.journal.shipping.nats import UNKNOWN
from urltrap.journal.shipping.transport import Beat, TransportAway, TransportRefused
from urltrap.pipeline.fleet.beats import Beats
from urltrap.pipeline.fleet.collecting import Collector, NotYet, OutOfPlace
from urltrap.pipeline.fleet.receiving import Receiving
from urltrap.quarantine import QuarantineError
from urltrap.store import StoreError

NAME = "URLTRAP"
"""Of the broker's stream of chunks."""

GROUP = "collectors"

_CHUNKS = f"{FROM}.*.chunk.*"
_PAUSE, _AGAIN_SECONDS = 2.0, 5.0
_AT_ONCE = 32
_FETCH_SECONDS = 5.0
_KEEP_SECONDS = 7 * 86_400.0

log = structlog.get_logger("urltrap.collector")


class NatsConsumer:
    """Takes chunks, questions and beats from the broker at `url`, in front of `collector`.

    `receiving` takes payloads, where this process is the one of its machine that does. `ack_seconds`: after so long
    without an answer the broker gives a chunk to another collector.
    """

    def __init__(
        self,
        url: str,
        key: BrokerKey,
        collector: Collector,
        beats: Beats,
        receiving: Receiving | None,
        ca: str = "",
        *,
        ack_seconds: float = 60.0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._url = url
        self._key = key
        self._collector = collector
        self._beats = beats
        self._receiving = receiving
        self._ca = ca
        self._ack_seconds = ack_seconds
        self._now = now
        self._complaint = ""
        self._refused: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Consume until cancelled; a broker that is away is waited for. `ready` is called whenever it is there."""
        while True:
            try:
                await self._consume(ready)
            except (TransportAway, TransportRefused, errors.Error, OSError) as error:
                words = str(error) or type(error).__name__
                if words != self._complaint:
                    self._complaint = words
                    log.warning("collector.broker_away", why=words, what="waits and tries again")
                await asyncio.sleep(_PAUSE)

    async def _consume(self, ready: Callable[[], None]) -> None:
        broker = Broker(self._key)
        await broker.open(self._url, self._ca)
        try:
            jetstream = broker.jetstream()
            await _prepare(jetstream)
            await broker.subscribe(f"{FROM}.*.ask", queue=GROUP, cb=self._answering(broker, self._marks))
            await broker.subscribe(f"{FROM}.*.beat", cb=self._answering(broker, self._beat))
            if self._receiving is not None:
                for depth in ("*", "*.*"):
                    await broker.subscribe(
                        f"{FROM}.*.artifact.{depth}", cb=self._answering(broker, self._artifact)
                    )
            config = ConsumerConfig(
                ack_policy=AckPolicy.EXPLICIT, ack_wait=self._ack_seconds, max_ack_pending=10_000
            )
            chunks = await jetstream.pull_subscribe(_CHUNKS, durable=GROUP, stream=NAME, config=config)
            if self._complaint:
                log.info("collector.broker_back")
                self._complaint = ""
            ready()
            free = asyncio.Semaphore(_AT_ONCE)
            while True:
                await free.acquire()
                try:
                    (message,) = await chunks.fetch(1, _FETCH_SECONDS)
                except TimeoutError:
                    free.release()
                    if broker.is_closed:
                        raise TransportAway(f"the connection to {self._url} was lost") from None
                    continue
                task = asyncio.create_task(self._chunk(broker, message, free))
                self._tasks.add(task)
                task.add_done_callback(self._done)
        finally:
            with contextlib.suppress(errors.Error, OSError):
                await broker.close()

    @staticmethod
    async def _say(broker: Broker, sensor: str, answer: list[str], stream: str, **what: str) -> None:
        """Tell a sensor why a chunk of it is not taken; where that fails, it hears nothing and sends it again."""
        with contextlib.suppress(errors.Error, OSError):
            await broker.publish(
                f"{TO}.{sensor}", json.dumps({"answer": answer, "stream": stream, **what}).encode()
            )

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # The broker gives the chunk to somebody else, and to us again.
            log.error("collector.chunk_failed", error=repr(error))

    async def _chunk(self, broker: Broker, message: Msg, free: asyncio.Semaphore) -> None:
        try:
            _, _, sensor, _, writer = message.subject.split(".")
            try:
                chunk = await asyncio.to_thread(decode_chunk, message.data)
                if (chunk.sensor, chunk.writer) != (sensor, writer):
                    raise ChunkError(f"it says that it is of {chunk.sensor}, {chunk.writer}")
            except ChunkError as error:
                # Sent again it would be the same: the sensor hears of it, if it can be known which chunk it was.
                self._complain(sensor, str(error))
                await self._say(broker, sensor, ["chunk", writer], UNKNOWN, refused=str(error))
                await message.term()
                return
            said: dict[str, Any] = {"answer": ["chunk", chunk.writer, str(chunk.end)], "stream": chunk.stream}
            try:
                said["committed"] = list(await self._collector.take(chunk))
            except OutOfPlace as error:
                said.update(committed=list(error.mark), behind=True)
            except (NotYet, StoreError, JournalError) as error:
                self._complain(sensor, f"waits: {error}")
                await self._say(
                    broker, sensor, ["chunk", writer, str(chunk.end)], chunk.stream, waits=str(error)
                )
                await message.nak(delay=_AGAIN_SECONDS)
                return
            await broker.publish(f"{TO}.{sensor}", json.dumps(said).encode())
            await message.ack()
        finally:
            free.release()

    def _answering(
        self, broker: Broker, handler: Callable[[str, Msg], Awaitable[dict[str, Any] | None]]
    ) -> Callable[[Msg], Awaitable[None]]:
        """A handler of messages that need no consumer; what it returns is told to the sensor."""

        async def handle(message: Msg) -> None:
            sensor = message.subject.split(".")[2]
            try:
                sensor_name(sensor)
                said = await handler(sensor, message)
            except (ValueError, KeyError, TypeError) as error:
                self._complain(sensor, f"cannot be understood: {type(error).__name__}")
                return
            except (StoreError, JournalError, QuarantineError, OSError) as error:
                self._complain(sensor, f"waits: {error}")
                return
            if said is not None:
                with contextlib.suppress(errors.Error, OSError):
                    await broker.publish(f"{TO}.{sensor}", json.dumps(said).encode())

        return handle

    async def _marks(self, sensor: str, message: Msg) -> dict[str, Any]:
        stream = str(json.loads(message.data)["stream"])
        if not STREAM.fullmatch(stream):
            raise ValueError("no name of a stream")
        marks = await self._collector.marks(sensor, stream)
        return {
            "answer": ["marks"],
            "stream": stream,
            "marks": {name: list(at) for name, at in marks.items()},
        }

    async def _beat(self, sensor: str, message: Msg) -> None:
        beat = Beat.model_validate_json(message.data)
        await asyncio.to_thread(self._beats.put, sensor, beat, self._now())

    async def _artifact(self, sensor: str, message: Msg) -> dict[str, Any] | None:
        assert self._receiving is not None
        _, _, _, _, sha256, *rest = message.subject.split(".")
        if rest:
            await asyncio.to_thread(self._receiving.piece, sensor, sha256, int(rest[0]), message.data)
            return None
        head = json.loads(message.data)
        place = await asyncio.to_thread(self._receiving.begin, sensor, sha256, int(head["size"]))
        said = {"kept": True} if place is None else {"offset": place}
        return {"answer": ["artifact", sha256], "stream": str(head["stream"]), **said}

    def _complain(self, sensor: str, what: str) -> None:
        words = f"{sensor}: {what}"
        if words not in self._refused and len(self._refused) < 1000:
            self._refused.add(words)
            log.warning("collector.refused", who=sensor, what=what, further="not logged again")


async def _prepare(jetstream: JetStreamContext) -> None:
    """Make the stream as it has to be: a queue of at most one chunk per writer, which a repeat replaces."""
    config = StreamConfig(
        name=NAME, subjects=[_CHUNKS], retention=RetentionPolicy.WORK_QUEUE, storage=StorageType.FILE,
        discard=DiscardPolicy.OLD, max_msgs_per_subject=1, max_age=_KEEP_SECONDS,
    )  # fmt: skip
    try:
        await jetstream.add_stream(config)
    except BadRequestError:
        await jetstream.update_stream(config)
