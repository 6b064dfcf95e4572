"""The way through NATS, with a real broker, and everybody who uses it for something else."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import func, select
from tests.pipeline.fleet.conftest import START, STREAM, chunk_of, collecting, visit
from tests.support.broker import KEY, TestBroker
from tests.support.waiting import eventually

from urltrap.journal import Position
from urltrap.journal.shipping.broker import Broker, BrokerKey
from urltrap.journal.shipping.chunk import Chunk, encode_chunk
from urltrap.journal.shipping.nats import NatsTransport
from urltrap.journal.shipping.transport import Beat, Behind, TransportAway, TransportRefused
from urltrap.pipeline.fleet.accounts import Accounts
from urltrap.pipeline.fleet.beats import Beats
from urltrap.pipeline.fleet.collecting import Collector, NotYet
from urltrap.pipeline.fleet.nats_consumer import NatsConsumer
from urltrap.pipeline.fleet.receiving import Receiving
from urltrap.quarantine import Quarantine
from urltrap.store import Store
from urltrap.store.schema import events


@dataclass
class Fleet:
    """A broker, the accounts, and the tokens of two sensors."""

    broker: TestBroker
    tokens: dict[str, str]

    def sensor(self, name: str = "campus-1", token: str = "", seconds: float = 10) -> NatsTransport:
        return NatsTransport(
            self.broker.url, name, token or self.tokens[name], STREAM, str(self.broker.ca),
            answer_seconds=seconds, ask_seconds=min(seconds, 5),
        )  # fmt: skip


@pytest.fixture
def fleet(data: Path) -> Iterator[Fleet]:
    accounts = Accounts(data)
    tokens = {name: accounts.add(name) for name in ("campus-1", "campus-2")}
    broker = TestBroker(data / "broker", accounts)
    broker.start()
    yield Fleet(broker, tokens)
    broker.kill()


@contextlib.asynccontextmanager
async def consuming(
    fleet: Fleet, collector: Collector, data: Path, ack_seconds: float = 30
) -> AsyncIterator[NatsConsumer]:
    """A collector's process, as far as the broker sees it."""
    receiving = Receiving(Quarantine(data / "quarantine"))
    consumer = NatsConsumer(
        fleet.broker.url, KEY, collector, Beats(data / "run" / "fleet"), receiving, str(fleet.broker.ca),
        ack_seconds=ack_seconds,
    )  # fmt: skip
    ready = asyncio.Event()
    task = asyncio.create_task(consumer.run(ready.set))
    await asyncio.wait_for(ready.wait(), 30)
    try:
        yield consumer
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        receiving.close()


@contextlib.asynccontextmanager
async def closing(transport: NatsTransport) -> AsyncIterator[NatsTransport]:
    try:
        yield transport
    finally:
        await transport.close()


def count(store: Store) -> int:
    with store.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(events)).scalar() or 0)


async def test_a_chunk_a_payload_and_a_beat_come_through_the_broker(
    data: Path, store: Store, fleet: Fleet, tmp_path: Path
) -> None:
    first = chunk_of(visit(1, b"id"))
    there = Quarantine(tmp_path / "sensor")
    payload = there.put(bytes(range(256)) * 20_000)
    async with (
        collecting(data, store) as collector,
        consuming(fleet, collector, data),
        closing(fleet.sensor()) as sensor,
    ):
        assert await sensor.marks() == {}
        assert await sensor.send(first) == first.end
        assert await sensor.send(first) == first.end, "replayed"
        assert await sensor.marks() == {"trap-0": first.end}
        with pytest.raises(Behind) as caught:
            await sensor.send(chunk_of(visit(2), after=Position(9, 9)))
        assert caught.value.mark == first.end
        for _ in range(2):
            await sensor.send_artifact(there, payload.sha256)
        assert Quarantine(data / "quarantine").verify(payload.sha256)
        await sensor.beat(Beat(version="1", at=START, waiting_bytes=1))
        await eventually(lambda: Beats(data / "run" / "fleet").get("campus-1") is not None)
    assert count(store) == 3


