"""`api.FileSystem` for one process (or one SFTP user): the tree with his directory, identity and umask applied."""

from __future__ import annotations

import errno
from collections.abc import Callable

from urltrap.machine.api import S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, Stat
from urltrap.machine.effects import BytesContent, Content
from urltrap.machine.errors import SysError
from urltrap.machine.fs.content import OpaqueContent, PagedContent, only_zeros
from urltrap.machine.fs.mounts import GeneratedNode
from urltrap.machine.fs.node import Node
from urltrap.machine.fs.tree import Tree
from urltrap.machine.fs.walk import Spot, Who

EMPTY = BytesContent(b"")
_DEVICE_READ = 65_536

Changed = Callable[[str, Node, bool], None]
"""Told of a changed file: its path, its node, and True where its content is about to be lost (overwritten, removed)."""


class FileView:
    """The file tree as one process sees it. Every method raises SysError; see `api.FileSystem`."""

    __slots__ = ("_changed", "_who", "tree")

    def __init__(self, tree: Tree, who: Who, changed: Changed) -> None:
        self.tree = tree
        self._who = who
        self._changed = changed

    # looking
    def stat(self, path: str, *, follow: bool = True) -> Stat:
        """stat(2), or lstat(2) where `follow` is False."""
        return self.tree.stat_of(self._who, self.tree.find(self._who, path, follow=follow))

    def shipped(self, path: str) -> bool:
        """True where nothing is there, or what the image has, unchanged."""
        overlay = self.tree.overlay
        try:
            node = self.tree.find(self._who, path).node
        except SysError:
            return True
        return node is None or (
            node.number < len(overlay.image.nodes)
            and node.number not in overlay.nodes
            and node.number not in overlay.entries
        )

    def listdir(self, path: str) -> list[str]:
        """Names in a directory, without "." and ".."."""
        return self.tree.listdir(self._who, path)

    def readlink(self, path: str) -> str:
        """readlink(2)."""
        spot = self.tree.find(self._who, path, follow=False)
        at = spot.node or spot.generated
        if at is None or at.mode & S_IFMT != S_IFLNK:
            raise SysError(errno.EINVAL, path)
        return at.target

    def realpath(self, path: str) -> str:
        """The absolute path without links; SysError ENOENT where nothing is there."""
        return self.tree.find(self._who, path).path

    def access(self, path: str, want: int) -> bool:
        """True where it exists and may be read (4), written (2) and executed (1), as `want` sums up."""
        try:
            spot = self.tree.find(self._who, path)
            self.tree.require(self._who, spot, want, path)
        except SysError:
            return False
        return True

    def attributes(self, path: str) -> str:
        """chattr's flags that are set."""
        spot = self.tree.find(self._who, path)
        if spot.node is None or spot.node.kind not in (S_IFREG, S_IFDIR):
            raise SysError(errno.ENOTTY, path)
        return spot.node.attrs

    # contents
    def read(self, path: str, limit: int = 16_000_000) -> bytes:
        """A file's bytes, at most `limit`; of an endless device at most 64 KiB (open it to read more)."""
        spot = self._readable(path)
        if spot.generated is not None and spot.node is None:
            return generated_bytes(spot.generated)[:limit]
        assert spot.node is not None
        kind = spot.node.kind
        if kind == S_IFCHR:
            return device_bytes(spot.node.rdev, min(limit, _DEVICE_READ), self._who)
        if kind != S_IFREG:
            raise SysError(errno.ENXIO if kind != S_IFIFO else errno.EAGAIN, path)
        content = content_of(spot.node)
        return content.read(0, min(limit, content.size))

    def content(self, path: str) -> Content:
        """A file's content without copying it; what a generated file holds now."""
        spot = self._readable(path)
        if spot.node is None:
            assert spot.generated is not None
            return BytesContent(generated_bytes(spot.generated))
        if spot.node.kind != S_IFREG:
            return BytesContent(self.read(path))
        content = content_of(spot.node)
        return content.snapshot() if isinstance(content, PagedContent) else content

    def write(
        self, path: str, data: bytes, *, mode: int = 0o644, append: bool = False, told: bool = True
    ) -> None:
        """Create or overwrite a file, or append to it; not `told`: no news of an attacker's."""
        spot = self._target(path, append=append)
        if spot.node is None and spot.generated is not None:
            self._write_generated(spot.generated, data, path)
            return
        if spot.node is not None and spot.node.kind != S_IFREG:
            self._write_special(spot.node, path)
            return
        node = self.opened_for_writing(spot, path, mode, truncate=not append)
        content = self.tree.writable_content(node, path)
        at = content.size
        self.charge(content.growth(at, len(data)), path, content, at, data)
        node.mtime = node.ctime = self._who.now()
        if told:
            self._changed(spot.path, node, False)

    def put(self, path: str, content: Content, *, mode: int = 0o644) -> None:
        """Create or overwrite a file with a content that is kept elsewhere: it costs no memory of the overlay."""
        if isinstance(content, BytesContent):
            self.write(path, content.data, mode=mode)
            return
        spot = self._target(path)
        if spot.node is not None and spot.node.kind != S_IFREG:
            self._write_special(spot.node, path)
            return
        if spot.node is None and spot.generated is not None:
            raise SysError(errno.EACCES, path)
        node = self.opened_for_writing(spot, path, mode, truncate=True)
        if isinstance(content, PagedContent):
            content = content.snapshot()
        self.tree.replace_content(node, content)
        node.mtime = node.ctime = self._who.now()
        self._changed(spot.path, node, False)

    def truncate(self, path: str, size: int) -> None:
        """truncate(2)."""
        if size < 0:
            raise SysError(errno.EINVAL, path)
        spot = self.tree.find(self._who, path)
        if spot.is_dir:
            raise SysError(errno.EISDIR, path)
        if spot.node is None or spot.node.kind != S_IFREG:
            raise SysError(errno.EINVAL, path)
        self._may_write(spot, path, append=False)
        node = self._own(spot.node, path)
        if size < node.size:
            self._changed(spot.path, node, True)
        self.tree.overlay.used += self.tree.writable_content(node, path).truncate(size)
        node.mtime = node.ctime = self._who.now()
        self._changed(spot.path, node, False)

    # changing the tree
    def mkdir(self, path: str, mode: int = 0o755) -> None:
        """mkdir(2)."""
        self.tree.mkdir(self._who, path, mode)

    def rmdir(self, path: str) -> None:
        """rmdir(2)."""
        self.tree.rmdir(self._who, path)

    def unlink(self, path: str) -> None:
        """unlink(2)."""
        spot = self.tree.find(self._who, path, follow=False)
        if spot.node is not None and spot.node.kind == S_IFREG:
            self._changed(spot.path, spot.node, True)
        self.tree.unlink(self._who, path)

    def rename(self, old: str, new: str) -> None:
        """rename(2)."""
        self.tree.walk(
            self._who, old.rstrip("/") or "/", follow=False
        )  # whose parents are wrong first is told first
        target = self.tree.walk(self._who, new.rstrip("/") or "/", follow=False)
        if target.node is not None and target.node.kind == S_IFREG:
            self._changed(target.path, target.node, True)
        self.tree.rename(self._who, old, new)

    def link(self, target: str, path: str) -> None:
        """link(2)."""
        self.tree.link(self._who, target, path)

    def symlink(self, target: str, path: str) -> None:
        """symlink(2)."""
        self.tree.symlink(self._who, target, path)

    def mknod(self, path: str, mode: int, rdev: tuple[int, int] = (0, 0)) -> None:
        """mknod(2)."""
        self.tree.mknod(self._who, path, mode, rdev)

    def chmod(self, path: str, mode: int, *, follow: bool = True) -> None:
        """chmod(2)."""
        self.tree.chmod(self._who, path, mode, follow=follow)

    def chown(self, path: str, uid: int, gid: int, *, follow: bool = True) -> None:
        """chown(2); -1 keeps a value."""
        self.tree.chown(self._who, path, uid, gid, follow=follow)

    def utime(self, path: str, atime: float, mtime: float, *, follow: bool = True) -> None:
        """utimensat(2), unix seconds."""
        self.tree.utime(self._who, path, atime, mtime, follow=follow)

    def set_attributes(self, path: str, flags: str) -> None:
        """chattr: the flags that are set from now on."""
        self.tree.set_attributes(self._who, path, flags)

    # for opening
    def opened_for_writing(
        self, spot: Spot, path: str, mode: int, *, truncate: bool, append: bool = True
    ) -> Node:
        """The regular file at `spot`, made where it is missing, in a form that may be written."""
        if spot.node is None:
            content = PagedContent()
            return self.tree.create(self._who, spot, path, S_IFREG | (mode & 0o7777), content=content)
        self._may_write(spot, path, append=append and not truncate)
        node = self._own(spot.node, path)
        if truncate and node.size:
            self._changed(spot.path, node, True)
            self.tree.replace_content(node, PagedContent())
            node.mtime = node.ctime = self._who.now()
        return node

    def charge(self, bound: int, path: str, content: PagedContent, at: int, data: bytes) -> None:
        """Write `data` at `at` if the quota bears `bound` more bytes; what it took is booked."""
        overlay = self.tree.overlay
        if not only_zeros(data):
            try:
                overlay.charge(bound)
            except SysError as problem:
                raise SysError(problem.errno, path) from None
            overlay.used -= bound
        overlay.used += content.write(at, data)

    def _readable(self, path: str) -> Spot:
        spot = self.tree.find(self._who, path)
        if spot.is_dir:
            raise SysError(errno.EISDIR, path)
        self.tree.require(self._who, spot, 4, path)
        return spot

    def _target(self, path: str, *, append: bool = False) -> Spot:
        spot = self.tree.walk(self._who, path)
        if spot.is_dir or path.endswith("/"):
            raise SysError(errno.EISDIR, path)
        if spot.exists:
            self._may_write(spot, path, append=append)
        return spot

    def _may_write(self, spot: Spot, path: str, *, append: bool) -> None:
        self.tree.require(self._who, spot, 2, path)
        if spot.node is not None and ("i" in spot.node.attrs or ("a" in spot.node.attrs and not append)):
            raise SysError(errno.EPERM, path)

    def _own(self, node: Node, path: str) -> Node:
        try:
            return self.tree.own(node)
        except SysError as problem:
            raise SysError(problem.errno, path) from None

    def _write_special(self, node: Node, path: str) -> None:
        if node.kind == S_IFCHR:
            if node.rdev == (1, 7):
                raise SysError(errno.ENOSPC, path)
            return
        raise SysError(errno.EISDIR if node.kind == S_IFDIR else errno.ENXIO, path)

    def _write_generated(self, node: GeneratedNode, data: bytes, path: str) -> None:
        if node.write is None:
            raise SysError(errno.EACCES if self._who.uid else errno.EIO, path)
        node.write(data)


def content_of(node: Node) -> Content:
    """A regular file's content."""
    if node.content is not None:
        return node.content
    return OpaqueContent(node.size_hint, node.number.to_bytes(8, "little")) if node.size_hint else EMPTY


def generated_bytes(node: GeneratedNode) -> bytes:
    """What a reader of a generated file gets now."""
    return node.data if isinstance(node.data, bytes) else node.data()


_ZEROS = bytes(65_536)


def device_bytes(rdev: tuple[int, int], length: int, who: Who) -> bytes:
    """What reading `length` bytes of a character device gives; SysError ENXIO where no such device is."""
    if rdev == (1, 3):
        return b""
    if rdev in ((1, 5), (1, 7)):
        return _ZEROS[:length] if length <= len(_ZEROS) else bytes(length)
    if rdev in ((1, 8), (1, 9)):
        return who.random_bytes(length)
    if rdev == (1, 1):
        raise SysError(errno.EPERM)
    raise SysError(errno.ENXIO)
