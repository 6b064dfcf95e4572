from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.journal.shipping.conftest import Centre, visit, write
from tests.support.waiting import eventually

from urltrap.journal import JournalWriter, Position
from urltrap.journal.shipping import shipper as module
from urltrap.journal.shipping.keeping import Keeper
from urltrap.journal.shipping.process import own_name
from urltrap.journal.shipping.shipper import Shipper
from urltrap.journal.shipping.spool import Spool
from urltrap.journal.shipping.state import ShippingState
from urltrap.model.event import EventBase, Uploaded, encode_event
from urltrap.model.fleet_settings import ShipSettings
from urltrap.model.settings import JournalSettings
from urltrap.quarantine import Quarantine


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_POLL_SECONDS", "_FIRST_PAUSE", "_LONGEST_PAUSE"):
        monkeypatch.setattr(module, name, 0.001)


@contextlib.asynccontextmanager
async def shipping(journal: Path, centre: Centre) -> AsyncIterator[ShippingState]:
    """A shipper that runs."""
    spool, state = Spool(journal), ShippingState(journal / "shipping.json")
    shipper = Shipper(
        "campus-1",
        spool,
        state,
        Keeper(spool, state, ShipSettings()),
        Quarantine(journal.parent / "quarantine"),
        centre,
    )
    stop = asyncio.Event()
    task = asyncio.create_task(shipper.run(stop))
    try:
        yield state
    finally:
        stop.set()
        await task


async def until_shipped(centre: Centre, count: int, writer: str = "trap-0") -> list[bytes]:
    await eventually(lambda: len(centre.records(writer)) >= count)
    return centre.records(writer)


def encoded(events: list[EventBase]) -> list[bytes]:
    return [encode_event(event) for event in events]


async def test_what_is_written_arrives_in_order_and_is_acknowledged(
    writer: JournalWriter, journal: Path
) -> None:
    centre = Centre()
    events = [event for number in range(50) for event in visit(number, b"id")]
    async with shipping(journal, centre) as state:
        write(writer, *events[:60])
        await until_shipped(centre, 60)
        end = write(writer, *events[60:])
        assert await until_shipped(centre, 150) == encoded(events)
        await eventually(lambda: state.acknowledged("trap-0") == end)
    assert ShippingState(journal / "shipping.json").acknowledged("trap-0") == end


async def test_a_lost_answer_and_an_absence_lose_and_double_nothing(
    writer: JournalWriter, journal: Path
) -> None:
    centre = Centre()
    centre.away, centre.lose_answers = True, 3
    write(writer, *visit(1, b"id"))
    async with shipping(journal, centre):
        await asyncio.sleep(0.02)
        assert centre.chunks == []
        centre.away = False
        await until_shipped(centre, 3)
        write(writer, *visit(2, b"id"))
        assert await until_shipped(centre, 6) == encoded(visit(1, b"id") + visit(2, b"id"))


async def test_a_collector_that_was_restored_from_a_backup_gets_again_what_it_forgot(
    writer: JournalWriter, journal: Path
) -> None:
    centre = Centre()
    async with shipping(journal, centre):
        middle = write(writer, *visit(1, b"id"))
        await until_shipped(centre, 3)
        write(writer, *visit(2, b"id"))
        await until_shipped(centre, 6)
        centre.known["trap-0"] = middle
        centre.chunks = [chunk for chunk in centre.chunks if chunk.end <= middle]
        write(writer, *visit(3, b"id"))
        everything = visit(1, b"id") + visit(2, b"id") + visit(3, b"id")
        assert await until_shipped(centre, 9) == encoded(everything)


async def test_a_restarted_shipper_goes_on_where_the_collector_stands(
    writer: JournalWriter, journal: Path
) -> None:
    centre = Centre()
    write(writer, *visit(1))
    async with shipping(journal, centre) as first:
        await until_shipped(centre, 2)
    write(writer, *visit(2))
    async with shipping(journal, centre) as second:
        assert await until_shipped(centre, 4) == encoded(visit(1) + visit(2))
    assert first.stream == second.stream


async def test_every_writer_is_shipped_also_one_that_begins_later(
    writer: JournalWriter, journal: Path, settings: JournalSettings
) -> None:
    centre = Centre()
    async with shipping(journal, centre):
        write(writer, *visit(1))
        await until_shipped(centre, 2)
        with JournalWriter(journal, "fetcher", settings) as other:
            write(other, *visit(2))
            await until_shipped(centre, 2, "fetcher")


async def test_payloads_go_before_the_chunk_that_names_them(writer: JournalWriter, journal: Path) -> None:
    centre = Centre()
    kept = Quarantine(journal.parent / "quarantine").put(b"payload")
    connect, close = visit(1)
    names = [kept.sha256, "ab" * 32]  # the second was never kept here
    uploads = [
        Uploaded(session=connect.session, seq=2 + n, at=connect.at, via="scp", path=b"/x", size=7, sha256=name)
        for n, name in enumerate(names)
    ]  # fmt: skip
    seen: list[list[str]] = []
    centre.told = lambda: seen.append(list(centre.artifacts))
    async with shipping(journal, centre):
        write(writer, connect, *uploads, close)
        await until_shipped(centre, 4)
    assert seen[0] == [kept.sha256]


def test_a_damaged_state_means_shipping_anew_under_another_name(journal: Path, state: ShippingState) -> None:
    state.acknowledge("trap-0", Position(3, 4))
    path = journal / "shipping.json"
    path.write_text(path.read_text()[:-9])
    again = ShippingState(path)
    assert again.acknowledged("trap-0") == (0, 0) and again.stream != state.stream


@pytest.mark.parametrize("token", ["", "campus-1", "campus-1.", "Campus.x", "a/b.x"])
def test_a_token_that_was_not_printed_by_us_is_named(token: str) -> None:
    with pytest.raises(ValueError, match="name|token"):
        own_name(ShipSettings(ship_token=token))
