"""The store's guarantee, tried: each acknowledged event is in it exactly once, whoever is killed, whatever is full."""

from __future__ import annotations

import os
import random
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.databases import TemporaryServer, fresh_database
from tests.support.storm import Storm, drain, line, opened, root

from urltrap.journal import JournalReader
from urltrap.store import Store, StoreUnavailable, open_store


@pytest.fixture(scope="module", autouse=True)
def _preloaded() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", root())
        yield


def seed() -> int:
    """Another one each time, printed: URLTRAP_CRASH_SEED repeats it."""
    chosen = int(os.environ.get("URLTRAP_CRASH_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"URLTRAP_CRASH_SEED={chosen}")
    return chosen


def test_twenty_kills_at_random_moments_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    storm = Storm(tmp_path, f"sqlite:///{tmp_path / 'urltrap.db'}", random.Random(seed()))
    try:
        storm.rage(20)
        counts = storm.check()
    finally:
        storm.stop()
    print(counts)
    assert sum(storm.kills.values()) >= 20
    assert all(storm.kills[name] for name in ("trap-0", "trap-1", "intake"))
    assert counts["acknowledged"] > 1000


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_database_that_is_killed_and_started_again_under_load_gets_everything_once(
    kind: str, tmp_path: Path
) -> None:
    server = TemporaryServer(kind)
    try:
        server.start()
        url = fresh_database(server.url)
        # MariaDB's CREATE TABLE is in no transaction: a kill in the middle of the first start is another matter.
        open_store(url).close()
        storm = Storm(tmp_path, url, random.Random(seed()))

        def again(kill: bool) -> None:
            server.stop(kill=kill)
            # What is written meanwhile waits in the journal.
            storm.wait_for("trap-0", 100)
            server.start()

        try:
            storm.rage(6, {"database": lambda: again(True), "database, told to stop": lambda: again(False)})
            counts = storm.check()
        finally:
            storm.stop()
    finally:
        server.remove()
    print(counts)
    assert counts["database"] and counts["database, told to stop"]
    assert counts["acknowledged"] > 500


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def make_room(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)


def test_a_disk_that_fills_up_under_load_loses_nothing_and_all_goes_on_when_there_is_room(
    small_disk: Path,
) -> None:
    storm = Storm(small_disk, f"sqlite:///{small_disk / 'urltrap.db'}", random.Random(seed()), ("trap-0",))
    try:
        storm.start("intake")
        storm.start("trap-0")
        # It had no last event, so it ends because there is no room; what the intake deletes may make some at once.
        storm.finish("trap-0")
        written = len(storm.acknowledged)
        make_room(small_disk)
        storm.start("trap-0", events=80)
        storm.finish("trap-0")
        storm.kill("intake")
        assert len(storm.acknowledged) == written + 80
        print(storm.check())
    finally:
        storm.stop()
    assert written > 1000


def test_an_intake_whose_store_has_no_room_waits_and_goes_on_when_there_is(
    small_disk: Path, tmp_path: Path
) -> None:
    storm = Storm(tmp_path, f"sqlite:///{small_disk / 'urltrap.db'}", random.Random(seed()), ("trap-0",))
    try:
        storm.start("intake")
        storm.start("trap-0", events=6000)
        storm.finish("trap-0")
        with pytest.raises(StoreUnavailable, match="intake goes on by itself"):
            drain(storm.journal, storm.url)
        make_room(small_disk)
        storm.kill("intake")  # which has not ended by itself
        print(storm.check())
    finally:
        storm.stop()
    assert len(storm.acknowledged) == 6000


def test_a_store_that_goes_away_while_nothing_is_to_do_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, stop = threading.Event(), threading.Event()

    def away(_store: Store, _stages: object = None) -> None:
        if asked.is_set():
            stop.set()  # it asked again: it has not ended
        asked.set()
        raise StoreUnavailable("the server is being updated")

    monkeypatch.setattr("urltrap.pipeline.line.work.next_due", away)
    monkeypatch.setattr("urltrap.pipeline.line._STORE_PAUSE", 0.01)
    with opened(f"sqlite:///{tmp_path / 'urltrap.db'}") as store, JournalReader(tmp_path) as reader:
        line(store, reader).run(stop)
    assert asked.is_set()
