"""`urltrap up`: runs the processes, each restarting alone, and says what they do.

A process that ends is started again after a growing while (0.2 s doubling to 30 s, back to 0.2 s once it ran for a
minute). The supervisor's death closes the pipes that its processes watch, so nothing is left behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from urltrap.model.settings import Settings
from urltrap.ops.data_folder import DataFolder
from urltrap.ops.processes import Launch, ProcessPlan, plan_processes, settings_for

log = structlog.get_logger()

FIRST_DELAY, LONGEST_DELAY, STEADY_AFTER = 0.2, 30.0, 60.0


@dataclass(slots=True)
class ProcessState:
    """What is known of one process."""

    plan: ProcessPlan
    pid: int | None = None
    ready: bool = False
    listen: list[str] = field(default_factory=list)
    restarts: int = 0
    since: float = 0.0


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

    async def run(self) -> None:
        """Run everything until `stop` is set or SIGTERM or SIGINT comes; then end everything in order."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self.stop.set)
        self._changed()  # what a predecessor that was killed left behind says nothing about us
        async with asyncio.TaskGroup() as group:
            for state in self.states:
                group.create_task(self._keep(state))
        self.folder.status.unlink(missing_ok=True)

    async def _keep(self, state: ProcessState) -> None:
        delay = FIRST_DELAY
        while not self.stop.is_set():
            started = time.monotonic()
            code = await self._run_once(state)
            if self.stop.is_set():
                return
            if time.monotonic() - started > STEADY_AFTER:
                delay = FIRST_DELAY
            state.restarts += 1
            log.warning("process ended, starting it again", name=state.plan.name, code=code, in_seconds=delay)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.stop.wait(), delay)
            delay = min(delay * 2, LONGEST_DELAY)

    async def _run_once(self, state: ProcessState) -> int:
        reading, writing = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "urltrap.ops.worker",
                str(reading),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                pass_fds=[reading],
                start_new_session=True,
            )
        finally:
            os.close(reading)
        try:
            launch = Launch(
                state.plan, self.folder.root, settings_for(state.plan.kind, self.settings), self.user
            )
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
            try:
                message = json.loads(line)
            except ValueError:
                log.info("said", name=state.plan.name, line=line[:500])
                continue
            if isinstance(message, dict) and message.get("ready"):
                state.ready, state.listen = True, [str(address) for address in message.get("listen", [])]
                self._changed()

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
        temporary.write_text(json.dumps(body))
        temporary.rename(self.folder.status)
        if self.on_change is not None:
            self.on_change()

    @property
    def all_ready(self) -> bool:
        """True once every process has said that it is ready."""
        return all(state.ready for state in self.states)
