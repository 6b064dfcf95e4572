"""Keeping the spool within its bound: what the collector has goes first, then floods are summed up, oldest first."""

from __future__ import annotations

import os
import secrets
from collections import Counter
from datetime import datetime, timedelta

import structlog
import zstandard

from urltrap.journal.archiving import archive
from urltrap.journal.errors import JournalError, JournalLockedError
from urltrap.journal.folder import SEGMENT_MODE, Segment, lock_folder, writer_folder
from urltrap.journal.format import BadFrame, decode_header, frame, frames
from urltrap.journal.position import Position
from urltrap.journal.shipping.spool import Spool
from urltrap.journal.shipping.state import ShippingState
from urltrap.journal.source import open_source
from urltrap.journal.space import disk_error
from urltrap.model.event import (
    Connected,
    Disconnected,
    Event,
    FloodCounted,
    LoginTried,
    decode_event,
    encode_event,
)
from urltrap.model.fleet_settings import ShipSettings
from urltrap.quarantine.disk import fsync_directory

BURST = 30
"""As the store sees it: an address that opened more connections within a minute floods where it tried no log-in."""

_LEVEL = 9
_LOCK = "archive.lock"
_PASSING = {"session.connect", "client.identified", "client.malformed", "session.close"}

log = structlog.get_logger("urltrap.shipper")


class Keeper:
    """Tidies the spool of one sensor; belongs to one thread."""

    def __init__(self, spool: Spool, state: ShippingState, settings: ShipSettings) -> None:
        self._spool = spool
        self._state = state
        self._settings = settings
        self._examined: set[tuple[str, int, bool]] = set()

    def tidy(self, now: datetime) -> None:
        """Compress closed segments, let go what the collector has had for long, and keep the bound. JournalError."""
        for writer in self._spool.writers():
            segments = self._spool.segments(writer)
            if segments:
                archive(self._spool.directory, writer, Position(segments[-1].number, 0))
        old = now - timedelta(hours=self._settings.spool_hours)
        self._release(old)
        if self._over():
            self._release(None)
        for whole in (False, True):
            for writer, segment in self._unsent():
                if not self._over():
                    return
                self._sum_up(writer, segment, whole)
        for writer, segment in self._unsent():
            if not self._over():
                return
            self._drop(writer, segment)

    def _over(self) -> bool:
        return self._spool.used() > self._settings.spool_bytes

    def _release(self, before: datetime | None) -> None:
        """Delete closed segments that the collector's store has; with `before`, only those written before it."""
        for writer in self._spool.writers():
            mark = self._state.acknowledged(writer)
            for segment in self._spool.segments(writer)[:-1]:
                if segment.number >= mark.segment:
                    break
                try:
                    if before is None or segment.path.stat().st_mtime < before.timestamp():
                        segment.path.unlink()
                except FileNotFoundError:
                    continue

    def _unsent(self) -> list[tuple[str, Segment]]:
        """Closed segments of which the collector knows nothing, oldest first."""
        found = [
            (segment.path.stat().st_mtime, writer, segment)
            for writer in self._spool.writers()
            for segment in self._spool.segments(writer)[:-1]
            if segment.archived and not self._state.is_begun(writer, segment.number)
        ]
        return [(writer, segment) for _, writer, segment in sorted(found)]

    def _sum_up(self, writer: str, segment: Segment, whole: bool) -> None:
        """Replace floods in a segment by counts; `whole`: all sessions that never got in."""
        key = (writer, segment.number, whole)
        if key in self._examined:
            return
        folder = writer_folder(self._spool.directory, writer)
        with self._state.turn:
            if self._state.is_begun(writer, segment.number):
                return
            self._examined.add(key)
            try:
                lock = lock_folder(folder, _LOCK)
            except JournalLockedError:
                return  # somebody else is at it
            try:
                source = open_source(segment.path, True)
                try:
                    data = source.read(0, source.size())
                finally:
                    source.close()
                content, sessions = summed_up(data, whole)
                if sessions:
                    _replace(segment, content)
            except (zstandard.ZstdError, BadFrame, ValueError) as error:
                log.error("shipper.segment_damaged", writer=writer, segment=segment.number, error=str(error))
                return
            except OSError as error:
                raise disk_error(error, f"summing up segments of the journal {writer}") from error
            finally:
                os.close(lock)
            if sessions:
                self._spool.forget(writer)
                self._state.compacted_sessions += sessions
                self._state.save()
                log.warning("shipper.floods_summed_up", writer=writer, segment=segment.number, sessions=sessions,
                            why="the spool is full", what="all that never got in" if whole else "floods")  # fmt: skip

    def _drop(self, writer: str, segment: Segment) -> None:
        with self._state.turn:
            if self._state.is_begun(writer, segment.number):
                return
            try:
                size = segment.path.stat().st_size
                segment.path.unlink()
            except OSError as error:
                raise JournalError(f"{segment.path} cannot be removed: {error.strerror}") from error
            self._state.dropped_segments += 1
            self._state.save()
        log.error("shipper.segment_dropped", writer=writer, segment=segment.number, bytes=size,
                  why="the spool is full and the collector away", do="raise journal.spool_bytes")  # fmt: skip


def summed_up(data: bytes, whole: bool) -> tuple[bytes, int]:
    """A segment's bytes with floods replaced by one count per source, and how many sessions those were.

    Only sessions that begin and end in it. A flood is a session without a log-in try, from an address with more than
    `BURST` sessions in that minute; with `whole`, every session in which nobody got in. What cannot be read stays.
    """
    _, start = decode_header(data)
    records = [payload for payload, _ in frames(data, start)]
    events = [_event(record) for record in records]
    connects = {event.session: event for event in events if isinstance(event, Connected)}
    ended = {event.session for event in events if isinstance(event, Disconnected)}
    crowds = Counter(_minute(event) for event in connects.values())
    kept = set()
    for event in events:
        if event is None or event.kind in _PASSING:
            continue
        if not (whole and isinstance(event, LoginTried) and not event.accepted):
            kept.add(event.session)
    gone = {
        session
        for session, event in connects.items()
        if session in ended and session not in kept and (whole or crowds[_minute(event)] > BURST)
    }
    parts = [data[:start]]
    counts: dict[tuple[str, str], list[Connected]] = {}
    for record, event in zip(records, events, strict=True):
        if event is None or event.session not in gone:
            parts.append(frame(record))
        elif isinstance(event, Connected):
            counts.setdefault((event.sensor, event.src_ip), []).append(event)
    for (sensor, address), shed in counts.items():
        first, last = min(event.at for event in shed), max(event.at for event in shed)
        # In the place of the first session's connect event, so that doing it again gives the same event.
        counted = FloodCounted(
            session=shed[0].session, seq=shed[0].seq, at=last, sensor=sensor, src_ip=address, since=first,
            count=len(shed),
        )  # fmt: skip
        parts.append(frame(encode_event(counted)))
    return b"".join(parts), len(gone)


def _event(record: bytes) -> Event | None:
    try:
        return decode_event(record)
    except ValueError:
        return None


def _minute(event: Connected) -> tuple[str, int]:
    return event.src_ip, int(event.at.timestamp()) // 60


def _replace(segment: Segment, content: bytes) -> None:
    packed = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(content)
    status = segment.path.stat()
    temporary = segment.path.with_name(f"{segment.path.name}.{secrets.token_hex(8)}.rewrite.part")
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, SEGMENT_MODE)
        with os.fdopen(fd, "wb") as file:
            file.write(packed)
            file.flush()
            os.utime(file.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))
            os.fsync(file.fileno())
        os.rename(temporary, segment.path)
        fsync_directory(segment.path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
