"""The system calls of one process: `api.Process` on the kernel."""

from __future__ import annotations

import errno
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from urltrap.machine.api import (
    O_RDONLY,
    STOPPED,
    Connection,
    Process,
    ProcessInfo,
    Run,
    Stat,
    encode,
)
from urltrap.machine.effects import Fetch, FetchReply
from urltrap.machine.errors import BudgetError, SysError
from urltrap.machine.fs.view import FileView
from urltrap.machine.kernel.executable import Executable, find_program
from urltrap.machine.kernel.files import File
from urltrap.machine.kernel.opening import open_file
from urltrap.machine.kernel.pipe import Pipe
from urltrap.machine.kernel.signals import SIGPIPE
from urltrap.machine.kernel.waiting import Park, WaitQueue
from urltrap.model.capture import FetchRequest
from urltrap.model.event import DownloadAnswered, DownloadAsked, EventBase

if TYPE_CHECKING:
    from urltrap.machine.kernel.job import KernelJob
    from urltrap.machine.kernel.kernel import Kernel
    from urltrap.machine.kernel.tty import Tty
    from urltrap.machine.persona import Persona

Blocking = Generator[Park, None, None]

_MAX_DESCRIPTORS = 1024
_MAX_ARGUMENTS = 2_097_152


def _finished() -> Blocking:
    return
    yield None


DONE: Blocking = _finished()
for _ in DONE:  # an exhausted generator costs nothing to ``yield from``: what the fast paths answer
    pass


