"""Who gets which box, and for how long."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from urltrap.sandbox.boxes import Boxes
from urltrap.sandbox.bundle import Command
from urltrap.sandbox.driver import Running, SandboxError


@dataclass
class FakeBox:
    id: str
    driver: "FakeDriver"
    upper: Path = Path("/nowhere")
    devices: int | None = None
    alive: bool = True

    def run(self, command: Command) -> Awaitable[Running]:
        raise NotImplementedError

    async def destroy(self) -> None:
        self.driver.alive.remove(self.id)


@dataclass
class FakeDriver:
    name: str = "fake"
    alive: list[str] = field(default_factory=list)

    async def create(self, id: str) -> FakeBox:
        self.alive.append(id)
        await asyncio.sleep(0)
        return FakeBox(id, self)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def _boxes(most: int = 2) -> tuple[Boxes, FakeDriver, Clock]:
    driver, clock = FakeDriver(), Clock()
    return Boxes(driver, most=most, seconds=100, idle_seconds=10, clock=clock), driver, clock


def test_one_address_has_one_box_even_when_it_asks_twice_at_once() -> None:
    async def story() -> None:
        boxes, driver, _ = _boxes()
        first, second = await asyncio.gather(boxes.attach("192.0.2.1"), boxes.attach("192.0.2.1"))
        assert first is second and len(driver.alive) == 1
        assert (await boxes.attach("192.0.2.2")) is not first

    asyncio.run(story())


def test_the_longest_idle_box_makes_room_and_one_in_use_never_does() -> None:
    async def story() -> None:
        boxes, driver, clock = _boxes()
        old, busy = await boxes.attach("192.0.2.1"), await boxes.attach("192.0.2.2")
        with pytest.raises(SandboxError, match=r"all 2 boxes are in use"):
            await boxes.attach("192.0.2.3")
        boxes.detach(old)
        clock.now = 1
        await boxes.attach("192.0.2.3")
        assert old.box.id not in driver.alive and busy.box.id in driver.alive and len(driver.alive) == 2

    asyncio.run(story())


def test_a_box_goes_when_it_is_idle_or_old_and_not_before() -> None:
    async def story() -> None:
        boxes, driver, clock = _boxes()
        idle = await boxes.attach("192.0.2.1")
        await boxes.attach("192.0.2.2")
        boxes.detach(idle)
        clock.now = 10
        await boxes.expire()
        assert len(boxes) == 2
        clock.now = 11
        await boxes.expire()
        assert len(boxes) == 1
        clock.now = 101
        await boxes.expire()
        assert driver.alive == [], "its time is over although its attacker is there"

    asyncio.run(story())


def test_an_attacker_who_has_ended_his_box_gets_another_one() -> None:
    async def story() -> None:
        boxes, driver, _ = _boxes(most=1)
        first = await boxes.attach("192.0.2.1")
        assert isinstance(first.box, FakeBox)
        first.box.alive = False
        second = await boxes.attach("192.0.2.1")
        assert second is not first and driver.alive == [second.box.id]
        boxes.detach(first)
        assert (first.attached, second.attached) == (0, 1), (
            "what ran in the old one is not counted for the new one"
        )
        assert isinstance(second.box, FakeBox)
        second.box.alive = False
        await boxes.expire()
        assert driver.alive == [] and len(boxes) == 0

    asyncio.run(story())
