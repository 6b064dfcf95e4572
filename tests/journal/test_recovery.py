from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog

from urltrap.journal import JournalReader, JournalWriter, Position
from urltrap.journal.format import frame
from urltrap.model.event import CommandEntered, Event
from urltrap.model.settings import JournalSettings

Make = Callable[..., CommandEntered]
ReadAll = Callable[..., list[Event]]


def write(directory: Path, settings: JournalSettings, events: list[CommandEntered]) -> list[Position]:
    with JournalWriter(directory, "trap-0", settings) as writer:
        return [writer.append(event) for event in events]


def test_a_stream_cut_at_any_byte_gives_back_its_whole_records_and_goes_on(
    tmp_path: Path, settings: JournalSettings, event: Make
) -> None:
    events = [event(0), event(1, b"\xff\x00"), event(2)]
    positions = write(tmp_path / "whole", settings, events)
    stream = (tmp_path / "whole" / "trap-0" / "00000001.seg").read_bytes()
    assert len(stream) == positions[-1].offset

    for cut in range(len(stream) + 1):
        folder = tmp_path / str(cut) / "trap-0"
        folder.mkdir(parents=True)
        (folder / "00000001.seg").write_bytes(stream[:cut])
        whole = [item for position, item in zip(positions, events, strict=True) if position.offset <= cut]
        ends = [position.offset for position in positions if position.offset <= cut]

        with JournalReader(tmp_path / str(cut)) as reader:
            if ends:
                assert [item for _, item in reader.read("trap-0")] == whole, cut
            with JournalWriter(tmp_path / str(cut), "trap-0", settings) as writer:
                if ends:
                    assert writer.repair.cut_bytes == cut - ends[-1], cut
                writer.append(event(9))
            assert [item for _, item in reader.read("trap-0")] == [*whole, event(9)], cut


@pytest.mark.parametrize(
    "garbage",
    [b"\0" * 5000, b"\xff" * 5000, os.urandom(5000), b"\x10\0\0\0", b'{"kind":"session.connect"}'],
    ids=["zeros", "ones", "random", "head", "text"],
)
def test_a_torn_tail_is_cut_at_start_and_reported(
    tmp_path: Path, settings: JournalSettings, event: Make, read_all: ReadAll, garbage: bytes
) -> None:
    end = write(tmp_path, settings, [event(0)])[-1]
    path = tmp_path / "trap-0" / "00000001.seg"
    with open(path, "ab") as file:
        file.write(garbage)

    with structlog.testing.capture_logs() as logs:
        write(tmp_path, settings, [event(1)])

    assert path.stat().st_size == end.offset
    assert [(entry["event"], entry["bytes"]) for entry in logs] == [("journal.tail_cut", len(garbage))]
    assert read_all(tmp_path) == [event(0), event(1)]


def test_whole_records_behind_damage_are_saved_into_the_new_segment(
    tmp_path: Path, settings: JournalSettings, event: Make, read_all: ReadAll
) -> None:
    positions = write(tmp_path, settings, [event(seq) for seq in range(5)])
    path = tmp_path / "trap-0" / "00000001.seg"
    with open(path, "r+b") as file:
        file.seek(positions[1].offset)
        file.write(b"\0" * 40)  # the page that the power cut kept from the disk, between two that reached it

    with JournalWriter(tmp_path, "trap-0", settings) as writer:
        assert writer.repair.saved_records == 2
        assert writer.repair.offset == positions[1].offset
        writer.append(event(9))

    assert read_all(tmp_path) == [event(0), event(1), event(3), event(4), event(9)]


def test_a_segment_whose_header_is_gone_is_set_aside_and_its_records_saved(
    tmp_path: Path, settings: JournalSettings, event: Make, read_all: ReadAll
) -> None:
    write(tmp_path, settings, [event(0), event(1)])
    path = tmp_path / "trap-0" / "00000001.seg"
    with open(path, "r+b") as file:
        file.write(b"\0" * 4)

    with JournalWriter(tmp_path, "trap-0", settings) as writer:
        assert writer.repair.saved_records == 2

    assert path.with_suffix(".damaged").exists()
    assert read_all(tmp_path) == [event(0), event(1)]


def test_the_segment_of_another_format_version_is_left_as_it_is(
    tmp_path: Path, settings: JournalSettings, event: Make
) -> None:
    write(tmp_path, settings, [event(0)])
    path = tmp_path / "trap-0" / "00000001.seg"
    with open(path, "r+b") as file:
        file.seek(8)
        file.write(b"\x09")
    before = path.read_bytes()

    assert write(tmp_path, settings, [event(1)])[0].segment == 2
    assert path.read_bytes() == before


@pytest.mark.parametrize("call", ["fdatasync", "ftruncate", "rename", "unlink"])
def test_a_start_killed_at_any_step_is_finished_by_the_next_one(
    tmp_path: Path,
    settings: JournalSettings,
    event: Make,
    read_all: ReadAll,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
) -> None:
    positions = write(tmp_path, settings, [event(seq) for seq in range(5)])
    path = tmp_path / "trap-0" / "00000001.seg"
    with open(path, "r+b") as file:
        file.seek(positions[1].offset)
        file.write(b"\0" * 40)
    # A second leftover, so that there is something to unlink as well.
    (tmp_path / "trap-0" / "00000002.00.new").write_bytes(frame(event(7).model_dump_json().encode())[:-1])

    class Killed(BaseException):
        pass

    real_ftruncate = os.ftruncate
    name = str(path)

    def die(target: int | Path | str, *more: object, **named: object) -> None:
        # The lock file is truncated as well, which is not a step of the repair.
        if call == "ftruncate" and os.readlink(f"/proc/self/fd/{target}") != name:
            return real_ftruncate(target, *more)  # type: ignore[arg-type]
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(os, call, die)
        with pytest.raises(Killed):
            JournalWriter(tmp_path, "trap-0", settings)

    write(tmp_path, settings, [event(9)])

    read = read_all(tmp_path)
    assert sorted({item.seq for item in read}) == [0, 1, 3, 4, 9]
    assert read[-1] == event(9)
    assert not list((tmp_path / "trap-0").glob("*.new"))


def test_numbers_are_never_used_twice_even_when_only_archives_are_left(
    tmp_path: Path, settings: JournalSettings, event: Make
) -> None:
    write(tmp_path, settings, [event(0)])
    path = tmp_path / "trap-0" / "00000001.seg"
    path.rename(path.with_name("00000041.seg.zst"))

    assert write(tmp_path, settings, [event(1)])[0].segment == 42
