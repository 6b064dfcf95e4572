"""The driver of a machine's job: steps it in fair turns and carries out what it wants done outside."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from urltrap.machine.api import encode
from urltrap.machine.effects import (
    Effect,
    Fact,
    Fetch,
    FetchReply,
    FileClosed,
    Job,
    Output,
    ProgramCrashed,
    WentDown,
)
from urltrap.model.capture import Capture, FetchRequest
from urltrap.model.event import CommandEntered
from urltrap.quarantine.errors import QuarantineError
from urltrap.sensors.budget import Budget
from urltrap.sensors.files import FileKeeper
from urltrap.sensors.late import LateEvent
from urltrap.sensors.ports import Artifacts, Fetcher
from urltrap.sensors.recording import Recording
from urltrap.sensors.scheduler import Scheduler
from urltrap.sensors.session import ErrorLog, Session

MAX_BACKLOG = 1 << 20
"""Bytes of input that a job has not read yet; the client has to wait while there are more."""
MAX_UNSEEN = 65_536
"""Bytes that a command may write after its client has left; a real one gets SIGPIPE."""
MAX_FETCHES = 8
"""Fetches of one job under way at a time; the others wait their turn."""


class Sink(Protocol):
    """Where a job's output goes."""

    @property
    def writable(self) -> bool:
        """False while the client does not take what it was sent: the job is not stepped then."""
        ...

    def output(self, data: bytes, stream: int) -> None: ...
    def finished(self, status: int, signal: str | None) -> None:
        """The command has ended with a status, or a signal (its name without SIG) has ended it."""
        ...

    def machine_went_down(self, kind: str) -> None:
        """The machine was rebooted or switched off: drop the client's connection."""
        ...

    def hold_input(self, hold: bool) -> None:
        """Stop (or go on) taking input from the client."""
        ...


@dataclass(frozen=True, slots=True)
class Services:
    """What all sessions of a process share."""

    scheduler: Scheduler
    fetcher: Fetcher
    artifacts: Artifacts
    errors: ErrorLog


