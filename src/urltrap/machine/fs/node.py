"""One node of the file tree."""

from __future__ import annotations

from urltrap.machine.api import S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, Stat
from urltrap.machine.effects import Content


class Node:
    """A file, directory, link or device. `number` is its place in the image or overlay, the key of everything.

    Nodes of an image are shared by all machines and never changed; an overlay changes copies (`copy`).
    `attrs` are chattr's flags. `children` (names to numbers) only for directories of an image: what an overlay adds
    or hides is kept beside, see `Overlay.entries`.
    """

    __slots__ = (
        "atime", "attrs", "children", "content", "ctime", "gid", "mode", "mtime", "nlink", "number", "rdev",
        "size_hint", "target", "uid",
    )  # fmt: skip

    def __init__(
        self,
        number: int,
        mode: int,
        uid: int,
        gid: int,
        mtime: float,
        *,
        content: Content | None = None,
        size_hint: int = 0,
        target: str = "",
        rdev: tuple[int, int] = (0, 0),
        children: dict[str, int] | None = None,
    ) -> None:
        self.number = number
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.mtime = mtime
        self.atime = mtime
        self.ctime = mtime
        self.content = content
        self.size_hint = size_hint
        self.target = target
        self.rdev = rdev
        self.children = children
        self.nlink = 2 if mode & S_IFMT == S_IFDIR else 1
        self.attrs = ""

    @property
    def kind(self) -> int:
        """The type bits of the mode."""
        return self.mode & S_IFMT

    @property
    def size(self) -> int:
        """What stat shows: a file's length, a link's target's, 4096 or more for a directory."""
        kind = self.mode & S_IFMT
        if kind == S_IFREG:
            return self.size_hint if self.content is None else self.content.size
        if kind == S_IFLNK:
            return len(self.target.encode("utf-8", "surrogateescape"))
        return self.size_hint or 4096 if kind == S_IFDIR else 0

    def copy(self) -> Node:
        """A copy that an overlay may change (without `children`: they stay where they are)."""
        twin = Node.__new__(Node)
        for name in Node.__slots__:
            setattr(twin, name, getattr(self, name))
        twin.children = None
        return twin

    def stat(self, device: int) -> Stat:
        """What stat(2) answers."""
        size = self.size
        kind = self.mode & S_IFMT
        blocks = -(-size // 4096) * 8 if kind in (S_IFREG, S_IFDIR) else 0
        return Stat(
            self.mode, size, self.uid, self.gid, self.mtime, self.atime, self.ctime,
            shown_inode(self.number), self.nlink, self.rdev, blocks, device,
        )  # fmt: skip


def shown_inode(number: int) -> int:
    """The inode number that a node shows: 2 for the root as on ext4, then from the first free ones on."""
    return 2 if number == 0 else 131_072 + number
