from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from urltrap.journal import (
    JournalCorruptError,
    JournalFormatError,
    JournalReader,
    JournalUndecodableError,
    JournalWriter,
    Position,
    archive,
)
from urltrap.journal.format import frame
from urltrap.model.event import CommandEntered, Event
from urltrap.model.settings import JournalSettings

Make = Callable[..., CommandEntered]
ReadAll = Callable[..., list[Event]]


def write(directory: Path, settings: JournalSettings, events: list[CommandEntered]) -> list[Position]:
    """One run of a writer: one segment."""
    with JournalWriter(directory, "trap-0", settings) as writer:
        return [writer.append(event) for event in events]


def segment(directory: Path, number: int) -> Path:
    return directory / "trap-0" / f"{number:08d}.seg"


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(data)


def test_an_empty_or_missing_journal_has_nothing_to_read(tmp_path: Path, settings: JournalSettings) -> None:
    with JournalReader(tmp_path / "journal") as reader:
        assert reader.writers() == []
        assert reader.read("trap-0") == []
        assert not reader.wait(0)
        JournalWriter(tmp_path / "journal", "trap-0", settings).close()
        assert reader.writers() == ["trap-0"]
        assert reader.read("trap-0") == []


def test_each_writer_has_its_own_stream(tmp_path: Path, settings: JournalSettings, event: Make) -> None:
    with (
        JournalWriter(tmp_path, "trap-0", settings) as first,
        JournalWriter(tmp_path, "fetcher", settings) as second,
        JournalReader(tmp_path) as reader,
    ):
        first.append(event(0))
        second.append(event(1))

        assert reader.writers() == ["fetcher", "trap-0"]
        assert [item for _, item in reader.read("trap-0")] == [event(0)]
        assert [item for _, item in reader.read("fetcher")] == [event(1)]


def test_reading_goes_on_from_any_position(tmp_path: Path, settings: JournalSettings, event: Make) -> None:
    events = [event(seq) for seq in range(10)]
    positions = write(tmp_path, settings, events[:5]) + write(tmp_path, settings, events[5:])

    with JournalReader(tmp_path) as reader:
        for number, position in enumerate(positions):
            assert reader.read("trap-0", position) == list(zip(positions, events, strict=True))[number + 1 :]
        assert len(reader.read("trap-0", None, 3)) == 3
        with pytest.raises(ValueError, match="at least 1"):
            reader.read("trap-0", None, 0)


def test_records_larger_than_a_read_are_read(
    tmp_path: Path, settings: JournalSettings, event: Make, read_all: ReadAll
) -> None:
    events = [event(0), event(1, b"x" * 1_000_000), event(2), event(3, b"y" * 300_000), event(4)]
    write(tmp_path, settings, events)

    assert read_all(tmp_path, limit=1) == read_all(tmp_path, limit=100) == events


def test_a_record_in_the_making_is_not_returned_until_it_is_whole(
    tmp_path: Path, settings: JournalSettings, event: Make
) -> None:
    write(tmp_path, settings, [event(0)])
    record = frame(event(1).model_dump_json().encode())
    with JournalReader(tmp_path) as reader:
        ((position, _),) = reader.read("trap-0")
        with open(segment(tmp_path, 1), "ab", buffering=0) as file:
            for cut in range(len(record) - 1):
                file.write(record[cut : cut + 1])
                assert reader.read("trap-0", position) == []
                assert not reader.wait(0), "a piece of a record is no news once it was looked at"
            file.write(record[-1:])
        assert reader.wait(0)
        assert [item for _, item in reader.read("trap-0", position)] == [event(1)]


def test_a_waiting_reader_wakes_for_new_events_and_for_new_writers(
    tmp_path: Path, settings: JournalSettings, event: Make
) -> None:
    with JournalReader(tmp_path) as reader, JournalWriter(tmp_path, "trap-0", settings) as writer:
        assert reader.read("trap-0") == []
        assert not reader.wait(0)
        waiting = threading.Thread(target=lambda: woken.append(reader.wait(30)))
        woken: list[bool] = []
        waiting.start()
        writer.append(event(0))
        waiting.join(30)
        assert woken == [True]

        ((position, _),) = reader.read("trap-0")
        assert reader.read("trap-0", position) == []
        assert not reader.wait(0)
        with JournalWriter(tmp_path, "trap-1", settings):
            assert reader.wait(30)


