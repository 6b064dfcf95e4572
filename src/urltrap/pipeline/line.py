"""The line in motion: intake, then every stage, again and again, until told to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta

import structlog

from urltrap.journal import JournalReader
from urltrap.pipeline.intake import Intake
from urltrap.pipeline.stage import Stage
from urltrap.pipeline.workshop import Workshop
from urltrap.store import StoreError, work

_LONGEST_WAIT = 1.0
_STORE_PAUSE = 1.0

log = structlog.get_logger("urltrap.pipeline")


class Line:
    """One pipeline over one journal. `step` and `run` belong to one thread; `wake` may be called from any."""

    def __init__(self, workshop: Workshop, reader: JournalReader, stages: Sequence[Stage]) -> None:
        self._workshop = workshop
        self._reader = reader
        self._stages = stages
        self._intake = Intake(reader, workshop.store, workshop.settings.journal, workshop.now)
        self._woken = threading.Event()
        self._complained = False
        workshop.wake = self._woken.set

    def step(self) -> int:
        """One round: a batch of every writer, a batch of every stage; how much was done. Raises StoreError."""
        done = self._intake.step()
        for stage in self._stages:
            done += stage.run(self._workshop)
        self._intake.tidy()
        return done

    def drain(self, most: int = 1_000_000) -> None:
        """Rounds until nothing is left that is due now (rebuild, tests)."""
        for _ in range(most):
            if not self.step():
                return

    def run(self, stop: threading.Event, ready: Callable[[], None] = lambda: None) -> None:
        """Work until `stop`; a store that is away is waited for, with nothing lost."""
        told = False
        while not stop.is_set():
            self._woken.clear()
            try:
                done = self.step()
                if self._complained:
                    log.info("store.back")
                    self._complained = False
                if not told:
                    ready()
                    told = True
                if not done and not self._woken.is_set():
                    self._wait(stop)  # asks the store when the next work is due
            except StoreError as error:
                if not self._complained:
                    log.error("store.away", error=str(error), do="intake waits and goes on by itself")
                    self._complained = True
                stop.wait(_STORE_PAUSE)

    def close(self) -> None:
        """Give up what waits for the fetcher; it is asked again at the next start."""
        for stage in self._stages:
            close = getattr(stage, "close", None)
            if close is not None:
                close()

    def _wait(self, stop: threading.Event) -> None:
        due = work.next_due(self._workshop.store)
        wait = _LONGEST_WAIT
        if due is not None:
            wait = min(wait, max(0.01, (due - self._workshop.now()) / timedelta(seconds=1)))
        self._reader.wait(wait, _Either(stop, self._woken))


class _Either(threading.Event):
    """Set when one of two events is: the reader takes one only."""

    def __init__(self, first: threading.Event, second: threading.Event) -> None:
        super().__init__()
        self._first, self._second = first, second

    def is_set(self) -> bool:
        """Whether one of them is set."""
        return self._first.is_set() or self._second.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the second one, in steps short enough to notice the first."""
        return self._second.wait(timeout) or self._first.is_set()
