"""Writing one artifact: hashed while it comes in, visible under its name only when it is whole and on the disk."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from urltrap.model.artifact import Artifact
from urltrap.quarantine.disk import fsync_directory, write_all
from urltrap.quarantine.errors import ArtifactTooLargeError, QuarantineError, disk_error

ARTIFACT_MODE = 0o400
DIRECTORY_MODE = 0o700


class ArtifactWriter:
    """Takes a payload in chunks; `commit` keeps it, `abort` (or leaving the context without commit) drops it.

    `limit` in bytes; what exceeds it raises ArtifactTooLargeError once the beginning is written, and the artifact
    can then only be committed as incomplete. Not for several threads at once; many writers side by side are fine.
    """

    def __init__(self, incoming: Path, path_of: Callable[[str], Path], limit: int | None = None) -> None:
        self._path_of = path_of
        self._limit = limit
        self._hashes = (
            hashlib.sha256(),
            hashlib.md5(usedforsecurity=False),
            hashlib.sha1(usedforsecurity=False),
        )
        self._exceeded = False
        self.size = 0
        # Random, because several processes write here and process ids repeat inside containers.
        self._temporary = incoming / f"{secrets.token_hex(16)}.part"
        try:
            self._fd = os.open(
                self._temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, ARTIFACT_MODE
            )
        except OSError as error:
            raise disk_error(error, "creating an artifact") from error

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append `chunk`. ArtifactTooLargeError behind the limit, QuarantineFullError where the disk is full."""
        self._require_open()
        data = memoryview(chunk).cast("B")
        if self._limit is not None and self.size + len(data) > self._limit:
            data = data[: self._limit - self.size]
            self._exceeded = True
        try:
            write_all(self._fd, data)
        except OSError as error:
            self.abort()
            raise disk_error(error, "writing an artifact") from error
        for digest in self._hashes:
            digest.update(data)
        self.size += len(data)
        if self._exceeded and self._limit is not None:
            raise ArtifactTooLargeError(self._limit)

    def commit(self, complete: bool = True) -> Artifact:
        """Give the artifact its name; when this returns it survives a power cut. The same bytes again change nothing.

        `complete` false says that the sender stopped early; it is always false behind the size limit.
        """
        self._require_open()
        sha256, md5, sha1 = (digest.hexdigest() for digest in self._hashes)
        target = self._path_of(sha256)
        try:
            if _is_kept(target, self.size):
                self.abort()
            else:
                # The umask may have taken bits away, and only these are meant.
                os.fchmod(self._fd, ARTIFACT_MODE)
                os.fsync(self._fd)
                make_directories(target.parent)
                os.rename(self._temporary, target)
                self._close()
            # Also where somebody else has just put it there: his sync of the folder may still be to come.
            fsync_directory(target.parent)
        except OSError as error:
            self.abort()
            raise disk_error(error, "keeping an artifact") from error
        return Artifact(
            sha256=sha256, size=self.size, md5=md5, sha1=sha1, complete=complete and not self._exceeded
        )

    def abort(self) -> None:
        """Drop what was written; harmless after `commit` and when repeated."""
        if self._fd >= 0:
            self._close()
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._temporary)

    def __enter__(self) -> ArtifactWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()

    def _require_open(self) -> None:
        if self._fd < 0:
            raise QuarantineError("this artifact was committed or aborted already; take a new writer")

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        os.close(fd)


def make_directories(leaf: Path) -> None:
    """The two levels of folders above an artifact, mode 0700, their own names durable as well."""
    for directory in (leaf.parent, leaf):
        try:
            os.mkdir(directory, DIRECTORY_MODE)
        except FileExistsError:
            continue
        fsync_directory(directory.parent)


def _is_kept(target: Path, size: int) -> bool:
    """Whether the artifact is there with its full length; a shorter one (a damaged disk) is replaced."""
    try:
        return target.lstat().st_size == size
    except FileNotFoundError:
        return False
