"""Changing what segments say: the one exception to append-only, for people's right to be forgotten."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog
import zstandard

from urltrap.journal.errors import JournalCorruptError, JournalLockedError
from urltrap.journal.folder import SEGMENT_MODE, Segment, list_segments, lock_folder, writer_folder
from urltrap.journal.format import BadFrame, decode_header, frame, unframe
from urltrap.journal.position import Position
from urltrap.journal.space import disk_error
from urltrap.model.event import EventBase, decode_event, encode_event
from urltrap.quarantine.disk import fsync_directory

_LEVEL = 9
_LOCK = "archive.lock"

log = structlog.get_logger("urltrap.journal")


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What `rewrite` did: events changed, and segments that it could not touch (being written, or damaged)."""

    events: int
    left: tuple[int, ...]


def rewrite(
    directory: Path,
    writer: str,
    change: Callable[[EventBase], EventBase],
    before: datetime | None = None,
) -> Rewritten:
    """Replace every event of `writer` by what `change` makes of it (the same object: nothing to change).

    No record becomes longer, and shorter ones are filled with blanks: every position stays right. The last segment is
    only touched while nobody writes the folder. `before`: only segments whose last event is older. A changed segment
    replaces the old one in one step, keeping its age; killed at any moment, one of the two is there.
    """
    folder = writer_folder(directory, writer)
    if not folder.is_dir():
        return Rewritten(0, ())
    try:
        lock = lock_folder(folder, _LOCK)
    except JournalLockedError:
        return Rewritten(0, tuple(segment.number for segment in list_segments(folder)))
    changed = 0
    left: list[int] = []
    try:
        for leftover in folder.glob("*.rewrite.part"):
            leftover.unlink()
        segments = list_segments(folder)
        for segment in segments:
            if before is not None and segment.path.stat().st_mtime >= before.timestamp():
                continue
            try:
                if segment is segments[-1]:
                    changed += _rewrite_last(folder, segment, writer, change)
                else:
                    changed += _rewrite(segment, writer, change)
            except JournalLockedError:
                left.append(segment.number)
            except JournalCorruptError as error:
                log.error("journal.rewrite_skipped", writer=writer, segment=segment.number, why=error.reason)
                left.append(segment.number)
    except OSError as error:
        raise disk_error(error, f"rewriting segments of the journal {writer}") from error
    finally:
        os.close(lock)
    return Rewritten(changed, tuple(left))


def _rewrite_last(
    folder: Path, segment: Segment, writer: str, change: Callable[[EventBase], EventBase]
) -> int:
    lock = lock_folder(
        folder
    )  # a writer that starts meanwhile is refused, and started again by its supervisor
    try:
        return _rewrite(segment, writer, change)
    finally:
        os.close(lock)


def _rewrite(segment: Segment, writer: str, change: Callable[[EventBase], EventBase]) -> int:
    path, changed = segment.path, 0
    data = path.read_bytes()
    try:
        if segment.archived:
            data = zstandard.ZstdDecompressor().stream_reader(data).readall()
        _, place = decode_header(data)
        parts = [data[:place]]
        while place < len(data):
            try:
                payload, behind = unframe(data, place)
            except BadFrame as bad:
                if segment.archived or not bad.torn:
                    raise
                parts.append(data[place:])  # a torn tail, which the writer's next start cuts
                break
            new = _changed(payload, change)
            changed += new is not payload
            parts.append(data[place:behind] if new is payload else frame(new))
            place = behind
    except (zstandard.ZstdError, BadFrame, ValueError) as error:
        raise JournalCorruptError(writer, Position(segment.number, 0), str(error), path) from error
    if changed:
        content = b"".join(parts)
        if segment.archived:
            content = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(content)
        _replace(path, content)
    return changed


def _changed(payload: bytes, change: Callable[[EventBase], EventBase]) -> bytes:
    """What becomes of a record, in the same length; the same object where it stays, also one that cannot be read."""
    # Only what carries an address can change; most records need not even be decoded.
    if b'"src_ip"' not in payload:
        return payload
    try:
        event = decode_event(payload)
    except ValueError:
        return payload
    new = change(event)
    if new is event:
        return payload
    encoded = encode_event(new).rstrip()
    if len(encoded) > len(payload):
        raise ValueError(f"the record of event {event.id} would become longer")
    return encoded.ljust(len(payload))


def _replace(path: Path, content: bytes) -> None:
    status = path.stat()
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}.rewrite.part")
    try:
        fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, SEGMENT_MODE)
        with os.fdopen(fd, "wb") as written:
            written.write(content)
            written.flush()
            os.utime(written.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))
            if os.geteuid() == 0:
                os.fchown(written.fileno(), status.st_uid, status.st_gid)
            os.fsync(written.fileno())
        os.rename(temporary, path)
        fsync_directory(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
