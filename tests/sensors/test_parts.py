"""The small parts that all sensors share."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from pathlib import Path
from typing import Any

import pytest

from urltrap.model.event import BudgetSpent, Disconnected, Malformed, TerminalFrames, Uploaded
from urltrap.quarantine.quarantine import Quarantine
from urltrap.sensors import files
from urltrap.sensors.machines import MAX_IDLE, Machines
from urltrap.sensors.recording import MAX_BYTES, Recording
from urltrap.sensors.scheduler import Scheduler
from urltrap.sensors.session import MAX_EVENTS, MAX_MALFORMED, Endpoints, ErrorLog, Session
from urltrap.sensors.trap import TrapError, bind
from urltrap.sensors.unix_passwords import system_crypt

from .conftest import FakeMaker, ListJournal

HERE = Endpoints("192.0.2.1", 1000, "198.51.100.1", 22)


def session() -> tuple[Session, ListJournal]:
    journal = ListJournal()
    return Session(journal, "ssh", "ssh", HERE), journal


async def test_a_session_is_closed_exactly_once() -> None:
    one, journal = session()
    one.close("client")
    one.close("error", "again")
    one.malformed("late")
    assert [event.reason for event in journal.of(Disconnected)] == ["client"]
    assert [event.seq for event in journal.events] == [0, 1]


async def test_an_error_of_our_own_is_what_the_end_tells() -> None:
    one, journal = session()
    one.failed("KeyError in a job")
    one.close("client")
    assert (journal.events[-1].reason, journal.events[-1].detail) == ("error", "KeyError in a job")  # type: ignore[union-attr]


async def test_the_events_of_a_session_are_bounded() -> None:
    one, journal = session()
    for _ in range(MAX_EVENTS + 10):
        one.record(Malformed, what="x")
    one.close("client")
    assert len(journal.records) == MAX_EVENTS + 2
    assert [event.what for event in journal.of(BudgetSpent)] == ["events"]


async def test_malformed_input_is_recorded_a_bounded_number_of_times_with_a_bounded_beginning() -> None:
    one, journal = session()
    for _ in range(MAX_MALFORMED * 2):
        one.malformed("x", b"y" * 100_000)
    events = journal.of(Malformed)
    assert len(events) == MAX_MALFORMED and len(events[0].data) == 1024


def test_each_kind_of_error_is_logged_once_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    errors = ErrorLog(lambda: now[0])
    for _ in range(100):
        errors.report("here", ValueError("x"))
    errors.report("here", KeyError("y"))
    now[0] = 61.0
    errors.report("here", ValueError("x"))
    text = capsys.readouterr().out
    assert text.count("an error of our own") == 3
    assert "left_out" in text and "99" in text


def machines(folder: Path, maker: FakeMaker, **more: Any) -> Machines:
    options = {"keep_hours": 1.0, "max_bytes": 1000, "errors": ErrorLog()} | more
    return Machines(maker, folder, b"s" * 32, **options)


def test_sessions_of_an_address_share_a_machine_and_others_have_their_own(tmp_path: Path) -> None:
    maker = FakeMaker()
    kept = machines(tmp_path, maker)
    assert kept.take("a") is kept.take("a") is not kept.take("b")


def test_a_machine_is_saved_when_its_last_session_ends_and_found_again(tmp_path: Path) -> None:
    maker = FakeMaker()
    first = machines(tmp_path, maker)
    first.take("a")
    first.take("a")
    first.release("a")
    assert list(tmp_path.iterdir()) == []
    first.release("a")
    (file,) = tmp_path.iterdir()
    assert "a" not in file.name.removesuffix(".overlay") or len(file.name) > 20
    machines(tmp_path, maker).take("a")
    assert maker.saved["a"] == b"changes"


def test_an_old_machine_is_forgotten_and_swept(tmp_path: Path) -> None:
    maker, now = FakeMaker(), [0.0]
    kept = machines(tmp_path, maker)
    kept.take("a")
    kept.release("a")
    later = machines(tmp_path, maker, clock=lambda: 4e9 + now[0])
    assert later.peek("a") is None
    later.sweep()
    assert list(tmp_path.iterdir()) == []


def test_a_saved_machine_that_cannot_be_read_is_replaced(tmp_path: Path) -> None:
    class Picky(FakeMaker):
        def make(self, address: str, saved: bytes | None) -> Any:
            if saved is not None:
                raise ValueError("damaged")
            return super().make(address, saved)

    kept = machines(tmp_path, Picky())
    kept.take("a")
    kept.release("a")
    assert machines(tmp_path, Picky()).take("a") is not None


def test_machines_without_sessions_are_kept_in_bounded_number(tmp_path: Path) -> None:
    kept = machines(tmp_path, FakeMaker())
    for number in range(MAX_IDLE + 20):
        kept.take(str(number))
        kept.release(str(number))
    assert len(kept._live) == MAX_IDLE


async def test_a_recording_is_batched_and_bounded() -> None:
    one, journal = session()
    recording = Recording(one, 0, asyncio.get_running_loop())
    for _ in range(400):
        recording.add("o", b"x" * 5000)
    recording.flush()
    frames = [frame for event in journal.of(TerminalFrames) for frame in event.frames]
    assert sum(len(data) for _, _, data in frames) == MAX_BYTES
    assert journal.of(BudgetSpent) == []  # cutting it ends nothing and is not told as a budget


class Counting:
    def __init__(self, turns: list[str], name: str, work: int, done: asyncio.Event | None = None) -> None:
        self.turns, self.name, self.work, self.done = turns, name, work, done

    def turn(self, steps: int) -> bool:
        self.turns.append(self.name)
        self.work -= 1
        if self.work <= 0 and self.done is not None:
            self.done.set()
        return self.work > 0


async def test_who_was_woken_by_input_comes_before_those_who_are_always_busy() -> None:
    ticks = iter(range(10**9))
    scheduler = Scheduler(
        asyncio.get_running_loop(), clock=lambda: float(next(ticks))
    )  # each turn uses its time up
    turns: list[str] = []
    done = asyncio.Event()
    for name in ("a", "b", "c"):
        scheduler.wake(Counting(turns, name, 50))
    for _ in range(5):
        await asyncio.sleep(0)
    before = len(turns)
    scheduler.wake(Counting(turns, "key", 1, done))
    await done.wait()
    assert turns[before:].index("key") <= 1
    assert {"a", "b", "c"} <= set(turns[:before])


def test_a_taken_port_is_an_error_that_says_what_to_do() -> None:
    first = bind("127.0.0.1:0")
    first.listen()
    with pytest.raises(TrapError, match=r"cannot listen on 127.0.0.1:\d+: .*change sensors"):
        bind(f"127.0.0.1:{first.getsockname()[1]}")
    first.close()


def test_workers_share_a_port_and_both_listen_on_it() -> None:
    first = bind("127.0.0.1:0", 2)
    second = bind(f"127.0.0.1:{first.getsockname()[1]}", 2)
    assert second.getsockname() == first.getsockname()
    # As the event loop does once more with its own backlog.
    first.listen()
    second.listen()
    first.close()
    second.close()


def test_hashes_are_those_of_the_systems_crypt() -> None:
    stored = (
        "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"
    )
    assert system_crypt(b"Hello world!", stored) == stored
    assert system_crypt(b"Hello world", stored) != stored
    for bad in ("$9$unknown$", "a\0b", "$y$jZT$0123456789abcdefghijkl$", "$2b$31$abcdefghijklmnopqrstuv"):
        assert system_crypt(b"x", bad) is None


async def test_a_large_upload_is_hashed_beside_the_event_loop_and_written_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[bool] = []

    def watched(data: bytes) -> str:
        threads.append(threading.current_thread() is threading.main_thread())
        return hashlib.sha256(data).hexdigest()

    monkeypatch.setattr(files, "_sha256", watched)
    one, journal = session()
    quarantine = Quarantine(tmp_path / "quarantine")
    keeper = files.FileKeeper(
        one, quarantine, files.KnownContents(), 10_000_000, ErrorLog(), drained=lambda: None
    )
    large = bytes(1_000_000)
    for data in (b"small", large):
        keeper.uploaded("sftp", b"/tmp/x", data, 0, complete=True)
    await keeper.finish()
    keeper.uploaded("scp", b"/tmp/y", large, 0, complete=True)
    await keeper.finish()
    assert threads == [True, False, False]
    names = {event.size: event.sha256 for event in journal.of(Uploaded)}
    assert names == {5: hashlib.sha256(b"small").hexdigest(), 1_000_000: hashlib.sha256(large).hexdigest()}
    assert len(journal.of(Uploaded)) == 3
