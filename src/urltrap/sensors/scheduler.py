"""Fair use of the one thread: short turns, whoever waits for a keystroke first, the network looked at in between."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

TURN_SECONDS = 0.002
"""How long jobs run before the event loop looks at the network again."""
STEPS = 1500
"""Interpreter steps of one turn of one job."""


class Runnable(Protocol):
    """Something that wants to run in turns."""

    def turn(self, steps: int) -> bool:
        """Run about `steps` steps; True where it wants another turn at once."""
        ...


class Scheduler:
    """Runs runnables in turns. One for all sessions of a process."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._loop = loop
        self._clock = clock
        self._fresh: deque[Runnable] = deque()
        self._busy: deque[Runnable] = deque()
        self._queued: set[int] = set()
        self._armed = False

    def wake(self, runnable: Runnable) -> None:
        """Give it a turn soon; waking it twice gives it one."""
        if id(runnable) not in self._queued:
            self._queued.add(id(runnable))
            self._fresh.append(runnable)
            self._arm()

    def _arm(self) -> None:
        if not self._armed:
            self._armed = True
            self._loop.call_soon(self._run)

    def _run(self) -> None:
        self._armed = False
        end = self._clock() + TURN_SECONDS
        # Those that were woken by input come first; then one at least of those that are always busy.
        while self._fresh:
            self._turn(self._fresh.popleft())
            if self._clock() >= end:
                break
        while self._busy:
            self._turn(self._busy.popleft())
            if self._clock() >= end:
                break
        if self._fresh or self._busy:
            self._arm()

    def _turn(self, runnable: Runnable) -> None:
        self._queued.discard(id(runnable))
        if runnable.turn(STEPS) and id(runnable) not in self._queued:
            self._queued.add(id(runnable))
            self._busy.append(runnable)
