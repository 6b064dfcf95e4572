"""The collector: a sensor's chunk into a journal of our own, from there into the store, and the watermark back.

The journal is what the answer stands on after a crash, the store's watermark is what the answer says. A chunk that
comes again (its answer was lost, another collector had it, somebody replays it) changes nothing: what the store has is
not written again, and what is written twice the store takes once.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from urltrap.journal import JournalError, JournalReader, JournalWriter, Position
from urltrap.journal.folder import list_writers
from urltrap.journal.format import MAX_RECORD
from urltrap.journal.shipping.chunk import COLLECTED, Chunk
from urltrap.model.event import decode_event
from urltrap.model.settings import JournalSettings
from urltrap.pipeline.fleet.marks import commit, committed, list_marks, mark_name
from urltrap.pipeline.fleet.naming import renamed
from urltrap.pipeline.intake import Intake
from urltrap.store import Store, StoreError
from urltrap.store.intake import watermark

_NAME = re.compile(COLLECTED + r"[0-9a-f]{12}-(\d{1,3})")
_WAIT_SECONDS = 45.0
"""So long a chunk waits for the store; the sensor keeps it and asks again afterwards."""

_IDLE_SECONDS = 0.5
_STORE_PAUSE = 1.0
_REMEMBERED = 20_000
_CLOCK = timedelta(minutes=5)
"""So far a sensor's clock may be ahead without a word."""

_AT_ONCE = 4
"""Chunks unpacked at a time: one may take tens of megabytes."""

log = structlog.get_logger("urltrap.collector")


class NotYet(Exception):
    """The chunk is not in the store, and not lost: the sensor has it. The message says why."""


class OutOfPlace(Exception):
    """The chunk continues a place that the store has not reached; it stands at `mark`."""

    def __init__(self, mark: Position) -> None:
        super().__init__(f"the store stands at {mark}")
        self.mark = mark


@dataclass(frozen=True, slots=True)
class _Journalled:
    """A chunk that is in our journal: up to where in the sensor's, and the place in ours."""

    end: Position
    place: Position
    newest: datetime | None


def open_writer(journal: Path, index: int, store: Store, settings: JournalSettings) -> JournalWriter:
    """The journal of the collector process `index` of this machine, under a name that no other machine has.

    Where the store has more of a journal than there is (it was lost, or its folder copied to another machine), a new
    one is begun: what it took would otherwise count as stored already. Raises JournalError, StoreError.
    """
    names = [name for name in list_writers(journal) if _index(name) == index]
    newest = max(names, key=lambda name: (journal / name).stat().st_mtime, default=None)
    if newest is not None:
        writer = JournalWriter(journal, newest, settings)
        mark = watermark(store, newest)
        if mark is None or mark.segment < writer.position.segment:
            return writer
        writer.close()
        log.warning("collector.journal_begun_anew", writer=newest, why="the store has more of it than there is here",
                    do="nothing: sensors send what the store has not")  # fmt: skip
    return JournalWriter(journal, f"{COLLECTED}{secrets.token_hex(6)}-{index}", settings)


def _index(writer: str) -> int | None:
    """Which process of a machine writes this journal; None where it is none of a collector."""
    match = _NAME.fullmatch(writer)
    return int(match[1]) if match else None


