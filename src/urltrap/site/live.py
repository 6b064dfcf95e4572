"""Live updates: one look at the store's pulse for all open pages, told to each as a server-sent event."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import structlog
from anyio import to_thread

from urltrap.model.views import Pulse
from urltrap.store import StoreError

log = structlog.get_logger()

LOOK_SECONDS = 1.0
"""How often the store is asked while somebody watches; nobody watching: never."""
_ALIVE_SECONDS = 5.0
CHECK_SECONDS = 2.0
"""How often it is looked whether a watcher still may watch, at the most: with news, or when a sign of life is due."""
MOST_WATCHERS = 64


def pulse_key(pulse: Pulse) -> str:
    """The state of the store in a word: a page carries that of what it shows, and compares."""
    return f"{pulse.events}-{pulse.urls}"


async def _always() -> bool:
    return True


class LiveUpdates:
    """The pulse of the store, shared by all watchers."""

    def __init__(self, read: Callable[[], Pulse]) -> None:
        self._read = read
        self._changed = asyncio.Condition()
        self._pulse: Pulse | None = None
        self._watchers = 0
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def full(self) -> bool:
        """Whether no more watchers are taken: each holds a connection."""
        return self._watchers >= MOST_WATCHERS

    async def watch(self, allowed: Callable[[], Awaitable[bool]] = _always) -> AsyncIterator[str]:
        """Server-sent events for one page: the pulse at once, then whenever it changes; ends when the site closes.

        It ends with the event `over` when `allowed` says that whoever watches may no longer.
        """
        self._watchers += 1
        clock = asyncio.get_running_loop().time
        checked = clock()
        try:
            if self._task is None:
                self._task = asyncio.create_task(self._look())
            shown: Pulse | None = None
            yield "retry: 3000\n\n"
            while not self._closed:
                if clock() - checked >= CHECK_SECONDS:
                    if not await allowed():
                        yield "event: over\ndata: log in again\n\n"
                        return
                    checked = clock()
                if self._pulse != shown and self._pulse is not None:
                    shown = self._pulse
                    yield f"event: pulse\ndata: {pulse_key(shown)}\n\n"
                    continue
                if not await self._wait(shown):
                    yield ": still here\n\n"  # finds out whether the other end is
        finally:
            self._watchers -= 1
            if not self._watchers and self._task is not None:
                self._task.cancel()
                self._task = None
                self._pulse = None

    async def close(self) -> None:
        """End all watchers."""
        async with self._changed:
            self._closed = True
            self._changed.notify_all()

    async def _wait(self, shown: Pulse | None) -> bool:
        try:
            async with asyncio.timeout(_ALIVE_SECONDS), self._changed:
                await self._changed.wait_for(lambda: self._closed or self._pulse != shown)
        except TimeoutError:
            return False
        return True

    async def _look(self) -> None:
        while True:
            try:
                pulse = await to_thread.run_sync(self._read)
            except StoreError as error:
                # The pages say so too; looking goes on, because a lock passes.
                log.warning("live updates wait for the store", error=str(error))
            else:
                if pulse != self._pulse:
                    async with self._changed:
                        self._pulse = pulse
                        self._changed.notify_all()
            await asyncio.sleep(LOOK_SECONDS)
