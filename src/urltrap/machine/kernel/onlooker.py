"""Somebody who looks at the file tree without being a process of the table: SFTP, log-in, the kernel itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from urltrap.machine.api import Connection, ProcessInfo
from urltrap.machine.kernel.mounting import table as mount_table
from urltrap.machine.kernel.streams import own_sockets
from urltrap.machine.kernel.table import row_of, table

if TYPE_CHECKING:
    from urltrap.machine.kernel.kernel import Kernel
    from urltrap.machine.persona import MountPoint, Persona
    from urltrap.machine.proc.sockets import Socket


class Onlooker:
    """A uid with a directory; see `fs.walk.Who`."""

    __slots__ = ("_kernel", "cwd", "gid", "groups", "pid", "uid", "umask")

    def __init__(self, kernel: Kernel, uid: int, *, cwd: str = "/", gid: int | None = None) -> None:
        self._kernel = kernel
        self.uid = uid
        self.gid = uid if gid is None else gid
        self.groups = [self.gid]
        self.cwd = cwd
        self.umask = 0o022
        self.pid = 1

    @property
    def persona(self) -> Persona:
        """The identity of the machine."""
        return self._kernel.persona

    @property
    def connections(self) -> Sequence[Connection]:
        """Everybody who is logged in."""
        return self._kernel.connections

    @property
    def network(self) -> list[list[str]]:
        """What was changed of the network since the start (`machine.netstate`)."""
        return self._kernel.tree.overlay.runtime.setdefault("network", [])

    @property
    def mounts(self) -> list[MountPoint]:
        """What is mounted, in the order of mounting."""
        return mount_table(self._kernel)

    @property
    def swaps(self) -> list[list[str]]:
        """What was changed of the swap areas since the start: on or off, path, kind, KiB, priority."""
        return self._kernel.tree.overlay.runtime.setdefault("swap", [])

    @property
    def boot_time(self) -> float:
        """When the machine started."""
        return self._kernel.boot_time

    @property
    def hostname(self) -> str:
        """The host name as it is now."""
        return self._kernel.hostname

    @property
    def settings(self) -> dict[str, str]:
        """What was written to /proc/sys."""
        return self._kernel.tree.overlay.settings

    @property
    def sockets(self) -> list[Socket]:
        """Sockets of what was started here."""
        return own_sockets(self._kernel)

    def now(self) -> float:
        """The machine's clock."""
        return self._kernel.clock

    def processes(self) -> list[ProcessInfo]:
        """The process table."""
        return table(self._kernel)

    def process_row(self, pid: int) -> ProcessInfo | None:
        """One row of the process table."""
        return row_of(self._kernel, pid)

    def work(self, steps: int) -> None:
        """Nobody counts his steps."""

    def earn(self, steps: int) -> None:
        """Nobody counts his steps."""

    def descriptors(self, pid: int) -> Mapping[int, str]:
        """Open descriptors of a process."""
        process = self._kernel.processes.get(pid)
        return {} if process is None else {number: file.path for number, file in process.fds.items()}

    def random_bytes(self, length: int) -> bytes:
        """What /dev/urandom gives."""
        return self._kernel.random_bytes(length)
