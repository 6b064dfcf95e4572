"""Reading the local journal for shipping: whole frames as they lie on the disk, none of them decoded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import structlog
import zstandard

from urltrap.journal.errors import JournalError
from urltrap.journal.folder import Segment, list_segments, list_writers, writer_folder
from urltrap.journal.format import (
    HEADER_LIMIT,
    BadFrame,
    decode_header,
    frame_size,
    next_frame,
    unframe,
)
from urltrap.journal.position import Position
from urltrap.journal.shipping.chunk import CHUNK_BYTES, COLLECTED
from urltrap.journal.source import Source, open_source

log = structlog.get_logger("urltrap.shipper")


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole frames of one segment, `offset` being where they begin."""

    segment: int
    offset: int
    frames: bytes

    @property
    def end(self) -> Position:
        """The position behind the last frame."""
        return Position(self.segment, self.offset + len(self.frames))


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a collector does not have yet: bytes on the disk of this sensor."""

    bytes: int
    segments: int


class Spool:
    """All journals of this machine below `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._extents: dict[Path, tuple[int, int]] = {}
        self._archives: dict[str, tuple[Path, Source]] = {}

    def writers(self) -> list[str]:
        """The writers whose journals are shipped: all that write here."""
        return [name for name in list_writers(self.directory) if not name.startswith(COLLECTED)]

    def segments(self, writer: str) -> list[Segment]:
        """The writer's segments; the last one is being written."""
        return list_segments(writer_folder(self.directory, writer))

    def read(self, writer: str, after: Position, limit: int = CHUNK_BYTES) -> Piece | None:
        """The next frames behind `after`: at most `limit` bytes, a longer one alone; None where there is nothing new.

        What is damaged in a closed segment is left out, which the log tells. JournalError where the disk does not read.
        """
        while True:
            segments = self.segments(writer)
            index = next((i for i, item in enumerate(segments) if item.number >= after.segment), None)
            if index is None:
                return None
            segment, closed = segments[index], index + 1 < len(segments)
            offset = after.offset if segment.number == after.segment else 0
            try:
                source = self._open(writer, segment)
            except FileNotFoundError:
                continue  # archived or released since it was listed
            try:
                piece = _Reading(writer, segment, source, closed).read(offset, limit)
            except OSError as error:
                raise JournalError(
                    f"{segment.path} cannot be read ({error.strerror}); check the disk and the folder's owner"
                ) from error
            finally:
                if not segment.archived:
                    source.close()
            if piece is not None or not closed:
                return piece
            after = Position(segments[index + 1].number, 0)

    def waiting(self, writer: str, after: Position) -> Waiting:
        """How much lies behind `after`."""
        total = count = 0
        for segment in self.segments(writer):
            if segment.number < after.segment:
                continue
            try:
                begin, size = self._extent(segment)
            except FileNotFoundError:
                continue
            left = size - (after.offset if segment.number == after.segment else begin)
            if left > 0:
                total, count = total + left, count + 1
        return Waiting(total, count)

    def used(self) -> int:
        """Bytes of all segments on the disk."""
        total = 0
        for writer in self.writers():
            for segment in self.segments(writer):
                try:
                    total += segment.path.stat().st_size
                except FileNotFoundError:
                    continue
        return total

    def forget(self, writer: str) -> None:
        """Begin again with the writer's archives: one of them was replaced."""
        if writer in self._archives:
            self._archives.pop(writer)[1].close()
        self._extents.clear()

    def close(self) -> None:
        """Free what is open; the spool can be used again."""
        for writer in list(self._archives):
            self.forget(writer)

    def _open(self, writer: str, segment: Segment) -> Source:
        # An archive is kept open: going on in it is cheap, beginning again means unpacking all before the place.
        if not segment.archived:
            return open_source(segment.path, False)
        path, source = self._archives.get(writer, (None, None))
        if source is None or path != segment.path:
            self.forget(writer)
            source = open_source(segment.path, True)
            self._archives[writer] = (segment.path, source)
        return source

    def _extent(self, segment: Segment) -> tuple[int, int]:
        """Where its records begin, and its length before compression; nothing where that cannot be read."""
        if segment.path in self._extents:
            return self._extents[segment.path]
        source = open_source(segment.path, segment.archived)
        try:
            extent = decode_header(source.read(0, HEADER_LIMIT))[1], source.size()
        except (zstandard.ZstdError, ValueError):
            return 0, 0
        finally:
            source.close()
        if segment.archived:
            self._extents[segment.path] = extent
        return extent


@dataclass(frozen=True, slots=True)
class _Reading:
    """One look into one segment."""

    writer: str
    segment: Segment
    source: Source
    closed: bool

    def read(self, offset: int, limit: int) -> Piece | None:
        """The next whole frames; None where nothing is left of the segment, or not yet there."""
        try:
            if offset == 0:
                try:
                    offset = decode_header(self.source.read(0, HEADER_LIMIT))[1]
                except ValueError as error:
                    if self.closed:
                        self._leave_out(0, str(error))
                    return None
            while True:
                data = self.source.read(offset, limit)
                end, bad = _whole(data)
                if end == 0 and (size := frame_size(data, 0) or 0) > len(data) == limit:
                    data = self.source.read(offset, size)
                    end, bad = _whole(data)
                if end:
                    return Piece(self.segment.number, offset, data[:end])
                if bad is None or not self.closed:
                    return None
                rest = self.source.read(offset, self.source.size() - offset)
                found = next_frame(rest, 1)
                if found is None:
                    self._leave_out(offset, bad.reason)
                    return None
                self._leave_out(offset, bad.reason, offset + found)
                offset += found
        except zstandard.ZstdError as error:
            self._leave_out(offset, f"the archive is damaged ({error})")
            return None

    def _leave_out(self, offset: int, reason: str, until: int | None = None) -> None:
        log.error("shipper.damage_left_out", writer=self.writer, segment=self.segment.number, offset=offset,
                  until="the end of the segment" if until is None else until, reason=reason)  # fmt: skip


def _whole(data: bytes) -> tuple[int, BadFrame | None]:
    """Where the whole frames at the beginning end, and what comes behind them, if that is not the end."""
    place = 0
    try:
        while place < len(data):
            place = unframe(data, place)[1]
    except BadFrame as bad:
        return place, bad
    return place, None
