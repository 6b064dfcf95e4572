from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select
from tests.pipeline.fleet.conftest import SETTINGS, START, chunk_of, collecting, visit
from tests.support.databases import KINDS, database, stop_temporary_servers
from tests.support.waiting import eventually

from urltrap.journal import BEGINNING, JournalReader, Position
from urltrap.journal.format import frame
from urltrap.journal.shipping.chunk import Chunk
from urltrap.model.event import Decided, EventBase, encode_event
from urltrap.pipeline.fleet.collecting import Collector, NotYet, OutOfPlace
from urltrap.pipeline.fleet.marks import committed, list_marks, mark_name
from urltrap.pipeline.fleet.naming import fleet_session
from urltrap.site.operations import journals
from urltrap.store import Store, open_store
from urltrap.store.queries.operations import writers
from urltrap.store.schema import commands, dead_letters, events, sessions


@pytest.fixture(scope="module", params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with database(request.param, tmp_path_factory.mktemp("fleet")) as url:
        yield url
    stop_temporary_servers()


def count(store: Store) -> int:
    with store.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(events)).scalar() or 0)


def typed(store: Store, sensor: str) -> list[bytes]:
    """The command lines of a sensor's sessions in their order."""
    with store.connect() as connection:
        return list(
            connection.execute(
                select(commands.c.text)
                .join(sessions, sessions.c.id == commands.c.session)
                .where(sessions.c.sensor == f"{sensor}/ssh")
                .order_by(sessions.c.started, commands.c.session, commands.c.seq)
            ).scalars()
        )


async def test_the_answer_is_the_stores_watermark_in_the_sensors_own_terms(data: Path, store: Store) -> None:
    chunk = chunk_of(visit(1, b"id", b"uname"))
    async with collecting(data, store) as collector:
        assert await collector.take(chunk) == chunk.end
        assert count(store) == 4 and typed(store, "campus-1") == [b"id", b"uname"]
        assert await collector.marks("campus-1", chunk.stream) == {"trap-0": chunk.end}
        assert await collector.marks("campus-2", chunk.stream) == {}
    assert committed(store, mark_name("campus-1", chunk.stream, "trap-0")) == chunk.end


async def test_a_replayed_chunk_is_answered_and_written_nowhere(data: Path, store: Store) -> None:
    first = chunk_of(visit(1, b"id"))
    second = chunk_of(visit(2, b"id"), after=first.end)
    async with collecting(data, store) as collector:
        await collector.take(first)
        await collector.take(second)
        for _ in range(3):
            assert await collector.take(first) == second.end
    with JournalReader(data / "journal") as reader:
        assert len(reader.read(collector.writer, None, 100)) == 6 == count(store)


async def test_the_same_chunk_many_times_at_once_is_taken_once(data: Path, store: Store) -> None:
    chunk = chunk_of(visit(1, b"id"))
    async with collecting(data, store) as collector:
        answers = await asyncio.gather(*(collector.take(chunk) for _ in range(8)))
    assert set(answers) == {chunk.end} and count(store) == 3
    with JournalReader(data / "journal") as reader:
        assert len(reader.read(collector.writer, None, 100)) == 3


async def test_two_sensors_with_the_same_local_ids_stay_apart(data: Path, store: Store) -> None:
    async with collecting(data, store) as collector:
        await collector.take(chunk_of(visit(1, b"one"), "campus-1"))
        await collector.take(chunk_of(visit(1, b"two"), "campus-2"))
    assert typed(store, "campus-1") == [b"one"] and typed(store, "campus-2") == [b"two"]
    assert count(store) == 6


async def test_a_sensor_that_was_installed_anew_begins_anew(data: Path, store: Store) -> None:
    async with collecting(data, store) as collector:
        long = chunk_of(visit(1, b"x" * 1000))
        await collector.take(long)
        short = chunk_of(visit(2, b"new"), stream="f" * 16)
        assert await collector.take(short) == short.end < long.end
    assert typed(store, "campus-1") == [b"x" * 1000, b"new"]


