"""One store, one installation: another one does not begin, and a journal that was lost loses nothing more."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from tests.pipeline.conftest import Bench

from urltrap.journal import JournalReader, JournalWriter
from urltrap.model.settings import Settings
from urltrap.pipeline import process
from urltrap.pipeline.intake import Intake
from urltrap.store import StoreTaken, open_store, owner
from urltrap.store.intake import watermark
from urltrap.store.queries import overview


@pytest.fixture
def shared(tmp_path: Path) -> Settings:
    """Settings of installations that name one and the same database."""
    return Settings.model_validate({"store": {"url": f"sqlite:///{tmp_path}/shared.db"}})


async def start(settings: Settings, folder: Path, name: str) -> tuple[asyncio.Task[None], asyncio.Event]:
    """A pipeline that has begun."""
    await asyncio.to_thread(folder.mkdir, exist_ok=True)
    ready, stop = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(process.run_pipeline(settings, folder, ready.set, stop, installation=name))
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait({task, waiting}, timeout=60, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    return task, stop


async def test_a_second_installation_on_the_same_database_is_refused_with_advice(
    shared: Settings, tmp_path: Path
) -> None:
    first, stop = await start(shared, tmp_path / "first", "first")
    second, _ = await start(shared, tmp_path / "second", "second")
    with pytest.raises(StoreTaken, match="store.url"):
        await asyncio.wait_for(second, 30)
    assert not first.done(), "the one whose store it is goes on"
    stop.set()
    await asyncio.wait_for(first, 30)
    again, stop = await start(shared, tmp_path / "first", "first")
    assert not again.done()
    stop.set()
    await asyncio.wait_for(again, 30)


async def test_a_pipeline_ends_when_its_store_is_given_away(
    shared: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_OWNER_SECONDS", 0.05)
    first, _ = await start(shared, tmp_path / "first", "first")
    store = open_store(shared.store.url)
    owner.take_over(store, "second")
    store.close()
    with pytest.raises(StoreTaken, match="second"):
        await asyncio.wait_for(first, 30)


def test_events_of_a_journal_that_was_lost_and_begun_anew_are_taken(bench: Bench) -> None:
    for _ in range(3):
        # Three starts: the journal's numbers go on.
        bench.trap.close()
        bench.trap = JournalWriter(bench.folder / "journal", "trap-0", bench.settings.journal)
    bench.visit(b"id")
    bench.line.drain()
    stood = watermark(bench.store, "trap-0")
    assert stood is not None and stood.segment > 2
    bench.trap.close()
    shutil.rmtree(bench.folder / "journal" / "trap-0")
    bench.trap = JournalWriter(bench.folder / "journal", "trap-0", bench.settings.journal)
    bench.visit(b"uname -a")
    with JournalReader(bench.folder / "journal") as reader:
        intake = Intake(reader, bench.store, bench.settings.journal, lambda: bench.time)
        assert intake.step() == 0, "what is there is before the place where it stood"
        assert intake.step() > 0
        assert intake.step() == 0, "it is not read from its beginning again and again"
    assert overview.counters(bench.store, bench.time).sessions == 2
    mark = watermark(bench.store, "trap-0")
    assert mark is not None and mark.segment < stood.segment


def test_behind_damage_at_the_end_a_journal_does_not_count_as_lost(bench: Bench) -> None:
    bench.visit(b"id")
    bench.trap.close()
    folder = bench.folder / "journal" / "trap-0"
    newest = max(folder.glob("*.seg"))
    newest.write_bytes(b"\xff" * newest.stat().st_size)
    with JournalReader(bench.folder / "journal") as reader:
        intake = Intake(reader, bench.store, bench.settings.journal, lambda: bench.time)
        assert intake.step() > 0
        assert [intake.step() for _ in range(3)] == [0, 0, 0]
    bench.trap = JournalWriter(bench.folder / "journal", "trap-0", bench.settings.journal)
