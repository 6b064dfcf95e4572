"""What becomes of closed segments: compressed once the store has committed them, deleted when they are old."""

from __future__ import annotations

import os
import secrets
import zlib
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import structlog
import zstandard

from urltrap.journal.errors import JournalError, JournalLockedError
from urltrap.journal.folder import SEGMENT_MODE, list_segments, lock_folder, writer_folder
from urltrap.journal.position import Position
from urltrap.journal.space import disk_error
from urltrap.quarantine.disk import fsync_directory

_LEVEL = 9
_CHUNK = 1 << 20
_LOCK = "archive.lock"

log = structlog.get_logger("urltrap.journal")


def archive(directory: Path, writer: str, committed: Position) -> list[int]:
    """Compress the closed segments of `writer` that lie wholly below `committed`; their numbers.

    Safe beside the writer, readers and other archivers, and when killed at any moment: the original goes only when its
    archive is on the disk and was unpacked and compared. The last segment is never closed. JournalFullError where the
    disk has no room for the archive; nothing is lost then.
    """
    folder = writer_folder(directory, writer)
    if not folder.is_dir():
        return []
    try:
        lock = lock_folder(folder, _LOCK)
    except JournalLockedError:
        return []  # somebody else is at it
    done: list[int] = []
    try:
        for leftover in folder.glob("*.zst.part"):
            leftover.unlink()
        for segment in list_segments(folder)[:-1]:
            if segment.archived:
                continue
            if (segment.number, segment.path.stat().st_size) > committed:
                break
            _compress(segment.path)
            done.append(segment.number)
    except OSError as error:
        raise disk_error(error, f"archiving the journal {writer}") from error
    finally:
        os.close(lock)
    return done


def expire(directory: Path, writer: str, keep_days: float, now: datetime) -> list[int]:
    """Delete the archives of `writer` whose last event was written more than `keep_days` before `now`; their numbers.

    Only archives, so never what the store has not committed, and never the highest number, which must not come again.
    """
    folder = writer_folder(directory, writer)
    oldest = now.timestamp() - keep_days * 86_400
    gone: list[int] = []
    try:
        for segment in list_segments(folder)[:-1]:
            if segment.archived and segment.path.stat().st_mtime < oldest:
                segment.path.unlink()
                gone.append(segment.number)
        if gone:
            fsync_directory(folder)
            log.info("journal.expired", writer=writer, segments=len(gone), keep_days=keep_days)
    except OSError as error:
        raise disk_error(error, f"expiring archives of the journal {writer}") from error
    return gone


def _compress(path: Path) -> None:
    target = path.with_name(path.name + ".zst")
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}.zst.part")
    fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, SEGMENT_MODE)
    try:
        with os.fdopen(fd, "r+b") as packed, open(path, "rb") as plain:
            status = os.fstat(plain.fileno())
            compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
            compressor.copy_stream(plain, packed, size=status.st_size)
            packed.flush()
            # The archive is as old as its last event, which is what retention goes by.
            os.utime(packed.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))
            os.fsync(packed.fileno())
            _compare(path, plain, packed)
        os.rename(temporary, target)
        fsync_directory(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    path.unlink()
    fsync_directory(path.parent)


def _compare(path: Path, plain: BinaryIO, packed: BinaryIO) -> None:
    plain.seek(0)
    packed.seek(0)
    with zstandard.ZstdDecompressor().stream_reader(packed, closefd=False) as unpacked:
        if _checksum(plain) != _checksum(unpacked):
            raise JournalError(
                f"the archive of {path} does not unpack to what was packed; the segment was kept; check memory and disk"
            )


def _checksum(file: BinaryIO | zstandard.ZstdDecompressionReader) -> tuple[int, int]:
    checksum, size = 0, 0
    while chunk := file.read(_CHUNK):
        checksum = zlib.crc32(chunk, checksum)
        size += len(chunk)
    return checksum, size
