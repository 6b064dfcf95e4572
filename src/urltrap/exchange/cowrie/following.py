"""A log that is still being written: its new lines, across rotation and truncation, from where one stood."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from urltrap.exchange.cowrie.reading import LONGEST_LINE

_CHUNK = 1 << 20
_MARKED = 256


@dataclass(frozen=True, slots=True)
class LogPosition:
    """A place in a log: which file (device and inode number) and how many bytes of it were taken.

    `mark`: SHA-256 of what stood before byte `marked` (not behind `offset`), by which a file is known again that was
    cut and has grown beyond that place since. Empty: none yet.
    """

    device: int = 0
    inode: int = 0
    offset: int = 0
    marked: int = 0
    mark: str = ""


class Follower:
    """Reads the lines that were added to `path` since the last call; the file may come, go, rotate and shrink.

    A file that was renamed is read to its end before the new one of the same name is begun. One that was rotated while
    nobody followed is found among its neighbours (`cowrie.json.*`) by its inode number.
    """

    def __init__(self, path: Path, position: LogPosition | None = None) -> None:
        self._path = path
        self._position = position or LogPosition()
        self._file: BinaryIO | None = None
        self._finished: set[tuple[int, int]] = set()

    @property
    def position(self) -> LogPosition:
        """Behind the last line given."""
        return self._position

    def lines(self) -> Iterator[bytes]:
        """Whole lines that were added; ends where nothing more is there now. OSError where it cannot be read."""
        while True:
            if self._file is None and not self._open():
                return
            yield from self._read()
            rest = self._next_file()
            if rest is None:
                return
            yield from rest

    def close(self) -> None:
        """Free the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> bool:
        """Open the file that the position names, wherever it was renamed to; else the one of our path."""
        if self._position.inode:
            for path in (self._path, *sorted(self._path.parent.glob(f"{self._path.name}.*"))):
                file = _opened(path)
                if file is None:
                    continue
                status = os.fstat(file.fileno())
                if (status.st_dev, status.st_ino) == (self._position.device, self._position.inode):
                    self._file = file
                    return True
                file.close()
        file = _opened(self._path)
        if file is None:
            return False
        self._begin(file)
        return True

    def _begin(self, file: BinaryIO) -> None:
        status = os.fstat(file.fileno())
        self._file = file
        self._position = LogPosition(status.st_dev, status.st_ino, 0)

    def _read(self, last: bool = False) -> Iterator[bytes]:
        """What was added to the open file; its last line without an end only where it is the `last` look."""
        assert self._file is not None
        place = self._position
        if os.fstat(self._file.fileno()).st_size < place.offset or (
            place.mark and place.mark != self._mark(place.marked)
        ):
            # Truncated: what is there now is new. Remembered at once, for it may grow beyond the old place.
            place = self._position = LogPosition(place.device, place.inode)
        rest, taken = b"", place.offset
        while chunk := os.pread(self._file.fileno(), _CHUNK, taken + len(rest)):
            *whole, rest = (rest + chunk).split(b"\n")
            if len(rest) > LONGEST_LINE:
                whole, rest = [*whole, rest], b""
                taken -= 1  # this one has no end to be counted
            for line in whole:
                taken += len(line) + 1
                # The position moves first: whoever stores it after using the line does not read it again.
                self._position = replace(place, offset=taken)
                yield line
            if whole:
                place = self._position = replace(self._position, marked=taken, mark=self._mark(taken))
        if last and rest:
            self._position = replace(place, offset=taken + len(rest))
            yield rest

    def _mark(self, end: int) -> str:
        """What stands for the bytes before `end`; empty where they are not there any more."""
        assert self._file is not None
        length = min(end, _MARKED)
        found = os.pread(self._file.fileno(), length, end - length)
        return hashlib.sha256(found).hexdigest() if len(found) == length else ""

    def _next_file(self) -> Iterator[bytes] | None:
        """The rest of the open file where another one follows it, which is open afterwards; None where none does."""
        assert self._file is not None
        current = os.fstat(self._file.fileno())
        self._finished.add((current.st_dev, current.st_ino))
        following = self._successor(current.st_mtime_ns)
        if following is None:
            self._finished.discard((current.st_dev, current.st_ino))
            return None
        # Lines may have come into the old one between its last read and its rename.
        rest = list(self._read(last=True))
        self._file.close()
        self._begin(following)
        return iter(rest)

    def _successor(self, written: int) -> BinaryIO | None:
        """The oldest file of this log that was written to after the open one, and is not done with."""
        candidates = []
        for path in (self._path, *self._path.parent.glob(f"{self._path.name}.*")):
            try:
                status = path.stat()
            except FileNotFoundError:
                continue  # renamed at this moment: the next look finds it
            packed = path.suffix in (".gz", ".zst", ".bz2", ".xz")
            known = (status.st_dev, status.st_ino) in self._finished
            if not packed and not known and status.st_mtime_ns >= written:
                candidates.append((status.st_mtime_ns, path))
        for _, path in sorted(candidates):
            file = _opened(path)
            if file is not None:
                return file
        return None


def _opened(path: Path) -> BinaryIO | None:
    try:
        return open(path, "rb", buffering=0)
    except FileNotFoundError:
        return None
