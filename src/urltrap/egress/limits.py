"""How often and how many at once: exact windows of a minute, and a bounded number of transfers per host."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

WINDOW_SECONDS = 60.0


class RateWindow:
    """At most so many events per key in any minute.

    Memory is bounded by what was admitted within the last minute: a key without such an event is forgotten.
    `clock` gives seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._events: dict[str, deque[float]] = {}
        self._swept = clock()

    def take(self, keys: Sequence[tuple[str, int]]) -> float:
        """Count one event for all `keys` (name, events per minute) and return 0; where a key is full count nothing and
        return the seconds until it is not."""
        now = self._clock()
        self._sweep(now)
        wait = 0.0
        for key, allowed in keys:
            events = self._events.get(key)
            if events is None:
                continue
            while events and events[0] <= now - WINDOW_SECONDS:
                events.popleft()
            if len(events) >= allowed:
                wait = max(wait, events[len(events) - allowed] + WINDOW_SECONDS - now)
        if wait > 0:
            return wait
        for key, _ in keys:
            self._events.setdefault(key, deque()).append(now)
        return 0.0

    async def admit(self, keys: Sequence[tuple[str, int]], until: float) -> bool:
        """`take`, waiting for room where it comes before the time `until`; False where it does not."""
        while (wait := self.take(keys)) > 0:
            if self._clock() + wait > until:
                return False
            await asyncio.sleep(wait)
        return True

    def __len__(self) -> int:
        return len(self._events)

    def _sweep(self, now: float) -> None:
        if now - self._swept < WINDOW_SECONDS / 4:
            return
        self._swept = now
        for key in [key for key, events in self._events.items() if events[-1] <= now - WINDOW_SECONDS]:
            del self._events[key]


class TooBusy(Exception):
    """No place for another transfer came free in time."""


class Places:
    """A bounded number of transfers at once, and fewer of them to one host, so that slow ones cannot take all.

    What can wait (`own`: questions of ours besides what attackers fetch) has half of the places at most.
    """

    def __init__(self, total: int, per_host: int) -> None:
        self._total = asyncio.Semaphore(total)
        self._own = asyncio.Semaphore(max(1, total // 2))
        self._per_host = per_host
        self._hosts: dict[str, tuple[asyncio.Semaphore, int]] = {}

    @asynccontextmanager
    async def taken(self, host: str, until: float, *, own: bool = False) -> AsyncIterator[None]:
        """Hold a place for a transfer to `host`; TooBusy where none is free before `until` (the loop's time)."""
        if not own:
            async with self._held(host, until):
                yield
            return
        try:
            async with asyncio.timeout_at(until):
                await self._own.acquire()
        except TimeoutError as error:
            raise TooBusy("too many transfers of our own at once") from error
        try:
            async with self._held(host, until):
                yield
        finally:
            self._own.release()

    @asynccontextmanager
    async def _held(self, host: str, until: float) -> AsyncIterator[None]:
        semaphore, users = self._hosts.get(host, (asyncio.Semaphore(self._per_host), 0))
        self._hosts[host] = (semaphore, users + 1)
        try:
            try:
                async with asyncio.timeout_at(until):
                    await semaphore.acquire()
            except TimeoutError as error:
                raise TooBusy("too many transfers to this host at once") from error
            try:
                try:
                    async with asyncio.timeout_at(until):
                        await self._total.acquire()
                except TimeoutError as error:
                    raise TooBusy("too many transfers at once") from error
                try:
                    yield
                finally:
                    self._total.release()
            finally:
                semaphore.release()
        finally:
            semaphore, users = self._hosts[host]
            if users == 1:
                del self._hosts[host]
            else:
                self._hosts[host] = (semaphore, users - 1)
