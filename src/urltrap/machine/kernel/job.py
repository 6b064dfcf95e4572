"""A job: one command or one interactive shell, with everything that it started. Implements `effects.Job`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from urltrap.machine.api import Connection
from urltrap.machine.effects import Effect, Fact, FetchReply, FileClosed, Output, WentDown
from urltrap.machine.fs.content import PagedContent
from urltrap.machine.fs.node import Node
from urltrap.machine.fs.view import content_of
from urltrap.machine.kernel.console import ConsoleInput, ConsoleOutput
from urltrap.machine.kernel.crond import MINUTE, run_due, tables
from urltrap.machine.kernel.kernel import Kernel
from urltrap.machine.kernel.pace import Pace
from urltrap.machine.kernel.process import KernelProcess
from urltrap.machine.kernel.signals import NAMES, NUMBERS, SIGKILL, SIGWINCH
from urltrap.machine.kernel.table import row_of_process
from urltrap.machine.kernel.waiting import WaitQueue
from urltrap.machine.left import leave
from urltrap.model.event import BudgetSpent, EventBase, ProgramRun
from urltrap.model.settings import SessionLimits

if TYPE_CHECKING:
    from urltrap.machine.kernel.tty import Tty

_OUTPUT_PER_STEP = 262_144
_CRON_AT = 1
"""The second of a minute at which cron looks."""
_SOON = 10.0
"""Seconds that an ended job waits for the machine to go down, so that its connection is dropped then."""


class KernelJob:
    """Processes that share a connection, budgets and standard streams. See `effects.Job` for what a driver calls.

    `on_wake` may be set by a driver: called when something outside of this job (another log-in's kill or pipe) gave it
    work. `lingering` is True while processes of an ended job go on (``nohup``, ``&``): step it as long as that is worth
    it.
    """

    __slots__ = (
        "_asked", "_changed", "_cron_seen", "_cron_wanted", "_down", "_exit_status", "_go_on_at", "_output",
        "_output_now", "_questions", "_ready", "_sleepers", "_stepping", "_told", "alive", "connection",
        "drained", "effects", "held", "input", "kernel", "leader", "limits", "muted", "on_wake",
        "overdrawn", "pace", "parent_pid", "replies", "terminal", "turn",
    )  # fmt: skip

    def __init__(
        self,
        kernel: Kernel,
        connection: Connection,
        limits: SessionLimits,
        *,
        parent_pid: int,
        terminal: Tty | None = None,
    ) -> None:
        self.kernel = kernel
        self.connection = connection
        self.limits = limits
        self.parent_pid = parent_pid
        self.terminal = terminal
        self.effects: list[Effect] = []
        self.replies: dict[int, FetchReply] = {}
        self.drained = WaitQueue()
        self.turn = 0
        self.alive = 0
        self.held = 0
        self.muted = False
        """True while programs run that nobody asked for."""
        self.overdrawn = False
        self.on_wake: Callable[[], None] | None = None
        self.leader: KernelProcess | None = None
        self.input = ConsoleInput(0)
        self._ready: list[KernelProcess] = []  # few; an empty deque takes 600 bytes
        self._sleepers: list[KernelProcess] = []
        self._asked: dict[int, WaitQueue] = {}
        self._questions = 0
        self._changed: dict[str, Node] = {}
        self._told = False
        self._exit_status: int | None = None
        self._go_on_at: float | None = None
        self.pace = Pace(limits)
        self._output = 0
        self._output_now = 0
        self._stepping = False
        self._down = False
        self._cron_seen: tuple[int, int] | None = None
        self._cron_wanted = False

    # what the driver puts in
    def receive(self, data: bytes) -> None:
        """Bytes that the attacker sent or typed."""
        self.pace.typed()
        self._told = False
        if self.pace.may_run:
            self._go_on_at = None
        room = self.limits.input_bytes - self.backlog
        if len(data) > room:
            self.spent("input_bytes", self.limits.input_bytes)
            data = data[: max(0, room)]
        if self.terminal is not None:
            self.terminal.receive(data)
            return
        if self.input.references > 0 or self._exit_status is None:
            self.input.buffer += data
            if self.input.read_queue is not None:
                self.input.read_queue.wake()

    def receive_eof(self) -> None:
        """He closed his sending side."""
        if self.terminal is not None:
            self.terminal.receive_eof()
            return
        self.input.ended = True
        if self.input.read_queue is not None:
            self.input.read_queue.wake()

    def receive_signal(self, name: str) -> None:
        """A signal of the channel, by its name without SIG; unknown names are ignored as sshd does."""
        number = NUMBERS.get(name)
        if number is None or self.leader is None:
            return
        group = self.terminal.foreground if self.terminal is not None else self.leader.group
        self.kernel.signal_group(group, number)

    def resize(self, columns: int, rows: int) -> None:
        """The window changed."""
        if self.terminal is not None:
            self.terminal.columns, self.terminal.rows = columns, rows
            self.kernel.signal_group(self.terminal.foreground, SIGWINCH)

    def fetched(self, id: int, reply: FetchReply) -> None:
        """The answer to a `Fetch` effect; a second one, or one that nobody waits for, is dropped."""
        queue = self._asked.pop(id, None)
        if queue is not None:
            self.replies[id] = reply
            queue.wake()

    def hang_up(self) -> None:
        """The connection is gone."""
        if self.terminal is not None:
            self.terminal.hang_up()
        else:
            self.receive_eof()
        if self.leader is not None:
            self.kernel.hang_up(self.leader.session)

    # running
    def step(self, now: float, budget: int = 20_000) -> list[Effect]:
        """Run at most about `budget` steps at time `now`; the effects, in order."""
        kernel = self.kernel
        kernel.pass_time(now)
        self._stepping = True
        self._output_now = 0
        self.drained.wake()
        power = kernel.tree.overlay.power
        if power is not None and kernel.clock >= power.at and not kernel.down:
            kernel.go_down()
            self.go_down(power.kind)
        pace = self.pace
        pace.pass_time(kernel.clock, bool(self._ready))
        self._wake_sleepers()
        if self.terminal is not None and self._exit_status is None and not self._down:
            self._keep_time()
        if self._go_on_at is not None and kernel.clock >= self._go_on_at:
            self._go_on_at = None
        used = 0
        try:
            while (
                self._ready
                and used < budget
                and self._output_now < _OUTPUT_PER_STEP
                and self._go_on_at is None
            ):
                process = self._ready.pop(0)
                process.queued = False
                steps = kernel.resume(process)
                used += steps
                pace.spend(steps)
                if not pace.may_run:
                    self._go_on_at = kernel.clock + pace.waits
                if self.overdrawn or pace.over:
                    self._end_all()
                    break
        finally:
            self._stepping = False
        if self.terminal is not None:
            self.terminal.flush()
            self._look_for_tables()
        self._tell_changes()
        effects, self.effects = self.effects, []
        return effects

    @property
    def runnable(self) -> bool:
        """True where `step` would get further without new input."""
        return bool((self._ready and self._go_on_at is None) or self.effects or self.drained.waiting)

    @property
    def wake_at(self) -> float | None:
        """The unix time at which a sleeper, or a job that used up its share, wants to go on."""
        times = [process.wake_at for process in self._sleepers if process.wake_at is not None]
        if self._go_on_at is not None and self._ready:
            times.append(self._go_on_at)
        power = self.kernel.tree.overlay.power
        if power is not None and not self._down:
            times.append(power.at)
        if self._cron_wanted and self._exit_status is None:
            times.append((self.kernel.minute + 1) * MINUTE + _CRON_AT)
        return min(times) if times else None

    @property
    def exit_status(self) -> int | None:
        """None while running; then 0-255, or 128 + signal."""
        return self._exit_status

    @property
    def killed_by(self) -> str | None:
        """The name without SIG of the signal that ended it, as wait(2) would tell it."""
        leader = self.leader
        return NAMES.get(leader.killed_by) if leader is not None and self._exit_status is not None else None

    @property
    def lingering(self) -> bool:
        """True where processes of it go on although it ended."""
        if self._exit_status is None or self._down:
            return False
        power = self.kernel.tree.overlay.power
        return self.alive > 0 or (power is not None and power.at < self.kernel.clock + _SOON)

    @property
    def waiting_for_fetch(self) -> bool:
        """True while an answer of the fetcher is due."""
        return bool(self._asked)

    @property
    def backlog(self) -> int:
        """Bytes that the attacker sent and nobody read yet."""
        return self.terminal.unread if self.terminal is not None else len(self.input.buffer)

    def end(self) -> None:
        """Give it up: what would go on without its client stays in the process table (`machine.left`), unstepped."""
        if not self._down:
            staying = [each for each in self._mine() if each is not self.leader and each.state in "RS"]
            leave(self.kernel.tree.overlay.left, map(row_of_process, staying))
            for process in staying:
                self.kernel.watchers.pop(process.pid, None)
        for process in self._mine():
            self.kernel.signal(process, SIGKILL)
        self._asked.clear()
        self._sleepers.clear()
        self._ready.clear()
        self._go_on_at = None

    def go_down(self, kind: str) -> None:
        """The machine goes down under it: nothing runs on, its driver drops the client."""
        if self._down:
            return
        self._down = True
        self.end()
        self.effects.append(WentDown(kind))
        if not self._stepping and self.on_wake is not None:
            self.on_wake()

    # what the kernel and processes use
    def enqueue(self, process: KernelProcess) -> None:
        """A process wants a turn."""
        self._ready.append(process)
        if not self._stepping and self._go_on_at is None and self.on_wake is not None:
            self.on_wake()

    def sleeping(self, process: KernelProcess) -> None:
        """A process parked; remembered where it wants to wake by itself."""
        if process.wake_at is not None and process not in self._sleepers:
            self._sleepers.append(process)

    def replaced(self, old: KernelProcess, new: KernelProcess) -> None:
        """A process became another program."""
        if self.leader is old:
            self.leader = new

    def ended(self, process: KernelProcess) -> None:
        """A process ended."""
        if process is self.leader:
            self._exit_status = process.status
            if self.terminal is not None:
                self.terminal.leader_ended(process)

    def ask(self) -> tuple[int, WaitQueue]:
        """The number of a new question to the fetcher, and where to wait for the answer."""
        self._questions += 1
        queue = self._asked[self._questions] = WaitQueue()
        return self._questions, queue

    def forget(self, number: int) -> None:
        """Nobody waits for the answer to a question any more."""
        self._asked.pop(number, None)
        self.replies.pop(number, None)

    def fact(self, event: type[EventBase], fields: dict[str, Any]) -> None:
        """Something to journal."""
        if self.muted and event is ProgramRun:
            return
        self.effects.append(Fact(event, fields))

    def spent(self, what: str, limit: int) -> None:
        """A budget was met: the first one of a command is told, not what comes of it."""
        if not self._told:
            self._told = True
            self.fact(BudgetSpent, {"what": what, "limit": limit})

    def room(self) -> int:
        """How many bytes this step may still give to the attacker."""
        return max(0, _OUTPUT_PER_STEP - self._output_now)

    def put_out(self, data: bytes, stream: int) -> int:
        """Give bytes to the attacker; as many as this step may still give (0: wait for the next)."""
        room = _OUTPUT_PER_STEP - self._output_now
        if room <= 0 or not data:
            return 0
        data = data[:room]
        allowed = self.limits.output_bytes - self._output
        if len(data) > allowed:
            self.spent("output_bytes", self.limits.output_bytes)
            self.overdrawn = True
            taken, data = len(data), data[: max(0, allowed)]
            if not data:
                return taken  # it is ended in a moment; until then nothing blocks
        self._output += len(data)
        self._output_now += len(data)
        last = self.effects[-1] if self.effects else None
        if isinstance(last, Output) and last.stream == stream and len(last.data) < 4096:
            self.effects[-1] = Output(last.data + data, stream)
        else:
            self.effects.append(Output(bytes(data), stream))
        return len(data)

    def changed(self, path: str, node: Node, lost: bool) -> None:
        """A file was changed (or its changed content is about to be lost: then it is told at once)."""
        if lost:
            if self._changed.pop(path, None) is not None:
                self._tell_change(path, node)
        else:
            self._changed[path] = node

    def streams(self) -> dict[int, ConsoleInput | ConsoleOutput]:
        """Descriptors 0, 1 and 2 of a command without terminal."""
        inode = self.kernel.next_inode
        self.input.inode = inode()
        self.input.path = f"pipe:[{self.input.inode}]"
        return {0: self.input, 1: ConsoleOutput(self, 1, inode()), 2: ConsoleOutput(self, 2, inode())}

    def _mine(self) -> list[KernelProcess]:
        return [process for process in self.kernel.processes.values() if process.job is self]

    def _end_all(self) -> None:
        if not self.overdrawn:
            self.spent(self.pace.over, getattr(self.limits, self.pace.over))
        mine = self._mine()
        others = [process for process in mine if process is not self.leader]
        if self.terminal is not None and others and self._output < self.limits.output_bytes:
            # An interactive shell survives what it started, but must come back to its prompt soon.
            self.overdrawn = False
            self.pace.reprieve()
            mine = others
        for process in mine:
            self.kernel.signal(process, SIGKILL)

    def _keep_time(self) -> None:
        """Let cron run what is due, once in a minute."""
        kernel = self.kernel
        minute = int((kernel.clock - _CRON_AT) // MINUTE)
        if minute > kernel.minute:
            before, kernel.minute = kernel.minute, minute
            if before:
                run_due(self, minute)

    def _look_for_tables(self) -> None:
        """Wake each minute where cron has something to do."""
        overlay = self.kernel.tree.overlay
        seen = (overlay.next_number, overlay.used)
        if seen != self._cron_seen:
            self._cron_seen, self._cron_wanted = seen, bool(tables(self.kernel))

    def _wake_sleepers(self) -> None:
        clock = self.kernel.clock
        if not self._sleepers:
            return
        due = [
            process for process in self._sleepers if process.wake_at is not None and process.wake_at <= clock
        ]
        self._sleepers = [
            process for process in self._sleepers if process.wake_at is not None and process.wake_at > clock
        ]
        for process in due:
            if process.parked is not None:
                process.parked.waiting = [other for other in process.parked.waiting if other is not process]
                process.parked = None
            process.ready()

    def _tell_changes(self) -> None:
        changed, self._changed = self._changed, {}
        for path, node in changed.items():
            self._tell_change(path, node)

    def _tell_change(self, path: str, node: Node) -> None:
        if node.nlink > 0:
            node = self.kernel.tree.overlay.nodes.get(node.number, node)
        content = content_of(node)
        if isinstance(content, PagedContent):
            content = content.snapshot()
        self.effects.append(FileClosed(path, content, node.mode))
        if self.kernel.tree.overlay.refused:
            self.spent("overlay_bytes", self.kernel.tree.overlay.max_bytes)
