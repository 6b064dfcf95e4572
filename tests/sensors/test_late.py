import asyncio

from urltrap.sensors.late import LateEvent


async def test_who_waits_goes_on_when_it_happens_or_has_happened() -> None:
    event = LateEvent()
    waiters = [asyncio.create_task(event.wait()) for _ in range(2)]
    await asyncio.sleep(0)
    assert not event.is_set() and not any(each.done() for each in waiters)
    event.set()
    assert await asyncio.gather(*waiters) == [True, True]
    assert event.is_set() and await event.wait()


async def test_it_can_happen_again() -> None:
    event = LateEvent()
    event.set()
    event.clear()
    waiter = asyncio.create_task(event.wait())
    await asyncio.sleep(0)
    event.set()
    await waiter
    event.clear()
    again = asyncio.create_task(event.wait())
    await asyncio.sleep(0)
    assert not event.is_set() and not again.done()
    event.set()
    await again
