"""open(2): from a path and flags to an open file description."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from urltrap.machine.api import (
    O_APPEND,
    O_CREAT,
    O_DIRECTORY,
    O_EXCL,
    O_NOFOLLOW,
    O_TRUNC,
    S_IFBLK,
    S_IFCHR,
    S_IFDIR,
    S_IFIFO,
    S_IFLNK,
    S_IFREG,
)
from urltrap.machine.errors import SysError
from urltrap.machine.fs.blockdev import device_content
from urltrap.machine.fs.node import Node
from urltrap.machine.fs.view import generated_bytes
from urltrap.machine.fs.walk import Spot
from urltrap.machine.kernel.files import (
    ACCESS,
    MEMORY_DEVICES,
    BlockFile,
    DeviceFile,
    DirectoryFile,
    File,
    GeneratedFile,
    NodeFile,
)

if TYPE_CHECKING:
    from urltrap.machine.kernel.state import ProcessState

_WANTED = {0: 4, 1: 2, 2: 6}


def open_file(process: ProcessState, path: str, flags: int, mode: int) -> File:
    """The open file description of a path for a process; SysError as open(2)."""
    tree = process.kernel.tree
    writing = flags & ACCESS != 0
    follow = not flags & O_NOFOLLOW and flags & (O_CREAT | O_EXCL) != (O_CREAT | O_EXCL)
    spot = tree.walk(process, path, follow=follow)
    if not spot.exists:
        if not flags & O_CREAT:
            raise SysError(errno.ENOENT, path)
        if path.endswith("/"):
            raise SysError(errno.EISDIR, path)
        node = process.fs.opened_for_writing(spot, path, mode, truncate=False)
        created = NodeFile(process, spot, node, flags)
        if writing:
            created.made()
        else:
            process.job.changed(spot.path, node, False)
        return created
    if flags & O_CREAT and flags & O_EXCL:
        raise SysError(errno.EEXIST, path)
    if spot.is_dir:
        if writing or flags & O_CREAT:
            raise SysError(errno.EISDIR, path)
        tree.require(process, spot, 4, path)
        return DirectoryFile(spot.path, flags, tree.stat_of(process, spot))
    if flags & O_DIRECTORY:
        raise SysError(errno.ENOTDIR, path)
    if spot.node is None:
        return _open_generated(process, spot, path, flags)
    kind = spot.node.kind
    if kind == S_IFLNK:
        raise SysError(errno.ELOOP, path)
    if kind == S_IFREG:
        return _open_regular(process, spot, spot.node, path, flags, mode)
    tree.require(process, spot, _WANTED.get(flags & ACCESS, 6), path)
    if kind == S_IFCHR:
        return _open_device(process, spot, path, spot.node.rdev, flags)
    if kind == S_IFIFO:
        return process.kernel.fifo(spot.node.number, spot.path, flags)
    if kind == S_IFBLK:
        return _open_block(process, spot, path, spot.node.rdev, flags)
    raise SysError(errno.ENXIO, path)


def _open_regular(process: ProcessState, spot: Spot, node: Node, path: str, flags: int, mode: int) -> File:
    tree = process.kernel.tree
    tree.require(process, spot, _WANTED.get(flags & ACCESS, 6), path)
    if flags & ACCESS == 0:
        return NodeFile(process, spot, node, flags)
    if flags & ACCESS and process.kernel.is_running(node):
        raise SysError(errno.ETXTBSY, path)
    had = node.size
    truncate = bool(flags & O_TRUNC)
    node = process.fs.opened_for_writing(spot, path, mode, truncate=truncate, append=bool(flags & O_APPEND))
    opened = NodeFile(process, spot, node, flags)
    if truncate and had:
        opened.made()
    return opened


def _open_generated(process: ProcessState, spot: Spot, path: str, flags: int) -> File:
    node = spot.generated
    assert node is not None
    if node.fd is not None:
        return process.file(node.fd)
    kind = node.mode & 0o170000
    if kind == S_IFCHR:
        return _open_device(process, spot, path, node.rdev, flags)
    if kind == S_IFLNK:
        raise SysError(errno.ELOOP, path)
    process.kernel.tree.require(process, spot, _WANTED.get(flags & ACCESS, 6), path)
    data = b"" if flags & ACCESS == 1 or kind == S_IFDIR else generated_bytes(node)
    return GeneratedFile(process, spot, flags, data)


def _open_block(process: ProcessState, spot: Spot, path: str, rdev: tuple[int, int], flags: int) -> File:
    content = device_content(process.kernel.persona, rdev)
    if content is None:
        raise SysError(errno.ENOMEDIUM, path)
    return BlockFile(spot.path, flags, content, process.kernel.tree.stat_of(process, spot))


def _open_device(process: ProcessState, spot: Spot, path: str, rdev: tuple[int, int], flags: int) -> File:
    if rdev in MEMORY_DEVICES:
        return DeviceFile(spot.path, flags, rdev, process.kernel.tree.stat_of(process, spot))
    if rdev == (5, 0):
        if process.terminal is None:
            raise SysError(errno.ENXIO, path)
        return process.terminal.file(spot.path, flags)
    if rdev[0] == 136:
        terminal = process.kernel.terminals.get(rdev[1])
        if terminal is None:
            raise SysError(errno.EIO, path)
        return terminal.file(spot.path, flags)
    if rdev == (1, 1):
        raise SysError(errno.EPERM, path)
    if rdev[0] == 90 and not process.kernel.persona.is_server:
        return _open_block(process, spot, path, rdev, flags)
    raise SysError(errno.ENXIO if rdev != (5, 2) else errno.EIO, path)