async def test_a_sensor_can_neither_speak_as_another_nor_listen(fleet: Fleet) -> None:
    refused: list[str] = []

    async def note(error: Exception) -> None:
        refused.append(str(error))

    liar = Broker(BrokerKey(fleet.tokens["campus-1"].encode()))
    await liar.open(fleet.broker.url, str(fleet.broker.ca))
    liar._error_cb = note
    try:
        for subject in (
            "urltrap.from.campus-2.chunk.trap-0",
            "urltrap.to.campus-2",
            "$JS.API.STREAM.PURGE.URLTRAP",
        ):
            await liar.publish(subject, b"x")
        for subject in ("urltrap.from.>", "urltrap.to.campus-2", ">"):
            await liar.subscribe(subject)
        await liar.flush()
        await eventually(lambda: len(refused) == 6)
        assert all("permissions violation" in words for words in refused)
    finally:
        await liar.close()


async def test_a_chunk_that_says_another_name_than_its_subject_is_not_taken(
    data: Path, store: Store, fleet: Fleet
) -> None:
    async with collecting(data, store) as collector, consuming(fleet, collector, data):
        liar = Broker(BrokerKey(fleet.tokens["campus-1"].encode()))
        await liar.open(fleet.broker.url, str(fleet.broker.ca))
        good = encode_chunk(chunk_of(visit(1)))
        for body in (encode_chunk(chunk_of(visit(1), "campus-2")), b"", good[:-9], json.dumps({}).encode()):
            await liar.publish("urltrap.from.campus-1.chunk.trap-0", body)
            await liar.publish("urltrap.from.campus-1.ask", body)
            await liar.publish("urltrap.from.campus-1.beat", body)
            await liar.publish("urltrap.from.campus-1.artifact.x", body)
            await liar.publish("urltrap.from.campus-1.artifact.x.y", body)
        await liar.flush()
        await liar.close()
        async with closing(fleet.sensor("campus-2")) as sensor:
            chunk = chunk_of(visit(1), "campus-2")
            assert await sensor.send(chunk) == chunk.end, "the collector goes on"
    assert count(store) == 2


