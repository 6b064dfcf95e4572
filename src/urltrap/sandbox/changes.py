"""What was written in a box: the overlay's upper folder, and /dev with /dev/shm, which are file systems in memory, are
looked over, and each new state of a file is reported once."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

MAX_FILES = 500
"""Files of one box that are reported."""
MAX_BYTES = 256_000_000
"""Bytes of all files of one box that are reported, each as often as it was written."""
_MAX_OPEN, _MAX_DEPTH = 200, 60
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_QUIET = (b"/var/log/", b"/var/lib/dpkg/", b"/var/cache/", b"/var/lib/apt/", b"/etc/ld.so.cache",
          b"/dev/mqueue/", b"/dev/pts/")  # fmt: skip
"""Where programs of the system write by themselves, and what is no file but looks like one."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A regular file that was written: its path in the box, mode, size in bytes, and a descriptor to read it from,
    which the receiver closes."""

    path: bytes
    mode: int
    size: int
    file: int


@dataclass(slots=True)
class Changes:
    """The changes of one box, until `close`. `devices`: a descriptor of its /dev, of which a copy is kept."""

    upper: Path
    devices: int | None = None
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _seen: dict[bytes, tuple[int, int, int]] = field(default_factory=dict)
    _bytes: int = 0

    def __post_init__(self) -> None:
        if self.devices is not None:
            self.devices = os.dup(self.devices)

    def close(self) -> None:
        """Look at /dev no more. Any thread may call it, also while another one looks."""
        with self._guard:
            if self.devices is not None:
                os.close(self.devices)
                self.devices = None

    def new(self) -> Iterator[Changed]:
        """Files that were written since the last call; what vanishes while it is looked at is left out.

        Every step goes from an open folder to a name in it and follows no link: what a box's root has made here may
        point anywhere, and may be something else the next moment.
        """
        pending: list[tuple[bytes, int]] = []
        with contextlib.suppress(OSError):
            pending.append((b"", os.open(self.upper, _FOLDER)))
        with self._guard:  # the number of a closed descriptor may be another folder's by now
            if self.devices is not None:
                pending.append((b"/dev", os.open(".", _FOLDER, dir_fd=self.devices)))
        try:
            while pending:
                inside, folder = pending.pop()
                try:
                    yield from self._of(inside, folder, pending)
                finally:
                    os.close(folder)
        finally:
            for _, folder in pending:
                os.close(folder)

    def _of(self, inside: bytes, folder: int, pending: list[tuple[bytes, int]]) -> Iterator[Changed]:
        for name in sorted(os.listdir(folder)):
            path = inside + b"/" + os.fsencode(name)
            if path.startswith(_QUIET):
                continue
            with contextlib.suppress(OSError):
                mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
                if stat.S_ISDIR(mode) and len(pending) < _MAX_OPEN and path.count(b"/") < _MAX_DEPTH:
                    pending.append((path, os.open(name, _FOLDER, dir_fd=folder)))
                elif stat.S_ISREG(mode) and (len(self._seen) < MAX_FILES or path in self._seen):
                    changed = self._look(os.open(name, _FILE, dir_fd=folder), path)
                    if changed is not None:
                        yield changed

    def _look(self, file: int, inside: bytes) -> Changed | None:
        info = os.fstat(file)
        state = (info.st_ino, info.st_mtime_ns, info.st_size)
        size = min(info.st_size, info.st_blocks * 512)  # holes are no content
        if (
            not stat.S_ISREG(info.st_mode)
            or not info.st_size
            or self._seen.get(inside) == state
            or self._bytes + size > MAX_BYTES
        ):
            os.close(file)
            return None
        self._seen[inside] = state
        self._bytes += size
        return Changed(inside, stat.S_IMODE(info.st_mode), info.st_size, file)
