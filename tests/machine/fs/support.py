"""A tree and somebody who looks at it, without a kernel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from urltrap.machine.api import Connection, ProcessInfo
from urltrap.machine.effects import BytesContent, Content
from urltrap.machine.fs.image import Image, ImageBuilder
from urltrap.machine.fs.mounts import Mount
from urltrap.machine.fs.node import Node
from urltrap.machine.fs.overlay import Overlay
from urltrap.machine.fs.tree import Tree, Volume
from urltrap.machine.fs.view import FileView

NOW = 1_790_000_000.0


class Somebody:
    """A `Who` with a settable clock."""

    def __init__(self, uid: int = 0, gid: int | None = None, cwd: str = "/") -> None:
        self.uid = uid
        self.gid = uid if gid is None else gid
        self.groups = [self.gid]
        self.umask = 0o022
        self.cwd = cwd
        self.pid = 4_242
        self.clock = NOW
        self.persona: Any = None
        self.connections: list[Connection] = []
        self.boot_time = NOW - 1_000
        self.settings: dict[str, str] = {}
        self.network: list[list[str]] = []
        self.swaps: list[list[str]] = []
        self.mounts: list[Any] = []
        self.sockets: list[Any] = []

    def now(self) -> float:
        return self.clock

    def process_row(self, pid: int) -> ProcessInfo | None:
        return next((row for row in self.processes() if row.pid == pid), None)

    def work(self, steps: int) -> None:
        pass

    def earn(self, steps: int) -> None:
        pass

    def processes(self) -> list[ProcessInfo]:
        return []

    def descriptors(self, pid: int) -> Mapping[int, str]:
        return {0: "/dev/null"}

    def random_bytes(self, length: int) -> bytes:
        return b"r" * length


def small_image() -> Image:
    builder = ImageBuilder(mtime=1_000_000_000.0)
    builder.add_standard_devices()
    builder.add_file("/etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n", 0o644)
    builder.add_file("/etc/shadow", b"secret\n", 0o640, gid=42)
    builder.add_link("/etc/alias", "passwd")
    builder.add_link("/lib", "/usr/lib")
    builder.add_link("/loop", "/loop")
    builder.add_dir("/usr/lib")
    builder.add_file("/usr/lib/libc.so", b"library", 0o755)
    builder.add_dir("/tmp", 0o1777)
    builder.add_dir("/run/lock")
    builder.add_dir("/ro")
    builder.add_file("/ro/file", b"fixed")
    builder.add_dir("/proc")
    builder.add_dir("/root", 0o700)
    builder.add_dir("/home/mia", uid=1000, gid=1000)
    builder.add_hardlink("/usr/lib/libc.so.6", "/usr/lib/libc.so")
    return builder.freeze()


IMAGE = small_image()
VOLUMES = {"/": Volume(1), "/run": Volume(2), "/dev/shm": Volume(3), "/ro": Volume(4, read_only=True)}


class Desk:
    """A view for root and one for mia over one overlay, and what was told to have changed."""

    def __init__(
        self, overlay: Overlay | None = None, mounts: Mapping[str, Mount] | None = None, **limits: int
    ) -> None:
        self.overlay = overlay or Overlay(IMAGE, **limits)
        self.tree = Tree(IMAGE, self.overlay, mounts or {}, VOLUMES)
        self.root_user = Somebody()
        self.mia_user = Somebody(1000, cwd="/home/mia")
        self.told: list[tuple[str, bool]] = []
        self.root = FileView(self.tree, self.root_user, self.changed)
        self.mia = FileView(self.tree, self.mia_user, self.changed)

    def changed(self, path: str, node: Node, lost: bool) -> None:
        self.told.append((path, lost))

    def again(self) -> Desk:
        """The same after a visit: saved and loaded."""
        data = self.overlay.dumps(NOW)
        return Desk(Overlay.loads(data, IMAGE, lambda sha256, size: None))


def kept(data: bytes) -> Content:
    return BytesContent(data)
