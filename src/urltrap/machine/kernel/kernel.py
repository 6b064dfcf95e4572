"""The kernel of one machine: its processes, signals between them, and the turns that a job's processes get."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from urltrap.machine.api import Connection, ProcessInfo, Run
from urltrap.machine.effects import ProgramCrashed
from urltrap.machine.errors import BudgetError, SysError
from urltrap.machine.fs.node import Node
from urltrap.machine.fs.tree import Tree
from urltrap.machine.fs.view import FileView
from urltrap.machine.kernel.accounts import Accounts
from urltrap.machine.kernel.executable import Executable
from urltrap.machine.kernel.files import ACCESS, File
from urltrap.machine.kernel.mounting import remount
from urltrap.machine.kernel.onlooker import Onlooker
from urltrap.machine.kernel.pace import TURN
from urltrap.machine.kernel.passwords import Crypt, Passwords
from urltrap.machine.kernel.pipe import Fifo
from urltrap.machine.kernel.process import KernelProcess
from urltrap.machine.kernel.signals import (
    IGNORED_BY_DEFAULT,
    SIGCONT,
    SIGHUP,
    SIGKILL,
    SIGSEGV,
    SIGSTOP,
    STOPPING,
    ProcessKilled,
)
from urltrap.model.event import ProgramRun

if TYPE_CHECKING:
    from urltrap.machine.kernel.state import ProcessState
    from urltrap.machine.kernel.tty import Tty
    from urltrap.machine.persona import Persona
    from urltrap.machine.reach import Heard

_RUN_AS = {
    "x86_64": ("x86-64", "i386"), "aarch64": ("aarch64", "arm"), "armv7l": ("arm",), "armv6l": ("arm",),
    "armv5tejl": ("arm",), "mips": ("mips",), "mipsel": ("mipsel",), "i686": ("i386",),
}  # fmt: skip
_MIPSEL = "little"


class Kernel:
    """All processes of one machine and what they share. Single-threaded: one job steps at a time."""

    __slots__ = (
        "_fifos", "_inode", "_noise", "_noise_seed", "_pid", "_programs", "accounts", "architectures",
        "boot_time", "clock", "connections", "current", "down", "entropy", "gone", "heard", "hostname", "minute",
        "passwords", "persona", "pipe_bytes", "processes", "rows", "terminals", "tree", "volumes", "watchers",
    )  # fmt: skip

    def __init__(
        self,
        tree: Tree,
        persona: Persona,
        entropy: Callable[[int], int],
        boot_time: float,
        terminals: dict[int, Tty],
        crypt: Crypt | None = None,
    ) -> None:
        self.tree = tree
        self.volumes = tree.volumes
        self.persona = persona
        self.entropy = entropy
        self.boot_time = boot_time
        self.hostname = persona.hostname
        self.down = False
        self.clock = boot_time
        self.minute = 0
        self.processes: dict[int, KernelProcess] = {}
        self.rows: dict[int, ProcessInfo] = {}
        self.gone: set[int] = set()
        self.watchers: dict[int, Callable[[int], None]] = {}
        self.heard: dict[str, Heard] = {}
        self.connections: list[Connection] = []
        self.pipe_bytes = 0
        self.terminals = terminals
        self.current: KernelProcess | None = None
        self._pid = max(persona.first_pid, *tree.overlay.left, 0)
        self._inode = 0
        self._noise = 0
        self._noise_seed = b""
        self._fifos: dict[int, Fifo] = {}
        self._programs: dict[int, int] = {}
        machine = persona.kernel.machine
        if machine == "mips" and persona.cpu.byte_order == _MIPSEL:
            machine = "mipsel"
        self.architectures = _RUN_AS.get(machine, (machine,))
        self.accounts = Accounts(FileView(tree, Onlooker(self, 0), lambda path, node, lost: None))
        if tree.overlay.runtime.get("mounts") or not persona.is_server:
            remount(self)
        self.hostname = _hostname(tree, persona, Onlooker(self, 0))
        self.passwords = Passwords(self.accounts, crypt)

    # numbers
    def next_pid(self) -> int:
        """A pid that nobody has: the next one, sometimes a few later, as on a machine where others run too."""
        self._pid += 1 if self.entropy(6) else 1 + self.entropy(4)
        if self._pid > 4_194_303:
            self._pid = 300
        while self._pid in self.processes or self._pid in self.rows or self._pid in self.tree.overlay.left:
            self._pid += 1
        return self._pid

    def next_inode(self) -> int:
        """The number of a pipe or socket, as /proc/PID/fd shows it."""
        if not self._inode:
            self._inode = 20_000 + self.entropy(400_000)
        self._inode += 1 + self.entropy(3)
        return self._inode

    def random_bytes(self, length: int) -> bytes:
        """What /dev/urandom gives."""
        if not self._noise_seed:
            self._noise_seed = self.entropy(1 << 128).to_bytes(16, "little")
        self._noise += 1
        return hashlib.shake_128(self._noise_seed + self._noise.to_bytes(8, "little")).digest(length)

    def pass_time(self, now: float) -> None:
        """The clock never goes back; pids go on by what others on the machine start meanwhile."""
        if now > self.clock:
            self._pid += min(20, int((now - self.clock) / 40))
            self.clock = now

    # files
    def fifo(self, number: int, path: str, flags: int) -> File:
        """An end of a named pipe."""
        fifo = self._fifos.get(number)
        if fifo is None:
            fifo = self._fifos[number] = Fifo(self.next_inode())
        return fifo.open(path, flags & ACCESS)

    def running(self, process: ProcessState, number: int) -> None:
        """`process` runs the file of this number."""
        self._programs[process.pid] = number

    def is_running(self, node: Node) -> bool:
        """True where a process runs this file: it cannot be written then (ETXTBSY)."""
        return node.number in self._programs.values()

    # life
    def require_room(self, process: KernelProcess) -> None:
        """SysError EAGAIN where the job has as many processes as it may."""
        job = process.job
        if job.alive >= job.limits.processes:
            job.spent("processes", job.limits.processes)
            raise SysError(errno.EAGAIN)

    def start(self, process: KernelProcess, run: Run) -> None:
        """Enter a new process into the table and let it run."""
        process.run = run
        self.processes[process.pid] = process
        process.job.alive += 1
        process.ready()

    def replace(self, process: KernelProcess, found: Executable, env: dict[str, str]) -> None:
        """execve(2): the old program ends without touching what the process has."""
        twin = KernelProcess(self, process.job, process.pid, list(found.argv))
        for name in (
            "children", "child_ended", "cwd", "fds", "gid", "group", "groups", "parent", "pending", "session",
            "started", "terminal", "uid", "umask", "cpu_steps", "status",
        ):  # fmt: skip
            setattr(twin, name, getattr(process, name))
        self._tell(process, None)
        twin.env = env
        twin.actions = {number: action for number, action in process.actions.items() if action == "ignore"}
        found.enter(twin)
        twin.run = found.program(twin)
        for child in twin.children.values():
            child.parent = twin
        if twin.parent is not None:
            twin.parent.children[twin.pid] = twin
        process.fds = {}
        process.children = {}
        self.processes[process.pid] = twin
        process.job.replaced(process, twin)
        twin.ready()
        process.state = "X"

    def finish(self, process: KernelProcess, status: int) -> None:
        """A process ended: descriptors close, children go to init, the parent may wait for it."""
        if process.state in ("Z", "X"):
            return
        process.state = "Z"
        process.status = status & 0xFF
        run, process.run = process.run, None
        if process.parked is not None:
            process.parked.waiting = [other for other in process.parked.waiting if other is not process]
            process.parked = None
        process.wake_at = None
        files, process.fds = process.fds, {}
        for file in files.values():
            file.references -= 1
            if file.references <= 0:
                file.released(process)
        if run is not None and process is not self.current:
            _abandon(run)
        self._programs.pop(process.pid, None)
        job = process.job
        job.alive -= 1
        job.held -= process.held
        for child in list(process.children.values()):
            child.parent = None
            if child.state == "Z":
                self.reap(child)
        process.children = {}
        self._tell(process, process.status)
        watcher = self.watchers.pop(process.pid, None)
        if watcher is not None:
            watcher(process.status)
        parent = process.parent
        if parent is None:
            self.reap(process)
        else:
            parent.child_ended.wake()
        job.ended(process)

    def reap(self, process: KernelProcess) -> None:
        """Nobody asks for a zombie any more."""
        self.processes.pop(process.pid, None)
        if process.parent is not None:
            process.parent.children.pop(process.pid, None)

    def _tell(self, process: KernelProcess, status: int | None) -> None:
        if process.outcome is not None:
            argv = [each.encode("utf-8", "surrogateescape") for each in process.argv]
            fields = {"argv": argv, "path": process.exe, "outcome": process.outcome, "status": status}
            process.job.fact(ProgramRun, fields)
            process.outcome = None

    # signals
    def signal(self, process: KernelProcess, signal: int) -> None:
        """Deliver a signal; raises `ProcessKilled` where it ends the process that runs now."""
        if process.state in ("Z", "X") or not signal:
            return
        action = "default" if signal in (SIGKILL, SIGSTOP) else process.actions.get(signal, "default")
        if signal == SIGCONT and process.state == "T":
            process.state = "S"
            self._unpark(process)
            process.ready()
        if action == "ignore" or (action == "default" and signal in IGNORED_BY_DEFAULT):
            return
        if action == "catch":
            process.pending.append(signal)
            if process is not self.current:
                self._unpark(process)
                process.ready()
        elif signal in STOPPING:
            self._stop(process, signal)
        elif process is self.current:
            raise ProcessKilled(signal)
        else:
            process.killed_by = signal
            self.finish(process, 128 + signal)

    def _unpark(self, process: KernelProcess) -> None:
        if process.parked is not None:
            process.parked.waiting = [other for other in process.parked.waiting if other is not process]
            process.parked = None

    def _stop(self, process: KernelProcess, signal: int) -> None:
        process.state = "T"
        process.stopped_by = signal
        process.told_stopped = False
        if process.parent is not None:
            process.parent.child_ended.wake()

    def signal_group(self, group: int, signal: int) -> None:
        """A signal of the terminal to a process group."""
        for process in [each for each in self.processes.values() if each.group == group]:
            self.signal(process, signal)

    def hang_up(self, session: int) -> None:
        """SIGHUP to a session whose terminal or connection is gone, then SIGCONT for those that were stopped."""
        for process in [each for each in self.processes.values() if each.session == session]:
            self.signal(process, SIGHUP)
            self.signal(process, SIGCONT)

    def go_down(self) -> None:
        """The planned moment has come: nothing runs any more, and every job's driver is told to drop its client."""
        self.down = True
        kind = self.tree.overlay.power.kind if self.tree.overlay.power is not None else "halt"
        for job in {each.job for each in self.processes.values()}:
            job.go_down(kind)

    # turns
    def resume(self, process: KernelProcess) -> int:
        """Give one turn to a process; the steps that it used."""
        job = process.job
        run = process.run
        if run is None or process.state == "T":
            return 0
        job.turn = TURN
        self.current = process
        try:
            park = run.send(None)
        except StopIteration as end:
            self._ended(process, end.value)
        except ProcessKilled as killed:
            process.killed_by = killed.signal
            self._ended(process, 128 + killed.signal)
        except SysError as problem:
            self._complain(process, problem)
            self._ended(process, 1)
        except BudgetError as problem:
            job.spent(problem.what, problem.limit)
            job.overdrawn = True
            self._ended(process, 137)
        except Exception as problem:
            # A mistake of ours: the attacker sees a crash, the operator's log the place.
            job.effects.append(ProgramCrashed(process.comm, tuple(process.argv), _where(problem)))
            process.killed_by = SIGSEGV
            self._ended(process, 128 + SIGSEGV)
        else:
            self._parked(process, park)
        finally:
            self.current = None
        used = TURN - job.turn + 1
        process.cpu_steps += used
        return used

    def _ended(self, process: KernelProcess, status: object) -> None:
        process.run = None
        self.finish(process, status if isinstance(status, int) else 0)

    def _parked(self, process: KernelProcess, park: object) -> None:
        if (
            process.state == "X"
        ):  # it was replaced; its old program may clean up, which touches nothing any more
            run, process.run = process.run, None
            if run is not None:
                _abandon(run)
        elif park is None:
            if process.state != "T":
                process.ready()
        elif isinstance(park, tuple) and len(park) == 2:
            queue, until = park
            if process.state != "T":
                process.state = "S"
            process.wake_at = until
            if queue is not None:
                process.parked = queue
                queue.waiting.append(process)
            process.job.sleeping(process)
        else:
            raise TypeError(
                f"{process.comm} yielded {park!r}: use ``yield from`` with the calls of api.Process"
            )

    def _complain(self, process: KernelProcess, problem: SysError) -> None:
        where = f"{problem.path}: " if problem.path else ""
        file = process.fds.get(2)
        if file is not None:
            text = f"{process.comm}: {where}{problem.words}\n"
            try:
                file.try_write(process, text.encode("utf-8", "surrogateescape"))
            except (SysError, ProcessKilled):
                pass  # nobody reads its errors: the status says it all


def _hostname(tree: Tree, persona: Persona, onlooker: Onlooker) -> str:
    """What somebody set since the start; else what a start read from /etc/hostname."""
    for (name,) in tree.overlay.runtime.get("hostname", ()):
        return name
    if not tree.overlay.changed:
        return persona.hostname
    try:
        words = FileView(tree, onlooker, lambda path, node, lost: None).read("/etc/hostname", 256).split()
    except SysError:
        return persona.hostname
    return (
        words[0].decode("utf-8", "surrogateescape") if words and tree.overlay.boot_time else persona.hostname
    )


def _where(problem: Exception) -> str:
    """Error and innermost places (file, line, function); made without reading source files, which would be disk."""
    places = []
    trace: TracebackType | None = problem.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return "\n".join([*places[-8:], f"{type(problem).__name__}: {problem}"])


def _abandon(run: Run) -> None:
    try:
        run.close()
    except (SysError, RuntimeError, ProcessKilled, BudgetError):
        # Its clean-up met closed descriptors or wanted to block: the process is gone already.
        pass
