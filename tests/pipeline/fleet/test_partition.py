"""Machines with cables that are cut, and processes that are killed: the short form of `bench/fleet.py`."""

from __future__ import annotations

import asyncio
import random
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.pipeline.fleet.conftest import chunk_of, collecting, visit
from tests.support.broker import SECRET, TestBroker
from tests.support.fleet import Machine, Recorder, collect_settings, outcome, ship_settings
from tests.support.namespaces import Star
from tests.support.waiting import eventually, free_port, until

from urltrap.journal import BEGINNING, JournalError, Position
from urltrap.journal.shipping.chunk import Chunk
from urltrap.model.event import EventBase
from urltrap.model.fleet_settings import FleetSettings
from urltrap.ops.processes import ProcessPlan
from urltrap.pipeline.fleet.accounts import Accounts
from urltrap.pipeline.fleet.certificate import certificate_files, fingerprint
from urltrap.pipeline.fleet.collecting import Collector, NotYet
from urltrap.pipeline.fleet.naming import fleet_session
from urltrap.store import StoreError, open_store
from urltrap.store.schema import events as stored

NAMES = ("campus-1", "campus-2")


@pytest.fixture
def ending() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def collector_folder(root: Path) -> Path:
    for name in ("keys", "run", "journal", "quarantine"):
        (root / name).mkdir(parents=True)
    (root / "keys" / "secret").write_bytes(SECRET)
    return root


def started(machine: Machine, ending: ExitStack) -> Machine:
    machine.start()
    ending.callback(machine.kill)
    return machine


def ready(machine: Machine) -> None:
    assert machine.process is not None
    until(lambda: machine.is_ready, machine.process)


async def test_two_sensors_that_were_cut_off_from_the_broker_lose_and_double_nothing(
    tmp_path: Path, ending: ExitStack
) -> None:
    star = ending.enter_context(Star(2))
    data = collector_folder(tmp_path / "collector")
    url = f"sqlite:///{data / 'urltrap.db'}"
    accounts = Accounts(data)
    tokens = {name: accounts.add(name) for name in NAMES}
    addresses = [star.address(0), star.address(1)]
    hub = star.inside(star.hub)
    broker = TestBroker(tmp_path / "broker", accounts, host="0.0.0.0", prefix=hub, names=addresses)
    broker.start(wait=False)
    ending.callback(broker.kill)
    settings = collect_settings(url, nats=broker.url, nats_ca=str(broker.ca), processes=2)
    for index in range(2):
        plan = ProcessPlan(f"collector-{index}", "collector", index, 2)
        ready(started(Machine(plan, data, settings, hub), ending))
    recorders, shippers = {}, []
    for number, name in enumerate(NAMES):
        recorders[name] = Recorder(tmp_path / name, number)
        ending.callback(recorders[name].close)
        ship = ship_settings(
            ship=f"nats://{addresses[number]}:{broker.port}", ship_token=tokens[name], ship_ca=str(broker.ca)
        )
        inside = star.inside(star.leaves[number])
        plan = ProcessPlan("shipper", "shipper")
        shippers.append(started(Machine(plan, tmp_path / name, ship, inside), ending))

    def record(events: int) -> None:
        for recorder in recorders.values():
            recorder.record(events)

    def arrived() -> bool:
        return all(recorder.is_acknowledged() for recorder in recorders.values())

    record(200)
    await eventually(arrived)
    for leaf in range(2):
        star.cut(leaf)
    for _ in range(5):
        record(100)
    shippers[0].kill()
    assert not arrived()
    shippers[0].start()
    for leaf in range(2):
        star.mend(leaf)
    record(100)
    await eventually(arrived)
    assert outcome(url, recorders) == {
        "events": 1600, "lost": 0, "doubled": 0, "strange": 0, "out_of_order": 0
    }  # fmt: skip


async def test_shippers_and_collectors_killed_while_they_work_lose_and_double_nothing(
    tmp_path: Path, ending: ExitStack
) -> None:
    data = collector_folder(tmp_path / "collector")
    url = f"sqlite:///{data / 'urltrap.db'}"
    accounts = Accounts(data)
    certificate, _ = certificate_files(FleetSettings(), accounts.folder)
    port = free_port()
    recorder = Recorder(tmp_path / "campus-1", 1)
    ending.callback(recorder.close)
    collector = Machine(
        ProcessPlan("collector-0", "collector", 0, 1), data, collect_settings(url, listen=f"127.0.0.1:{port}")
    )
    ship = ship_settings(
        ship=f"https://127.0.0.1:{port}", ship_token=accounts.add("campus-1"), ship_fingerprint=fingerprint(certificate)
    )  # fmt: skip
    shipper = Machine(ProcessPlan("shipper", "shipper"), tmp_path / "campus-1", ship)
    ready(started(collector, ending))
    started(shipper, ending)
    for machine in (collector, shipper):
        recorder.record(1000)
        machine.kill()
        recorder.record(1000)
        machine.start()
    await eventually(recorder.is_acknowledged)
    assert outcome(url, {"campus-1": recorder}) == {
        "events": 4000, "lost": 0, "doubled": 0, "strange": 0, "out_of_order": 0
    }  # fmt: skip


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)], check=False, capture_output=True, text=True
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def make_room(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)


async def test_a_collector_whose_disk_fills_up_takes_everything_once_there_is_room(
    small_disk: Path, ending: ExitStack
) -> None:
    data = collector_folder(small_disk / "data")
    store = open_store(str(data / "urltrap.db"))
    ending.callback(store.close)
    sent: list[EventBase] = []
    place = BEGINNING
    refused = 0
    async with collecting(data, store, wait_seconds=1) as collector:
        for number in range(40):
            events = [event for n in range(10) for event in visit(number * 10 + n, random.randbytes(2000))]
            chunk = chunk_of(events, after=place)
            try:
                place = await collector.take(chunk)
            except (JournalError, NotYet, StoreError):
                refused += 1
                make_room(small_disk)
                place = await once_there_is_room(collector, chunk)
            sent += events
    assert refused
    with store.connect() as connection:
        rows = connection.execute(select(stored.c.session, stored.c.seq)).all()
    assert sorted(rows) == sorted((fleet_session("campus-1", event.session), event.seq) for event in sent)


async def once_there_is_room(collector: Collector, chunk: Chunk) -> Position:
    """As a shipper does it: again, until it is taken."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await collector.take(chunk)
            except (JournalError, NotYet, StoreError):
                await asyncio.sleep(0.1)
