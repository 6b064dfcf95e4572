"""The door for sensors, over real TLS on loopback, and everybody who comes to it with something else in mind."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy import func, select
from tests.pipeline.fleet.conftest import SETTINGS, START, STREAM, chunk_of, collecting, visit
from tests.support.waiting import eventually

from urltrap.journal import JournalFullError, JournalWriter, Position
from urltrap.journal.format import MAX_RECORD, frame
from urltrap.journal.shipping.chunk import MAX_ENCODED, Chunk, encode_chunk
from urltrap.journal.shipping.https import HttpsTransport
from urltrap.journal.shipping.keeping import Keeper
from urltrap.journal.shipping.shipper import Shipper
from urltrap.journal.shipping.spool import Spool
from urltrap.journal.shipping.state import ShippingState
from urltrap.journal.shipping.transport import Beat, Behind, TransportAway, TransportRefused
from urltrap.model.fleet_settings import FleetSettings, ShipSettings
from urltrap.pipeline.fleet.accounts import Accounts
from urltrap.pipeline.fleet.beats import Beats
from urltrap.pipeline.fleet.certificate import certificate_files, fingerprint, server_context
from urltrap.pipeline.fleet.collecting import Collector
from urltrap.pipeline.fleet.https_server import HttpsServer, bound, shown
from urltrap.pipeline.fleet.overview import fleet_overview
from urltrap.quarantine import Quarantine
from urltrap.store import Store
from urltrap.store.schema import events


@dataclass
class Door:
    """A collector with its door open."""

    url: str
    accounts: Accounts
    beats: Beats
    quarantine: Quarantine
    collector: Collector
    fingerprint: str

    def sensor(self, token: str, pinned: str | None = None) -> HttpsTransport:
        return HttpsTransport(self.url, token, STREAM, self.fingerprint if pinned is None else pinned)


@contextlib.asynccontextmanager
async def door(data: Path, store: Store, idle_seconds: float = 60) -> AsyncIterator[Door]:
    accounts, beats = Accounts(data), Beats(data / "run" / "fleet")
    quarantine = Quarantine(data / "quarantine")
    async with collecting(data, store) as collector:
        server = HttpsServer(collector, accounts, beats, quarantine, idle_seconds=idle_seconds)
        tls = server_context(FleetSettings(), accounts.folder)
        listening = bound("127.0.0.1:0")
        await server.start(listening, tls)
        certificate, _ = certificate_files(FleetSettings(), accounts.folder)
        try:
            yield Door(
                f"https://{shown(listening)}",
                accounts,
                beats,
                quarantine,
                collector,
                fingerprint(certificate),
            )
        finally:
            await server.close()


@contextlib.asynccontextmanager
async def closing(transport: HttpsTransport) -> AsyncIterator[HttpsTransport]:
    try:
        yield transport
    finally:
        await transport.close()


def count(store: Store) -> int:
    with store.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(events)).scalar() or 0)


async def test_a_sensor_sends_a_chunk_a_payload_and_a_beat(data: Path, store: Store, tmp_path: Path) -> None:
    chunk = chunk_of(visit(1, b"id"))
    there = Quarantine(tmp_path / "sensor")
    payload = there.put(b"\x7fELF" * 200_000)
    async with door(data, store) as here, closing(here.sensor(here.accounts.add("campus-1"))) as sensor:
        assert await sensor.marks() == {}
        assert await sensor.send(chunk) == chunk.end
        assert await sensor.marks() == {"trap-0": chunk.end}
        for _ in range(2):
            await sensor.send_artifact(there, payload.sha256)
        assert here.quarantine.verify(payload.sha256)
        with pytest.raises(Behind) as caught:
            await sensor.send(chunk_of(visit(2), after=Position(9, 9)))
        assert caught.value.mark == chunk.end
        await sensor.beat(Beat(version="1", at=START, waiting_bytes=7))
        (row,) = fleet_overview(here.accounts.names(), here.beats, store, START)
        assert row.version == "1" and row.waiting_bytes == 7 and row.last_event is not None
    assert count(store) == 3


async def test_nobody_without_the_right_token_is_listened_to(data: Path, store: Store) -> None:
    async with door(data, store) as here:
        token = here.accounts.add("campus-1")
        for wrong in ("campus-1.wrong", "nobody.x", "x"):
            async with closing(here.sensor(wrong)) as sensor:
                for ask in (sensor.marks(), sensor.send(chunk_of(visit(1)))):
                    with pytest.raises(TransportRefused, match="not known here"):
                        await ask
        async with closing(here.sensor(token)) as sensor:
            assert await sensor.marks() == {}
            here.accounts.remove("campus-1")
            with pytest.raises(TransportRefused, match="not known here"):
                await sensor.send(chunk_of(visit(1)))
    assert count(store) == 0


async def test_a_sensor_that_lies_about_its_name_is_refused(data: Path, store: Store) -> None:
    async with door(data, store) as here:
        here.accounts.add("campus-2")
        async with closing(here.sensor(here.accounts.add("campus-1"))) as sensor:
            with pytest.raises(TransportRefused, match="another sensor"):
                await sensor.send(chunk_of(visit(1), "campus-2"))
    assert count(store) == 0


async def test_a_collector_with_another_certificate_gets_nothing(data: Path, store: Store) -> None:
    async with door(data, store) as here:
        token = here.accounts.add("campus-1")
        async with closing(here.sensor(token, "ab" * 32)) as sensor:
            with pytest.raises(TransportRefused, match="another certificate.*nothing was sent"):
                await sensor.marks()
        async with closing(here.sensor(token, "")) as sensor:
            with pytest.raises(TransportRefused, match="no authority vouches"):
                await sensor.marks()


async def test_an_authority_of_ones_own_can_vouch(data: Path, store: Store) -> None:
    async with door(data, store) as here:
        ca = str(here.accounts.folder / "collector.crt")
        url = here.url.replace("127.0.0.1", "localhost")
        transport = HttpsTransport(url, here.accounts.add("campus-1"), STREAM, ca=ca)
        async with closing(transport) as sensor:
            assert await sensor.marks() == {}


async def test_nobody_there_is_no_refusal(data: Path) -> None:
    async with closing(HttpsTransport("https://127.0.0.1:1", "a.b", STREAM, "ab" * 32)) as sensor:
        with pytest.raises(TransportAway, match="cannot be reached"):
            await sensor.marks()


async def test_a_full_disk_and_a_database_that_is_away_are_waited_for(
    data: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunk = chunk_of(visit(1))
    async with door(data, store) as here, closing(here.sensor(here.accounts.add("campus-1"))) as sensor:
        with monkeypatch.context() as patch:

            def full(self: JournalWriter, payloads: object) -> Position:
                raise JournalFullError("no room")

            patch.setattr(JournalWriter, "append_records", full)
            with pytest.raises(TransportAway, match="disk is full.*507"):
                await sensor.send(chunk)
        (data / "urltrap.db").rename(data / "elsewhere.db")
        (data / "urltrap.db").mkdir()
        store.close()
        with pytest.raises(TransportAway, match="database is away.*503"):
            await sensor.send(chunk)
        (data / "urltrap.db").rmdir()
        (data / "elsewhere.db").rename(data / "urltrap.db")
        store.close()
        assert await sensor.send(chunk) == chunk.end


async def test_who_is_connected_and_asks_nothing_is_hung_up_on(data: Path, store: Store) -> None:
    async with (
        door(data, store, idle_seconds=0.1) as here,
        closing(here.sensor(here.accounts.add("a"))) as sensor,
    ):
        tls = ssl.create_default_context(cafile=str(here.accounts.folder / "collector.crt"))
        tls.check_hostname = False
        port = int(here.url.rpartition(":")[2])
        for said in (b"", b"POST /v1/chunks HTTP/1.1\r\nHost: x\r\nX-"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
            writer.write(said)
            assert await asyncio.wait_for(reader.read(), 30) == b""
            writer.close()
        chunk = chunk_of(visit(1), "a")
        assert await sensor.send(chunk) == chunk.end


def test_an_address_is_taken_by_several_processes_and_may_be_of_either_family() -> None:
    with bound("127.0.0.1:0") as one, bound(shown(one)) as other:
        assert shown(one) == shown(other)
    for address in ("[::1]:0", ":0"):
        with bound(address) as listening:
            assert int(shown(listening).rpartition(":")[2]) > 0


async def test_a_payload_under_a_wrong_name_is_not_kept(data: Path, store: Store) -> None:
    async with door(data, store) as here, raw(here) as session:
        for path, body in (("ab" * 32, b"something else"), ("..%2f..%2fx", b"x"), ("AB" * 32, b"x")):
            answer = await session.put(f"{here.url}/v1/artifacts/{path}", data=body)
            assert answer.status in (400, 404)
        assert list(here.quarantine.iter()) == []
        assert list((data / "quarantine" / "incoming").iterdir()) == []


@contextlib.asynccontextmanager
async def raw(here: Door) -> AsyncIterator[aiohttp.ClientSession]:
    """A client that says what it likes, with a right token."""
    tls = ssl.create_default_context(cafile=str(here.accounts.folder / "collector.crt"))
    tls.check_hostname = False
    headers = {"Authorization": f"Bearer {here.accounts.add('campus-1')}"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls), headers=headers) as session:
        yield session


async def test_what_is_no_chunk_is_refused_and_harms_nobody(data: Path, store: Store) -> None:
    good = encode_chunk(chunk_of(visit(1, b"id")))
    head = json.loads(good.partition(b"\n")[0])
    bad = [b"", b"\n", good[:-5], good[: len(good) // 2], b"x" * 5000, json.dumps(head).encode() + b"\n"]
    async with door(data, store) as here, raw(here) as session:
        for body in bad:
            answer = await session.post(f"{here.url}/v1/chunks", data=body)
            assert answer.status == 400 and "error" in await answer.json()
        answer = await session.post(f"{here.url}/v1/chunks", data=io.BytesIO(bytes(17_000_000)))
        assert answer.status == 413
        for path in ("/v1/marks/x", "/v1/artifacts/x"):
            assert (await session.get(here.url + path)).status == 400
        assert (await session.get(f"{here.url}/")).status == 404
        for beat in (b"", b"{}", b'{"version":1}', b"[" * 9000):
            assert (await session.post(f"{here.url}/v1/beats", data=beat)).status == 400
        assert (await session.post(f"{here.url}/v1/chunks", data=good)).status == 200
    assert count(store) == 3


async def test_a_shipper_and_a_collector_move_a_journal(data: Path, store: Store, tmp_path: Path) -> None:
    journal = tmp_path / "sensor" / "journal"
    visits = [visit(number, b"c%d" % number) for number in range(200)]
    async with door(data, store) as here, closing(here.sensor(here.accounts.add("campus-1"))) as way:
        with JournalWriter(journal, "trap-0", SETTINGS) as writer:
            for events_ in visits:
                position = writer.append_all(events_)
            await asyncio.to_thread(writer.wait_durable, position, 10)
            spool, state = Spool(journal), ShippingState(journal / "shipping.json")
            keeper = Keeper(spool, state, ShipSettings())
            shipper = Shipper("campus-1", spool, state, keeper, Quarantine(tmp_path / "q"), way)
            stop = asyncio.Event()
            task = asyncio.create_task(shipper.run(stop))
            await eventually(lambda: state.acknowledged("trap-0") == position)
            stop.set()
            await task
    assert count(store) == 600


def test_a_chunk_of_the_greatest_record_is_short_enough_for_the_door() -> None:
    chunk = Chunk("a", STREAM, "trap-0", Position(0, 0), 1, 100, frame(b"x" * MAX_RECORD))
    assert len(encode_chunk(chunk)) < MAX_ENCODED


def test_a_clock_that_is_wrong_is_told_and_changes_no_lag(data: Path, store: Store) -> None:
    beats = Beats(data / "run" / "fleet")
    wrong = START + timedelta(days=4000)
    since = wrong - timedelta(seconds=30)
    beats.put("campus-1", Beat(version="1", at=wrong, waiting_bytes=9, waiting_since=since), START)
    (row,) = fleet_overview(["campus-1"], beats, store, START + timedelta(seconds=1))
    assert (row.state, row.lag_seconds, row.clock_off_seconds) == ("up", 30, 4000 * 86_400)
    (row,) = fleet_overview(["campus-1"], beats, store, START + timedelta(hours=1))
    assert row.state == "silent"
