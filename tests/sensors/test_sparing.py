"""What is left out of the journal as its disk fills, and what never is."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from urltrap.journal import JournalFullError, JournalReader, JournalWriter
from urltrap.model.event import (
    CommandEntered,
    Connected,
    Disconnected,
    EventBase,
    LoginTried,
    RecordsLeftOut,
    TerminalFrames,
)
from urltrap.model.settings import JournalSettings
from urltrap.sensors.session import Endpoints, Session
from urltrap.sensors.sparing import MAX_HELD, SparingJournal

from .conftest import ListJournal

HERE = Endpoints("192.0.2.1", 1000, "198.51.100.1", 22)


class Pressed(ListJournal):
    pressure = 0

    def append_all(self, events: Sequence[EventBase]) -> None:
        for event in events:
            self.append(event)


def visit(journal: Any, worth: bool = True, size: int = 1) -> Session:
    """One session, with a log-in where it is of worth."""
    session = Session(journal, "ssh", "ssh", HERE)
    if worth:
        session.record(LoginTried, method="password", username=b"root", password=b"pw", accepted=True)
        session.record(CommandEntered, mode="shell", text=b"id")
    session.record(TerminalFrames, channel=0, frames=[(0, "o", b"x" * size)])
    session.close("client")
    return session


def kinds(journal: ListJournal) -> list[str]:
    return [event.kind for event in journal.events]


def test_classes_are_left_out_one_after_the_other_and_counted() -> None:
    journal = Pressed()
    sparing = SparingJournal(journal)
    whole = ["session.connect", "login.tried", "command.entered", "terminal.frames", "session.close"]
    for level, left in enumerate(
        [whole, [*whole[:3], whole[4]], [*whole[:3], whole[4]], [*whole[:2], whole[4]]]
    ):
        journal.records.clear()
        journal.pressure = level
        visit(sparing)
        assert kinds(journal) == left
    journal.records.clear()
    sparing.flush()
    assert {event.what: event.count for event in journal.of(RecordsLeftOut)} == {
        "keystrokes": 3,
        "commands": 1,
    }
    sparing.flush()
    assert len(journal.events) == 2  # told once


def test_a_connection_is_written_with_the_first_thing_of_worth_and_one_that_shows_nothing_is_counted() -> (
    None
):
    journal = Pressed()
    journal.pressure = 2
    sparing = SparingJournal(journal)
    visit(sparing, worth=False)
    assert journal.events == []
    good = visit(sparing)
    assert {event.session for event in journal.events} == {good.id}
    assert [event.seq for event in journal.events] == [0, 1, 2, 4]
    sparing.flush()
    assert {event.what: event.count for event in journal.of(RecordsLeftOut)} == {
        "connections": 2,
        "keystrokes": 2,
    }


def test_a_session_that_was_held_is_whole_again_when_there_is_room() -> None:
    journal = Pressed()
    journal.pressure = 2
    sparing = SparingJournal(journal)
    session = Session(sparing, "ssh", "ssh", HERE)
    journal.pressure = 0
    session.close("client")
    assert kinds(journal) == ["session.connect", "session.close"]


def test_sessions_that_are_held_are_bounded() -> None:
    journal = Pressed()
    journal.pressure = 2
    sparing = SparingJournal(journal)
    for _ in range(MAX_HELD + 3):
        Session(sparing, "ssh", "ssh", HERE)
    assert kinds(journal) == ["session.connect"] * 3


def test_it_is_said_loudly_and_once_per_step(capsys: pytest.CaptureFixture[str]) -> None:
    journal = Pressed()
    sparing = SparingJournal(journal)
    for level in (0, 1, 1, 2, 1, 0):
        journal.pressure = level
        visit(sparing)
    told = capsys.readouterr().out
    assert told.count("the disk fills") == 2 and told.count("room again") == 1
    assert "keystrokes, connections" in told


def test_counts_that_the_journal_does_not_take_stay_for_the_next_time() -> None:
    class Full(Pressed):
        full = False

        def append(self, event: EventBase) -> None:
            if self.full:
                raise JournalFullError("no room")
            super().append(event)

    journal = Full()
    journal.pressure = 1
    sparing = SparingJournal(journal)
    visit(sparing)
    journal.full = True
    with pytest.raises(JournalFullError):
        sparing.flush()
    journal.full = False
    sparing.flush()
    assert [event.count for event in journal.of(RecordsLeftOut)] == [1]


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_on_a_disk_that_fills_credentials_are_written_last_and_writing_stops_in_time(
    tiny_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reserve = 200_000
    settings = JournalSettings(segment_bytes=65_536, sync_milliseconds=1, free_bytes_reserve=reserve)
    tried = 0
    with JournalWriter(tiny_disk / "journal", "trap-0", settings) as writer:
        sparing = SparingJournal(writer)
        with pytest.raises(JournalFullError):
            for _ in range(100_000):
                visit(sparing, size=300)
                tried += 1
                if tried % 20 == 0:
                    writer.wait_durable(writer.position, 30)
        status = os.statvfs(tiny_disk)
        assert status.f_bavail * status.f_frsize > reserve - 70_000
    with JournalReader(tiny_disk / "journal") as reader:
        events = [event for _, event in reader.read("trap-0", None, 100_000)]
    count = Counter(type(event) for event in events)
    assert 0 < count[TerminalFrames] < count[CommandEntered] < count[LoginTried]
    assert count[LoginTried] >= tried and count[Disconnected] >= tried
    assert {event.session for event in events} == {
        event.session for event in events if isinstance(event, Connected)
    }
    told = capsys.readouterr().out
    assert told.count("the disk fills") == 3 and "NO EVENTS ARE RECORDED" in told


async def test_who_cannot_be_recorded_is_not_served(trap: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(_event: EventBase) -> None:
        raise JournalFullError("no room; free some")

    trap.sensor.journal.append, kept = refuse, trap.sensor.journal.append
    reader, writer = await asyncio.open_connection("127.0.0.1", trap.port)
    assert await reader.read() == b"Exceeded MaxStartups\r\n"
    writer.close()
    assert trap.sensor.admission.inside == 0 and "no room; free some" in capsys.readouterr().out
    trap.sensor.journal.append = kept
    async with trap.connect() as client:
        assert (await client.run("in")).stdout == "in\n"


def test_a_time_is_told_since_when() -> None:
    now = [1000.0]
    journal = Pressed()
    journal.pressure = 1
    sparing = SparingJournal(journal, lambda: now[0])
    visit(sparing)
    now[0] = 1059.0
    sparing.tell()
    assert journal.of(RecordsLeftOut) == []
    now[0] = 1061.0
    sparing.tell()
    (event,) = journal.of(RecordsLeftOut)
    assert (event.since, event.at) == (datetime.fromtimestamp(1000, UTC), datetime.fromtimestamp(1061, UTC))
