"""The line in motion: intake, then every stage, again and again, until told to stop.

A running line has two threads. What stands between a typed command and the request for its URL (intake, recovery,
capture) is prompt and has one of its own. Whatever may take its time (look-ups, verdicts, names, archives) goes on in
the other one, which begins nothing new while the first has work, so that the database is free for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta

import structlog

from urltrap.journal import JournalReader
from urltrap.pipeline.intake import Intake
from urltrap.pipeline.stage import Stage
from urltrap.pipeline.stages import PROMPT
from urltrap.pipeline.workshop import Workshop
from urltrap.store import StoreError, work

_LONGEST_WAIT = 1.0
_STORE_PAUSE = 1.0
_LONGEST_YIELD = 0.5
"""Seconds for which a stage makes way for the prompt ones: in a flood without an end the others go on all the same."""

log = structlog.get_logger("urltrap.pipeline")


class Line:
    """One pipeline over one journal. `step` and `run` belong to one thread; `wake` may be called from any."""

    def __init__(self, workshop: Workshop, reader: JournalReader, stages: Sequence[Stage]) -> None:
        self._workshop = workshop
        self._reader = reader
        self._stages = stages
        self._prompt = [stage for stage in stages if stage.name in PROMPT]
        self._others = [stage for stage in stages if stage.name not in PROMPT]
        self._intake = Intake(reader, workshop.store, workshop.settings.journal, workshop.now)
        self._prompt_woken, self._others_woken = threading.Event(), threading.Event()
        self._way_is_free = threading.Event()
        workshop.wake = self._wake

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
        """Work until `stop`; a store that is away is waited for, with nothing lost. `ready` is called after the first
        round of both threads. What else one of them raises ends both, and is raised here."""
        over = _Either(stop, threading.Event())
        begun, troubles = threading.Event(), list[BaseException]()

        def prompt() -> None:
            try:
                _go(over, self._run_prompt, self._wait_prompt, begun.set)
            except BaseException as error:
                troubles.append(error)
                self._others_woken.set()
            finally:
                over.other.set()
                self._way_is_free.set()

        thread = threading.Thread(target=prompt, name="prompt", daemon=True)
        thread.start()
        try:
            # Here, because what the other stages hold (dumps of providers) was opened by whoever made them.
            _go(over, self._run_others, self._wait_others, lambda: _both(begun, over, ready))
        finally:
            over.other.set()
            thread.join()
        if troubles:
            raise troubles[0]

    def close(self) -> None:
        """Give up what waits for the fetcher; it is asked again at the next start."""
        for stage in self._stages:
            close = getattr(stage, "close", None)
            if close is not None:
                close()

    def _wake(self) -> None:
        self._prompt_woken.set()
        self._others_woken.set()

    def _run_prompt(self, over: threading.Event) -> int:
        self._prompt_woken.clear()
        done = self._intake.step()
        for stage in self._prompt:
            done += stage.run(self._workshop)
        if done:
            self._way_is_free.clear()
            self._others_woken.set()
        else:
            self._way_is_free.set()
        return done

    def _run_others(self, over: threading.Event) -> int:
        self._others_woken.clear()
        done = 0
        for stage in self._others:
            self._way_is_free.wait(_LONGEST_YIELD)
            if over.is_set():
                return done
            done += stage.run(self._workshop)
        self._intake.tidy()
        if done:
            self._prompt_woken.set()  # a payload's own URLs, for example
        return done

    def _wait_prompt(self, over: threading.Event) -> None:
        if self._reader.wait(self._until_due(self._prompt), _Either(over, self._prompt_woken)):
            # Before the first byte of it is read: no stage shall begin now.
            self._way_is_free.clear()

    def _wait_others(self, over: threading.Event) -> None:
        _Either(over, self._others_woken).wait(self._until_due(self._others))

    def _until_due(self, stages: Sequence[Stage]) -> float:
        """Seconds until the next work of these stages is due."""
        due = work.next_due(self._workshop.store, [stage.name for stage in stages])
        if due is None:
            return _LONGEST_WAIT
        return min(_LONGEST_WAIT, max(0.01, (due - self._workshop.now()) / timedelta(seconds=1)))


def _go(
    over: threading.Event,
    step: Callable[[threading.Event], int],
    wait: Callable[[threading.Event], None],
    begun: Callable[[], None],
) -> None:
    """Rounds of `step`, and `wait` where one had nothing to do; `begun` after the first."""
    told = complained = False
    while not over.is_set():
        try:
            done = step(over)
            if complained:
                log.info("store.back")
                complained = False
            if not told:
                begun()
                told = True
            if not done:
                wait(over)  # asks the store when the next work is due
        except StoreError as error:
            if not complained:
                log.error("store.away", error=str(error), do="intake waits and goes on by itself")
                complained = True
            over.wait(_STORE_PAUSE)


def _both(begun: threading.Event, over: threading.Event, ready: Callable[[], None]) -> None:
    """Call `ready` when the other thread has had its first round as well, unless everything is over before."""
    while not begun.wait(0.05):
        if over.is_set():
            return
    ready()


class _Either(threading.Event):
    """Set when one of two events is: what waits takes one only."""

    def __init__(self, first: threading.Event, other: threading.Event) -> None:
        super().__init__()
        self.first, self.other = first, other

    def is_set(self) -> bool:
        """Whether one of them is set."""
        return self.first.is_set() or self.other.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the second one; the first one is looked at before and behind."""
        return self.first.is_set() or self.other.wait(timeout) or self.first.is_set()
