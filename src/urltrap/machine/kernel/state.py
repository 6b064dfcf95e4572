"""What a process has, and its system calls that cannot block: identity, time, files."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from urltrap.machine.api import O_RDONLY, Connection, FileSystem, ProcessInfo, Run, Stat, encode
from urltrap.machine.errors import SysError
from urltrap.machine.fs.view import FileView
from urltrap.machine.kernel import mounting
from urltrap.machine.kernel.files import File
from urltrap.machine.kernel.mounting import table as mount_table
from urltrap.machine.kernel.onlooker import Onlooker
from urltrap.machine.kernel.opening import open_file
from urltrap.machine.kernel.pace import TURN
from urltrap.machine.kernel.pipe import Pipe
from urltrap.machine.kernel.socket import HttpSocket, LocalSocket
from urltrap.machine.kernel.streams import StreamSocket, bind, connection, listener_at, own_sockets
from urltrap.machine.kernel.table import row_of, table
from urltrap.machine.kernel.waiting import WaitQueue
from urltrap.machine.reach import is_own, resolve4
from urltrap.model.event import EventBase

if TYPE_CHECKING:
    from urltrap.machine.kernel.job import KernelJob
    from urltrap.machine.kernel.kernel import Kernel
    from urltrap.machine.kernel.process import KernelProcess
    from urltrap.machine.kernel.tty import Tty
    from urltrap.machine.persona import MountPoint, Persona
    from urltrap.machine.power import PowerPlan
    from urltrap.machine.proc.sockets import Socket
    from urltrap.machine.reach import Heard
    from urltrap.machine.units import UnitRun

_MAX_DESCRIPTORS = 1024


class ProcessState:
    """What a process has, and the calls that cannot block. `KernelProcess` adds those that can."""

    __slots__ = (
        "__weakref__",
        "actions",
        "advanced",
        "argv",
        "child_ended",
        "children",
        "comm",
        "cpu_steps",
        "cwd",
        "env",
        "exe",
        "fds",
        "fs",
        "gid",
        "group",
        "groups",
        "held",
        "job",
        "kernel",
        "killed_by",
        "outcome",
        "parent",
        "parked",
        "pending",
        "pid",
        "program_name",
        "queued",
        "run",
        "session",
        "set_uid",
        "started",
        "state",
        "status",
        "stopped_by",
        "terminal",
        "told_stopped",
        "uid",
        "umask",
        "wake_at",
    )  # fmt: skip

    def __init__(self, kernel: Kernel, job: KernelJob, pid: int, argv: list[str]) -> None:
        self.kernel = kernel
        self.job = job
        self.pid = pid
        self.argv = argv
        self.comm = (argv[0] if argv else "").rpartition("/")[2][:15]
        self.env: dict[str, str] = {}
        self.cwd = "/"
        self.uid = 0
        self.gid = 0
        self.groups: list[int] = []
        self.umask = 0o022
        self.fds: dict[int, File] = {}
        self.fs = FileView(kernel.tree, self, job.changed)
        self.exe = ""
        self.group = pid
        self.session = pid
        self.terminal: Tty | None = None
        self.parent: KernelProcess | None = None
        self.children: dict[int, KernelProcess] = {}
        self.child_ended = WaitQueue()
        self.started = kernel.clock
        self.state = "R"
        self.status = 0
        self.killed_by = 0
        self.run: Run | None = None
        self.actions: dict[int, str] = {}
        self.pending: list[int] = []
        self.parked: WaitQueue | None = None
        self.wake_at: float | None = None
        self.queued = False
        self.stopped_by = 0
        self.told_stopped = False
        self.outcome: str | None = None
        self.set_uid = False
        self.program_name = ""
        self.cpu_steps = 0
        self.advanced = 0
        self.held = 0

    # who and where
    @property
    def ppid(self) -> int:
        """The parent's pid; 1 for orphans."""
        if self.parent is not None:
            return self.parent.pid
        return self.job.parent_pid if self is self.job.leader else 1

    @property
    def persona(self) -> Persona:
        """The identity of the machine."""
        return self.kernel.persona

    @property
    def connections(self) -> Sequence[Connection]:
        """Everybody who is logged in."""
        return self.kernel.connections

    @property
    def connection(self) -> Connection:
        """The attacker's own connection."""
        return self.job.connection

    @property
    def grown(self) -> int:
        """Bytes that the file system holds more than when the machine was installed."""
        return self.kernel.tree.overlay.grown()

    @property
    def settings(self) -> dict[str, str]:
        """What was written to /proc/sys since the start."""
        return self.kernel.tree.overlay.settings

    @property
    def network(self) -> list[list[str]]:
        """What was changed of the network since the start (`machine.netstate`)."""
        return self.kernel.tree.overlay.runtime.setdefault("network", [])

    @property
    def mounts(self) -> list[MountPoint]:
        """What is mounted, in the order of mounting."""
        return mount_table(self.kernel)

    @property
    def swaps(self) -> list[list[str]]:
        """What was changed of the swap areas since the start: on or off, path, kind, KiB, priority."""
        return self.kernel.tree.overlay.runtime.setdefault("swap", [])

    @property
    def logged(self) -> list[list[str]]:
        """What programs told syslog since the start: when, who, the text, the priority."""
        return self.kernel.tree.overlay.runtime.setdefault("journal", [])

    @property
    def boot_time(self) -> float:
        """When the machine started, unix seconds."""
        return self.kernel.boot_time

    @property
    def user(self) -> str:
        """The name of the uid, or its number."""
        return self.kernel.accounts.name_of(self.uid)

    @property
    def hostname(self) -> str:
        """The host name as it is now (`sethostname` changes it)."""
        return self.kernel.hostname

    def sethostname(self, name: str) -> None:
        """sethostname(2); only root."""
        if self.uid != 0:
            raise SysError(errno.EPERM, name)
        self.kernel.hostname = name
        self.kernel.tree.overlay.runtime["hostname"] = [[name]]

    def crypt(self, password: bytes, setting: str) -> str | None:
        """crypt(3)."""
        return self.kernel.passwords.hash(password, setting)

    def password_opens(self, user: str, password: str) -> bool:
        """Whether this is the user's password."""
        return self.kernel.passwords.opens(user, encode(password))

    @property
    def owner_fs(self) -> FileSystem:
        """The file tree with the rights of the program's owner where its file is set-uid."""
        if not self.set_uid:
            return self.fs
        return FileView(self.kernel.tree, Onlooker(self.kernel, 0, cwd=self.cwd), self.job.changed)

    @property
    def power(self) -> PowerPlan | None:
        """What is planned: reboot, power-off, halt."""
        return self.kernel.tree.overlay.power

    def set_power(self, plan: PowerPlan | None) -> None:
        """Plan to go down, or take it back."""
        self.kernel.tree.overlay.power = plan

    @property
    def units(self) -> dict[str, UnitRun]:
        """What systemd knows of units that somebody started or stopped."""
        return self.kernel.tree.overlay.units

    def watch(self, pid: int, tell: Callable[[int], None]) -> None:
        """Let init know how a process ends: `tell` gets its status (128 + signal)."""
        self.kernel.watchers[pid] = tell

    @property
    def heard(self) -> dict[str, Heard]:
        """What the fetcher's answers told of hosts, by name and address."""
        return self.kernel.heard

    # time and chance
    def now(self) -> float:
        """Unix seconds; the same during one step."""
        return self.kernel.clock

    def slowed(self) -> float:
        """Seconds in which this session had work to do: its processes were on a processor."""
        return self.job.pace.slowed

    def random(self, below: int) -> int:
        """A number from 0 to `below` - 1."""
        return self.kernel.entropy(below)

    def work(self, steps: int) -> None:
        """Count steps of a call that cannot block; the turn ends at the next `tick`."""
        self.job.turn -= steps

    def earn(self, steps: int) -> None:
        """The work came to something: it does not count towards the burst (`kernel.pace`)."""
        self.job.pace.earn(steps)

    def advance(self, *, begins: bool = False) -> None:
        """A loop that has an end came nearer to it: its steps since the last call, or since it begins, were work."""
        used = self.cpu_steps + TURN - self.job.turn
        if not begins:
            self.job.pace.advance(used - self.advanced)
        self.advanced = used

    def process_row(self, pid: int) -> ProcessInfo | None:
        """One row of the process table."""
        return row_of(self.kernel, pid)

    def random_bytes(self, length: int) -> bytes:
        """What /dev/urandom gives."""
        return self.kernel.random_bytes(length)

    # files
    def file(self, fd: int) -> File:
        """What is behind a descriptor; SysError EBADF."""
        found = self.fds.get(fd)
        if found is None:
            raise SysError(errno.EBADF)
        return found

    def open(self, path: str, flags: int = O_RDONLY, mode: int = 0o666) -> int:
        """open(2): the lowest free descriptor. Opening a FIFO never blocks; reading and writing it does."""
        return self._install(open_file(self, path, flags, mode))

    def connect(self, host: str, port: int) -> int:
        """A descriptor that speaks with the machine's own service where it is one of its ports, else HTTP/1 with `host`
        through the fetcher; anything else meets a closed connection."""
        address = resolve4(self, host)
        inode = self.kernel.next_inode()
        own = bool(address) and is_own(self, address)
        taker = listener_at(self.kernel, address, port) if own else None
        if taker is not None:
            return self._install(connection(self.kernel, taker, address))
        return self._install(LocalSocket(port, inode, self.now()) if own else HttpSocket(host, port, inode))

    def listen(self, protocol: str, address: str, port: int, backlog: int = 128) -> int:
        """A descriptor that waits at a port (0: any); SysError EACCES, EADDRINUSE, EADDRNOTAVAIL as bind(2)."""
        return self._install(bind(self, protocol, address, port, backlog))

    def shut(self, fd: int) -> None:
        """shutdown(2): the other end reads to the end; SysError ENOTCONN where there is none."""
        file = self.file(fd)
        if not isinstance(file, StreamSocket):
            raise SysError(errno.ENOTCONN)
        file.shut(self)

    def peer(self, fd: int) -> tuple[str, int]:
        """getpeername(2)."""
        file = self.file(fd)
        if not isinstance(file, StreamSocket):
            raise SysError(errno.ENOTCONN)
        return file.remote

    @property
    def sockets(self) -> list[Socket]:
        """Sockets of what was started here."""
        return own_sockets(self.kernel)

    def mount(
        self, source: str, path: str, fstype: str, options: str, size_kb: int = 0, mode: int = 0o1777
    ) -> None:
        """mount(2) of a memory file system, or of another place (fstype "bind")."""
        mounting.mount(self, source, path, fstype, options, size_kb, mode)

    def unmount(self, point: str, *, lazily: bool = False) -> None:
        """umount(2)."""
        mounting.unmount(self, point, lazily=lazily)

    def remount(self, point: str, options: str) -> None:
        """mount(2) with other options."""
        mounting.change_options(self, point, options)

    def close(self, fd: int) -> None:
        """close(2)."""
        file = self.fds.pop(fd, None)
        if file is None:
            raise SysError(errno.EBADF)
        self._release(file)

    def dup2(self, old: int, new: int) -> None:
        """dup2(2)."""
        file = self.file(old)
        if old == new:
            return
        if not 0 <= new < _MAX_DESCRIPTORS:
            raise SysError(errno.EBADF)
        before = self.fds.get(new)
        file.references += 1
        self.fds[new] = file
        if before is not None:
            self._release(before)

    def pipe(self) -> tuple[int, int]:
        """pipe(2): (reading, writing) descriptor."""
        reader, writer = Pipe(self.kernel.next_inode()).ends()
        return self._install(reader), self._install(writer)

    def chdir(self, path: str) -> None:
        """chdir(2)."""
        tree = self.kernel.tree
        spot = tree.find(self, path)
        if not spot.is_dir:
            raise SysError(errno.ENOTDIR, path)
        tree.require(self, spot, 1, path)
        self.cwd = spot.path

    def is_tty(self, fd: int) -> bool:
        """isatty(3)."""
        file = self.fds.get(fd)
        return file is not None and file.is_tty

    def tty(self, fd: int) -> Tty:
        """The terminal behind a descriptor; SysError ENOTTY."""
        terminal = self.file(fd).terminal
        if terminal is None:
            raise SysError(errno.ENOTTY)
        return terminal

    def window(self) -> tuple[int, int]:
        """(columns, rows) of the controlling terminal; (80, 24) without one."""
        return (self.terminal.columns, self.terminal.rows) if self.terminal is not None else (80, 24)

    def seek(self, fd: int, offset: int, whence: int = 0) -> int:
        """lseek(2)."""
        return self.file(fd).seek(offset, whence)

    def fstat(self, fd: int) -> Stat:
        """fstat(2)."""
        return self.file(fd).stat()

    def recorded_usage(self, applet: str) -> str | None:
        """BusyBox's usage of an applet."""
        return self.kernel.tree.image.usages.get(applet)

    def recorded_answer(self, name: str, word: str) -> list[Any] | None:
        """What the real program said when it was called so."""
        return self.kernel.tree.image.answers.get(f"{name}\0{word}")

    def unwritten(self) -> None:
        """Nobody wrote this part of the program yet."""
        self.outcome = "not-implemented"

    def mute_programs(self, muted: bool) -> None:
        """Journal no programs of this job (True), or those from now on: what the system itself does at a log-in."""
        self.job.muted = muted

    def fact(self, event: type[EventBase], **fields: Any) -> None:
        """Something to journal."""
        self.job.fact(event, fields)

    def processes(self) -> list[ProcessInfo]:
        """The process table, by pid."""
        return table(self.kernel)

    def descriptors(self, pid: int) -> Mapping[int, str]:
        """Open descriptors of a process: number to what it is."""
        other = self.kernel.processes.get(pid)
        return {} if other is None else {number: file.path for number, file in sorted(other.fds.items())}

    def _install(self, file: File) -> int:
        fd = 0
        while fd in self.fds:
            fd += 1
        if fd >= _MAX_DESCRIPTORS:
            if not file.references:
                file.released(self)
            raise SysError(errno.EMFILE, file.path)
        self.fds[fd] = file
        file.references += 1
        return fd

    def _release(self, file: File) -> None:
        file.references -= 1
        if file.references <= 0:
            file.released(self)
