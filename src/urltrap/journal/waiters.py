"""Who waits for which position; in the order of positions, whoever asked first first."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable

import structlog

from urltrap.journal.errors import JournalError
from urltrap.journal.position import Position

Callback = Callable[[JournalError | None], object]
"""Called with None for an acknowledged position, with the error for one that the disk refused."""
Answers = list[tuple[Callback, JournalError | None]]

log = structlog.get_logger("urltrap.journal")


class Waiters:
    """Callbacks by position. Not thread-safe: guarded by the writer's lock, which is not held when calling."""

    def __init__(self) -> None:
        self._heap: list[tuple[Position, int, Callback]] = []
        self._order = itertools.count()

    def add(self, position: Position, callback: Callback) -> None:
        """Wait for `position`."""
        heapq.heappush(self._heap, (position, next(self._order), callback))

    def reached(self, position: Position) -> Answers:
        """Take out everybody who waited for something up to `position`."""
        answers: Answers = []
        while self._heap and self._heap[0][0] <= position:
            answers.append((heapq.heappop(self._heap)[2], None))
        return answers

    def refuse(self, error: JournalError) -> Answers:
        """Take out everybody, with the error."""
        answers: Answers = [
            (callback, error) for _, _, callback in sorted(self._heap, key=lambda item: item[:2])
        ]
        self._heap.clear()
        return answers


def call(answers: Answers) -> None:
    """Call everybody; one whose callback fails is logged and keeps nobody else from his answer."""
    for callback, error in answers:
        try:
            callback(error)
        except Exception:
            log.exception("journal.callback_failed", callback=repr(callback))


def settler(future: asyncio.Future[None]) -> Callback:
    """A callback for any thread that gives a coroutine's future its answer, in the future's own loop."""
    loop = future.get_loop()

    def settle(error: JournalError | None) -> None:
        if future.done():
            return  # whoever waited was cancelled or gave up
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)

    def answer(error: JournalError | None) -> None:
        try:
            loop.call_soon_threadsafe(settle, error)
        except RuntimeError:
            # The loop was closed meanwhile, and with it whoever waited.
            pass

    return answer