class Collector:
    """Takes chunks of any number of sensors. Belongs to one event loop; reads its journal in a thread of its own.

    It is process `index` of `count` on its machine, and also reads what earlier ones with its number left. Raises
    JournalError or StoreError where it cannot begin.
    """

    def __init__(
        self,
        journal: Path,
        index: int,
        count: int,
        store: Store,
        settings: JournalSettings,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        wait_seconds: float = _WAIT_SECONDS,
    ) -> None:
        self._directory = journal
        self._index, self._count = index, count
        self._store = store
        self._settings = settings
        self._now = now
        self._wait_seconds = wait_seconds
        self._writer = open_writer(journal, index, store, settings)
        self._turns: OrderedDict[str, asyncio.Lock] = OrderedDict()
        self._journalled: OrderedDict[str, _Journalled] = OrderedDict()
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._moved = asyncio.Condition()
        self._reached = Position(0, 0)
        self._loop = asyncio.get_running_loop()
        self._stop = threading.Event()
        self._news = threading.Event()
        self._thread = threading.Thread(target=self._take_in, name="collector-intake", daemon=True)
        self._thread.start()

    @property
    def writer(self) -> str:
        """The name of its journal."""
        return self._writer.writer

    async def marks(self, sensor: str, stream: str) -> dict[str, Position]:
        """How far the store has each writer of a sensor's stream. StoreError."""
        found = await asyncio.to_thread(list_marks, self._store, sensor)
        return {
            mark.writer: mark.position for mark in found if mark.sensor == sensor and mark.stream == stream
        }

    async def take(self, chunk: Chunk) -> Position:
        """Take a chunk; returns once the store has it, with where the store stands.

        Raises OutOfPlace, NotYet, JournalError (no room) or StoreError (away): in each case the sensor keeps it.
        """
        name = mark_name(chunk.sensor, chunk.stream, chunk.writer)
        async with self._turn(name):
            mark = await asyncio.to_thread(committed, self._store, name) or Position(0, 0)
            if chunk.end <= mark:
                return mark
            if chunk.after > mark:
                raise OutOfPlace(mark)
            done = self._journalled.get(name)
            if done is None or done.end < chunk.end:
                async with self._slots:
                    done = await self._keep(chunk)
                self._remember(name, done)
            await self._until_committed(done.place)
            return await asyncio.to_thread(commit, self._store, name, done.end, done.newest)

    async def close(self) -> None:
        """Stop reading; what is in the journal is read by the next one."""
        self._stop.set()
        self._news.set()
        await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(self._writer.close)

    @contextlib.asynccontextmanager
    async def _turn(self, name: str) -> AsyncIterator[None]:
        """One chunk of a writer at a time: a repeat waits for the first one, and finds it done."""
        lock = self._turns.setdefault(name, asyncio.Lock())
        async with lock:
            yield
        if len(self._turns) > _REMEMBERED:
            for key in [key for key, held in self._turns.items() if not held.locked()]:
                del self._turns[key]

    async def _keep(self, chunk: Chunk) -> _Journalled:
        records, newest, left_out = await asyncio.to_thread(_prepare, chunk, self._now())
        if left_out:
            log.warning("collector.records_refused", sensor=chunk.sensor, writer=chunk.writer, records=left_out,
                        why="no events, or of a kind that no sensor may send")  # fmt: skip
        if not records:
            return _Journalled(chunk.end, Position(0, 0), None)
        place = await asyncio.to_thread(self._writer.append_records, records)
        self._news.set()
        await self._writer.wait_durable_async(place)
        return _Journalled(chunk.end, place, newest)

    def _remember(self, name: str, done: _Journalled) -> None:
        self._journalled[name] = done
        self._journalled.move_to_end(name)
        if len(self._journalled) > _REMEMBERED:
            self._journalled.popitem(last=False)

    async def _until_committed(self, place: Position) -> None:
        async with self._moved:
            try:
                await asyncio.wait_for(
                    self._moved.wait_for(lambda: self._reached >= place), self._wait_seconds
                )
            except TimeoutError:
                raise NotYet(
                    "the collector's database has not taken it yet; its journal holds it, and so does yours"
                ) from None

    # -- in the thread -----------------------------------------------------------------------------------------------

    def _take_in(self) -> None:
        complained = False
        with JournalReader(self._directory, self._is_mine) as reader:
            intake = Intake(reader, self._store, self._settings, self._now)
            while not self._stop.is_set():
                self._news.clear()
                try:
                    taken = intake.step()
                    if taken:
                        self._tell(intake.reached(self.writer))
                    intake.tidy()
                except (StoreError, JournalError) as error:
                    if not complained:
                        log.error(
                            "collector.store_away",
                            error=str(error),
                            do="sensors keep what they have and wait",
                        )
                        complained = True
                    self._stop.wait(_STORE_PAUSE)
                    continue
                except Exception:
                    log.exception("collector.intake_failed", do="it is tried again")
                    self._stop.wait(_STORE_PAUSE)
                    continue
                if complained:
                    log.info("collector.store_back")
                    complained = False
                if not taken:
                    self._news.wait(_IDLE_SECONDS)

    def _is_mine(self, writer: str) -> bool:
        index = _index(writer)
        return index is not None and index % self._count == self._index

    def _tell(self, reached: Position) -> None:
        if not self._loop.is_closed():
            asyncio.run_coroutine_threadsafe(self._announce(reached), self._loop)

    async def _announce(self, position: Position) -> None:
        async with self._moved:
            self._reached = max(self._reached, position)
            self._moved.notify_all()


def _prepare(chunk: Chunk, now: datetime) -> tuple[list[bytes], datetime | None, int]:
    """The chunk's records as we keep them, the moment of its newest event, and how many records were left out."""
    records: list[bytes] = []
    newest: datetime | None = None
    left_out = 0
    for payload in chunk.records():
        record = renamed(chunk.sensor, payload, now + _CLOCK)
        if record is None or len(record) > MAX_RECORD:
            left_out += 1
            continue
        records.append(record)
    for record in reversed(records):
        with contextlib.suppress(ValueError):
            newest = decode_event(record).at
            break
    return records, newest, left_out
