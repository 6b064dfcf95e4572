"""What was written in a box: the overlay's upper folder looked over, each new state of a file reported once."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

MAX_FILES = 500
"""Files of one box that are reported."""
_QUIET = (b"/var/log/", b"/var/lib/dpkg/", b"/var/cache/", b"/var/lib/apt/", b"/etc/ld.so.cache")
"""Where programs of the system write by themselves."""


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
    """The changes of one box."""

    upper: Path
    _seen: dict[bytes, tuple[int, int, int]] = field(default_factory=dict)

    def new(self) -> Iterator[Changed]:
        """Files that were written since the last call; what vanishes while it is looked at is left out.

        A link is never followed: what a box's root has made here may point anywhere.
        """
        base = os.fsencode(self.upper)
        for folder, _, files in os.walk(base):
            for name in files:
                path = os.path.join(folder, name)
                inside = path[len(base) :]
                if inside.startswith(_QUIET) or (len(self._seen) >= MAX_FILES and inside not in self._seen):
                    continue
                changed = self._look(path, inside)
                if changed is not None:
                    yield changed

    def _look(self, path: bytes, inside: bytes) -> Changed | None:
        try:
            if not stat.S_ISREG(os.lstat(path).st_mode):
                return None
            file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return None
        info = os.fstat(file)
        state = (info.st_ino, info.st_mtime_ns, info.st_size)
        if not stat.S_ISREG(info.st_mode) or not info.st_size or self._seen.get(inside) == state:
            os.close(file)
            return None
        self._seen[inside] = state
        return Changed(inside, stat.S_IMODE(info.st_mode), info.st_size, file)
