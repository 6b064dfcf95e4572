"""Rates, places and the kill switch's file."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from urltrap.egress.limits import Places, RateWindow, TooBusy
from urltrap.egress.switch import KillSwitch


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_key_takes_as_many_as_allowed_within_any_minute() -> None:
    clock = Clock()
    rates = RateWindow(clock)
    for second in (0, 10, 20):
        clock.now = 1000.0 + second
        assert rates.take([("a", 3)]) == 0
    assert rates.take([("a", 3)]) == pytest.approx(40)
    clock.now = 1060.1
    assert rates.take([("a", 3)]) == 0
    assert rates.take([("a", 3)]) == pytest.approx(9.9)


def test_where_one_key_is_full_nothing_is_counted_for_the_others() -> None:
    rates = RateWindow(Clock())
    assert rates.take([("total", 5), ("a", 1)]) == 0
    for _ in range(10):
        assert rates.take([("total", 5), ("a", 1)]) > 0
    assert [rates.take([("total", 5), (name, 1)]) == 0 for name in "bcdef"] == [True, True, True, True, False]


def test_keys_are_forgotten_a_minute_after_their_last_event() -> None:
    clock = Clock()
    rates = RateWindow(clock)
    for number in range(500):
        rates.take([(f"host {number}", 1)])
    assert len(rates) == 500
    clock.now += 61
    rates.take([("one", 1)])
    assert len(rates) == 1


async def test_a_wait_that_would_be_too_long_is_not_begun() -> None:
    clock = Clock()
    rates = RateWindow(clock)
    assert await rates.admit([("a", 1)], clock.now + 5)
    assert not await rates.admit([("a", 1)], clock.now + 5)


async def test_a_short_wait_is_waited_for() -> None:
    loop = asyncio.get_running_loop()
    start = loop.time()
    # The first event was almost a minute ago.
    offset = [0.0]
    rates = RateWindow(lambda: loop.time() + offset[0])
    assert await rates.admit([("a", 1)], start + 1)
    offset[0] = 59.95
    assert await rates.admit([("a", 1)], loop.time() + offset[0] + 5)


async def test_one_host_cannot_take_all_places() -> None:
    loop = asyncio.get_running_loop()
    places = Places(total=3, per_host=2)
    async with places.taken("a", loop.time() + 1), places.taken("a", loop.time() + 1):
        with pytest.raises(TooBusy, match="this host"):
            async with places.taken("a", loop.time() + 0.01):
                pass
        async with places.taken("b", loop.time() + 1):
            with pytest.raises(TooBusy, match="at once"):
                async with places.taken("c", loop.time() + 0.01):
                    pass
    async with places.taken("a", loop.time() + 1), places.taken("c", loop.time() + 1):
        pass
    assert places._hosts == {}


async def test_what_can_wait_leaves_half_of_the_places_to_attackers() -> None:
    loop = asyncio.get_running_loop()
    places = Places(total=4, per_host=4)
    async with places.taken("a", loop.time() + 1, own=True), places.taken("b", loop.time() + 1, own=True):
        with pytest.raises(TooBusy, match="our own"):
            async with places.taken("c", loop.time() + 0.01, own=True):
                pass
        async with places.taken("c", loop.time() + 1), places.taken("a", loop.time() + 1):
            pass
    async with places.taken("c", loop.time() + 1, own=True):
        pass
    assert places._hosts == {}


async def test_a_cancelled_wait_for_a_place_leaves_nothing_behind() -> None:
    loop = asyncio.get_running_loop()
    places = Places(total=1, per_host=1)

    async def wait() -> None:
        async with places.taken("a", loop.time() + 10):
            raise AssertionError("there was no place")

    async with places.taken("a", loop.time() + 1):
        waiting = asyncio.ensure_future(wait())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert waiting.cancelled()
    async with places.taken("a", loop.time() + 1):
        pass
    assert places._hosts == {}


def test_the_switch_is_a_file(tmp_path: Path) -> None:
    switch = KillSwitch.of(tmp_path)
    assert switch.path == tmp_path / "run" / "egress.off"
    assert not switch.thrown()
    switch.throw()
    switch.throw()
    assert switch.thrown()
    switch.release()
    switch.release()
    assert not switch.thrown()


def test_a_dangling_link_and_a_file_that_cannot_be_looked_at_close_the_door(tmp_path: Path) -> None:
    link = tmp_path / "egress.off"
    link.symlink_to(tmp_path / "nowhere")
    assert KillSwitch(link).thrown()
    (tmp_path / "file").touch()
    assert KillSwitch(tmp_path / "file" / "egress.off").thrown(), "not a folder: cannot be looked at"
