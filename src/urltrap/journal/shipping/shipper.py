"""The shipper: sends what the journal has, in order, and goes on when the collector's store has it.

One chunk of each writer is on its way at a time, so that what a session did arrives in the order in which it happened,
however many collectors there are. A session is written by one writer.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import structlog

from urltrap import __version__
from urltrap.journal.errors import JournalError
from urltrap.journal.position import BEGINNING, Position
from urltrap.journal.shipping.chunk import Chunk
from urltrap.journal.shipping.keeping import Keeper
from urltrap.journal.shipping.spool import Piece, Spool
from urltrap.journal.shipping.state import ShippingState
from urltrap.journal.shipping.transport import Beat, Behind, Transport, TransportAway, TransportRefused
from urltrap.model.event import decode_event
from urltrap.quarantine import ArtifactMissingError, Quarantine, QuarantineError

_POLL_SECONDS = 0.1
_BEAT_SECONDS = 20.0
_TIDY_SECONDS = 30.0
_FIRST_PAUSE, _LONGEST_PAUSE, _REFUSED_PAUSE = 0.2, 30.0, 60.0
_REMEMBERED = 10_000
_SHA256 = re.compile(rb'"sha256":"([0-9a-f]{64})"')

log = structlog.get_logger("urltrap.shipper")


class Shipper:
    """Ships all journals of one machine. Belongs to one event loop."""

    def __init__(
        self,
        sensor: str,
        spool: Spool,
        state: ShippingState,
        keeper: Keeper,
        quarantine: Quarantine,
        transport: Transport,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._sensor = sensor
        self._spool = spool
        self._state = state
        self._keeper = keeper
        self._quarantine = quarantine
        self._transport = transport
        self._now = now
        self._marks: dict[str, Position] = {}
        self._artifacts: OrderedDict[str, None] = OrderedDict()
        self._waiting_since: dict[str, datetime] = {}
        self._complaint = ""

    async def run(self, stop: asyncio.Event, ready: Callable[[], None] = lambda: None) -> None:
        """Ship until `stop`. What is on its way then is sent again by the next one."""
        async with asyncio.TaskGroup() as group:
            running = [
                group.create_task(self._again(self._tidy, stop, _TIDY_SECONDS)),
                group.create_task(self._again(self._beat, stop, _BEAT_SECONDS)),
                group.create_task(self._ship_all(group, stop)),
            ]
            ready()
            await stop.wait()
            for task in running:
                task.cancel()
        self._spool.close()

    async def _ship_all(self, group: asyncio.TaskGroup, stop: asyncio.Event) -> None:
        """A task per writer; new writers (a trap process more) are found while it runs."""
        await self._persist(self._ask_marks, stop)
        tasks: dict[str, asyncio.Task[None]] = {}
        try:
            while True:
                for writer in await asyncio.to_thread(self._spool.writers):
                    if writer not in tasks:
                        tasks[writer] = group.create_task(self._ship(writer, stop))
                await asyncio.sleep(1)
        finally:
            for task in tasks.values():
                task.cancel()

    async def _ask_marks(self) -> None:
        self._marks = dict(await self._transport.marks())
        for writer, mark in self._marks.items():
            self._state.acknowledge(writer, mark)

    async def _ship(self, writer: str, stop: asyncio.Event) -> None:
        mark = self._marks.get(writer, BEGINNING)
        begun = 0
        while not stop.is_set():
            piece = await asyncio.to_thread(self._read, writer, mark)
            if piece is None:
                self._waiting_since.pop(writer, None)
                await asyncio.sleep(_POLL_SECONDS)
                continue
            if piece.segment != begun:
                # The keeper may have changed the segment since it was read; from here on it may not.
                begun = piece.segment
                await asyncio.to_thread(self._state.begin, writer, begun)
                continue
            self._waiting_since.setdefault(writer, _first_moment(piece) or self._now())
            chunk = Chunk(
                self._sensor, self._state.stream, writer, mark, piece.segment, piece.offset, piece.frames
            )

            async def deliver(chunk: Chunk = chunk) -> None:
                nonlocal mark
                await self._send_artifacts(chunk)
                try:
                    mark = await self._transport.send(chunk)
                except Behind as behind:
                    log.warning("shipper.rewound", writer=writer, at=str(mark), to=str(behind.mark))
                    mark = behind.mark
                self._waiting_since.pop(writer, None)
                await asyncio.to_thread(self._state.acknowledge, writer, mark)

            await self._persist(deliver, stop)

    def _read(self, writer: str, mark: Position) -> Piece | None:
        try:
            return self._spool.read(writer, mark)
        except JournalError as error:
            self._complain(str(error))
            return None

    async def _send_artifacts(self, chunk: Chunk) -> None:
        """Payloads that the chunk names go before it, so that the collector can analyse them at once."""
        for name in dict.fromkeys(match.decode() for match in _SHA256.findall(chunk.frames)):
            if name in self._artifacts:
                continue
            try:
                await self._transport.send_artifact(self._quarantine, name)
            except ArtifactMissingError:
                pass  # named, and never kept here: too large, or a memory of another machine
            self._artifacts[name] = None
            if len(self._artifacts) > _REMEMBERED:
                self._artifacts.popitem(last=False)

    async def _persist(self, work: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
        """Do `work` until it succeeds or `stop`, with growing pauses; one log line when it begins to fail."""
        pause = _FIRST_PAUSE
        while not stop.is_set():
            try:
                await work()
            except TransportAway as error:
                self._complain(str(error))
                wait, pause = pause * random.uniform(0.5, 1.0), min(pause * 2, _LONGEST_PAUSE)
            except (TransportRefused, QuarantineError, JournalError) as error:
                self._complain(str(error))
                wait = _REFUSED_PAUSE
            else:
                if self._complaint:
                    log.info("shipper.goes_on")
                    self._complaint = ""
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), wait)

    def _complain(self, what: str) -> None:
        if what != self._complaint:
            self._complaint = what
            log.warning("shipper.waits", why=what, safe="everything: the journal is the spool")

    async def _again(self, work: Callable[[], Awaitable[None]], stop: asyncio.Event, every: float) -> None:
        while not stop.is_set():
            try:
                await work()
            except TransportAway:
                pass  # those who ship say so
            except (TransportRefused, JournalError) as error:
                self._complain(str(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), every)

    async def _tidy(self) -> None:
        await asyncio.to_thread(self._keeper.tidy, self._now())

    async def _beat(self) -> None:
        waiting = await asyncio.to_thread(
            lambda: sum(
                self._spool.waiting(writer, self._state.acknowledged(writer)).bytes
                for writer in self._spool.writers()
            )
        )
        await self._transport.beat(
            Beat(
                version=__version__,
                at=self._now(),
                waiting_bytes=waiting,
                waiting_since=min(self._waiting_since.values(), default=None),
                dropped_segments=self._state.dropped_segments,
                compacted_sessions=self._state.compacted_sessions,
                complaint=self._complaint[:500],
            )
        )


def _first_moment(piece: Piece) -> datetime | None:
    """When the first event of a piece happened; None where that is no event of this version."""
    chunk = Chunk("s", "0" * 16, "w", BEGINNING, piece.segment, piece.offset, piece.frames)
    try:
        return decode_event(next(chunk.records())).at
    except ValueError:
        return None