def test_waiting_ends_when_it_is_told_to(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    assert not JournalReader(tmp_path).wait(3600, stop)


def test_several_readers_follow_a_writer_through_rotation_and_archiving(
    tmp_path: Path, small: JournalSettings, event: Make
) -> None:
    events = [event(seq, b"x" * 300) for seq in range(1500)]
    seen: list[list[Event]] = [[], []]
    slowest = [Position(0, 0), Position(0, 0)]

    def follow(number: int) -> None:
        until = time.monotonic() + 60
        with JournalReader(tmp_path) as reader:
            while len(seen[number]) < len(events) and time.monotonic() < until:
                for position, item in reader.read("trap-0", slowest[number], 64):
                    slowest[number] = position
                    seen[number].append(item)
                reader.wait(0.05)

    readers = [threading.Thread(target=follow, args=(number,)) for number in range(2)]
    with JournalWriter(tmp_path, "trap-0", small) as writer:
        for thread in readers:
            thread.start()
        for number, item in enumerate(events):
            position = writer.append(item)
            if number % 100 == 99:
                writer.wait_durable(position, 30)
                archive(tmp_path, "trap-0", min(slowest))
        for thread in readers:
            thread.join(90)

    assert seen == [events, events]
    archive(tmp_path, "trap-0", min(slowest))
    assert list((tmp_path / "trap-0").glob("*.seg.zst"))


def test_a_watermark_behind_what_a_power_cut_took_away_skips_nothing(
    tmp_path: Path, settings: JournalSettings, event: Make
) -> None:
    positions = write(tmp_path, settings, [event(0), event(1), event(2)])
    os.truncate(segment(tmp_path, 1), positions[0].offset)  # the reader had seen all three
    write(tmp_path, settings, [event(3)])

    with JournalReader(tmp_path) as reader:
        assert [item for _, item in reader.read("trap-0", positions[2])] == [event(3)]


def test_damage_in_a_closed_segment_is_named_after_all_before_it_was_read(
    tmp_path: Path, settings: JournalSettings, event: Make
) -> None:
    events = [event(seq) for seq in range(6)]
    positions = write(tmp_path, settings, events[:5])
    write(tmp_path, settings, events[5:])
    overwrite(segment(tmp_path, 1), positions[1].offset + 20, b"\0")

    with JournalReader(tmp_path) as reader:
        assert [item for _, item in reader.read("trap-0")] == events[:2]
        assert reader.wait(0)
        for _ in range(2):
            with pytest.raises(JournalCorruptError, match=r"segment 1, offset \d+.*checksum.*safe") as caught:
                reader.read("trap-0", positions[1])
        assert caught.value.position == positions[1]

        behind = reader.skip("trap-0", positions[1])

        assert behind == positions[2]
        assert reader.skipped_bytes == positions[2].offset - positions[1].offset
        assert [item for _, item in reader.read("trap-0", behind)] == events[3:]


def test_only_damage_can_be_skipped(tmp_path: Path, settings: JournalSettings, event: Make) -> None:
    positions = write(tmp_path, settings, [event(0), event(1)])
    with JournalReader(tmp_path) as reader:
        for position in positions:
            with pytest.raises(ValueError, match="nothing is damaged"):
                reader.skip("trap-0", position)
        assert reader.skipped_bytes == 0


@pytest.mark.parametrize("length", [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\x01\0"])
def test_a_damaged_length_does_not_hide_the_records_behind_it(
    tmp_path: Path, settings: JournalSettings, event: Make, length: bytes
) -> None:
    positions = write(tmp_path, settings, [event(0), event(1), event(2)])
    write(tmp_path, settings, [event(3)])
    overwrite(segment(tmp_path, 1), positions[0].offset, length)

    with JournalReader(tmp_path) as reader:
        assert len(reader.read("trap-0")) == 1
        behind = reader.skip("trap-0", positions[0])
        assert [item for _, item in reader.read("trap-0", behind)] == [event(2), event(3)]


def test_a_damaged_header_costs_no_record(
    tmp_path: Path, settings: JournalSettings, event: Make, read_all: ReadAll
) -> None:
    write(tmp_path, settings, [event(0), event(1)])
    write(tmp_path, settings, [event(2)])
    overwrite(segment(tmp_path, 1), 14, b"\0")

    with JournalReader(tmp_path) as reader:
        with pytest.raises(JournalCorruptError, match="header") as caught:
            reader.read("trap-0")
        behind = reader.skip("trap-0", caught.value.position)
    assert read_all(tmp_path, after=behind) == [event(0), event(1), event(2)]


def test_a_record_of_a_newer_schema_is_told_apart_from_damage(
    tmp_path: Path, settings: JournalSettings, event: Make
) -> None:
    positions = write(tmp_path, settings, [event(0)])
    with open(segment(tmp_path, 1), "ab") as file:
        file.write(frame(b'{"kind":"moon.landed\x1b[2J","session":"S","seq":1}'.replace(b"\x1b", b"\\u001b")))
        file.write(frame(event(2).model_dump_json().encode()))

    with JournalReader(tmp_path) as reader:
        assert len(reader.read("trap-0")) == 1
        with pytest.raises(JournalUndecodableError, match="newer one") as caught:
            reader.read("trap-0", positions[0])
        assert "\x1b" not in str(caught.value)
        assert caught.value.schema == 1
        behind = reader.skip("trap-0", positions[0])
        assert behind == caught.value.behind
        assert reader.skipped_records == 1
        assert [item for _, item in reader.read("trap-0", behind)] == [event(2)]


def test_a_segment_of_another_format_version_is_not_guessed_at(
    tmp_path: Path, settings: JournalSettings, event: Make
) -> None:
    write(tmp_path, settings, [event(0)])
    overwrite(segment(tmp_path, 1), 8, b"\x09")

    with JournalReader(tmp_path) as reader, pytest.raises(JournalFormatError, match="format version 9"):
        reader.read("trap-0")


def test_a_frame_that_an_attacker_writes_into_a_command_is_never_taken_for_a_record(
    tmp_path: Path, settings: JournalSettings, event: Make
) -> None:
    forged = frame(event(666, b"rm -rf /").model_dump_json().encode())
    positions = write(tmp_path, settings, [event(0), event(1, b"echo " + forged), event(2)])
    write(tmp_path, settings, [event(3)])
    overwrite(segment(tmp_path, 1), positions[0].offset + 4, b"\0\0\0\0")

    with JournalReader(tmp_path) as reader:
        behind = reader.skip("trap-0", positions[0])
        assert [item for _, item in reader.read("trap-0", behind)] == [event(2), event(3)]


def test_a_batch_of_long_records_ends_early(
    tmp_path: Path, settings: JournalSettings, event: Make, read_all: ReadAll, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("urltrap.journal.reader._BATCH_BYTES", 10_000)
    events = [event(seq, b"x" * 4000) for seq in range(10)]
    write(tmp_path, settings, events)

    with JournalReader(tmp_path) as reader:
        assert len(reader.read("trap-0", None, 100)) == 3
        assert reader.wait(0), "there is more"
    assert read_all(tmp_path, limit=100) == events


def test_a_segment_archived_between_looking_and_opening_is_found_again(
    tmp_path: Path, settings: JournalSettings, event: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, settings, [event(0)])
    write(tmp_path, settings, [event(1)])
    folder = tmp_path / "trap-0"
    os.utime(folder, (1, 1))  # long settled, so that the list is remembered
    with JournalReader(tmp_path) as reader:
        assert len(reader.read("trap-0", Position(1, 10**9))) == 1
        assert archive(tmp_path, "trap-0", Position(9, 0)) == [1]
        os.utime(folder, (1, 1))
        assert [item for _, item in reader.read("trap-0")] == [event(0), event(1)]