async def test_a_chunk_behind_a_place_that_the_store_has_not_reached_is_sent_back(
    data: Path, store: Store
) -> None:
    first = chunk_of(visit(1, b"id"))
    async with collecting(data, store) as collector:
        with pytest.raises(OutOfPlace) as caught:
            await collector.take(chunk_of(visit(2), after=first.end))
        assert caught.value.mark == BEGINNING
        await collector.take(first)
        with pytest.raises(OutOfPlace) as caught:
            await collector.take(chunk_of(visit(3), after=Position(1, first.end.offset + 1)))
        assert caught.value.mark == first.end
    assert count(store) == 3


async def test_what_was_journalled_before_a_crash_is_in_the_store_afterwards(
    data: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunk = chunk_of(visit(1, b"id"))
    with monkeypatch.context() as patch:
        patch.setattr("urltrap.pipeline.intake.Intake.step", lambda intake: 0)
        async with collecting(data, store, wait_seconds=0.05) as collector:
            with pytest.raises(NotYet, match="so does yours"):
                await collector.take(chunk)
    assert count(store) == 0
    async with collecting(data, store) as collector:
        # The sensor sends it again: written twice, taken once.
        assert await collector.take(chunk) == chunk.end
        assert count(store) == 3


async def test_a_collector_whose_journal_was_lost_takes_nothing_for_stored_that_is_not(
    data: Path, store: Store
) -> None:
    first = chunk_of(visit(1, b"x" * 5000))
    second = chunk_of(visit(2, b"id"), after=first.end)
    async with collecting(data, store) as collector:
        await collector.take(first)
        lost = collector.writer
    shutil.rmtree(data / "journal" / lost)
    async with collecting(data, store) as collector:
        assert collector.writer != lost
        assert await collector.take(second) == second.end
    assert typed(store, "campus-1") == [b"x" * 5000, b"id"]


async def test_a_copied_collector_takes_a_journal_of_its_own(
    data: Path, store: Store, tmp_path_factory: pytest.TempPathFactory
) -> None:
    chunks = [chunk_of(visit(0, b"c0"))]
    for number in range(1, 4):
        chunks.append(chunk_of(visit(number, b"c%d" % number), after=chunks[-1].end))
    async with collecting(data, store) as collector:
        await collector.take(chunks[0])
    copy = tmp_path_factory.mktemp("copy")
    shutil.copytree(data / "journal", copy / "journal")
    async with collecting(data, store) as collector:
        await collector.take(chunks[1])
        # At the same time: what the original has in the store says nothing of the copy's journal.
        async with collecting(copy, store) as clone:
            assert clone.writer != collector.writer
            assert await clone.take(chunks[2]) == chunks[2].end
            assert await collector.take(chunks[3]) == chunks[3].end
    assert typed(store, "campus-1") == [b"c0", b"c1", b"c2", b"c3"]


async def test_what_a_process_left_that_is_not_run_any_more_is_read_by_another(
    data: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("urltrap.pipeline.intake.Intake.step", lambda intake: 0)
        async with collecting(data, store, 1, wait_seconds=0.05) as collector:
            with pytest.raises(NotYet):
                await collector.take(chunk_of(visit(1, b"id")))
    collector = Collector(data / "journal", 0, 1, store, SETTINGS)
    try:
        await eventually(lambda: count(store) == 3)
    finally:
        await collector.close()


async def test_a_second_collector_takes_over_in_the_middle(data: Path, store: Store) -> None:
    first = chunk_of(visit(1, b"one"))
    second = chunk_of(visit(2, b"two"), after=first.end)
    async with collecting(data, store, 0) as one, collecting(data, store, 1) as other:
        await one.take(first)
        assert await other.take(first) == first.end
        assert await other.take(second) == second.end
        assert await one.take(second) == second.end
    assert typed(store, "campus-1") == [b"one", b"two"] and count(store) == 6


async def test_two_collectors_on_one_database_take_a_session_apart_and_count_it_right(
    data: Path, database_url: str
) -> None:
    store = open_store(database_url)
    try:
        pieces = [visit(number, *(b"c%d" % n for n in range(15))) for number in range(3)]
        async with collecting(data, store, 0) as one, collecting(data, store, 1) as other:

            async def ship(number: int, events: list[EventBase]) -> None:
                # Each session in pieces, every piece given to both: what a group does when one is slow.
                place = BEGINNING
                for start in range(0, len(events), 8):
                    chunk = chunk_of(events[start : start + 8], f"campus-{number}", place)
                    answers = await asyncio.gather(one.take(chunk), other.take(chunk))
                    place = answers[0]
                    assert answers == [chunk.end, chunk.end]

            await asyncio.gather(*(ship(number, events) for number, events in enumerate(pieces)))
        with store.connect() as connection:
            rows = connection.execute(
                select(sessions.c.sensor, sessions.c.commands, sessions.c.close_reason)
            ).all()
        assert sorted(rows) == [(f"campus-{number}/ssh", 15, "client") for number in range(3)]
        assert count(store) == sum(len(events) for events in pieces)
    finally:
        store.close()


async def test_a_sensor_may_not_decide_and_what_is_no_event_is_left_out(data: Path, store: Store) -> None:
    session = visit(1)[0].session
    decided = encode_event(
        Decided(session=session, seq=9, at=START, by="x", subject="http://bad.example/", decision="allow")
    )
    hostile = [decided, b"{}", b"[1]", b'{"session":1,"kind":"session.close"}', b"\xff", b'"x"', b"[" * 5000]
    good = [encode_event(event) for event in visit(1, b"id")]
    frames = b"".join(map(frame, [*hostile, *good]))
    chunk = Chunk("campus-1", "0" * 16, "trap-0", BEGINNING, 1, 100, frames)
    async with collecting(data, store) as collector:
        assert await collector.take(chunk) == chunk.end
        only = Chunk("campus-1", "0" * 16, "trap-0", chunk.end, 1, chunk.end.offset, frame(decided))
        assert await collector.take(only) == only.end
    assert count(store) == 3


async def test_a_kind_that_only_a_newer_sensor_knows_is_kept_aside(data: Path, store: Store) -> None:
    record = json.dumps({"kind": "quantum.entangled", "session": visit(1)[0].session, "seq": 0}).encode()
    chunk = Chunk("campus-1", "0" * 16, "trap-0", BEGINNING, 1, 100, frame(record))
    async with collecting(data, store) as collector:
        assert await collector.take(chunk) == chunk.end
    with store.connect() as connection:
        rows = connection.execute(select(dead_letters.c.kind, dead_letters.c.record)).all()
    assert [kind for kind, _ in rows] == ["quantum.entangled"]
    assert fleet_session("campus-1", visit(1)[0].session).encode() in rows[0].record


@pytest.mark.parametrize("years", [-56, -5])
async def test_a_clock_that_is_behind_is_believed(data: Path, store: Store, years: int) -> None:
    at = START + timedelta(days=365.25 * years)
    async with collecting(data, store) as collector:
        await collector.take(chunk_of(visit(1, b"id", at=at)))
    (mark,) = list_marks(store)
    assert mark.newest.year == at.year and count(store) == 3


@pytest.mark.parametrize("years", [1, 30, 73])
async def test_nothing_happened_later_than_it_was_received(data: Path, store: Store, years: int) -> None:
    at = START + timedelta(days=365.25 * years)
    before = datetime.now(UTC)
    async with collecting(data, store) as collector:
        await collector.take(chunk_of(visit(1, b"id", at=at)))
    (mark,) = list_marks(store)
    assert before < mark.newest < datetime.now(UTC) + timedelta(minutes=6) and count(store) == 3


async def test_the_sites_page_of_journals_shows_the_collectors_own(data: Path, store: Store) -> None:
    async with collecting(data, store) as collector:
        await collector.take(chunk_of(visit(1, b"id")))
        writer = collector.writer
    (row,) = journals(data, writers(store))
    assert (row.writer, row.events, row.unread) == (writer, 3, 0)


async def test_a_full_disk_makes_the_sensor_wait_and_goes_by(
    data: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from urltrap.journal import JournalFullError, JournalWriter

    chunk = chunk_of(visit(1, b"id"))
    async with collecting(data, store) as collector:
        with monkeypatch.context() as patch:

            def full(self: JournalWriter, payloads: object) -> Position:
                raise JournalFullError("no room")

            patch.setattr(JournalWriter, "append_records", full)
            with pytest.raises(JournalFullError):
                await collector.take(chunk)
            assert await collector.marks("campus-1", chunk.stream) == {}
        assert await collector.take(chunk) == chunk.end
    assert count(store) == 3
