"""What one attacker changed: nodes and directory entries over the image, within quotas, and as bytes between visits."""

from __future__ import annotations

import base64
import errno
import json
import zlib
from collections.abc import Callable
from typing import Any

from urltrap.machine.api import S_IFDIR, S_IFMT, S_IFREG, ProcessInfo
from urltrap.machine.effects import Content
from urltrap.machine.errors import SysError
from urltrap.machine.fs.content import OpaqueContent, PagedContent, StoredContent
from urltrap.machine.fs.image import Image
from urltrap.machine.fs.node import Node
from urltrap.machine.fs.program import ProgramContent
from urltrap.machine.left import dump_left, load_left
from urltrap.machine.power import PowerPlan
from urltrap.machine.units import UnitRun, dump_units, load_units

GONE = -1
_BLOCK = 4096
"""In `Overlay.entries`: the name of the image is hidden."""

_MAGIC = b"URLTRAP-OVERLAY-1\n"
_NODE_COST = 200


class OverlayError(ValueError):
    """A kept overlay cannot be read."""


class Overlay:
    """The changes over an image.

    `nodes`: changed or new nodes by number; `entries`: for directories whose names changed, name to number or `GONE`.
    `max_bytes` bounds the memory of contents and nodes, `max_nodes` their number; `used` is what is taken now.
    `refused` counts how often a quota said no (the kernel tells it once). `power` is what he planned with
    ``shutdown`` and the like, `boot_time` when the machine was last started by that (None: not by him), `units` what
    systemd knows of the units that he started and stopped, `left` the processes that go on without him (`left.py`),
    `settings` what he wrote to /proc/sys, `runtime` what else of the kernel he changed until the next start
    (``network``, ``mounts``, ``swap``, ``hostname``), as rows of words.
    """

    __slots__ = (
        "boot_time",
        "entries",
        "image",
        "left",
        "max_bytes",
        "max_nodes",
        "next_number",
        "nodes",
        "power",
        "refused",
        "runtime",
        "saved_at",
        "settings",
        "units",
        "used",
    )

    def __init__(self, image: Image, *, max_bytes: int = 32_000_000, max_nodes: int = 20_000) -> None:
        self.image = image
        self.nodes: dict[int, Node] = {}
        self.entries: dict[int, dict[str, int]] = {}
        self.next_number = len(image.nodes)
        self.max_bytes = max_bytes
        self.max_nodes = max_nodes
        self.used = 0
        self.refused = 0
        self.saved_at: float | None = None
        self.boot_time: float | None = None
        self.power: PowerPlan | None = None
        self.units: dict[str, UnitRun] = {}
        self.left: dict[int, ProcessInfo] = {}
        self.settings: dict[str, str] = {}
        self.runtime: dict[str, list[list[str]]] = {}

    @property
    def changed(self) -> bool:
        """True where there is something to keep."""
        return bool(
            self.nodes
            or self.entries
            or self.boot_time
            or self.power
            or self.units
            or self.left
            or self.settings
            or self.runtime
        )

    def grown(self) -> int:
        """Bytes that files take more (or less) than in the image, as statfs(2) would count them."""
        total = 0
        shipped = self.image.nodes
        for node in self.nodes.values():
            if node.mode & S_IFMT != S_IFREG:
                continue
            before = shipped[node.number].content if node.number < len(shipped) else None
            for content, sign in ((node.content if node.nlink > 0 else None, 1), (before, -1)):
                total += sign * -(-getattr(content, "size", 0) // _BLOCK) * _BLOCK
        return total

    def charge(self, amount: int) -> None:
        """Take `amount` bytes of the quota (negative: give back); SysError ENOSPC where it is used up."""
        if amount > 0 and self.used + amount > self.max_bytes:
            self.refused += 1
            raise SysError(errno.ENOSPC)
        self.used += amount

    def adopt(self, node: Node) -> None:
        """Enter a new or copied node; SysError ENOSPC where there are too many."""
        if len(self.nodes) >= self.max_nodes:
            self.refused += 1
            raise SysError(errno.ENOSPC)
        self.charge(_NODE_COST)
        self.nodes[node.number] = node

    def new_number(self) -> int:
        """A number that no node had."""
        self.next_number += 1
        return self.next_number - 1

    def forget(self, node: Node) -> None:
        """A node without names and users: its memory is given back."""
        if self.nodes.pop(node.number, None) is not None:
            self.used -= _NODE_COST
            if isinstance(node.content, PagedContent):
                self.used -= node.content.memory
        self.entries.pop(node.number, None)

    def revert(self, number: int) -> None:
        """Undo all changes to a directory of the image and below it: names that were added are gone, as after a
        start that makes the directory anew."""
        shared = len(self.image.nodes)
        due = [number]
        while due:
            at = due.pop()
            names = self.entries.pop(at, {})
            for child in names.values():
                node = self.nodes.get(child) if child >= shared else None
                if node is None:
                    continue
                node.nlink = 0 if node.mode & S_IFMT == S_IFDIR else node.nlink - 1
                if node.nlink <= 0:
                    due.append(child)
            if at < shared:
                due += (self.image.nodes[at].children or {}).values()
            own = self.nodes.get(at)
            if own is not None:
                self.forget(own)

    def dumps(self, now: float) -> bytes:
        """The overlay as bytes, for keeping between visits; `now` (unix seconds) is kept with it as `saved_at`."""
        blobs = bytearray()
        rows = []
        for node in self.nodes.values():
            if node.nlink <= 0:
                continue
            kind = node.mode & S_IFMT
            rows.append(
                [
                    node.number, node.mode, node.uid, node.gid, node.mtime, node.atime, node.ctime, node.nlink,
                    node.target, list(node.rdev), node.attrs,
                    self._dump(node, blobs) if kind == S_IFREG else None,
                ]
            )  # fmt: skip
        meta = json.dumps(
            {
                "at": now,
                "next": self.next_number,
                "over": self.image.structure,
                "nodes": rows,
                "entries": list(self.entries.items()),
                "boot": self.boot_time,
                "power": self.power and [self.power.kind, self.power.at, self.power.back],
                "units": dump_units(self.units),
                "left": dump_left(self.left),
                "settings": self.settings,
                "runtime": {name: rows for name, rows in self.runtime.items() if rows},
            },
            separators=(",", ":"),
        ).encode()
        return _MAGIC + zlib.compress(len(meta).to_bytes(8, "little") + meta + bytes(blobs), 6)

    def _dump(self, node: Node, blobs: bytearray) -> list[Any]:
        nodes = self.image.nodes
        if node.number < len(nodes) and nodes[node.number].content is node.content:
            return ["i"]
        return _dump(node, blobs)

    @staticmethod
    def loads(
        data: bytes,
        image: Image,
        resolve: Callable[[str, int], Content | None],
        *,
        max_bytes: int = 32_000_000,
        max_nodes: int = 20_000,
    ) -> Overlay:
        """Read what `dumps` made over the same image. `resolve` (SHA-256, size) finds contents kept outside; where it
        answers None the file keeps its size and reads as opaque bytes. OverlayError where it is damaged or of another
        image: begin with a new one.
        """
        if not data.startswith(_MAGIC):
            raise OverlayError("this is no kept overlay of this version: begin with a new one")
        overlay = Overlay(image, max_bytes=max_bytes, max_nodes=max_nodes)
        try:
            plain = zlib.decompress(data[len(_MAGIC) :])
            split = 8 + int.from_bytes(plain[:8], "little")
            meta = json.loads(plain[8:split])
            blobs = memoryview(plain)[split:]
            for row in meta["nodes"]:
                node = Node(
                    row[0], row[1], row[2], row[3], row[4], target=row[8], rdev=(row[9][0], row[9][1])
                )
                node.atime, node.ctime, node.nlink, node.attrs = row[5], row[6], row[7], row[10]
                if row[11] is not None:
                    _load(node, row[11], blobs, image, resolve)
                overlay.nodes[node.number] = node
                overlay.used += _NODE_COST
                if isinstance(node.content, PagedContent):
                    overlay.used += node.content.memory
            for number, names in meta["entries"]:
                overlay.entries[int(number)] = names
            overlay.next_number = max(len(image.nodes), int(meta["next"]))
            overlay.saved_at = float(meta["at"])
            boot, power = meta.get("boot"), meta.get("power")
            overlay.boot_time = None if boot is None else float(boot)
            overlay.power = PowerPlan(power[0], float(power[1]), float(power[2])) if power else None
            overlay.units = load_units(meta.get("units", {}))
            overlay.left = load_left(meta.get("left", []))
            overlay.settings = {str(path): str(value) for path, value in meta.get("settings", {}).items()}
            overlay.runtime = {
                str(name): [[str(word) for word in row] for row in rows]
                for name, rows in meta.get("runtime", {}).items()
            }
            over = meta["over"]
        except (zlib.error, ValueError, KeyError, IndexError, TypeError) as problem:
            raise OverlayError(f"the kept overlay is damaged ({problem}): begin with a new one") from problem
        if over != image.structure:
            raise OverlayError("the kept overlay was made over another image: begin with a new one")
        return overlay


def _dump(node: Node, blobs: bytearray) -> list[Any]:
    content = node.content
    sha256 = getattr(content, "sha256", None)
    if content is None:
        return ["n", node.size_hint]
    if isinstance(sha256, str):
        return ["s", sha256, content.size]
    if isinstance(content, ProgramContent):
        seed = base64.b85encode(content.seed).decode()
        return ["p", content.program, content.size, seed, content.arch, int(content.static)]
    if isinstance(content, OpaqueContent):
        return ["o", content.size, base64.b85encode(content.seed).decode()]
    if isinstance(content, PagedContent):
        pages = []
        for number, page in content.pages.items():
            pages.append([number, len(blobs), len(page)])
            blobs += page
        return ["w", content.size, pages]
    at = len(blobs)
    blobs += content.read(0, content.size)
    return ["w", content.size, [[-1, at, len(blobs) - at]]]


def _load(
    node: Node, row: list[Any], blobs: memoryview, image: Image, resolve: Callable[[str, int], Content | None]
) -> None:
    what, *rest = row
    if what == "i":
        node.content, node.size_hint = image.nodes[node.number].content, image.nodes[node.number].size_hint
    elif what == "n":
        node.size_hint = rest[0]
    elif what == "s":
        found = resolve(rest[0], rest[1])
        if found is not None and not hasattr(found, "sha256"):
            found = StoredContent(rest[0], rest[1], found.read)
        node.content = found or OpaqueContent(rest[1], bytes.fromhex(rest[0]))
    elif what == "p":
        node.content = ProgramContent(rest[0], rest[1], base64.b85decode(rest[2]), rest[3], bool(rest[4]))
    elif what == "o":
        node.content = OpaqueContent(rest[0], base64.b85decode(rest[1]))
    elif rest[1] and rest[1][0][0] == -1:
        at, length = rest[1][0][1:]
        node.content = PagedContent(bytes(blobs[at : at + length]))
    else:
        content = PagedContent()
        content.pages = {number: bytearray(blobs[at : at + length]) for number, at, length in rest[1]}
        content.size = rest[0]
        node.content = content
