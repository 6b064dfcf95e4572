"""Generated trees (/proc, /sys, /dev/pts): what one offers, and what it may see of the process that looks.

A mount holds no state of a machine: everything comes through the `ProcessView`, so one object serves all machines.
The machine is given ``{"/proc": mount, "/sys": mount}``; /dev/pts is the kernel's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from urltrap.machine.api import Connection, ProcessInfo

if TYPE_CHECKING:
    from urltrap.machine.persona import MountPoint, Persona
    from urltrap.machine.proc.sockets import Socket


class ProcessView(Protocol):
    """The process that looks at a generated tree, and what it can see of its machine."""

    pid: int
    uid: int
    gid: int
    cwd: str

    @property
    def persona(self) -> Persona: ...
    @property
    def connections(self) -> Sequence[Connection]: ...
    @property
    def boot_time(self) -> float: ...
    @property
    def settings(self) -> dict[str, str]:
        """What was written to /proc/sys since the start, by path below it."""
        ...

    @property
    def network(self) -> list[list[str]]:
        """What was changed of the network since the start."""
        ...

    @property
    def mounts(self) -> list[MountPoint]:
        """What is mounted, in the order of mounting."""
        ...

    @property
    def swaps(self) -> list[list[str]]:
        """What was changed of the swap areas since the start."""
        ...

    @property
    def sockets(self) -> list[Socket]:
        """Sockets of what was started here, listening or connected."""
        ...

    def now(self) -> float: ...
    def processes(self) -> list[ProcessInfo]: ...
    def process_row(self, pid: int) -> ProcessInfo | None: ...
    def descriptors(self, pid: int) -> Mapping[int, str]:
        """Open descriptors of a process as /proc/PID/fd shows them: number to "/path", "pipe:[N]", "/dev/pts/0"."""
        ...


@dataclass(frozen=True, slots=True)
class GeneratedNode:
    """One node of a generated tree.

    `mode` with type bits. Files: `data` is what a reader gets, or a function that makes it when the file is opened;
    the size that stat shows is `size` (0, as in /proc). Links: `target`; `fd` where following the link means the
    looking process's own descriptor of that number (/proc/self/fd/N), and `target` is what readlink shows.
    `write` takes what was written to the file (None: EACCES for others, EIO as the kernel's read-only files for root).
    """

    mode: int
    data: bytes | Callable[[], bytes] = b""
    target: str = ""
    uid: int = 0
    gid: int = 0
    size: int = 0
    mtime: float | None = None
    rdev: tuple[int, int] = (0, 0)
    nlink: int = 1
    inode: int = 0
    fd: int | None = None
    write: Callable[[bytes], None] | None = None


class Mount(Protocol):
    """A generated tree. `parts` are the names below the mount point, () the mount point itself."""

    @property
    def device(self) -> int:
        """st_dev of everything in it."""
        ...

    @property
    def refusal(self) -> int:
        """The errno for whoever wants to make a file in it: ENOENT in /proc, EACCES elsewhere."""
        ...

    def lookup(self, parts: tuple[str, ...], viewer: ProcessView) -> GeneratedNode | None:
        """The node, not following it where it is a link; None where there is none. May raise SysError (EACCES)."""
        ...

    def listdir(self, parts: tuple[str, ...], viewer: ProcessView) -> list[str]:
        """Names in a directory that `lookup` gave, in the order of readdir."""
        ...
