from __future__ import annotations

import asyncio
import errno
import os
import resource
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from urltrap.journal import (
    JournalBusyError,
    JournalClosedError,
    JournalError,
    JournalFailedError,
    JournalFullError,
    JournalLockedError,
    JournalReader,
    JournalRecordError,
    JournalTimeoutError,
    JournalWriter,
    Position,
    WriterNameError,
    recovery,
)
from urltrap.model.event import CommandEntered, Event
from urltrap.model.settings import JournalSettings

Make = Callable[..., CommandEntered]
ReadAll = Callable[..., list[Event]]
real_fdatasync = os.fdatasync


@pytest.fixture(autouse=True)
def retry_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("urltrap.journal.writer._RETRY_SECONDS", 0.01)


@pytest.fixture
def failing_sync(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """A disk whose syncs fail as often as the first number of the list says."""
    left = [0]

    def fdatasync(fd: int) -> None:
        if left[0] > 0:
            left[0] -= 1
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real_fdatasync(fd)

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    yield left
    left[0] = 0


def test_what_is_appended_is_read_back_in_order(
    tmp_path: Path, settings: JournalSettings, event: Make, read_all: ReadAll
) -> None:
    events = [event(seq, bytes([seq, 255])) for seq in range(50)]
    with JournalWriter(tmp_path, "trap-0", settings) as writer:
        positions = [writer.append(item) for item in events]

    assert positions == sorted(set(positions))
    assert read_all(tmp_path) == events


@given(texts=st.lists(st.binary(max_size=2000), max_size=6))
def test_any_bytes_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, texts: list[bytes]
) -> None:
    directory = tmp_path_factory.mktemp("journal")
    when = "2026-01-01T00:00:00Z"
    events = [
        CommandEntered.model_validate({"session": "S", "seq": seq, "at": when, "mode": "shell", "text": text})
        for seq, text in enumerate(texts)
    ]
    with JournalWriter(directory, "trap-0", JournalSettings(free_bytes_reserve=0)) as writer:
        for item in events:
            writer.append(item)

    with JournalReader(directory) as reader:
        assert [item for _, item in reader.read("trap-0")] == events