async def test_a_sensor_hears_why_its_chunk_is_refused_or_has_to_wait(
    data: Path, store: Store, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunk = chunk_of(visit(1))
    async with (
        collecting(data, store) as collector,
        consuming(fleet, collector, data),
        closing(fleet.sensor(seconds=1)) as sensor,
    ):
        with pytest.raises(TransportRefused, match="says that it is of campus-2, trap-0"):
            await sensor.send(replace(chunk, sensor="campus-2"))

        async def not_yet(chunk: Chunk) -> Position:
            raise NotYet("the store is full")

        monkeypatch.setattr(collector, "take", not_yet)
        with pytest.raises(TransportAway, match="the collector waits: the store is full"):
            await sensor.send(chunk)
        monkeypatch.undo()
        async with closing(fleet.sensor()) as patient:
            assert await patient.send(chunk) == chunk.end, "nothing is lost by it"


async def test_who_was_removed_and_who_has_a_wrong_key_is_not_let_in(fleet: Fleet) -> None:
    async with closing(fleet.sensor(token="campus-1.wrong")) as sensor:
        with pytest.raises(TransportRefused, match="does not know this key"):
            await sensor.marks()
    fleet.broker.accounts.remove("campus-2")
    fleet.broker.reload()

    async with asyncio.timeout(30):
        while True:
            async with closing(fleet.sensor("campus-2", seconds=0.2)) as sensor:
                try:
                    await sensor.marks()
                except TransportRefused:
                    return
                except TransportAway:
                    continue


async def test_where_no_broker_is_nobody_waits_for_long(data: Path, fleet: Fleet) -> None:
    fleet.broker.kill()
    async with closing(fleet.sensor()) as sensor:
        with pytest.raises(TransportAway, match="cannot be reached.*127.0.0.1"):
            await sensor.marks()


async def test_nothing_is_said_in_the_clear_and_to_no_stranger(data: Path, fleet: Fleet) -> None:
    plain = TestBroker(data / "plain", fleet.broker.accounts, tls=False)
    plain.start()
    try:
        naked = NatsTransport(plain.url, "campus-1", fleet.tokens["campus-1"], STREAM, str(plain.ca))
        async with closing(naked) as sensor:
            with pytest.raises(TransportRefused, match="does not ask for TLS"):
                await sensor.marks()
        stranger = NatsTransport(
            fleet.broker.url, "campus-1", fleet.tokens["campus-1"], STREAM, str(plain.ca)
        )
        async with closing(stranger) as sensor:
            with pytest.raises(TransportRefused, match="no authority vouches"):
                await sensor.marks()
    finally:
        plain.kill()


async def test_a_broker_that_takes_only_short_messages_is_named_before_one_is_needed(
    data: Path, fleet: Fleet
) -> None:
    short = TestBroker(data / "short", fleet.broker.accounts, more="max_payload: 1048576\n")
    short.start()
    try:
        transport = NatsTransport(short.url, "campus-1", fleet.tokens["campus-1"], STREAM, str(short.ca))
        async with closing(transport) as sensor:
            with pytest.raises(TransportRefused, match="set max_payload"):
                await sensor.marks()
    finally:
        short.kill()


async def test_the_brokers_word_is_not_believed(data: Path, store: Store, fleet: Fleet) -> None:
    """A broker that has a chunk, and a collector that is gone: nothing is acknowledged."""
    chunk = chunk_of(visit(1))
    async with collecting(data, store) as collector, closing(fleet.sensor(seconds=0.5)) as sensor:
        async with consuming(fleet, collector, data):
            await sensor.marks()
        for _ in range(3):
            with pytest.raises(TransportAway, match="no collector"):
                await sensor.send(chunk)
        async with consuming(fleet, collector, data):
            # The broker kept one of the three, and whoever comes gets it.
            await eventually(lambda: count(store) == 2)
        async with consuming(fleet, collector, data), closing(fleet.sensor()) as patient:
            assert await patient.send(chunk) == chunk.end
    assert count(store) == 2


async def test_a_broker_that_is_killed_and_forgets_costs_nothing(
    data: Path, store: Store, fleet: Fleet
) -> None:
    first = chunk_of(visit(1))
    second = chunk_of(visit(2), after=first.end)
    async with (
        collecting(data, store) as collector,
        consuming(fleet, collector, data),
        closing(fleet.sensor(seconds=1)) as sensor,
    ):
        assert await sensor.send(first) == first.end
        fleet.broker.kill()
        with pytest.raises(TransportAway):
            await sensor.send(second)
        for path in sorted((fleet.broker.folder / "store").rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        fleet.broker.start()
        async with asyncio.timeout(60):
            while True:
                try:
                    assert await sensor.send(second) == second.end
                    break
                except TransportAway:
                    continue
    assert count(store) == 4


async def test_of_two_collectors_one_dies_in_the_middle_and_the_other_goes_on(
    data: Path, store: Store, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first takes the chunk into its journal and never says so: the broker gives it to the second."""
    chunks = [chunk_of(visit(0, b"id"))]
    for number in range(1, 6):
        chunks.append(chunk_of(visit(number, b"id"), after=chunks[-1].end))

    async def hang(chunk: object) -> Position:
        dying.set()
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    dying = asyncio.Event()
    async with (
        collecting(data, store, 0) as one,
        collecting(data, store, 1) as other,
        consuming(fleet, one, data, ack_seconds=1),
        closing(fleet.sensor()) as sensor,
    ):
        assert await sensor.send(chunks[0]) == chunks[0].end
        take = one.take
        monkeypatch.setattr(one, "take", hang)
        sending = asyncio.create_task(sensor.send(chunks[1]))
        await dying.wait()
        async with consuming(fleet, other, data, ack_seconds=1):
            assert await sending == chunks[1].end
            # What the first had in its hands it takes late: that changes nothing.
            assert await take(chunks[1]) == chunks[1].end
            monkeypatch.setattr(one, "take", take)
            for chunk in chunks[2:]:
                assert await sensor.send(chunk) == chunk.end
    assert count(store) == 3 * 6


def test_a_key_looks_as_the_broker_wants_it_and_is_the_same_each_time() -> None:
    key = BrokerKey(b"secret")
    assert len(key.public) == 56 and key.public[0] == "U" and key.public == BrokerKey(b"secret").public
    assert key.public != BrokerKey(b"other").public
