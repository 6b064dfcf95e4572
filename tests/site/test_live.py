from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from urltrap.model.views import Pulse
from urltrap.site import live
from urltrap.site.live import LiveUpdates
from urltrap.store import StoreLocked


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.001)


class Source:
    """A store whose pulse the test sets."""

    def __init__(self) -> None:
        self.events = 1
        self.asked = 0
        self.error: Exception | None = None
        self.failed = threading.Event()

    def read(self) -> Pulse:
        self.asked += 1
        if self.error:
            self.failed.set()
            raise self.error
        return Pulse(events=self.events, urls=2, last_event=None)


async def pulses(watch: AsyncIterator[str]) -> AsyncIterator[str]:
    async for event in watch:
        if event.startswith("event: pulse"):
            yield event


async def test_a_watcher_gets_the_pulse_at_once_and_then_each_change() -> None:
    source = Source()
    updates = LiveUpdates(source.read)
    seen = pulses(updates.watch())
    async with asyncio.timeout(10):
        assert await anext(seen) == event_of(1)
        source.events = 5
        assert await anext(seen) == event_of(5)
    await seen.aclose()


async def test_all_watchers_share_one_look_and_nobody_looks_when_nobody_watches() -> None:
    source = Source()
    updates = LiveUpdates(source.read)
    watches = [updates.watch() for _ in range(3)]
    readers = [pulses(watch) for watch in watches]
    async with asyncio.timeout(10):
        for reader in readers:
            await anext(reader)
        source.events = 2
        assert [await anext(reader) for reader in readers] == [event_of(2)] * 3
    for watch, reader in zip(watches, readers, strict=True):
        await reader.aclose()
        await watch.aclose()
    await asyncio.sleep(0)
    asked = source.asked
    for _ in range(20):
        await asyncio.sleep(0)
    assert source.asked <= asked + 1


def event_of(events: int) -> str:
    return f"event: pulse\ndata: {events}-2\n\n"


async def test_a_locked_store_ends_no_stream() -> None:
    source = Source()
    source.error = StoreLocked("locked")
    updates = LiveUpdates(source.read)
    seen = pulses(updates.watch())
    waiting = asyncio.ensure_future(anext(seen))
    async with asyncio.timeout(10):
        await asyncio.to_thread(source.failed.wait)
        source.error = None
        assert await waiting == event_of(1)
    await seen.aclose()


async def test_closing_ends_all_streams() -> None:
    updates = LiveUpdates(Source().read)

    watches = [updates.watch() for _ in range(2)]
    async with asyncio.timeout(10):
        for watch in watches:
            await anext(watch)
        await updates.close()
        for watch in watches:
            assert [event async for event in watch if event.startswith("event")] in ([], [event_of(1)])


async def test_no_more_watchers_than_the_limit_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_WATCHERS", 1)
    updates = LiveUpdates(Source().read)
    watch = updates.watch()
    assert not updates.full
    await anext(watch)
    assert updates.full
    await watch.aclose()
    assert not updates.full