class JobDriver:
    """Drives one job until it has exited or was hung up. All methods are called from the event loop."""

    def __init__(
        self,
        job: Job,
        sink: Sink,
        *,
        channel: int,
        session: Session,
        budget: Budget,
        files: FileKeeper,
        services: Services,
    ) -> None:
        self._job = job
        self._sink = sink
        self._channel = channel
        self._session = session
        self._budget = budget
        self._files = files
        self._services = services
        self._loop = asyncio.get_running_loop()
        self._recording = Recording(session, channel, self._loop)
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._fetch_slots = asyncio.Semaphore(MAX_FETCHES)
        self._hung_up = self._detached = False
        self._finished = LateEvent()
        self._quiet = LateEvent()
        self._fetching = self._unseen = 0
        self._told = self._holding = False
        self.done = False
        if hasattr(job, "on_wake"):  # another log-in on the same machine may give it work
            job.on_wake = self.wake

    def start(self) -> None:
        """Give the job its first turn."""
        self.wake()

    def wake(self) -> None:
        """Something changed: give the job a turn soon."""
        if not self.done:
            self._quiet.clear()
            self._services.scheduler.wake(self)

    def receive(self, data: bytes) -> None:
        """Bytes from the client."""
        if self.done or not self._budget.input(len(data)):
            return
        self._recording.add("i", data)
        self._job.receive(data)
        if self._job.backlog > MAX_BACKLOG and not self._holding:
            self._holding = True
            self._sink.hold_input(True)
        self.wake()

    def receive_eof(self) -> None:
        """The client will send no more."""
        if not self.done:
            self._job.receive_eof()
            self.wake()

    def receive_signal(self, name: str) -> None:
        """A signal sent by the client."""
        if not self.done:
            self._job.receive_signal(name)
            self.wake()

    def resize(self, columns: int, rows: int) -> None:
        """The client's window changed."""
        if not self.done:
            self._job.resize(columns, rows)
            self.wake()

    def detach(self) -> None:
        """The client is gone, but as on a real machine the command goes on until it has to say something to him.

        Droppers close the connection as soon as they have sent their line; what it does afterwards is what we want.
        """
        self._detached = True
        self.receive_eof()
        self.wake()

    async def settle(self, seconds: float) -> None:
        """The client of a terminal is gone: work on what he had typed, then hang up.

        Returns when the job waits for nothing but more input, at the latest after `seconds`.
        """
        self._detached = True
        self.wake()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._quiet.wait()
        self.hang_up()

    def hang_up(self) -> None:
        """The terminal is gone: let the job notice, once, and forget it."""
        if self.done or self._hung_up:
            return
        self._hung_up = True
        try:
            self._job.hang_up()
            self._carry_out(self._job.step(time.time()))
            self._job.end()
        except Exception as error:
            self._failed(error)
        self._end()

    def turn(self, steps: int) -> bool:
        """One turn of the scheduler."""
        if self.done or not self._writable or self._files.full:
            return False
        if not self._budget.time():
            return False
        job = self._job
        try:
            self._carry_out(job.step(time.time(), steps))
            status, lingering, killed = job.exit_status, job.lingering, job.killed_by
            runnable, wake_at = job.runnable, job.wake_at
            room = job.backlog <= MAX_BACKLOG // 2
        except Exception as error:
            self._failed(error)
            self._tell(1, None)
            self._end()
            return False
        if self._holding and room:
            self._holding = False
            self._sink.hold_input(False)
        if status is not None:
            self._tell(status, killed)
            if not lingering:
                self._end()
                return False
        if self._unseen > MAX_UNSEEN:
            self.hang_up()
            return False
        if runnable:
            return self._writable
        self._set_timer(wake_at)
        if wake_at is None and not self._fetching:
            self._quiet.set()
            if status is not None:
                self._end()  # what is left waits for something that cannot come any more
        return False

    @property
    def _writable(self) -> bool:
        return self._detached or self._sink.writable

    def _set_timer(self, wake_at: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if wake_at is not None and not self.done:
            self._timer = self._loop.call_later(max(0.0, wake_at - time.time()), self.wake)

    def _carry_out(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Output):
                self._output(effect)
            elif isinstance(effect, Fact):
                self._fact(effect)
            elif isinstance(effect, FileClosed):
                self._files.written(encode(effect.path), effect.content, effect.mode, self._channel)
            elif isinstance(effect, Fetch):
                self._start_fetch(effect)
            elif isinstance(effect, ProgramCrashed):
                self._services.errors.crashed(effect.name, effect.traceback)
            elif isinstance(effect, WentDown):
                self._told = self._detached = True
                self._sink.machine_went_down(effect.kind)

    def _output(self, effect: Output) -> None:
        if self._hung_up or not self._budget.output(len(effect.data)):
            return
        self._recording.add("o", effect.data)
        if self._detached:
            self._unseen += len(effect.data)
            return
        self._sink.output(effect.data, effect.stream)

    def _fact(self, effect: Fact) -> None:
        fields = dict(effect.fields)
        if "channel" in effect.event.model_fields:
            fields.setdefault("channel", self._channel)
        if effect.event is CommandEntered and not self._budget.command():
            return
        self._session.record(effect.event, **fields)

    def _start_fetch(self, effect: Fetch) -> None:
        self._fetching += 1
        task = asyncio.ensure_future(self._fetch(effect.id, effect.request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _fetch(self, number: int, request: FetchRequest) -> None:
        request = request.model_copy(update={"for_session": self._session.id})
        async with self._fetch_slots:
            try:
                capture = await self._services.fetcher.fetch(request)
            except Exception as error:
                # The attacker sees a dead host; the operator sees why.
                self._services.errors.report("asking the fetcher", error)
                capture = Capture(
                    url=request.url.decode("utf-8", "replace"),
                    at=datetime.now(UTC),
                    client=request.client,
                    outcome="connect-failed",
                    detail=f"the fetcher could not be asked: {type(error).__name__}",
                )
        body = None
        if capture.sha256 is not None:
            try:
                body = await asyncio.to_thread(self._services.artifacts.content, capture.sha256)
            except QuarantineError as error:
                self._services.errors.report("reading a capture", error)
        self._fetching -= 1
        if not self.done:
            self._job.fetched(number, FetchReply(capture, body))
            self.wake()

    def _failed(self, error: Exception) -> None:
        self._services.errors.report("running a job", error)
        self._session.failed(f"{type(error).__name__} in a job")

    def _tell(self, status: int, signal: str | None) -> None:
        """The command has ended: the client is told once; what it left in the background goes on unseen."""
        if not self._told:
            self._told = True
            if not self._detached:
                self._sink.finished(status, signal)
            self._detached = True

    def _end(self) -> None:
        # A fetch under way goes on: only nobody here waits for its answer any more.
        self.done = True
        self._set_timer(None)
        self._recording.flush()
        self._quiet.set()
        self._finished.set()

    async def wait(self) -> None:
        """Until the job has ended."""
        await self._finished.wait()
