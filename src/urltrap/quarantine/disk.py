"""Two steps that make a change to a file system durable."""

from __future__ import annotations

import os
from pathlib import Path


def fsync_directory(path: Path) -> None:
    """Make creations, renames and removals in the folder `path` survive a power cut; OSError where that fails."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Write all of `data`, however many system calls that takes; OSError as `os.write` raises it."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
