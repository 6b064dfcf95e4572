"""Intake: every writer's journal into the store, batch by batch."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import structlog

from urltrap.journal import (
    BEGINNING,
    JournalCorruptError,
    JournalError,
    JournalReader,
    JournalUndecodableError,
    Position,
    archive,
    expire,
)
from urltrap.journal.folder import list_segments, writer_folder
from urltrap.journal.format import unframe
from urltrap.journal.source import open_source
from urltrap.model.canary import is_canary
from urltrap.model.decisions import WRITER as DECISIONS
from urltrap.model.event import Disconnected
from urltrap.model.settings import JournalSettings
from urltrap.pipeline.line_state import Arrivals
from urltrap.store import Store, spans, words
from urltrap.store.intake import DeadLetter, ingest, rewind, watermark

BATCH = 2000
"""Events of one transaction at most; long records end it earlier. Its cost is spread over them."""

_ARCHIVE_SECONDS = 30

log = structlog.get_logger("urltrap.pipeline")


class Intake:
    """Reads all writers from where the store stands. Belongs to one thread; `tidy` may be called from another one."""

    def __init__(
        self, reader: JournalReader, store: Store, settings: JournalSettings, now: Callable[[], datetime]
    ) -> None:
        self._reader = reader
        self._store = store
        self._settings = settings
        self._now = now
        self._arrivals = Arrivals(reader.directory.parent)
        self._positions: dict[str, Position] = {}
        self._complained: set[tuple[str, str]] = set()
        self._segments: dict[str, int] = {}
        self._archived_at: datetime | None = None
        self._rolled: date | None = None

    def step(self) -> int:
        """Take one batch of every writer; how many records. StoreError where the store is away: nothing is lost."""
        return sum(self._take(writer) for writer in self._reader.writers())

    def reached(self, writer: str) -> Position:
        """Up to where this intake has put a writer's journal into the store, or found it there."""
        return self._positions.get(writer, BEGINNING)

    def tidy(self) -> None:
        """Archive and expire closed segments that the store has committed; now and then, and harmless to repeat.

        Once a day, besides, the sums of the last days are moved on.
        """
        now = self._now()
        if self._rolled != now.date():
            spans.roll(self._store, now)
            words.roll(self._store, now)
            self._rolled = now.date()
        if self._archived_at is not None and (now - self._archived_at).total_seconds() < _ARCHIVE_SECONDS:
            return
        self._archived_at = now
        moved = {
            writer: place
            for writer, place in self._positions.copy().items()  # `step` may run in another thread
            if place.segment > self._segments.get(writer, 0)
        }
        if moved:
            # A closed segment goes only when what it holds is on the store's disk, also through a power cut.
            self._store.flush()
        for writer, place in moved.items():
            try:
                done = archive(self._reader.directory, writer, place)
                if writer != DECISIONS:
                    expire(self._reader.directory, writer, self._settings.keep_days, now)
            except JournalError as error:
                self._complain(writer, "archive", str(error))
                continue
            self._segments[writer] = place.segment
            if done:
                log.info("journal.archived", writer=writer, segments=len(done))

    def _take(self, writer: str) -> int:
        if writer not in self._positions:
            stored = watermark(self._store, writer)
            self._positions[writer] = Position(*stored) if stored else BEGINNING
        after = self._positions[writer]
        try:
            found = self._reader.read(writer, after, BATCH)
        except JournalUndecodableError as error:
            record = _record(self._reader.directory, writer, error)
            return self._set_aside(writer, error.position, error.behind, _kind(record), str(error), record)
        except JournalCorruptError as error:
            behind = self._reader.skip(writer, after)
            return self._set_aside(writer, error.position, behind, "damaged", error.reason, b"")
        except JournalError as error:
            self._complain(writer, type(error).__name__, str(error))
            return 0
        if not found:
            if self._reader.is_begun_anew(writer, after):
                rewind(self._store, writer)
                self._positions[writer] = BEGINNING
                log.warning("intake.journal_begun_anew", writer=writer, stood=str(after), why="the journal was lost",
                            do="nothing: it is read from its beginning; a backup may have what is missing")  # fmt: skip
            return 0
        position = found[-1][0]
        done = ingest(self._store, writer, [event for _, event in found if not is_canary(event)], position)
        if done.ahead:
            self._complain(
                writer, "read-twice", "another urltrap reads a journal of this name into the same database: this data "
                "folder was copied. Stop one of the two, and give it a database and a secret of its own (urltrap init)"
            )  # fmt: skip
        self._positions[writer] = position
        self._arrivals.saw(
            event.at for _, event in found if isinstance(event, Disconnected) and is_canary(event)
        )
        return len(found)

    def _set_aside(
        self, writer: str, at: Position, behind: Position, kind: str, reason: str, record: bytes
    ) -> int:
        """Keep a record that cannot be read, and go on behind it: the line never stops."""
        letter = DeadLetter(at.segment, at.offset, kind, reason, record, self._now())
        ingest(self._store, writer, [], behind, [letter])
        self._positions[writer] = behind
        self._complain(writer, kind, f"{reason}; kept in dead_letters")
        return 1

    def _complain(self, writer: str, kind: str, what: str) -> None:
        if (writer, kind) not in self._complained:
            self._complained.add((writer, kind))
            log.warning("intake.trouble", writer=writer, kind=kind, what=what, further="not logged again")


def _record(directory: Path, writer: str, error: JournalUndecodableError) -> bytes:
    """The bytes of a record that is no event of this version."""
    for segment in list_segments(writer_folder(directory, writer)):
        if segment.number == error.position.segment:
            source = open_source(segment.path, segment.archived)
            try:
                length = error.behind.offset - error.position.offset
                return unframe(source.read(error.position.offset, length), 0)[0]
            finally:
                source.close()
    return b""


def _kind(record: bytes) -> str:
    """The kind that an unknown record claims, as plain text that can be logged."""
    try:
        claimed = json.loads(record).get("kind", "")
    except (ValueError, AttributeError, RecursionError):
        return "undecodable"
    return ascii(claimed)[1:-1][:80] if isinstance(claimed, str) and claimed else "undecodable"
