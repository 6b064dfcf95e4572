"""Artifacts on disk, named by what they are: ``ab/cd/<sha256>``, readable by their owner only, never executable.

Several processes may put and read at once. Nothing here runs, unpacks or interprets a payload.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from urltrap.machine.effects import Content
from urltrap.model.artifact import Artifact
from urltrap.quarantine.disk import fsync_directory
from urltrap.quarantine.errors import (
    ArtifactMissingError,
    InvalidDigestError,
    QuarantineError,
    QuarantineFullError,
    disk_error,
)
from urltrap.quarantine.writer import DIRECTORY_MODE, ArtifactWriter

_DIGEST = re.compile(r"[0-9a-f]{64}")
_BYTE = re.compile(r"[0-9a-f]{2}")
_INCOMING = "incoming"
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class StoredArtifact:
    """What the disk says of an artifact: `size` in bytes, `kept_at` when it came first (unix seconds, UTC)."""

    sha256: str
    size: int
    kept_at: float


@dataclass(frozen=True, slots=True)
class StoredContent:
    """An artifact's bytes, read from the disk when they are asked for; holds neither memory nor a descriptor."""

    quarantine: Quarantine
    sha256: str
    size: int

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`; empty at and behind the end."""
        return self.quarantine.read(self.sha256, offset, length)


class Quarantine:
    """The folder of artifacts; created with mode 0700 where it is missing. A SHA-256 is lower-case hexadecimal.

    Nothing more is put where less than `reserve` bytes are free on its disk.
    """

    def __init__(self, directory: Path, reserve: int = 0) -> None:
        self.directory = directory
        self._reserve = reserve
        try:
            for path in (directory, directory / _INCOMING):
                path.mkdir(mode=DIRECTORY_MODE, parents=path is directory, exist_ok=True)
                if stat.S_IMODE(path.stat().st_mode) != DIRECTORY_MODE:
                    path.chmod(DIRECTORY_MODE)
            for path in (directory, directory.absolute().parent):
                fsync_directory(path)
        except OSError as error:
            raise disk_error(error, f"preparing the quarantine folder {directory}") from error

    def put(self, data: bytes, *, complete: bool = True) -> Artifact:
        """Keep `data`; durable when this returns, and harmless to repeat. QuarantineFullError on a full disk."""
        with self.writer() as writer:
            writer.write(data)
            return writer.commit(complete)

    def writer(self, limit: int | None = None) -> ArtifactWriter:
        """A writer for a payload that comes in chunks, at most `limit` bytes. QuarantineFullError on a full disk."""
        if self._reserve:
            status = os.statvfs(self.directory)
            free = status.f_bavail * status.f_frsize
            if free < self._reserve:
                raise QuarantineFullError(
                    f"{free} bytes are free at {self.directory} and {self._reserve} are kept in reserve: "
                    "the payload is not kept; free some room, or lower journal.free_bytes_reserve"
                )
        return ArtifactWriter(self.directory / _INCOMING, self._path, limit)

    def open(self, sha256: str) -> BinaryIO:
        """The artifact for reading; the caller closes it. ArtifactMissingError where there is none."""
        return os.fdopen(self._open(sha256), "rb")

    def content(self, sha256: str) -> Content:
        """The artifact as content of a machine's file, read lazily."""
        return StoredContent(self, sha256, self.stat(sha256).size)

    def read(self, sha256: str, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`; empty at and behind the end; ValueError for negative arguments."""
        if offset < 0 or length < 0:
            raise ValueError(f"offset and length cannot be negative: {offset}, {length}")
        fd = self._open(sha256)
        try:
            parts = []
            while length > 0 and (part := os.pread(fd, min(length, _CHUNK), offset)):
                parts.append(part)
                offset += len(part)
                length -= len(part)
            return b"".join(parts)
        except OSError as error:
            raise disk_error(error, f"reading artifact {sha256}") from error
        finally:
            os.close(fd)

    def exists(self, sha256: str) -> bool:
        """Whether the artifact is kept."""
        return self._path(sha256).is_file()

    def stat(self, sha256: str) -> StoredArtifact:
        """Size and age of an artifact. ArtifactMissingError where there is none."""
        try:
            status = self._path(sha256).lstat()
        except FileNotFoundError as error:
            raise ArtifactMissingError(sha256) from error
        return StoredArtifact(sha256, status.st_size, status.st_mtime)

    def iter(self) -> Iterator[StoredArtifact]:
        """All artifacts, in the order of their names; those that come or go meanwhile may or may not be among them."""
        for first in _folders(self.directory):
            for second in _folders(first):
                for name in sorted(os.listdir(second)):
                    if _DIGEST.fullmatch(name):
                        try:
                            yield self.stat(name)
                        except ArtifactMissingError:
                            continue  # removed since the folder was listed

    def verify(self, sha256: str) -> bool:
        """Whether the bytes on disk still have this hash. ArtifactMissingError where there is none."""
        digest = hashlib.sha256()
        with self.open(sha256) as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
        return digest.hexdigest() == sha256

    def sweep(self, now: float, older_than_seconds: float = 3600) -> int:
        """Remove what killed writers left behind: unfinished files untouched for `older_than_seconds`; how many.

        `now` in unix seconds. An artifact in the making is touched by every chunk, so a living writer loses nothing.
        """
        removed = 0
        for path in (self.directory / _INCOMING).glob("*.part"):
            try:
                if now - path.lstat().st_mtime > older_than_seconds:
                    path.unlink()
                    removed += 1
            except FileNotFoundError:
                continue  # finished, or swept by another process
        return removed

    def _path(self, sha256: str) -> Path:
        if not isinstance(sha256, str) or not _DIGEST.fullmatch(sha256):
            raise InvalidDigestError(sha256)
        return self.directory / sha256[:2] / sha256[2:4] / sha256

    def _open(self, sha256: str) -> int:
        try:
            return os.open(self._path(sha256), os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError as error:
            raise ArtifactMissingError(sha256) from error
        except OSError as error:
            raise QuarantineError(
                f"artifact {sha256} cannot be opened: {error.strerror}; run as the user who owns the quarantine"
            ) from error


def _folders(directory: Path) -> list[Path]:
    return sorted(path for path in directory.iterdir() if _BYTE.fullmatch(path.name) and path.is_dir())