class KernelProcess:
    """One process. Programs see it as `api.Process`; what they must not touch is below "the kernel's own"."""

    __slots__ = (
        "__weakref__",
        "actions",
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
        "outcome",
        "parent",
        "parked",
        "pending",
        "pid",
        "program_name",
        "queued",
        "run",
        "session",
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
        self.run: Run | None = None
        self.actions: dict[int, str] = {}
        self.pending: list[int] = []
        self.parked: WaitQueue | None = None
        self.wake_at: float | None = None
        self.queued = False
        self.stopped_by = 0
        self.told_stopped = False
        self.outcome: str | None = None
        self.program_name = ""
        self.cpu_steps = 0
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

    # time and chance
    def now(self) -> float:
        """Unix seconds; the same during one step."""
        return self.kernel.clock

    def random(self, below: int) -> int:
        """A number from 0 to `below` - 1."""
        return self.kernel.entropy(below)

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

    # blocking
    def read(
        self, fd: int, length: int = 65_536, *, timeout: float | None = None
    ) -> Generator[Any, Any, bytes]:
        """read(2); SysError EAGAIN where nothing came within `timeout` seconds, EINTR for a caught signal."""
        file = self.file(fd)
        if not file.can_read:
            raise SysError(errno.EBADF, file.path)
        until = None if timeout is None else self.now() + timeout
        while (data := file.try_read(self, length)) is None:
            if self.pending:
                raise SysError(errno.EINTR)
            if until is not None and self.now() >= until:
                raise SysError(errno.EAGAIN, file.path)
            yield (file.read_queue, until)
        yield from self.tick(1 + (len(data) >> 10))
        return data

    def read_all(self, fd: int, limit: int = 16_000_000) -> Generator[Any, Any, bytes]:
        """Everything until the end, at most `limit` bytes."""
        found = bytearray()
        while len(found) < limit:
            piece = yield from self.read(fd, min(65_536, limit - len(found)))
            if not piece:
                break
            found += piece
        return bytes(found)

    def write(self, fd: int, data: bytes) -> Blocking:
        """Write all of it. SIGPIPE ends the process where nobody reads, or EPIPE where it is ignored."""
        file = self.file(fd)
        if not file.can_write:
            raise SysError(errno.EBADF, file.path)
        if not data:
            return DONE
        taken = self._try_write(file, data)
        if taken == len(data):
            return self.tick(1 + (taken >> 10))
        return self._write_rest(file, data[taken:])

    def _write_rest(self, file: File, data: bytes) -> Blocking:
        while True:
            taken = self._try_write(file, data)
            if taken == len(data):
                break
            data = data[taken:]
            if self.pending:
                raise SysError(errno.EINTR)
            if not taken:
                yield (file.write_queue, None)
        yield from self.tick(1 + (len(data) >> 10))

    def _try_write(self, file: File, data: bytes) -> int:
        try:
            return file.try_write(self, data)
        except SysError as problem:
            if problem.errno == errno.EPIPE:
                self.kernel.signal(self, SIGPIPE)
            raise

    def out(self, text: str) -> Blocking:
        """Text to standard output."""
        return self.write(1, encode(text))

    def err(self, text: str) -> Blocking:
        """Text to standard error."""
        return self.write(2, encode(text))

    def sleep(self, seconds: float) -> Blocking:
        """Wait; SysError EINTR for a caught signal."""
        until = self.now() + seconds
        while self.now() < until:
            if self.pending:
                raise SysError(errno.EINTR)
            yield (None, until)

    def fetch(self, request: FetchRequest) -> Generator[Any, Any, FetchReply]:
        """Ask the fetcher, and tell the journal of question and answer."""
        job = self.job
        self.fact(
            DownloadAsked, url=request.url, client=request.client, argv=[encode(each) for each in self.argv]
        )
        number, queue = job.ask()
        job.effects.append(Fetch(number, request))
        while (reply := job.replies.pop(number, None)) is None:
            yield (queue, None)
        capture = reply.capture
        self.fact(
            DownloadAnswered, url=request.url, outcome=capture.outcome, status=capture.status, sha256=capture.sha256,
            size=capture.size,
        )  # fmt: skip
        return reply

    def tick(self, steps: int = 1) -> Blocking:
        """Count work; give the turn away where it is used up."""
        job = self.job
        job.turn -= steps
        return DONE if job.turn > 0 else self._turn()

    def _turn(self) -> Blocking:
        yield None

    def hold(self, amount: int) -> None:
        """Tell of memory that the program holds (negative: gave back); BudgetError where it is too much."""
        self.held += amount
        self.job.held += amount
        if amount > 0 and self.job.held > self.job.limits.memory_bytes:
            raise BudgetError("memory_bytes", self.job.limits.memory_bytes)

    # processes
    def spawn(
        self,
        argv: Sequence[str],
        *,
        path: str | None = None,
        env: Mapping[str, str] | None = None,
        fds: Mapping[int, int] | None = None,
        cwd: str | None = None,
        uid: int | None = None,
        new_group: bool = False,
    ) -> int:
        """Start a program as a child; see `api.Process.spawn`."""
        variables = dict(self.env if env is None else env)
        found = self._find(argv, path, variables)
        files: dict[int, File] = {number: self.fds[number] for number in (0, 1, 2) if number in self.fds}
        for number, own in (fds or {}).items():
            files[number] = self.file(own)
        child = self._child(found.argv, files, new_group=new_group)
        child.env = variables
        child.actions = {number: action for number, action in self.actions.items() if action == "ignore"}
        if uid is not None:
            child.uid = uid
            child.gid, child.groups = self.kernel.accounts.groups_of(uid)
        if cwd is not None:
            child.cwd = cwd
        found.enter(child)
        self.kernel.start(child, found.program(child))
        return child.pid

    def fork(self, run: Callable[[Process], Run], *, comm: str | None = None, new_group: bool = False) -> int:
        """Start a child that runs `run` with copies of this process's state."""
        child = self._child(list(self.argv), self.fds, new_group=new_group)
        child.env = dict(self.env)
        child.actions = dict(self.actions)
        child.comm = comm or self.comm
        child.exe = self.exe
        child.program_name = self.program_name
        self.kernel.start(child, run(child))
        return child.pid

    def exec(
        self, argv: Sequence[str], *, path: str | None = None, env: Mapping[str, str] | None = None
    ) -> Run:
        """Become another program; never comes back. SysError as execve(2), before anything changed."""
        variables = dict(self.env if env is None else env)
        found = self._find(argv, path, variables)
        self.kernel.replace(self, found, variables)
        yield None
        raise AssertionError("a replaced program went on")  # the scheduler closed this generator

    def wait(
        self, pid: int | None = None, *, block: bool = True
    ) -> Generator[Any, Any, tuple[int, int] | None]:
        """waitpid(2); see `api.Process.wait`."""
        while True:
            mine = self.children.values() if pid is None else filter(None, [self.children.get(pid)])
            children = list(mine)
            if not children:
                raise SysError(errno.ECHILD)
            for child in children:
                if child.state == "Z":
                    self.kernel.reap(child)
                    return child.pid, child.status
                if child.state == "T" and not child.told_stopped:
                    child.told_stopped = True
                    return child.pid, STOPPED + child.stopped_by
            if not block:
                return None
            if self.pending:
                raise SysError(errno.EINTR)
            yield (self.child_ended, None)

    def kill(self, pid: int, signal: int) -> None:
        """kill(2)."""
        self.kernel.kill(self, pid, signal)

    def trap_signal(self, signal: int, action: str | None) -> None:
        """What a signal does from now on: "ignore", "catch", or "default" (None)."""
        if action is None or action == "default":
            self.actions.pop(signal, None)
        elif action in ("ignore", "catch"):
            self.actions[signal] = action
        else:
            raise SysError(errno.EINVAL)

    def pending_signals(self) -> list[int]:
        """The caught signals since the last call, in order."""
        found, self.pending = self.pending, []
        return found

    def processes(self) -> list[ProcessInfo]:
        """The process table, by pid."""
        return self.kernel.table()

    def descriptors(self, pid: int) -> Mapping[int, str]:
        """Open descriptors of a process: number to what it is."""
        other = self.kernel.processes.get(pid)
        return {} if other is None else {number: file.path for number, file in sorted(other.fds.items())}

    def set_foreground(self, group: int) -> None:
        """tcsetpgrp(3)."""
        if self.terminal is None:
            raise SysError(errno.ENOTTY)
        self.terminal.foreground = group

    def new_session(self) -> None:
        """setsid(2)."""
        self.session = self.group = self.pid
        self.terminal = None

    # telling the outside
    def fact(self, event: type[EventBase], **fields: Any) -> None:
        """Something to journal."""
        self.job.fact(event, fields)

    # the kernel's own
    def ready(self) -> None:
        """Let it run again."""
        self.wake_at = None
        if not self.queued and self.run is not None and self.state != "T":
            self.state = "R"
            self.queued = True
            self.job.enqueue(self)

    def _find(self, argv: Sequence[str], path: str | None, env: Mapping[str, str]) -> Executable:
        if sum(map(len, argv)) + sum(len(name) + len(value) for name, value in env.items()) > _MAX_ARGUMENTS:
            raise SysError(errno.E2BIG, argv[0] if argv else "")
        return find_program(self, list(argv), path)

    def _child(self, argv: list[str], files: Mapping[int, File], *, new_group: bool) -> KernelProcess:
        kernel = self.kernel
        kernel.require_room(self)
        child = KernelProcess(kernel, self.job, kernel.next_pid(), argv)
        child.cwd, child.umask = self.cwd, self.umask
        child.uid, child.gid, child.groups = self.uid, self.gid, list(self.groups)
        child.session, child.terminal = self.session, self.terminal
        child.group = child.pid if new_group else self.group
        child.parent = self
        self.children[child.pid] = child
        child.fds = dict(files)
        for file in files.values():
            file.references += 1
        return child

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
