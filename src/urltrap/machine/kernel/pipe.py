"""Pipes: 64 KiB between writers and readers."""

from __future__ import annotations

import errno
from collections import deque
from typing import TYPE_CHECKING

from urltrap.machine.api import O_RDONLY, O_WRONLY, S_IFIFO, Stat
from urltrap.machine.errors import SysError
from urltrap.machine.kernel.files import File
from urltrap.machine.kernel.waiting import WaitQueue

if TYPE_CHECKING:
    from urltrap.machine.kernel.state import ProcessState

CAPACITY = 65_536
_ATOMIC = 4096
_SOFT_LIMIT = 4_000_000
"""Where the pipes of a machine hold more, each one takes a page only (as pipe-user-pages-soft does on Linux)."""


class Pipe:
    """What is on its way, and how many ends are open. Large pieces are handed on as they are, small ones gathered."""

    __slots__ = ("_at", "_pieces", "gone_empty", "gone_full", "inode", "readers", "size", "writers")

    def __init__(self, inode: int) -> None:
        self._pieces: deque[bytes | bytearray] = deque()
        self._at = 0  # what of the first piece was read
        self.size = 0
        self.inode = inode
        self.readers = 0
        self.writers = 0
        self.gone_full = WaitQueue()  # readers wait here until there is something
        self.gone_empty = WaitQueue()  # writers wait here until there is room

    def put(self, data: bytes) -> None:
        """Bytes of a writer, at the end."""
        self.size += len(data)
        pieces = self._pieces
        last = pieces[-1] if pieces else None
        if len(data) >= _ATOMIC:
            pieces.append(data)
        elif isinstance(last, bytearray) and len(last) < _ATOMIC:
            last += data
        else:
            pieces.append(bytearray(data))

    def take(self, length: int) -> bytes:
        """Up to `length` bytes, from the beginning."""
        pieces = self._pieces
        found: list[bytes | bytearray] = []
        left = min(length, self.size)
        self.size -= left
        while left:
            piece, at = pieces[0], self._at
            end = at + left
            if end < len(piece):
                found.append(piece[at:end])
                self._at = end
                break
            pieces.popleft()
            self._at = 0
            found.append(piece[at:] if at else piece)
            left -= len(piece) - at
        return bytes(found[0]) if len(found) == 1 else b"".join(found)

    def clear(self) -> None:
        """Nobody reads any more."""
        self._pieces.clear()
        self.size = self._at = 0

    def ends(self) -> tuple[PipeReader, PipeWriter]:
        """Both ends."""
        return PipeReader(self), PipeWriter(self)


class PipeReader(File):
    """The reading end."""

    __slots__ = ("pipe",)

    def __init__(self, pipe: Pipe, path: str = "") -> None:
        super().__init__(path or f"pipe:[{pipe.inode}]", O_RDONLY)
        self.pipe = pipe
        self.read_queue = pipe.gone_full
        pipe.readers += 1

    def stat(self) -> Stat:
        """fstat(2)."""
        return Stat(S_IFIFO | 0o600, 0, inode=self.pipe.inode, device=14)

    def try_read(self, process: ProcessState, length: int) -> bytes | None:
        """What is there; the end once all writers are gone."""
        pipe = self.pipe
        if pipe.size:
            data = pipe.take(length)
            process.kernel.pipe_bytes -= len(data)
            pipe.gone_empty.wake()
            return data
        return None if pipe.writers else b""

    def released(self, process: ProcessState) -> None:
        """Writers learn that nobody reads any more."""
        self.pipe.readers -= 1
        if not self.pipe.readers:
            process.kernel.pipe_bytes -= self.pipe.size
            self.pipe.clear()
        self.pipe.gone_empty.wake()


class PipeWriter(File):
    """The writing end."""

    __slots__ = ("pipe",)

    def __init__(self, pipe: Pipe, path: str = "") -> None:
        super().__init__(path or f"pipe:[{pipe.inode}]", O_WRONLY)
        self.pipe = pipe
        self.write_queue = pipe.gone_empty
        pipe.writers += 1

    def stat(self) -> Stat:
        """fstat(2)."""
        return Stat(S_IFIFO | 0o600, 0, inode=self.pipe.inode, device=14)

    def try_write(self, process: ProcessState, data: bytes) -> int:
        """As much as there is room for; up to 4096 bytes only whole (PIPE_BUF)."""
        pipe = self.pipe
        if not pipe.readers:
            raise SysError(errno.EPIPE, self.path)
        kernel = process.kernel
        room = (CAPACITY if kernel.pipe_bytes < _SOFT_LIMIT else _ATOMIC) - pipe.size
        if room < len(data) and (room <= 0 or len(data) <= _ATOMIC):
            return 0
        taken = min(room, len(data))
        pipe.put(data[:taken])
        kernel.pipe_bytes += taken
        pipe.gone_full.wake()
        return taken

    def released(self, process: ProcessState) -> None:
        """Readers learn of the end."""
        self.pipe.writers -= 1
        if not self.pipe.writers:
            self.pipe.gone_full.wake()


class Fifo:
    """A named pipe: one buffer for all who open it. Readers wait for the first writer, writers for the first reader."""

    __slots__ = ("_pipe",)

    def __init__(self, inode: int) -> None:
        self._pipe = Pipe(inode)

    def open(self, path: str, access: int) -> File:
        """An end (`access` as O_RDONLY, O_WRONLY, O_RDWR; the last is both, as Linux allows)."""
        if access == 0:
            return _FifoReader(self._pipe, path)
        return FifoWriter(self._pipe, path, both=access == 2)


class _FifoReader(PipeReader):
    __slots__ = ("_met",)

    def __init__(self, pipe: Pipe, path: str) -> None:
        super().__init__(pipe, path)
        self._met = False
        pipe.gone_empty.wake()

    def try_read(self, process: ProcessState, length: int) -> bytes | None:
        """As a pipe's, but the end comes only after a writer came."""
        self._met = self._met or self.pipe.writers > 0 or self.pipe.size > 0
        return super().try_read(process, length) if self._met else None


class FifoWriter(PipeWriter):
    """The writing end of a named pipe, or both ends."""

    __slots__ = ("_both", "_met")

    def __init__(self, pipe: Pipe, path: str, *, both: bool) -> None:
        super().__init__(pipe, path)
        self._both = both
        self._met = both
        if both:
            self.flags = 2
            self.read_queue = pipe.gone_full
            pipe.readers += 1
        pipe.gone_full.wake()

    def try_read(self, process: ProcessState, length: int) -> bytes | None:
        """Where it was opened for both."""
        return PipeReader.try_read(self, process, length)  # type: ignore[arg-type]

    def try_write(self, process: ProcessState, data: bytes) -> int:
        """As a pipe's, but waits for the first reader."""
        self._met = self._met or self.pipe.readers > 0
        return super().try_write(process, data) if self._met else 0

    def released(self, process: ProcessState) -> None:
        """Both ends where it was both."""
        if self._both:
            self.pipe.readers -= 1
            if not self.pipe.readers:
                process.kernel.pipe_bytes -= self.pipe.size
                self.pipe.clear()
        super().released(process)
