"""The reading side: events in order, each with the position to continue from.

A reader takes what is in the page cache, so it may be a few milliseconds ahead of the disk; after a power cut it has
then seen events that the journal lost, never the other way round. A writer never reuses a place in which a reader may
have been, so a watermark stays right whatever happens.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import structlog
import zstandard
from pydantic import ValidationError

from urltrap.journal.errors import (
    JournalCorruptError,
    JournalError,
    JournalFormatError,
    JournalUndecodableError,
)
from urltrap.journal.folder import Segment, SegmentList, list_writers, writer_folder
from urltrap.journal.format import (
    HEADER_LIMIT,
    BadFrame,
    OtherFormatError,
    decode_header,
    frame_size,
    next_frame,
    unframe,
)
from urltrap.journal.position import BEGINNING, Position
from urltrap.journal.source import PlainSource, Source, open_source
from urltrap.model.event import Event, decode_event

_CHUNK = 1 << 18
_POLL_SECONDS = 0.02
_BATCH_BYTES = 16_000_000
"""A batch ends early behind so many bytes of records, however few they are, so that memory stays bounded."""

log = structlog.get_logger("urltrap.journal")


@dataclass
class _Batch:
    """What one call of `read` collects."""

    limit: int
    events: list[tuple[Position, Event]] = field(default_factory=list)
    size: int = 0

    @property
    def full(self) -> bool:
        return len(self.events) >= self.limit or self.size >= _BATCH_BYTES

    def add(self, position: Position, event: Event, size: int) -> None:
        self.events.append((position, event))
        self.size += size


@dataclass
class _Place:
    """What a reader remembers of one writer: its folder, an archive it is unpacking, and how far it has looked."""

    segments: SegmentList
    archive: tuple[int, Source] | None = None
    drained: tuple[int, int] | None = None


class JournalReader:
    """Reads all writers below `directory`. Any number of readers may run beside the writers; one is for one thread.

    `wanted` says which writers `writers` and `wait` are about; without it, all. `skipped_bytes` and `skipped_records`
    count what `skip` left out.
    """

    def __init__(self, directory: Path, wanted: Callable[[str], bool] = lambda writer: True) -> None:
        self.directory = directory
        self._wanted = wanted
        self.skipped_bytes = 0
        self.skipped_records = 0
        self._places: dict[str, _Place] = {}

    def writers(self) -> list[str]:
        """Names of the wanted writers, sorted."""
        return [name for name in list_writers(self.directory) if self._wanted(name)]

    def read(
        self, writer: str, after: Position | None = None, limit: int = 1000
    ) -> list[tuple[Position, Event]]:
        """Up to `limit` events behind `after` (None: from the beginning), each with the position behind it.

        Empty where there is nothing new; fewer than `limit` also where the records are long. Only whole records.
        JournalCorruptError for damage in a closed segment, JournalUndecodableError for a newer schema,
        JournalFormatError for a newer format; what can be read before such a place is returned first.
        """
        if limit < 1:
            raise ValueError(f"limit must be at least 1, not {limit}")
        place = self._place(writer)
        place.drained = None
        batch = _Batch(limit)
        position = after or BEGINNING
        while not batch.full:
            segments = place.segments.get()
            index = next(
                (i for i, segment in enumerate(segments) if segment.number >= position.segment), None
            )
            if index is None:
                place.drained = (segments[-1].number if segments else 0, 0)
                break
            segment = segments[index]
            # Known before the bytes are read: only then is their end the end of the segment.
            closed = index + 1 < len(segments)
            offset = position.offset if segment.number == position.segment else 0
            try:
                source = self._open(place, segment)
            except FileNotFoundError:
                place.segments.forget()  # archived or expired since it was listed
                continue
            try:
                seen = self._read_segment(writer, segment, source, offset, closed, batch)
            except JournalError:
                if batch.events:
                    break  # first what is good; the next call begins at the bad place
                raise
            finally:
                if isinstance(source, PlainSource):
                    source.close()
            if not closed and not batch.full:
                place.drained = (segment.number, seen)
            if not closed or batch.full:
                break
            position = Position(segments[index + 1].number, 0)
        return batch.events

    def is_begun_anew(self, writer: str, after: Position) -> bool:
        """Whether `after` is a place of another journal: this one was lost, and its numbers have not got there yet."""
        segments = self._place(writer).segments.get()
        # Behind a damaged last segment readers wait at the beginning of the next one, which is not there yet.
        return bool(segments) and segments[-1].number < after.segment - (after.offset == 0)

    def wait(self, timeout: float, stop: threading.Event | None = None) -> bool:
        """Block until a writer has something that `read` has not seen; False after `timeout` seconds or on `stop`."""
        until = time.monotonic() + timeout
        stop = stop or threading.Event()
        while not stop.is_set():
            if any(self._has_news(writer) for writer in self.writers()):
                return True
            left = until - time.monotonic()
            if left <= 0:
                return False
            stop.wait(min(left, _POLL_SECONDS))
        return False

    def skip(self, writer: str, after: Position) -> Position:
        """Continue behind the damaged or undecodable record at `after`, which `read` complained of: from where.

        Counts what is left out and logs it. ValueError where `after` is not such a place.
        """
        try:
            events = self.read(writer, after, 1)
        except JournalUndecodableError as error:
            self.skipped_records += 1
            self.skipped_bytes += error.behind.offset - error.position.offset
            log.warning(
                "journal.record_skipped", writer=writer, at=str(error.position), behind=str(error.behind)
            )
            return error.behind
        except JournalCorruptError as error:
            return self._skip_damage(writer, error.position)
        raise ValueError(
            f"nothing is damaged at {after}: {'the record there can be read' if events else 'no record'}"
        )

    def close(self) -> None:
        """Free what is open; the reader can be used again."""
        for place in self._places.values():
            if place.archive:
                place.archive[1].close()
        self._places.clear()

    def __enter__(self) -> JournalReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _place(self, writer: str) -> _Place:
        if writer not in self._places:
            self._places[writer] = _Place(SegmentList(writer_folder(self.directory, writer)))
        return self._places[writer]

    def _open(self, place: _Place, segment: Segment) -> Source:
        # Plain files are opened each time (cheap, and never a file that was replaced); archives keep their place.
        if not segment.archived:
            return open_source(segment.path, False)
        if place.archive and place.archive[0] == segment.number:
            return place.archive[1]
        source = open_source(segment.path, True)
        if place.archive:
            place.archive[1].close()
        place.archive = (segment.number, source)
        return source

    def _has_news(self, writer: str) -> bool:
        place = self._place(writer)
        segments = place.segments.get()
        if not segments:
            return False
        last = segments[-1]
        try:
            size = last.path.stat().st_size
        except FileNotFoundError:
            place.segments.forget()
            return True
        return place.drained is None or (last.number, size) > place.drained

    def _read_segment(
        self,
        writer: str,
        segment: Segment,
        source: Source,
        offset: int,
        closed: bool,
        batch: _Batch,
    ) -> int:
        """Collect events of one segment; the offset up to which its bytes were looked at."""

        def corrupt(at: int, reason: str) -> JournalCorruptError:
            return JournalCorruptError(writer, Position(segment.number, at), reason, segment.path)

        try:
            if offset == 0:
                offset = _header(segment, source)[1]
            wanted = _CHUNK
            while True:
                data = source.read(offset, wanted)
                start, whole = offset, len(data) < wanted
                place = 0
                try:
                    while place < len(data):
                        payload, behind = unframe(data, place)
                        position, event = _event(
                            writer, segment, source, payload, start + place, start + behind
                        )
                        batch.add(position, event, behind - place)
                        place = behind
                        if batch.full:
                            return start + place
                    torn = ""
                except BadFrame as bad:
                    torn = bad.reason
                    if bad.torn and not whole:
                        torn = ""
                    elif closed:
                        raise corrupt(start + bad.offset, bad.reason) from bad
                offset = start + place
                if whole or torn:
                    if closed and offset < source.size():
                        raise corrupt(offset, "the archive is cut short")
                    return start + len(data)
                wanted = max(_CHUNK, frame_size(data, place) or 0)
        except zstandard.ZstdError as error:
            raise corrupt(offset, f"the archive is damaged ({error})") from error
        except _HeaderError as error:
            raise corrupt(0, str(error)) from error
        except OSError as error:
            raise JournalError(
                f"{segment.path} cannot be read ({error.strerror}); check the disk and the folder's owner"
            ) from error

    def _skip_damage(self, writer: str, position: Position) -> Position:
        place = self._place(writer)
        segments = place.segments.get()
        segment = next(item for item in segments if item.number == position.segment)
        # A source of its own: what the damaged one remembers is of no use any more.
        source = open_source(segment.path, segment.archived)
        try:
            data = source.read(position.offset, source.size() - position.offset)
            found = next_frame(data, 1)
            left_out = len(data) if found is None else found
        except zstandard.ZstdError:
            found, left_out = None, 0  # how much the rest of a damaged archive held cannot be known
        finally:
            source.close()
        if place.archive:
            place.archive[1].close()
            place.archive = None
        self.skipped_bytes += left_out
        if found is None:
            behind = Position(segment.number + 1, 0)
        else:
            behind = Position(segment.number, position.offset + found)
        log.warning(
            "journal.damage_skipped", writer=writer, at=str(position), behind=str(behind), bytes=left_out
        )
        return behind


class _HeaderError(Exception):
    """The header cannot be read; the message says why."""


def _header(segment: Segment, source: Source) -> tuple[int, int]:
    """Schema version, and offset of the first record."""
    try:
        header, end = decode_header(source.read(0, HEADER_LIMIT))
    except OtherFormatError as error:
        raise JournalFormatError(
            f"{segment.path}: {error}; read it with the version that wrote it"
        ) from error
    except ValueError as error:
        raise _HeaderError(str(error)) from error
    return header.schema, end


def _event(
    writer: str, segment: Segment, source: Source, payload: bytes, start: int, behind: int
) -> tuple[Position, Event]:
    position = Position(segment.number, behind)
    try:
        return position, decode_event(payload)
    except ValidationError as error:
        try:
            schema = _header(segment, source)[0]
        except _HeaderError:
            schema = 0
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "record"
        # An attacker's bytes may be in it, so it is shown as a literal and shortened.
        reason = ascii(f"{where}: {first['msg']}"[:300])
        raise JournalUndecodableError(
            writer, Position(segment.number, start), position, schema, reason
        ) from error
