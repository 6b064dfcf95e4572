"""Making segments, and putting a folder in order after a crash.

A segment appears under its name only when its beginning is on the disk. A writer never continues a segment of its
predecessor: a reader may have seen, and committed, records behind a tail that the power cut took away, and new records
in the same place would be skipped by it.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from urltrap.journal.folder import SEGMENT_MODE, list_segments, segment_path
from urltrap.journal.format import (
    BadFrame,
    Header,
    OtherFormatError,
    decode_header,
    encode_header,
    frame,
    frames,
    next_frame,
)
from urltrap.model.event import SCHEMA_VERSION
from urltrap.quarantine.disk import fsync_directory, write_all


@dataclass(frozen=True, slots=True)
class Repair:
    """What was found damaged at start: bytes cut off, and whole records behind the damage that were saved.

    The saved records stand at the beginning of the new segment; a reader may meet some of them twice.
    """

    segment: int = 0
    offset: int = 0
    cut_bytes: int = 0
    saved_records: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class NewSegment:
    """An open segment under a temporary name, its content on the disk. `size` in bytes, all of it durable."""

    number: int
    fd: int
    temporary: Path
    size: int


def create_segment(folder: Path, writer: str, number: int, records: bytes = b"") -> NewSegment:
    """Write a segment with whole frames `records` under a temporary name and sync it. OSError where that fails."""
    temporary = folder / f"{number:08d}.{secrets.token_hex(8)}.new"
    start = encode_header(
        Header(SCHEMA_VERSION, writer, number, datetime.now(UTC).isoformat(timespec="microseconds"))
    )
    fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, SEGMENT_MODE)
    try:
        write_all(fd, start + records)
        os.fdatasync(fd)
    except OSError:
        os.close(fd)
        os.unlink(temporary)
        raise
    return NewSegment(number, fd, temporary, len(start) + len(records))


def publish_segment(folder: Path, segment: NewSegment) -> None:
    """Give a created segment its name, durably. From here on, the one before counts as closed."""
    os.rename(segment.temporary, segment_path(folder, segment.number))
    fsync_directory(folder)


def discard_segment(segment: NewSegment) -> None:
    """Remove a created segment that was not published."""
    os.close(segment.fd)
    segment.temporary.unlink(missing_ok=True)


def start_segment(folder: Path, writer: str) -> tuple[NewSegment, Repair]:
    """Put the folder in order and publish a new segment, whose number was never used before.

    The caller holds the folder's lock. The last segment's torn tail is cut; records that are whole but stand behind
    damage are saved into the new segment, which is on the disk before anything is cut. Killed anywhere in between,
    the next start finds those records in the temporary file, and takes them over.
    """
    leftovers = sorted(folder.glob("*.new"))
    saved = b"".join(_whole_records(path.read_bytes()) for path in leftovers)
    segments = list_segments(folder)
    last = segments[-1] if segments else None
    repair = Repair()
    header_end = 0
    if last and not last.archived:
        repair, header_end, behind = _examine(last.path, last.number)
        saved += behind
    number = (last.number if last else 0) + 1
    segment = create_segment(folder, writer, number, saved)
    try:
        if last and repair.reason:
            if header_end:
                _cut(last.path, repair.offset)
            else:
                # Not even the header can be read: nothing of it is of use in its place, but it is not destroyed.
                os.rename(last.path, last.path.with_suffix(".damaged"))
        publish_segment(folder, segment)
    except OSError:
        discard_segment(segment)
        raise
    for path in leftovers:
        path.unlink()
    if last and header_end and not repair.reason and last.path.stat().st_size == header_end:
        # Nothing was ever written there; a process that restarts often does not leave a heap of empty files.
        last.path.unlink()
    return segment, repair


def _examine(path: Path, number: int) -> tuple[Repair, int, bytes]:
    """What is wrong with the last segment, where its records begin (0: nowhere), and the frames behind the damage."""
    data = path.read_bytes()
    try:
        _, start = decode_header(data)
    except OtherFormatError:
        return Repair(), 0, b""  # another version's: it knows what is whole, this one does not touch it
    except ValueError as error:
        saved = _whole_records(data)
        return Repair(number, 0, len(data), _count(saved), str(error)), 0, saved
    try:
        for _ in frames(data, start):
            pass
    except BadFrame as bad:
        saved = _whole_records(data, bad.offset)
        return Repair(number, bad.offset, len(data) - bad.offset, _count(saved), bad.reason), start, saved
    return Repair(), start, b""


def _whole_records(data: bytes, offset: int | None = None) -> bytes:
    """The whole frames in `data` (a segment, or its part from `offset`), damage between them left out."""
    kept: list[bytes] = []
    if offset is None:
        try:
            _, place = decode_header(data)
        except ValueError:
            place = 0
    else:
        place = offset
    while True:
        try:
            for payload, behind in frames(data, place):
                kept.append(frame(payload))
                place = behind
            break
        except BadFrame as bad:
            found = next_frame(data, bad.offset)
            if found is None:
                break
            place = found
    # Without a readable header its frame is met like a record; it is not one.
    return b"".join(record for record in kept if not record[8:].startswith(b'{"schema"'))


def _count(records: bytes) -> int:
    return sum(1 for _ in frames(records))


def _cut(path: Path, offset: int) -> None:
    fd = os.open(path, os.O_RDWR)
    try:
        os.ftruncate(fd, offset)
        os.fsync(fd)
    finally:
        os.close(fd)
