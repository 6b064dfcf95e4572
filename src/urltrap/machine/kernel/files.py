"""Open file descriptions: what is behind a descriptor. `try_read` and `try_write` never block, they say when to."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING

from urltrap.machine.api import O_APPEND, O_WRONLY, S_IFCHR, S_IFREG, S_IFSOCK, Stat
from urltrap.machine.errors import SysError
from urltrap.machine.fs.blockdev import BlockContent
from urltrap.machine.fs.content import PagedContent
from urltrap.machine.fs.node import Node
from urltrap.machine.fs.view import content_of, device_bytes
from urltrap.machine.fs.walk import Spot, generated_stat
from urltrap.machine.kernel.waiting import WaitQueue

if TYPE_CHECKING:
    from urltrap.machine.kernel.state import ProcessState
    from urltrap.machine.kernel.tty import Tty

ACCESS = 3


class File:
    """An open file description, shared by the descriptors that dup and fork made of it (`references`)."""

    __slots__ = ("flags", "path", "read_queue", "references", "write_queue")

    def __init__(self, path: str, flags: int) -> None:
        self.path = path
        self.flags = flags
        self.references = 0
        self.read_queue: WaitQueue | None = None
        self.write_queue: WaitQueue | None = None

    @property
    def is_tty(self) -> bool:
        """True for a terminal."""
        return False

    @property
    def deadline(self) -> float | None:
        """When a reader that waits should look again although nothing came (unix seconds)."""
        return None

    @property
    def terminal(self) -> Tty | None:
        """The terminal where it is one."""
        return None

    @property
    def can_read(self) -> bool:
        """True where it was opened for reading."""
        return self.flags & ACCESS != O_WRONLY

    @property
    def can_write(self) -> bool:
        """True where it was opened for writing."""
        return self.flags & ACCESS != 0

    def stat(self) -> Stat:
        """fstat(2)."""
        raise NotImplementedError

    def seek(self, offset: int, whence: int = 0) -> int:
        """lseek(2)."""
        raise SysError(errno.ESPIPE, self.path)

    def try_read(self, process: ProcessState, length: int) -> bytes | None:
        """Up to `length` bytes, b"" at the end, None where it would block."""
        raise SysError(errno.EINVAL, self.path)

    def try_write(self, process: ProcessState, data: bytes) -> int:
        """How many bytes were taken; 0 where it would block."""
        raise SysError(errno.EINVAL, self.path)

    def released(self, process: ProcessState) -> None:
        """The last descriptor of `process` and of everybody else was closed."""


class NodeFile(File):
    """A stored regular file."""

    __slots__ = ("_changed", "_orphaned", "_where", "node", "offset")

    def __init__(self, process: ProcessState, spot: Spot, node: Node, flags: int) -> None:
        super().__init__(spot.path, flags)
        self.node = node
        self.offset = 0
        self._where = process.kernel.tree
        self._changed = False
        self._orphaned = 0

    def _now(self) -> Node:
        if self.node.nlink > 0:
            self.node = self._where.overlay.nodes.get(self.node.number, self.node)
        return self.node

    def stat(self) -> Stat:
        """fstat(2)."""
        return self._now().stat(self._where.volume(self.path).device)

    def seek(self, offset: int, whence: int = 0) -> int:
        """lseek(2)."""
        base = (0, self.offset, self._now().size)[whence] if whence in (0, 1, 2) else -1
        if base < 0 or base + offset < 0:
            raise SysError(errno.EINVAL, self.path)
        self.offset = base + offset
        return self.offset

    def try_read(self, process: ProcessState, length: int) -> bytes | None:
        """Never blocks."""
        data = content_of(self._now()).read(self.offset, length)
        self.offset += len(data)
        return data

    def try_write(self, process: ProcessState, data: bytes) -> int:
        """Never blocks; SysError ENOSPC at the quota."""
        node = self._now()
        content = self._where.writable_content(node, self.path)
        at = content.size if self.flags & O_APPEND else self.offset
        before = self._where.overlay.used
        process.fs.charge(content.growth(at, len(data)), self.path, content, at, data)
        if node.nlink <= 0:
            self._orphaned += self._where.overlay.used - before
        self.offset = at + len(data)
        node.mtime = node.ctime = process.now()
        self._changed = True
        return len(data)

    def truncate(self, process: ProcessState, size: int) -> None:
        """ftruncate(2)."""
        content = self._where.writable_content(self._now(), self.path)
        self._where.overlay.used += content.truncate(size)
        self._changed = True

    def made(self) -> None:
        """It was created or truncated by opening it: closing it tells so even without a write."""
        self._changed = True

    def released(self, process: ProcessState) -> None:
        """Tell of the change."""
        if self._changed:
            self._changed = False
            process.job.changed(self.path, self.node, False)
            if self.node.nlink <= 0:
                self._where.overlay.used -= self._orphaned
                process.job.changed(self.path, self.node, True)


class DirectoryFile(File):
    """A directory that was opened for reading: only for fstat, fchdir and the like."""

    __slots__ = ("_stat",)

    def __init__(self, path: str, flags: int, stat: Stat) -> None:
        super().__init__(path, flags)
        self._stat = stat

    def stat(self) -> Stat:
        """fstat(2)."""
        return self._stat

    def try_read(self, process: ProcessState, length: int) -> bytes | None:
        """EISDIR, as read(2)."""
        raise SysError(errno.EISDIR, self.path)


class GeneratedFile(File):
    """A file of a generated tree: what it held when it was opened."""

    __slots__ = ("_data", "_spot", "_stat", "offset")

    def __init__(self, process: ProcessState, spot: Spot, flags: int, data: bytes) -> None:
        super().__init__(spot.path, flags)
        self._spot = spot
        self._stat = generated_stat(spot, process)
        self._data = data
        self.offset = 0

    def stat(self) -> Stat:
        """fstat(2)."""
        return self._stat

    def seek(self, offset: int, whence: int = 0) -> int:
        """lseek(2)."""
        base = (0, self.offset, len(self._data))[whence] if whence in (0, 1, 2) else -1
        if base < 0 or base + offset < 0:
            raise SysError(errno.EINVAL, self.path)
        self.offset = base + offset
        return self.offset

    def try_read(self, process: ProcessState, length: int) -> bytes | None:
        """Never blocks."""
        data = self._data[self.offset : self.offset + length]
        self.offset += len(data)
        return data

    def try_write(self, process: ProcessState, data: bytes) -> int:
        """Hand it to the tree's own function."""
        node = self._spot.generated
        if node is None or node.write is None:
            raise SysError(errno.EIO, self.path)
        node.write(data)
        return len(data)


