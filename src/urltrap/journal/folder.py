"""The folder of one writer: its name, its lock, and the numbered segments in it."""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from urltrap.journal.errors import JournalLockedError, WriterNameError

FOLDER_MODE = 0o700
SEGMENT_MODE = 0o600
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_SEGMENT = re.compile(r"(\d{8,})\.seg(\.zst)?")
# File times advance in steps of the kernel's tick; a folder changed within the last second may change unseen.
_SETTLED = 1.0


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """One segment on disk; `archived` where it is compressed."""

    number: int
    archived: bool
    path: Path


def writer_folder(directory: Path, writer: str) -> Path:
    """The folder of `writer` below the journal's `directory`; WriterNameError for what could leave it."""
    if not isinstance(writer, str) or not _NAME.fullmatch(writer):
        raise WriterNameError(writer)
    return directory / writer


def list_writers(directory: Path) -> list[str]:
    """Names of all writers that ever wrote below `directory`, sorted; empty where it does not exist yet."""
    try:
        with os.scandir(directory) as entries:
            return sorted(entry.name for entry in entries if _NAME.fullmatch(entry.name) and entry.is_dir())
    except FileNotFoundError:
        return []


def segment_path(folder: Path, number: int) -> Path:
    """Path of the segment while it is not archived."""
    return folder / f"{number:08d}.seg"


def list_segments(folder: Path) -> list[Segment]:
    """The folder's segments in the order of their numbers, each once (the uncompressed one where both are there)."""
    found: dict[int, Segment] = {}
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    for name in names:
        if match := _SEGMENT.fullmatch(name):
            number, archived = int(match[1]), match[2] is not None
            if number not in found or not archived:
                found[number] = Segment(number, archived, folder / name)
    return sorted(found.values())


class SegmentList:
    """`list_segments`, remembered as long as the folder has not changed, so that polling it is one stat."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._segments: Sequence[Segment] = ()
        self._changed = -1
        self._settled = False

    def get(self) -> Sequence[Segment]:
        """The segments as they are now."""
        try:
            changed = self._folder.stat().st_mtime_ns
        except FileNotFoundError:
            return ()
        if changed != self._changed or not self._settled:
            self._settled = abs(time.time() - changed / 1e9) > _SETTLED
            self._segments = list_segments(self._folder)
            self._changed = changed
        return self._segments

    def forget(self) -> None:
        """Look at the folder again next time: a segment was found to be gone."""
        self._settled = False


def lock_folder(folder: Path, name: str = "lock") -> int:
    """A descriptor that holds the folder's lock until it is closed or the process dies.

    JournalLockedError, with the holder's process id, where another one has it.
    """
    fd = os.open(folder / name, os.O_RDWR | os.O_CREAT, SEGMENT_MODE)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
        os.close(fd)
        raise JournalLockedError(folder, holder) from error
    try:
        os.ftruncate(fd, 0)
        os.pwrite(fd, str(os.getpid()).encode(), 0)
    except OSError:
        # The lock is held; only the hint for people could not be written (a full disk), and that is no reason to stop.
        pass
    return fd
