"""Changing the tree: what the system calls on paths do, with Linux' errors."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass

from urltrap.machine.api import S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, Stat
from urltrap.machine.effects import Content
from urltrap.machine.errors import SysError
from urltrap.machine.fs.content import PagedContent
from urltrap.machine.fs.image import Image
from urltrap.machine.fs.mounts import Mount
from urltrap.machine.fs.node import Node
from urltrap.machine.fs.overlay import GONE, Overlay
from urltrap.machine.fs.walk import Spot, Walker, Who, generated_stat, may


@dataclass(frozen=True, slots=True)
class Volume:
    """A mounted file system with stored files: `device` is its st_dev; nothing is renamed or linked across two."""

    device: int
    read_only: bool = False
    no_exec: bool = False


class Tree(Walker):
    """The file tree of one machine. `volumes` by mount point ("/" must be there)."""

    __slots__ = ("_deep", "volumes")

    def __init__(
        self,
        image: Image,
        overlay: Overlay,
        mounts: Mapping[str, Mount],
        volumes: Mapping[str, Volume],
    ) -> None:
        super().__init__(image, overlay, mounts)
        self.volumes = volumes
        self._deep = sorted((point for point in volumes if point != "/"), key=len, reverse=True)

    def cover(self, covers: dict[str, int], volumes: Mapping[str, Volume]) -> None:
        """What is mounted has changed: by path, the number of the node that is seen there instead."""
        self._covers, self.volumes = covers, volumes
        self._folders.clear()
        self._deep = sorted((point for point in volumes if point != "/"), key=len, reverse=True)

    # looking
    def volume(self, path: str) -> Volume:
        """The volume that an absolute path is on."""
        for point in self._deep:
            if path.startswith(point) and (len(path) == len(point) or path[len(point)] == "/"):
                return self.volumes[point]
        return self.volumes["/"]

    def find(self, who: Who, path: str, *, follow: bool = True) -> Spot:
        """Where a path leads; SysError ENOENT where nothing is there."""
        spot = self.walk(who, path, follow=follow)
        if not spot.exists:
            raise SysError(errno.ENOENT, path)
        return spot

    def stat_of(self, who: Who, spot: Spot) -> Stat:
        """What stat(2) answers for what is there."""
        if spot.node is None:
            return generated_stat(spot, who)
        return spot.node.stat(self.volume(spot.path).device)

    def listdir(self, who: Who, path: str) -> list[str]:
        """Names in a directory, without "." and ".."."""
        spot = self.find(who, path)
        if not spot.is_dir:
            raise SysError(errno.ENOTDIR, path)
        self.require(who, spot, 4, path)
        if spot.node is not None:
            return self.names(spot.node)
        assert spot.mount is not None
        return spot.mount.listdir(spot.parts, who)

    def require(self, who: Who, spot: Spot, want: int, path: str) -> None:
        """SysError EACCES unless `who` may do `want` with what is there; EROFS for writing where nobody may."""
        at = spot.node or spot.generated
        assert at is not None
        if want & 2 and spot.node is not None and spot.node.kind in (S_IFREG, S_IFDIR):
            self._writable(spot, path)
        if not may(who, at.mode, at.uid, at.gid, want):
            raise SysError(errno.EACCES, path)

    # making
    def create(self, who: Who, spot: Spot, path: str, mode: int, **fields: object) -> Node:
        """A new node where nothing is. `mode` with type bits, the umask is applied to all but links."""
        parent = self._enterable(who, spot, path)
        now = who.now()
        if mode & S_IFMT != S_IFLNK:
            mode &= ~who.umask
        inherits = bool(parent.mode & 0o2000)
        if inherits and mode & S_IFMT == S_IFDIR:
            mode |= 0o2000
        node = Node(self.overlay.new_number(), mode, who.uid, parent.gid if inherits else who.gid, now)
        for name, value in fields.items():
            setattr(node, name, value)
        self._adopt(node, path)
        self._enter(parent, spot.name, node, now, path)
        if mode & S_IFMT == S_IFDIR:
            self.own(parent).nlink += 1
        return node

    def mkdir(self, who: Who, path: str, mode: int) -> None:
        """mkdir(2)."""
        spot = self.walk(who, path.rstrip("/") or "/", follow=False)
        if spot.mount is not None and not spot.exists and spot.mount.refusal == errno.EACCES:
            raise SysError(errno.EPERM, path)
        self.create(who, spot, path, S_IFDIR | (mode & 0o1777))

    def symlink(self, who: Who, target: str, path: str) -> None:
        """symlink(2)."""
        if not target:
            raise SysError(errno.ENOENT, path)
        self.create(who, self.walk(who, path, follow=False), path, S_IFLNK | 0o777, target=target)

    def mknod(self, who: Who, path: str, mode: int, rdev: tuple[int, int]) -> None:
        """mknod(2); devices only for root."""
        kind = mode & S_IFMT or S_IFREG
        if who.uid != 0 and kind not in (S_IFREG, 0o010000, 0o140000):
            raise SysError(errno.EPERM, path)
        if kind in (S_IFDIR, S_IFLNK):
            raise SysError(errno.EINVAL, path)
        spot = self.walk(who, path, follow=False)
        content = PagedContent() if kind == S_IFREG else None
        self.create(who, spot, path, kind | (mode & 0o7777), rdev=rdev, content=content)

    def link(self, who: Who, target: str, path: str) -> None:
        """link(2): another name of a file."""
        source = self.find(who, target, follow=False)
        spot = self.walk(who, path, follow=False)
        parent = self._enterable(who, spot, path)
        if source.node is None or self.volume(source.path) is not self.volume(spot.path):
            raise SysError(errno.EXDEV, path)
        if source.node.kind == S_IFDIR or source.node.attrs:
            raise SysError(errno.EPERM, path)
        node = self._owned(source.node, path)
        now = who.now()
        self._enter(parent, spot.name, node, now, path)
        node.nlink += 1
        node.ctime = now

    # removing
    def unlink(self, who: Who, path: str) -> Node:
        """unlink(2); answers what was there."""
        spot = self.find(who, path, follow=False)
        parent = self._removable(who, spot, path)
        assert spot.node is not None
        if spot.node.kind == S_IFDIR:
            raise SysError(errno.EISDIR, path)
        self._drop(parent, spot.name, spot.node, who.now(), path)
        return spot.node

    def rmdir(self, who: Who, path: str) -> None:
        """rmdir(2)."""
        if path.rstrip("/").rpartition("/")[2] == ".":
            raise SysError(errno.EINVAL, path)
        spot = self.find(who, path.rstrip("/") or "/", follow=False)
        if not spot.is_dir:
            raise SysError(errno.ENOTDIR, path)
        if not spot.names or self._is_point(spot):
            raise SysError(errno.EBUSY, path)
        parent = self._removable(who, spot, path)
        assert spot.node is not None
        if self.names(spot.node):
            raise SysError(errno.ENOTEMPTY, path)
        self._drop(parent, spot.name, spot.node, who.now(), path)

    def rename(self, who: Who, old: str, new: str) -> None:
        """rename(2), replacing what is at `new`."""
        source = self.walk(who, old.rstrip("/") or "/", follow=False)
        target = self.walk(who, new.rstrip("/") or "/", follow=False)
        if not source.exists:
            raise SysError(errno.ENOENT, old)
        if not source.names or self._is_point(source) or (target.exists and self._is_point(target)):
            raise SysError(errno.EBUSY, old)
        if source.mount is not target.mount or self.volume(source.path) is not self.volume(target.path):
            raise SysError(errno.EXDEV, new)
        source_parent = self._removable(who, source, old)
        assert source.node is not None
        node = source.node
        if target.node is node:
            return
        if node.kind == S_IFDIR and target.names[: len(source.names)] == source.names:
            raise SysError(errno.EINVAL, new)
        if not target.exists and new.endswith("/") and node.kind != S_IFDIR:
            raise SysError(errno.ENOTDIR, new)
        now = who.now()
        if target.node is not None:
            self._removable(who, target, new)
            self._replaceable(node, target.node, new)
        target_parent = self._enterable(who, target, new, replacing=True)
        self._owned(source_parent, old)
        node = self._owned(node, old)
        self._owned(target_parent, new)
        if target.node is not None:
            self._drop(target_parent, target.name, target.node, now, new)
        self._enter(target_parent, target.name, node, now, new)
        self._hide(source_parent, source.name, now, old)
        node.ctime = now
        if node.kind == S_IFDIR:
            self.own(source_parent).nlink -= 1
            self.own(target_parent).nlink += 1

    # changing
    def chmod(self, who: Who, path: str, mode: int, *, follow: bool) -> None:
        """chmod(2)."""
        node = self._changeable(who, path, follow=follow)
        if who.uid not in (0, node.uid):
            raise SysError(errno.EPERM, path)
        if node.kind == S_IFLNK:
            raise SysError(errno.EOPNOTSUPP, path)
        node = self._owned(node, path)
        node.mode = node.kind | (mode & 0o7777)
        node.ctime = who.now()

    def chown(self, who: Who, path: str, uid: int, gid: int, *, follow: bool) -> None:
        """chown(2); -1 keeps a value."""
        node = self._changeable(who, path, follow=follow)
        uid = node.uid if uid == -1 else uid
        gid = node.gid if gid == -1 else gid
        own_group = gid == node.gid or gid == who.gid or gid in who.groups
        if who.uid != 0 and not (who.uid == node.uid == uid and own_group):
            raise SysError(errno.EPERM, path)
        node = self._owned(node, path)
        node.uid, node.gid = uid, gid
        if node.kind == S_IFREG and (who.uid != 0 or node.mode & 0o111):
            node.mode &= ~0o6000
        node.ctime = who.now()

    def utime(self, who: Who, path: str, atime: float, mtime: float, *, follow: bool) -> None:
        """utimensat(2)."""
        node = self._changeable(who, path, follow=follow)
        if who.uid not in (0, node.uid) and not may(who, node.mode, node.uid, node.gid, 2):
            raise SysError(errno.EACCES, path)
        node = self._owned(node, path)
        node.atime, node.mtime, node.ctime = atime, mtime, who.now()

    def set_attributes(self, who: Who, path: str, flags: str) -> None:
        """What chattr does; only root sets "i" and "a"."""
        spot = self.find(who, path)
        if spot.node is None or spot.node.kind not in (S_IFREG, S_IFDIR):
            raise SysError(errno.ENOTTY, path)
        self._writable(spot, path)
        if who.uid != 0 and (set("ia") & (set(flags) ^ set(spot.node.attrs)) or who.uid != spot.node.uid):
            raise SysError(errno.EPERM, path)
        self._owned(spot.node, path).attrs = flags

    def writable_content(self, node: Node, path: str) -> PagedContent:
        """The content of a file (of this overlay) in a form that can be written; copies it at the first time."""
        content = node.content
        if isinstance(content, PagedContent):
            return content
        mine = PagedContent()
        if content is not None:
            self._charge(content.size, path)
            self.overlay.used -= content.size
            mine = PagedContent(content.read(0, content.size))
            self.overlay.used += mine.memory
        node.content = mine
        return mine

    def replace_content(self, node: Node, content: Content | None) -> None:
        """Give a file (of this overlay) another content; the memory of the old one is given back."""
        if isinstance(node.content, PagedContent):
            self.overlay.used -= node.content.memory
        node.content = content
        if isinstance(content, PagedContent):
            self.overlay.used += content.memory

    # the pieces
    def _is_point(self, spot: Spot) -> bool:
        return (
            (spot.mount is not None and not spot.parts)
            or spot.path in self.volumes
            or spot.path in self._covers
        )

    def _writable(self, spot: Spot, path: str) -> None:
        if self.volume(spot.path).read_only:
            raise SysError(errno.EROFS, path)

    def _enterable(self, who: Who, spot: Spot, path: str, *, replacing: bool = False) -> Node:
        """The directory in which a new name may be made."""
        if spot.exists and not replacing:
            raise SysError(errno.EEXIST, path)
        if spot.mount is not None:
            raise SysError(spot.mount.refusal, path)
        if spot.parent is None:
            raise SysError(errno.ENOENT, path)
        self._writable(spot, path)
        parent = spot.parent
        if not may(who, parent.mode, parent.uid, parent.gid, 3):
            raise SysError(errno.EACCES, path)
        if "i" in parent.attrs:
            raise SysError(errno.EPERM, path)
        return parent

    def _removable(self, who: Who, spot: Spot, path: str) -> Node:
        """The directory from which a name may be removed."""
        if spot.mount is not None or spot.parent is None or spot.node is None:
            raise SysError(errno.EPERM if who.uid == 0 else errno.EACCES, path)
        self._writable(spot, path)
        parent, node = spot.parent, spot.node
        if not may(who, parent.mode, parent.uid, parent.gid, 3):
            raise SysError(errno.EACCES, path)
        if parent.mode & 0o1000 and who.uid not in (0, parent.uid, node.uid):
            raise SysError(errno.EPERM, path)
        if set("ia") & set(node.attrs) or set("ia") & set(parent.attrs):
            raise SysError(errno.EPERM, path)
        return parent

    def _replaceable(self, node: Node, there: Node, path: str) -> None:
        if there.kind == S_IFDIR:
            if node.kind != S_IFDIR:
                raise SysError(errno.EISDIR, path)
            if self.names(there):
                raise SysError(errno.ENOTEMPTY, path)
        elif node.kind == S_IFDIR:
            raise SysError(errno.ENOTDIR, path)

    def _changeable(self, who: Who, path: str, *, follow: bool) -> Node:
        spot = self.find(who, path, follow=follow)
        if spot.node is None:
            raise SysError(errno.EPERM, path)
        self._writable(spot, path)
        if set("ia") & set(spot.node.attrs):
            raise SysError(errno.EPERM, path)
        return spot.node

    def _owned(self, node: Node, path: str) -> Node:
        try:
            return self.own(node)
        except SysError as problem:
            raise SysError(problem.errno, path) from None

    def _adopt(self, node: Node, path: str) -> None:
        try:
            self.overlay.adopt(node)
        except SysError as problem:
            raise SysError(problem.errno, path) from None

    def _charge(self, amount: int, path: str) -> None:
        try:
            self.overlay.charge(amount)
        except SysError as problem:
            raise SysError(problem.errno, path) from None

    def _enter(self, parent: Node, name: str, node: Node, now: float, path: str) -> None:
        owner = self._owned(parent, path)
        names = self.overlay.entries.setdefault(parent.number, {})
        names.pop(name, None)
        names[name] = node.number
        owner.mtime = owner.ctime = now

    def _hide(self, parent: Node, name: str, now: float, path: str) -> None:
        owner = self._owned(parent, path)
        names = self.overlay.entries.setdefault(parent.number, {})
        names.pop(name, None)
        if parent.number < len(self.image.nodes):
            base = self.image.nodes[parent.number].children or {}
            if name in base:
                names[name] = GONE
        owner.mtime = owner.ctime = now

    def _drop(self, parent: Node, name: str, node: Node, now: float, path: str) -> None:
        node = self._owned(node, path)
        self._hide(parent, name, now, path)
        node.ctime = now
        if node.kind == S_IFDIR:
            node.nlink = 0
            self.own(parent).nlink -= 1
        else:
            node.nlink -= 1
        if node.nlink <= 0:
            # An image's file needs no memory once it is hidden; one that is still open lives on through its users.
            self.overlay.forget(node)
