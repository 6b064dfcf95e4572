"""The immutable base image: built once, kept as one blob of bytes, shared by every machine of a process."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping
from typing import Any

from urltrap.machine.api import S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG
from urltrap.machine.effects import BytesContent, Content
from urltrap.machine.fs.content import OpaqueContent, Pack, PackedContent
from urltrap.machine.fs.node import Node
from urltrap.machine.fs.program import ProgramContent

_MAGIC = b"URLTRAP-IMAGE-1\n"


class ImageError(ValueError):
    """The image cannot be built or read: says what is wrong with which path."""


class Image:
    """The tree that every machine starts from. Nodes by number, 0 is the root. Nothing changes it."""

    __slots__ = ("_by_size", "_structure", "answers", "nodes", "parsed", "usages")

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes
        self._by_size: dict[int, list[ProgramContent]] | None = None
        self._structure = ""
        self.answers: Mapping[str, list[Any]] = {}  # what its programs say of themselves (programs._answers)
        self.usages: Mapping[str, str] = {}  # what BusyBox says of its applets (programs.busybox.usages)
        self.parsed: dict[
            str, tuple[Content, list[list[str]]]
        ] = {}  # rows of /etc/passwd and its kin, read once

    @property
    def structure(self) -> str:
        """A digest of all names and their places: an overlay is only of use over the image that it was made over."""
        if not self._structure:
            digest = hashlib.sha256()
            for node in self.nodes:
                digest.update(b"%d\n" % (node.mode & S_IFMT))
                for name, number in (node.children or {}).items():
                    digest.update(name.encode("utf-8", "surrogateescape") + b"\0%d\0" % number)
            self._structure = digest.hexdigest()[:16]
        return self._structure

    def find(self, path: str) -> Node | None:
        """The node at an absolute path, following no links; None where there is none."""
        node = self.nodes[0]
        for name in path.split("/"):
            if not name:
                continue
            number = (node.children or {}).get(name)
            if number is None:
                return None
            node = self.nodes[number]
        return node

    def program_like(self, content: Content) -> ProgramContent | None:
        """The program of the image whose bytes these are; None where they are something else."""
        if self._by_size is None:
            self._by_size = {}
            for node in self.nodes:
                if isinstance(node.content, ProgramContent):
                    self._by_size.setdefault(node.content.size, []).append(node.content)
        half = content.size // 2
        for program in self._by_size.get(content.size, ()):
            if program.read(0, 256) == content.read(0, 256) and program.read(half, 256) == content.read(
                half, 256
            ):
                return program
        return None

    def dumps(self) -> bytes:
        """The image as one blob: a magic line, the length of the packed tree, the tree, the packed files."""
        files = bytearray()
        rows: list[list[Any]] = []
        for node in self.nodes:
            row: list[Any] = [node.mode, node.uid, node.gid, node.mtime]
            kind = node.mode & S_IFMT
            if kind == S_IFDIR:
                row.append(node.children or {})
                row.append(node.size_hint)
            elif kind == S_IFLNK:
                row.append(node.target)
            elif kind in (S_IFCHR, S_IFBLK):
                row.append(node.rdev)
            elif kind == S_IFREG:
                row.append(_dump_content(node, files))
            rows.append(row)
        tree = zlib.compress(json.dumps(rows, separators=(",", ":")).encode(), 9)
        return _MAGIC + len(tree).to_bytes(8, "little") + tree + bytes(files)

    @staticmethod
    def loads(data: bytes, *, seed: bytes = b"") -> Image:
        """Read what `dumps` made. `seed` is mixed into the bytes of generated files, so that installations differ.

        ImageError where it is not an image or damaged.
        """
        start = len(_MAGIC) + 8
        if not data.startswith(_MAGIC):
            raise ImageError("this is not a machine image of this version: build it again")
        try:
            length = int.from_bytes(data[len(_MAGIC) : start], "little")
            rows = json.loads(zlib.decompress(data[start : start + length]))
            pack = Pack(data[start + length :])
            nodes = [_load_node(number, row, pack, seed) for number, row in enumerate(rows)]
        except (zlib.error, ValueError, IndexError, KeyError, TypeError) as problem:
            raise ImageError(f"the machine image is damaged ({problem}): build it again") from problem
        _count_links(nodes)
        return Image(nodes)


def _dump_content(node: Node, files: bytearray) -> list[Any]:
    content = node.content
    if content is None:
        return ["n", node.size_hint]
    if isinstance(content, ProgramContent):
        seed = base64.b85encode(content.seed).decode()
        return ["p", content.program, content.size, seed, content.arch, int(content.static)]
    if isinstance(content, OpaqueContent):
        return ["o", content.size, base64.b85encode(content.seed).decode()]
    at = len(files)
    if isinstance(content, PackedContent):
        files += content.pack.packed(content.offset, content.packed)
    else:
        files += zlib.compress(content.read(0, content.size), 9)
    return ["f", at, len(files) - at, content.size]


def _load_node(number: int, row: list[Any], pack: Pack, seed: bytes) -> Node:
    mode, uid, gid, mtime = row[:4]
    node = Node(number, mode, uid, gid, mtime)
    kind = mode & S_IFMT
    if kind == S_IFDIR:
        node.children = row[4]
        node.size_hint = row[5]
    elif kind == S_IFLNK:
        node.target = row[4]
    elif kind in (S_IFCHR, S_IFBLK):
        node.rdev = (row[4][0], row[4][1])
    elif kind == S_IFREG:
        what, *rest = row[4]
        if what == "n":
            node.size_hint = rest[0]
        elif what == "p":
            node.content = ProgramContent(
                rest[0], rest[1], seed + base64.b85decode(rest[2]), rest[3], bool(rest[4])
            )
        elif what == "o":
            node.content = OpaqueContent(rest[0], seed + base64.b85decode(rest[1]))
        else:
            node.content = PackedContent(pack, rest[0], rest[1], rest[2])
    return node


def _count_links(nodes: list[Node]) -> None:
    for node in nodes:
        if node.kind != S_IFDIR:
            node.nlink = 0
    for node in nodes:
        for number in (node.children or {}).values():
            child = nodes[number]
            if child.kind == S_IFDIR:
                node.nlink += 1
            else:
                child.nlink += 1


class ImageBuilder:
    """Builds an image. Parents are made as needed (0755, root); adding a path twice is an ImageError."""

    def __init__(self, mtime: float = 0.0) -> None:
        self._mtime = mtime
        self._nodes = [Node(0, S_IFDIR | 0o755, 0, 0, mtime, children={})]
        self._implied: set[int] = {0}

    def add_dir(
        self, path: str, mode: int = 0o755, *, uid: int = 0, gid: int = 0, mtime: float | None = None
    ) -> None:
        """A directory; one that was made for a child earlier gets these values."""
        known = self._find(path)
        if known is not None and known.number in self._implied:
            self._implied.discard(known.number)
            known.mode, known.uid, known.gid = S_IFDIR | mode, uid, gid
            known.mtime = known.atime = known.ctime = self._mtime if mtime is None else mtime
            return
        self._add(path, Node(0, S_IFDIR | mode, uid, gid, self._time(mtime), children={}))

    def add_file(
        self,
        path: str,
        content: Content | bytes | None,
        mode: int = 0o644,
        *,
        uid: int = 0,
        gid: int = 0,
        mtime: float | None = None,
        size: int = 0,
    ) -> None:
        """A regular file; `content` None where only its `size` is known (it reads as opaque bytes)."""
        if isinstance(content, bytes):
            content = BytesContent(content)
        if content is None and size:
            content = OpaqueContent(size, path.encode("utf-8", "surrogateescape"))
        self._add(path, Node(0, S_IFREG | mode, uid, gid, self._time(mtime), content=content))

    def add_link(
        self, path: str, target: str, *, uid: int = 0, gid: int = 0, mtime: float | None = None
    ) -> None:
        """A symbolic link."""
        self._add(path, Node(0, S_IFLNK | 0o777, uid, gid, self._time(mtime), target=target))

    def add_hardlink(self, path: str, existing: str) -> None:
        """Another name of a file that was added before."""
        node = self._find(existing)
        if node is None or node.kind == S_IFDIR:
            raise ImageError(f"{path}: {existing} is no file that was added before")
        self._enter(path, node.number)

    def add_device(
        self,
        path: str,
        kind: int,
        rdev: tuple[int, int],
        mode: int = 0o666,
        *,
        gid: int = 0,
        mtime: float | None = None,
    ) -> None:
        """A device node: `kind` S_IFCHR or S_IFBLK, `rdev` (major, minor)."""
        if kind not in (S_IFCHR, S_IFBLK, S_IFIFO):
            raise ImageError(f"{path}: a device is S_IFCHR, S_IFBLK or S_IFIFO")
        self._add(path, Node(0, kind | mode, 0, gid, self._time(mtime), rdev=rdev))

    def add_standard_devices(self) -> None:
        """What every /dev has; /dev/pts is an empty directory for the kernel's own mount."""
        for name, rdev, mode, gid in (
            ("null", (1, 3), 0o666, 0), ("zero", (1, 5), 0o666, 0), ("full", (1, 7), 0o666, 0),
            ("random", (1, 8), 0o666, 0), ("urandom", (1, 9), 0o666, 0), ("tty", (5, 0), 0o666, 5),
            ("ptmx", (5, 2), 0o666, 5), ("console", (5, 1), 0o600, 0), ("kmsg", (1, 11), 0o644, 0),
            ("mem", (1, 1), 0o640, 15),
        ):  # fmt: skip
            self.add_device(f"/dev/{name}", S_IFCHR, rdev, mode, gid=gid)
        for name, target in (
            ("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"),
            ("stderr", "/proc/self/fd/2"), ("core", "/proc/kcore"),
        ):  # fmt: skip
            self.add_link(f"/dev/{name}", target)
        self.add_dir("/dev/pts")
        self.add_dir("/dev/shm", 0o1777)

    def freeze(self) -> Image:
        """The image. The builder is used up."""
        nodes, self._nodes = self._nodes, []
        _count_links(nodes)
        return Image(nodes)

    def _time(self, mtime: float | None) -> float:
        return self._mtime if mtime is None else mtime

    def _find(self, path: str) -> Node | None:
        return Image(self._nodes).find(path)

    def _add(self, path: str, node: Node) -> None:
        node.number = len(self._nodes)
        self._enter(path, node.number, node)

    def _enter(self, path: str, number: int, node: Node | None = None) -> None:
        names = [name for name in path.split("/") if name]
        if not path.startswith("/") or not names or "." in names or ".." in names:
            raise ImageError(f"{path!r} is no absolute path of a new file")
        at = 0
        for depth, name in enumerate(names[:-1]):
            parent = self._nodes[at].children
            if parent is None:
                raise ImageError(f"{path}: /{'/'.join(names[:depth])} is no directory")
            if name not in parent:
                implied = Node(len(self._nodes), S_IFDIR | 0o755, 0, 0, self._mtime, children={})
                self._nodes.append(implied)
                self._implied.add(implied.number)
                parent[name] = implied.number
            at = parent[name]
        children = self._nodes[at].children
        if children is None or names[-1] in children:
            raise ImageError(f"{path}: exists already, or its parent is no directory")
        if node is not None:
            node.number = number = len(self._nodes)
            self._nodes.append(node)
        children[names[-1]] = number