class DeviceFile(File):
    """/dev/null and its relatives."""

    __slots__ = ("_rdev", "_stat")

    def __init__(self, path: str, flags: int, rdev: tuple[int, int], stat: Stat) -> None:
        super().__init__(path, flags)
        self._rdev = rdev
        self._stat = stat

    def stat(self) -> Stat:
        """fstat(2)."""
        return self._stat

    def seek(self, offset: int, whence: int = 0) -> int:
        """Devices of memory have no position."""
        return 0

    def try_read(self, process: ProcessState, length: int) -> bytes | None:
        """Never blocks."""
        if self._rdev in _RANDOM:
            process.work(length >> 9)  # half a kilobyte of it costs a microsecond
        return device_bytes(self._rdev, length, process)

    def try_write(self, process: ProcessState, data: bytes) -> int:
        """Everything is swallowed; /dev/full is full."""
        if self._rdev == (1, 7):
            raise SysError(errno.ENOSPC, self.path)
        return len(data)


class SinkFile(File):
    """A socket to somebody who takes everything at once, as the journal does of a service."""

    __slots__ = ("_inode", "_take")

    def __init__(self, inode: int, take: Callable[[bytes], None]) -> None:
        super().__init__(f"socket:[{inode}]", O_WRONLY)
        self._inode, self._take = inode, take

    def stat(self) -> Stat:
        """fstat(2)."""
        return Stat(S_IFSOCK | 0o777, 0, inode=self._inode, device=8)

    def try_write(self, process: ProcessState, data: bytes) -> int:
        """Never blocks."""
        self._take(data)
        return len(data)


class BlockFile(File):
    """A disk or a partition: what is read is what its persona says, what is written is swallowed up to its end."""

    __slots__ = ("_content", "_offset", "_stat")

    def __init__(self, path: str, flags: int, content: BlockContent, stat: Stat) -> None:
        super().__init__(path, flags)
        self._content = content
        self._stat = stat
        self._offset = 0

    def stat(self) -> Stat:
        """fstat(2)."""
        return self._stat

    def seek(self, offset: int, whence: int = 0) -> int:
        """lseek(2)."""
        target = offset + (0, self._offset, self._content.size)[whence]
        if not 0 <= target <= self._content.size:
            raise SysError(errno.EINVAL, self.path)
        self._offset = target
        return target

    def try_read(self, process: ProcessState, length: int) -> bytes | None:
        """Never blocks."""
        data = self._content.read(self._offset, min(length, _BLOCK_READ_MAX))
        process.work(len(data) >> 9)
        self._offset += len(data)
        return data

    def try_write(self, process: ProcessState, data: bytes) -> int:
        """Takes what fits on the medium."""
        if self._offset >= self._content.size:
            raise SysError(errno.ENOSPC, self.path)
        taken = min(len(data), self._content.size - self._offset)
        self._offset += taken
        return taken


_BLOCK_READ_MAX = 4_000_000
DEVICE_STAT = Stat(S_IFCHR | 0o666, 0)
_RANDOM = ((1, 8), (1, 9))
MEMORY_DEVICES = frozenset({(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (1, 11)})


def is_regular(node: Node) -> bool:
    """True for a stored regular file."""
    return node.mode & 0o170000 == S_IFREG


def memory_of(content: object) -> int:
    """What a content takes of the overlay's quota."""
    return content.memory if isinstance(content, PagedContent) else 0