def test_a_record_is_acknowledged_only_after_a_sync(
    tmp_path: Path, settings: JournalSettings, event: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_sync = threading.Event()
    writer = JournalWriter(tmp_path, "trap-0", settings)
    monkeypatch.setattr(os, "fdatasync", lambda fd: (may_sync.wait(30), real_fdatasync(fd)))

    position = writer.append(event(0))
    with pytest.raises(JournalTimeoutError, match="not durable after"):
        writer.wait_durable(position, timeout=0.05)
    assert writer.durable_position < position

    may_sync.set()
    writer.wait_durable(position, timeout=30)
    assert writer.durable_position == position == writer.position
    writer.close()


def test_one_sync_acknowledges_a_whole_group(
    tmp_path: Path, settings: JournalSettings, event: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs: list[int] = []
    writer = JournalWriter(tmp_path, "trap-0", settings.model_copy(update={"sync_milliseconds": 200.0}))
    monkeypatch.setattr(os, "fdatasync", lambda fd: (syncs.append(fd), real_fdatasync(fd)))
    for seq in range(100):
        position = writer.append(event(seq))
    writer.wait_durable(position, timeout=30)
    writer.close()

    assert len(syncs) == 1


def test_a_large_group_does_not_wait_for_the_clock(
    tmp_path: Path, settings: JournalSettings, event: Make
) -> None:
    patient = settings.model_copy(update={"sync_milliseconds": 3_600_000.0, "sync_bytes": 10_000})
    with JournalWriter(tmp_path, "trap-0", patient) as writer:
        for seq in range(10):
            position = writer.append(event(seq, b"x" * 1000))
        writer.wait_durable(position, timeout=30)


def test_waiting_works_by_callback_and_in_coroutines(
    tmp_path: Path, settings: JournalSettings, event: Make
) -> None:
    answers: list[JournalError | None] = []
    called = threading.Event()

    async def wait(writer: JournalWriter) -> None:
        positions = [writer.append(event(seq)) for seq in range(20)]
        await asyncio.gather(*(writer.wait_durable_async(position, 30) for position in reversed(positions)))
        await writer.wait_durable_async(positions[0])

    with JournalWriter(tmp_path, "trap-0", settings) as writer:
        position = writer.append(event(100))
        writer.add_done_callback(position, lambda error: 1 / 0)
        writer.add_done_callback(position, lambda error: (answers.append(error), called.set()))
        assert called.wait(30)
        asyncio.run(wait(writer))

    assert answers == [None]


def test_waiting_for_what_was_never_appended_is_refused(
    tmp_path: Path, settings: JournalSettings, event: Make
) -> None:
    with JournalWriter(tmp_path, "trap-0", settings) as writer:
        end = writer.append(event(0))
        with pytest.raises(ValueError, match="nothing was appended"):
            writer.wait_durable(Position(end.segment, end.offset + 1))


def test_closing_makes_everything_durable_and_ends_appending(
    tmp_path: Path, settings: JournalSettings, event: Make, read_all: ReadAll
) -> None:
    writer = JournalWriter(tmp_path, "trap-0", settings.model_copy(update={"sync_milliseconds": 3_600_000.0}))
    position = writer.append(event(0))
    writer.close()
    writer.close()

    assert writer.durable_position == position
    with pytest.raises(JournalClosedError, match="open a new writer"):
        writer.append(event(1))
    assert read_all(tmp_path) == [event(0)]


def test_segments_rotate_and_reading_follows(
    tmp_path: Path, small: JournalSettings, event: Make, read_all: ReadAll
) -> None:
    events = [event(seq, b"x" * 500) for seq in range(1000)]
    with JournalWriter(tmp_path, "trap-0", small) as writer:
        for number, item in enumerate(events):
            position = writer.append(item)
            if number % 50 == 0:
                writer.wait_durable(position, timeout=30)

    segments = sorted((tmp_path / "trap-0").glob("*.seg"))
    assert len(segments) >= 4
    assert not list((tmp_path / "trap-0").glob("*.new"))
    assert read_all(tmp_path, limit=97) == events


def test_every_start_begins_a_new_segment_and_empty_ones_do_not_pile_up(
    tmp_path: Path, settings: JournalSettings, event: Make, read_all: ReadAll
) -> None:
    for seq in range(3):
        with JournalWriter(tmp_path, "trap-0", settings) as writer:
            writer.append(event(seq))
    for _ in range(5):
        JournalWriter(tmp_path, "trap-0", settings).close()

    numbers = [int(path.stem) for path in sorted((tmp_path / "trap-0").glob("*.seg"))]
    assert numbers == [1, 2, 3, 8]
    assert read_all(tmp_path) == [event(0), event(1), event(2)]


def test_the_journal_is_for_its_owner_only(tmp_path: Path, settings: JournalSettings, event: Make) -> None:
    with JournalWriter(tmp_path / "journal", "trap-0", settings) as writer:
        writer.append(event(0))

    for path in (tmp_path / "journal").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


@pytest.mark.parametrize("name", ["", "../x", "a/b", "Trap", "0", "-x", ".", "x" * 65, "trap\n", "trap.0"])
def test_a_writer_name_cannot_leave_the_folder(tmp_path: Path, settings: JournalSettings, name: str) -> None:
    with pytest.raises(WriterNameError, match="lower-case letters"):
        JournalWriter(tmp_path, name, settings)
    with pytest.raises(WriterNameError):
        JournalReader(tmp_path).read(name)
    assert list(tmp_path.iterdir()) == []


def test_two_processes_never_write_one_folder(tmp_path: Path, settings: JournalSettings) -> None:
    code = (
        "import sys; from pathlib import Path; from urltrap.journal import JournalWriter\n"
        "from urltrap.model.settings import JournalSettings\n"
        "JournalWriter(Path(sys.argv[1]), 'trap-0', JournalSettings(free_bytes_reserve=0)); print(flush=True); input()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    try:
        with pytest.raises(JournalLockedError, match=f"process {holder.pid}"):
            JournalWriter(tmp_path, "trap-0", settings)
        JournalWriter(tmp_path, "trap-1", settings).close()
    finally:
        holder.kill()
        holder.communicate()

    JournalWriter(tmp_path, "trap-0", settings).close()


def test_an_event_too_long_for_a_record_is_refused_alone(
    tmp_path: Path, settings: JournalSettings, event: Make, read_all: ReadAll
) -> None:
    with JournalWriter(tmp_path, "trap-0", settings) as writer:
        writer.append(event(0))
        with pytest.raises(JournalRecordError, match="quarantine"):
            writer.append(event(1, b"x" * 16_000_000))
        writer.append(event(2, b"x" * 5_000_000))

    assert read_all(tmp_path) == [event(0), event(2, b"x" * 5_000_000)]


def test_a_failed_sync_is_not_acknowledged_before_the_records_are_in_a_new_segment(
    tmp_path: Path, settings: JournalSettings, event: Make, read_all: ReadAll, failing_sync: list[int]
) -> None:
    with JournalWriter(tmp_path, "trap-0", settings) as writer:
        writer.wait_durable(writer.append(event(0)), timeout=30)
        failing_sync[0] = 1
        with structlog.testing.capture_logs() as logs:
            position = writer.append(event(1))
            writer.wait_durable(position, timeout=30)
        assert writer.durable_position.segment == 2
        writer.append(event(2))

    assert [entry["event"] for entry in logs] == ["journal.sync_failed"]
    assert read_all(tmp_path) == [event(0), event(1), event(2)]


def test_while_the_disk_fails_nothing_is_claimed_and_afterwards_nothing_is_missing(
    tmp_path: Path, settings: JournalSettings, event: Make, read_all: ReadAll, failing_sync: list[int]
) -> None:
    answers: list[JournalError | None] = []
    refused = threading.Event()
    with JournalWriter(tmp_path, "trap-0", settings) as writer:
        writer.wait_durable(writer.append(event(0)), timeout=30)
        failing_sync[0] = 10**9
        position = writer.append(event(1))
        writer.add_done_callback(position, lambda error: (answers.append(error), refused.set()))
        assert refused.wait(30)
        assert isinstance(answers[0], JournalFailedError)
        assert writer.durable_position < position
        with pytest.raises(JournalFailedError, match="Input/output error"):
            writer.append(event(2))
        with pytest.raises(JournalFailedError):
            writer.wait_durable(position)
        failing_sync[0] = 0

    assert writer.durable_position >= position
    assert read_all(tmp_path) == [event(0), event(1)]


def test_closing_on_a_failed_disk_says_so(
    tmp_path: Path, settings: JournalSettings, event: Make, failing_sync: list[int]
) -> None:
    writer = JournalWriter(tmp_path, "trap-0", settings)
    failing_sync[0] = 10**9
    writer.append(event(0))
    with pytest.raises(JournalFailedError, match="are safe"):
        writer.close()


def test_a_disk_that_hangs_costs_bounded_memory(
    tmp_path: Path, settings: JournalSettings, event: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("urltrap.journal.writer.HELD_BYTES", 10_000)
    may_sync = threading.Event()
    with JournalWriter(tmp_path, "trap-0", settings) as writer:
        monkeypatch.setattr(os, "fdatasync", lambda fd: (may_sync.wait(30), real_fdatasync(fd)))
        with pytest.raises(JournalBusyError, match="wait for the disk"):
            for seq in range(100):
                position = writer.append(event(seq, b"x" * 1000))
        may_sync.set()
        writer.wait_durable(position, timeout=30)
        writer.append(event(1000))


def test_writing_stops_before_the_reserve_is_touched_and_goes_on_when_there_is_room(
    tmp_path: Path, settings: JournalSettings, event: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("urltrap.journal.space.time.monotonic", lambda: now[0])
    with structlog.testing.capture_logs() as logs:
        greedy = settings.model_copy(update={"free_bytes_reserve": 10**18})
        with JournalWriter(tmp_path, "trap-0", greedy) as writer:
            for _ in range(3):
                with pytest.raises(JournalFullError, match="free_bytes_reserve"):
                    writer.append(event(0))
            monkeypatch.setattr(writer._space, "_reserve", 0)
            now[0] += 2
            writer.wait_durable(writer.append(event(1)), timeout=30)

    assert [entry["event"] for entry in logs] == ["journal.disk_low", "journal.disk_has_room_again"]


def test_a_record_that_fits_only_in_part_is_taken_back(
    tmp_path: Path, settings: JournalSettings, event: Make, read_all: ReadAll, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("urltrap.journal.space.time.monotonic", lambda: now[0])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with JournalWriter(tmp_path, "trap-0", settings) as writer:
        end = writer.append(event(0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (end.offset + 50, before[1]))
        try:
            with (
                structlog.testing.capture_logs() as logs,
                pytest.raises(JournalFullError, match="free space"),
            ):
                writer.append(event(1))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert writer.position == end
        now[0] += 2
        writer.append(event(2))

    assert logs[0]["event"] == "journal.disk_full"
    assert read_all(tmp_path) == [event(0), event(2)]


def test_a_quiet_segment_is_closed_after_its_hours(
    tmp_path: Path, settings: JournalSettings, event: Make, read_all: ReadAll
) -> None:
    with JournalWriter(tmp_path, "trap-0", settings.model_copy(update={"segment_hours": 1e-12})) as writer:
        first = writer.append(event(0))
        writer.wait_durable(first, timeout=30)
        while writer.position.segment == first.segment:
            writer.wait_durable(writer.append(event(1)), timeout=30)

    assert {item.seq for item in read_all(tmp_path)} <= {0, 1}
    assert read_all(tmp_path)[0] == event(0)


def test_a_fault_of_the_flush_thread_is_told_to_everybody(
    tmp_path: Path, settings: JournalSettings, event: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = JournalWriter(tmp_path, "trap-0", settings)

    def fault(fd: int) -> None:
        raise RuntimeError("a bug")

    with structlog.testing.capture_logs() as logs, monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", fault)
        position = writer.append(event(0))
        with pytest.raises(JournalFailedError, match="a bug.*open a new one"):
            writer.wait_durable(position, timeout=30)
        with pytest.raises(JournalFailedError):
            writer.append(event(1))
        with pytest.raises(JournalFailedError):
            writer.close()
    assert logs[0]["event"] == "journal.flush_thread_died"
    JournalWriter(tmp_path, "trap-0", settings).close()


def test_a_rotation_without_room_is_put_off_and_recording_goes_on(
    tmp_path: Path, small: JournalSettings, event: Make, read_all: ReadAll, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*args: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    events = [event(seq, b"x" * 40_000) for seq in range(6)]
    with JournalWriter(tmp_path, "trap-0", small) as writer:
        monkeypatch.setattr("urltrap.journal.writer.create_segment", no_room)
        with structlog.testing.capture_logs() as logs:
            for item in events:
                writer.wait_durable(writer.append(item), timeout=30)

    assert [entry["event"] for entry in logs] == ["journal.rotation_put_off"]
    assert read_all(tmp_path) == events


def test_a_coroutine_that_gave_up_or_whose_loop_is_gone_disturbs_nobody(
    tmp_path: Path, settings: JournalSettings, event: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_sync = threading.Event()

    async def give_up(writer: JournalWriter) -> None:
        with pytest.raises(JournalTimeoutError):
            await writer.wait_durable_async(writer.append(event(0)), timeout=0.01)

    with JournalWriter(tmp_path, "trap-0", settings) as writer:
        monkeypatch.setattr(os, "fdatasync", lambda fd: (may_sync.wait(30), real_fdatasync(fd)))
        asyncio.run(give_up(writer))
        with structlog.testing.capture_logs() as logs:
            may_sync.set()
            writer.wait_durable(writer.append(event(1)), timeout=30)

    assert logs == []


def test_a_coroutine_is_told_of_a_failed_disk(
    tmp_path: Path, settings: JournalSettings, event: Make, failing_sync: list[int]
) -> None:
    async def wait(writer: JournalWriter) -> None:
        with pytest.raises(JournalFailedError):
            await writer.wait_durable_async(writer.append(event(0)), timeout=30)

    with JournalWriter(tmp_path, "trap-0", settings) as writer:
        failing_sync[0] = 10**9
        asyncio.run(wait(writer))
        failing_sync[0] = 0


def test_a_piece_of_a_record_that_cannot_be_taken_back_ends_its_segment(
    tmp_path: Path, settings: JournalSettings, event: Make, read_all: ReadAll, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("urltrap.journal.space.time.monotonic", lambda: now[0])
    real_ftruncate, left = os.ftruncate, [1]

    def ftruncate(fd: int, size: int) -> None:
        if left[0]:
            left[0] -= 1
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real_ftruncate(fd, size)

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with JournalWriter(tmp_path, "trap-0", settings) as writer:
        end = writer.append(event(0))
        monkeypatch.setattr(os, "ftruncate", ftruncate)
        resource.setrlimit(resource.RLIMIT_FSIZE, (end.offset + 50, before[1]))
        try:
            with pytest.raises(JournalFullError):
                writer.append(event(1))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        now[0] += 2
        position = append_when_possible(writer, event(2))

    assert position.segment == 2
    assert read_all(tmp_path) == [event(0), event(2)]


def append_when_possible(writer: JournalWriter, item: CommandEntered) -> Position:
    """What a sensor does while the journal heals itself: try again."""
    while True:
        try:
            return writer.append(item)
        except JournalFailedError:
            continue


@pytest.mark.parametrize("step", ["publish before", "publish after", "cut", "create"])
def test_whatever_step_of_healing_fails_no_record_is_missing_in_the_end(
    tmp_path: Path,
    settings: JournalSettings,
    event: Make,
    read_all: ReadAll,
    failing_sync: list[int],
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    real_publish, real_ftruncate, left = recovery.publish_segment, os.ftruncate, [1]

    def fails() -> bool:
        left[0] -= 1
        return left[0] >= 0

    def publish(folder: Path, segment: recovery.NewSegment) -> None:
        if step == "publish after":
            real_publish(folder, segment)
        if step.startswith("publish") and fails():
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if step != "publish after":
            real_publish(folder, segment)

    def ftruncate(fd: int, size: int) -> None:
        if step == "cut" and fails():
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real_ftruncate(fd, size)

    with JournalWriter(tmp_path, "trap-0", settings) as writer:
        writer.wait_durable(writer.append(event(0)), timeout=30)
        monkeypatch.setattr("urltrap.journal.writer.publish_segment", publish)
        monkeypatch.setattr(os, "ftruncate", ftruncate)
        failing_sync[0] = 2 if step == "create" else 1
        position = writer.append(event(1))
        while writer.durable_position < position:
            try:
                writer.wait_durable(position, timeout=30)
            except JournalFailedError:
                continue
        append_when_possible(writer, event(2))

    read = read_all(tmp_path)
    # Without the cut, what was not acknowledged stands in both segments: twice, never not at all.
    again = [event(1)] if step == "cut" else []
    assert read == [event(0), event(1), *again, event(2)]


def test_a_sync_that_fails_while_rotating_loses_nothing(
    tmp_path: Path, small: JournalSettings, event: Make, read_all: ReadAll, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_create = recovery.create_segment
    events = [event(seq, b"x" * 40_000) for seq in range(6)]
    broken: list[int] = []

    def fdatasync(fd: int) -> None:
        if broken and fd == broken[0]:
            broken.clear()
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real_fdatasync(fd)

    with JournalWriter(tmp_path, "trap-0", small) as writer:

        def create(folder: Path, name: str, number: int, records: bytes = b"") -> recovery.NewSegment:
            segment = real_create(folder, name, number, records)
            if number == 2 and not records:
                broken.append(writer._fd)
            return segment

        monkeypatch.setattr("urltrap.journal.writer.create_segment", create)
        monkeypatch.setattr(os, "fdatasync", fdatasync)
        for item in events:
            writer.wait_durable(writer.append(item), timeout=30)

    assert not broken
    assert read_all(tmp_path) == events
    assert not list((tmp_path / "trap-0").glob("*.new"))
