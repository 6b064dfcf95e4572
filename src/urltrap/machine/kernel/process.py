"""The system calls of one process that block or make others: with `state`, `api.Process` on the kernel."""

from __future__ import annotations

import errno
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

from urltrap.machine.api import STOPPED, Process, Run, encode
from urltrap.machine.effects import Fetch, FetchReply
from urltrap.machine.errors import BudgetError, SysError
from urltrap.machine.kernel.executable import Executable, find_program
from urltrap.machine.kernel.files import File, SinkFile
from urltrap.machine.kernel.signalling import kill
from urltrap.machine.kernel.signals import SIGPIPE
from urltrap.machine.kernel.state import ProcessState
from urltrap.machine.kernel.streams import ListenSocket
from urltrap.machine.kernel.waiting import Park
from urltrap.model.capture import FetchRequest
from urltrap.model.event import DownloadAnswered, DownloadAsked

Blocking = Generator[Park, None, None]

_MAX_ARGUMENTS = 2_097_152
_FORK, _EXEC = 200, 150
"""What starting a process costs, in steps (of about a microsecond)."""
_STARTED = _FORK + _EXEC
"""What a started program earns: a script that starts programs is at work, a process that only forks is not."""
_BYTES_PER_STEP_BITS = 13
"""Reading and writing cost a step, and one for each 8 KiB."""
_PIECE = 65_536


def _finished() -> Blocking:
    return
    yield None


DONE: Blocking = _finished()
for _ in DONE:  # an exhausted generator costs nothing to ``yield from``: what the fast paths answer
    pass


class KernelProcess(ProcessState):
    """One process, as the scheduler runs it."""

    __slots__ = ()

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
            bound = file.deadline
            yield (file.read_queue, bound if until is None else until if bound is None else min(bound, until))
        self.job.pace.earn(len(data))
        yield from self.tick(1 + (len(data) >> _BYTES_PER_STEP_BITS))
        return data

    def accept(self, fd: int, *, timeout: float | None = None) -> Generator[Any, Any, int]:
        """accept(2): a descriptor of the next client's connection; SysError EAGAIN after `timeout` seconds without."""
        file = self.file(fd)
        if not isinstance(file, ListenSocket):
            raise SysError(errno.EINVAL, file.path)
        until = None if timeout is None else self.now() + timeout
        while not file.waiting:
            if self.pending:
                raise SysError(errno.EINTR)
            if until is not None and self.now() >= until:
                raise SysError(errno.EAGAIN, file.path)
            yield (file.read_queue, until)
        yield from self.tick(10)
        return self._install(file.waiting.popleft())

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
        if taken >= len(data):
            return self.tick(1 + (taken >> _BYTES_PER_STEP_BITS))
        return self._write_rest(file, data, taken)

    def _write_rest(self, file: File, data: bytes, at: int) -> Blocking:
        # What is at most PIPE_BUF goes whole or not at all: only longer data was taken in part, and may be cut.
        while at < len(data):
            if self.pending:
                raise SysError(errno.EINTR)
            taken = self._try_write(file, data[at : at + _PIECE])
            at += taken
            if not taken:
                yield (file.write_queue, None)
            else:
                yield from self.tick(1 + (taken >> _BYTES_PER_STEP_BITS))

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

    def fetch(self, request: FetchRequest, *, output: str = "") -> Generator[Any, Any, FetchReply]:
        """Ask the fetcher, and tell the journal of question and answer."""
        job = self.job
        argv = [encode(each) for each in self.argv]
        self.fact(DownloadAsked, url=request.url, client=request.client, argv=argv, output=encode(output))
        number, queue = job.ask()
        job.effects.append(Fetch(number, request))
        try:
            while (reply := job.replies.pop(number, None)) is None:
                yield (queue, None)
        finally:
            job.forget(number)  # also where the process is killed meanwhile: the answer is for nobody then
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
        self.work(_EXEC)
        self.earn(_STARTED)
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
        self.job.turn -= _FORK
        self.kernel.start(child, run(child))
        return child.pid

    def exec(
        self, argv: Sequence[str], *, path: str | None = None, env: Mapping[str, str] | None = None
    ) -> Run:
        """Become another program; never comes back. SysError as execve(2), before anything changed."""
        variables = dict(self.env if env is None else env)
        found = self._find(argv, path, variables)
        self.work(_EXEC)
        self.earn(_STARTED)
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
        kill(self.kernel, self, pid, signal)

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

    def set_foreground(self, group: int) -> None:
        """tcsetpgrp(3)."""
        if self.terminal is None:
            raise SysError(errno.ENOTTY)
        self.terminal.foreground = group

    def set_user(self, uid: int) -> None:
        """setuid(2) with the user's groups."""
        self.uid = uid
        self.gid, self.groups = self.kernel.accounts.groups_of(uid)

    def sink(self, take: Callable[[bytes], None]) -> int:
        """A descriptor whose writes are handed to `take`."""
        return self._install(SinkFile(self.kernel.next_inode(), take))

    def new_session(self) -> None:
        """setsid(2)."""
        self.session = self.group = self.pid
        self.terminal = None

    def _find(self, argv: Sequence[str], path: str | None, env: Mapping[str, str]) -> Executable:
        if sum(map(len, argv)) + sum(map(len, env)) + sum(map(len, env.values())) > _MAX_ARGUMENTS:
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

    def ready(self) -> None:
        """Let it run again."""
        self.wake_at = None
        if not self.queued and self.run is not None and self.state != "T":
            self.state = "R"
            self.queued = True
            self.job.enqueue(self)
