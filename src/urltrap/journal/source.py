"""The bytes of one segment for reading, plain or archived, by offset in the uncompressed segment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

import zstandard

_WINDOW = 1 << 20


class Source(Protocol):
    """An open segment."""

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`; fewer only at the end of what is there."""
        ...

    def size(self) -> int:
        """Length in bytes, uncompressed."""
        ...

    def close(self) -> None:
        """Free its descriptor."""
        ...


class PlainSource:
    """A segment that is not archived; it may still grow. FileNotFoundError where it is not there (any more)."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`."""
        parts = []
        while length > 0 and (part := os.pread(self._fd, length, offset)):
            parts.append(part)
            offset += len(part)
            length -= len(part)
        return b"".join(parts)

    def size(self) -> int:
        """Length in bytes as it is now."""
        return os.fstat(self._fd).st_size

    def close(self) -> None:
        """Free the descriptor."""
        os.close(self._fd)


class ArchivedSource:
    """A compressed segment, unpacked as it is read: going forward is cheap, going back begins again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = open(path, "rb")  # noqa: SIM115 - closed in `close`
        self._begin()

    def _begin(self) -> None:
        self._file.seek(0)
        self._stream = zstandard.ZstdDecompressor().stream_reader(self._file, closefd=False)
        self._kept = b""
        self._kept_at = 0

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`. zstandard.ZstdError where the archive is damaged."""
        if offset < self._kept_at:
            self._begin()
        while self._kept_at + len(self._kept) < offset + length:
            part = self._stream.read(max(_WINDOW, length))
            if not part:
                break
            # What lies before the place asked for is dropped, so that memory stays at about one window.
            keep_from = min(max(0, offset - self._kept_at), len(self._kept) + len(part))
            joined = self._kept + part
            self._kept = joined[keep_from:]
            self._kept_at += keep_from
        start = max(0, offset - self._kept_at)
        return self._kept[start : start + length]

    def size(self) -> int:
        """Length in bytes before compression, as the archive's head tells it. ZstdError where that is damaged."""
        head = os.pread(self._file.fileno(), 64, 0)
        if len(head) < 18 and not head.startswith(zstandard.FRAME_HEADER):
            raise zstandard.ZstdError("the archive is cut short")
        size: int = zstandard.frame_content_size(head)
        if size < 0:
            raise zstandard.ZstdError("the archive does not tell its length")
        return size

    def close(self) -> None:
        """Free the descriptor."""
        self._file.close()


def open_source(path: Path, archived: bool) -> Source:
    """The segment at `path`. FileNotFoundError where it is not there (any more)."""
    return ArchivedSource(path) if archived else PlainSource(path)
