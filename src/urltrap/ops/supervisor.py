"""`urltrap up`: runs the processes, each restarting alone, and says what they do.

A process that ends is started again after a growing while (0.2 s doubling to 30 s, back to 0.2 s once it ran for a
minute), and each end is one line that says why. Where a process that is needed cannot start at all, everything ends and
`failure` says why: a trap that is half there would only look as if it caught nothing. The supervisor's death closes the
pipes that its processes watch, so nothing is left behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from urltrap.model.settings import Settings
from urltrap.ops.data_folder import DataFolder
from urltrap.ops.failure import Failure, explain_os
from urltrap.ops.nursery import Child, Nursery
from urltrap.ops.processes import Launch, ProcessPlan, environment_for, plan_processes, settings_for
from urltrap.ops.service import ServiceManager

log = structlog.get_logger()

FIRST_DELAY, LONGEST_DELAY, STEADY_AFTER = 0.2, 30.0, 60.0
PATIENCE = 5.0
"""Seconds for which a start is tried again: the processes of a supervisor that was killed let go of ports and files."""
SLOW_START = 10.0
"""Seconds after which a start that is still under way is told."""
HUNG_AFTER = 90.0
"""Seconds without a sign of life after which a process that was ready is killed, to be started again."""
WATCHED = ("trap", "fetcher")
"""Kinds whose event loop never stands still for long."""
OPTIONAL = ("public", "backup", "watch", "outputs")
"""Kinds without which attackers are caught and URLs published."""


@dataclass(slots=True)
class ProcessState:
    """What is known of one process."""

    plan: ProcessPlan
    pid: int | None = None
    ready: bool = False
    listen: list[str] = field(default_factory=list)
    restarts: int = 0
    since: float = 0.0
    was_ready: bool = False
    heard: float = 0.0
    """When it last said anything (monotonic)."""
    said: Failure | None = None
    failed: Failure | None = None


class Supervisor:
    """Keeps the processes of one data folder running until `stop` is set."""

    def __init__(
        self,
        settings: Settings,
        folder: DataFolder,
        user: tuple[int, int] | None,
        on_change: Callable[[], None] | None = None,
    ) -> None:
        self.settings = settings
        self.folder = folder
        self.user = user
        self.states = [ProcessState(plan) for plan in plan_processes(settings)]
        self.stop = asyncio.Event()
        self.on_change = on_change
        kinds = dict.fromkeys(state.plan.kind for state in self.states)
        self.nursery: Nursery = Nursery(list(kinds), environment_for("trap", os.environ))
        self.patience = PATIENCE
        self.hung_after = HUNG_AFTER
        self.manager = ServiceManager(os.environ)
        self.failure = ""
        """Name of the process that could not start, and why; "" where all did."""
        self._status_failed = False

    async def run(self) -> None:
        """Run everything until `stop` is set or SIGTERM or SIGINT comes; then end everything in order."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self.stop.set)
        self._changed()  # what a predecessor that was killed left behind says nothing about us
        async with asyncio.TaskGroup() as group:
            for state in self.states:
                group.create_task(self._keep(state))
            group.create_task(self._tell_slow_start())
            group.create_task(self._end_hung())
            group.create_task(self.manager.keep_told(self.stop, lambda: self.is_up, self._summary))
        await self.nursery.close()
        self.folder.status.unlink(missing_ok=True)

    async def _keep(self, state: ProcessState) -> None:
        delay = FIRST_DELAY
        first = time.monotonic()
        while not self.stop.is_set():
            started = time.monotonic()
            told, state.said = state.failed, None
            code = await self._run_once(state)
            if self.stop.is_set():
                return
            now = time.monotonic()
            failed = state.failed = state.said or Failure(_ended(code))
            if failed.trace and failed != told:
                log.error("an error of our own", name=state.plan.name, exception=failed.trace)
            if self._is_hopeless(state, failed, now - first):
                self.failure = f"{state.plan.name} cannot start: {failed.reason}"
                self.stop.set()
                return
            if now - started > STEADY_AFTER:
                delay = FIRST_DELAY
            state.restarts += 1
            log.warning(
                "process ended, starting it again",
                name=state.plan.name,
                reason=failed.reason,
                in_seconds=delay,
            )
            self._changed()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.stop.wait(), delay)
            delay = min(delay * 2, LONGEST_DELAY)

    def _is_hopeless(self, state: ProcessState, failed: Failure, seconds: float) -> bool:
        """Whether a process that is needed was never there and will not be."""
        if state.was_ready or state.plan.kind in OPTIONAL:
            return False
        if failed.database and self.settings.store.url and not self.settings.store.url.startswith("sqlite"):
            return False  # a server that starts after us is waited for
        return failed.hopeless or seconds >= self.patience

    async def _tell_slow_start(self) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.stop.wait(), SLOW_START)
        waiting = [state.plan.name for state in self.states if not state.was_ready]
        if waiting and not self.stop.is_set():
            log.info("still starting; what was recorded before may have to be worked on first", names=waiting)

    async def _end_hung(self) -> None:
        """Kill processes that are there and do nothing any more; they are started again as those that died."""
        while not self.stop.is_set():
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.stop.wait(), self.hung_after / 6)
            now = time.monotonic()
            for state in self.states:
                silent = now - state.heard
                if state.plan.kind in WATCHED and state.ready and state.pid and silent > self.hung_after:
                    log.error(
                        "process does not answer and is killed", name=state.plan.name, seconds=round(silent)
                    )
                    state.ready = False
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(state.pid, signal.SIGKILL)

    def _summary(self) -> str:
        """One line for the service manager."""
        if self.missing:
            return "; ".join(f"missing {name}: {reason}" for name, reason in self.missing.items())[:500]
        waiting = [state.plan.name for state in self.states if not state.ready]
        return f"starting {', '.join(waiting)}" if waiting else "all processes are ready"

    async def _run_once(self, state: ProcessState) -> int:
        reading, writing = os.pipe()
        try:
            process: Child = await self.nursery.spawn(reading, state.plan.name)
        except OSError as error:
            os.close(writing)
            state.said = explain_os(error)
            return 1
        finally:
            os.close(reading)
        try:
            kind = state.plan.kind
            launch = Launch(
                state.plan, self.folder.root, settings_for(kind, self.settings), self.user,
                environment_for(kind, os.environ),
            )  # fmt: skip
            os.write(writing, launch.to_json())
            state.pid, state.ready, state.since = process.pid, False, time.time()
            self._changed()
            assert process.stdout is not None
            watcher = asyncio.ensure_future(self._watch(state, process.stdout))
            ended = asyncio.ensure_future(process.wait())
            stopping = asyncio.ensure_future(self.stop.wait())
            await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                process.terminate()
                try:
                    await asyncio.wait_for(asyncio.shield(ended), 10)
                except TimeoutError:
                    log.warning("process did not end in time and is killed", name=state.plan.name)
                    process.kill()
            stopping.cancel()
            await asyncio.wait({watcher}, timeout=1)  # its last line says why
            watcher.cancel()
            return await ended
        except BrokenPipeError:
            return await process.wait()
        finally:
            os.close(writing)
            state.pid, state.ready, state.listen = None, False, []
            self._changed()

    async def _watch(self, state: ProcessState, stdout: asyncio.StreamReader) -> None:
        while line := await stdout.readline():
            state.heard = time.monotonic()
            try:
                message = json.loads(line)
            except ValueError:
                log.info("said", name=state.plan.name, line=line[:500])
                continue
            if isinstance(message, dict) and message.get("ready"):
                state.ready = state.was_ready = True
                state.listen = [str(address) for address in message.get("listen", [])]
                state.failed = None
                self._changed()
            state.said = Failure.of_message(message) or state.said

    def _changed(self) -> None:
        body = {
            "pid": os.getpid(),
            "processes": {
                s.plan.name: {
                    "pid": s.pid,
                    "ready": s.ready,
                    "listen": s.listen,
                    "restarts": s.restarts,
                    "since": s.since,
                }
                for s in self.states
            },
        }
        temporary = self.folder.status.with_suffix(".new")
        try:
            temporary.write_text(json.dumps(body))
            temporary.rename(self.folder.status)
            self._status_failed = False
        except OSError as error:  # a full disk ends no process
            if not self._status_failed:
                log.warning("the status cannot be written", reason=explain_os(error).reason)
            self._status_failed = True
        if self.on_change is not None:
            self.on_change()

    @property
    def is_up(self) -> bool:
        """True once every process has said that it is ready, or has failed and is one that can be done without."""
        return all(
            state.ready or (state.failed is not None and state.plan.kind in OPTIONAL) for state in self.states
        )

    @property
    def missing(self) -> dict[str, str]:
        """Name of each process that is not there, and why."""
        return {s.plan.name: s.failed.reason for s in self.states if s.failed is not None and not s.ready}


def _ended(code: int) -> str:
    if code >= 0:
        return f"it ended with status {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
    return f"it was ended by {name}" + ("; did the machine run out of memory?" if name == "SIGKILL" else "")
