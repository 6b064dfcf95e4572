from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from urltrap.journal import (
    JournalCorruptError,
    JournalError,
    JournalReader,
    JournalWriter,
    Position,
    archive,
    expire,
)
from urltrap.journal.folder import lock_folder
from urltrap.model.event import CommandEntered, Event
from urltrap.model.settings import JournalSettings

Make = Callable[..., CommandEntered]
ReadAll = Callable[..., list[Event]]


@pytest.fixture
def ends(tmp_path: Path, settings: JournalSettings, event: Make) -> list[Position]:
    """Three segments of 100 events, the position behind each; the last one counts as open."""
    ends = []
    for run in range(3):
        with JournalWriter(tmp_path, "trap-0", settings) as writer:
            for seq in range(100):
                ends.append(
                    writer.append(
                        event(run * 100 + seq, b"wget http://203.0.113.7/" + bytes([65 + seq % 26]))
                    )
                )
    return ends[99::100]


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in (directory / "trap-0").iterdir() if "lock" not in path.name)


def test_what_the_store_has_committed_is_compressed_and_reads_as_before(
    tmp_path: Path, ends: list[Position], read_all: ReadAll
) -> None:
    before = read_all(tmp_path)

    assert archive(tmp_path, "trap-0", ends[2]) == [1, 2]

    assert names(tmp_path) == ["00000001.seg.zst", "00000002.seg.zst", "00000003.seg"]
    assert read_all(tmp_path) == read_all(tmp_path, limit=1000) == before
    assert len(before) == 300
    assert archive(tmp_path, "trap-0", ends[2]) == []


def test_a_watermark_stays_right_when_its_segment_is_archived(
    tmp_path: Path, ends: list[Position], event: Make
) -> None:
    with JournalReader(tmp_path) as reader:
        middle = reader.read("trap-0", None, 50)[-1][0]
        archive(tmp_path, "trap-0", ends[2])
        rest = reader.read("trap-0", middle)
        assert len(rest) == 250
        again = reader.read("trap-0", None, 50)
        assert again[-1][0] == middle


def test_what_is_not_wholly_committed_stays(tmp_path: Path, ends: list[Position]) -> None:
    assert archive(tmp_path, "trap-0", Position(1, ends[0].offset - 1)) == []
    assert archive(tmp_path, "trap-0", ends[0]) == [1]
    assert names(tmp_path) == ["00000001.seg.zst", "00000002.seg", "00000003.seg"]


def test_a_journal_that_does_not_exist_has_nothing_to_archive(tmp_path: Path) -> None:
    assert archive(tmp_path, "trap-0", Position(9, 9)) == []
    assert expire(tmp_path, "trap-0", 1, datetime.now(UTC)) == []


def test_archivers_do_not_meet(tmp_path: Path, ends: list[Position]) -> None:
    fd = lock_folder(tmp_path / "trap-0", "archive.lock")
    assert archive(tmp_path, "trap-0", ends[2]) == []
    os.close(fd)
    assert archive(tmp_path, "trap-0", ends[2]) == [1, 2]


@pytest.mark.parametrize("call", ["fsync", "rename", "unlink"])
def test_an_archiver_killed_at_any_step_loses_nothing(
    tmp_path: Path, ends: list[Position], read_all: ReadAll, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    before = read_all(tmp_path)

    class Killed(BaseException):
        pass

    def die(*args: object, **more: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(os, call, die)
        with pytest.raises(Killed):
            archive(tmp_path, "trap-0", ends[2])
    (tmp_path / "trap-0" / "00000001.seg.0123.zst.part").write_bytes(b"what kill -9 leaves")

    assert read_all(tmp_path) == before
    assert archive(tmp_path, "trap-0", ends[2]) == [1, 2]
    assert names(tmp_path) == ["00000001.seg.zst", "00000002.seg.zst", "00000003.seg"]
    assert read_all(tmp_path) == before


def test_an_archive_that_does_not_unpack_to_its_segment_is_thrown_away(
    tmp_path: Path, ends: list[Position], monkeypatch: pytest.MonkeyPatch
) -> None:
    sums = iter([(1, 1), (2, 2)])
    monkeypatch.setattr("urltrap.journal.archiving._checksum", lambda file: next(sums))
    with pytest.raises(JournalError, match="the segment was kept"):
        archive(tmp_path, "trap-0", ends[2])
    assert names(tmp_path) == ["00000001.seg", "00000002.seg", "00000003.seg"]


@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_a_damaged_archive_is_named_and_can_be_left_out(
    tmp_path: Path, ends: list[Position], damage: str, read_all: ReadAll
) -> None:
    events = read_all(tmp_path)
    archive(tmp_path, "trap-0", ends[2])
    path = tmp_path / "trap-0" / "00000002.seg.zst"
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 0xFF
    path.write_bytes({"cut": data[: len(data) // 2], "flip": data, "empty": b""}[damage])

    with JournalReader(tmp_path) as reader:
        good = [item for _, item in reader.read("trap-0", None, 1000)]
        assert good == events[: len(good)]
        assert 100 <= len(good) < 200
        place = reader.read("trap-0", None, len(good))[-1][0]
        with pytest.raises(JournalCorruptError, match=r"00000002\.seg\.zst from a backup"):
            reader.read("trap-0", place)
        while place.segment < 3:
            place = reader.skip("trap-0", place)
        assert [item for _, item in reader.read("trap-0", place)] == events[200:]


def test_old_archives_are_deleted_and_nothing_else(
    tmp_path: Path, ends: list[Position], settings: JournalSettings, event: Make
) -> None:
    archive(tmp_path, "trap-0", ends[0])
    now = datetime.now(UTC)

    assert expire(tmp_path, "trap-0", 1, now) == []
    assert expire(tmp_path, "trap-0", 1, now + timedelta(days=2)) == [1]
    assert names(tmp_path) == ["00000002.seg", "00000003.seg"]
    with JournalReader(tmp_path) as reader:
        assert len(reader.read("trap-0")) == 200
        assert len(reader.read("trap-0", Position(1, 500))) == 200


def test_an_archive_is_as_old_as_its_last_event(tmp_path: Path, ends: list[Position]) -> None:
    now = datetime.now(UTC)
    old = (now - timedelta(days=400)).timestamp()
    os.utime(tmp_path / "trap-0" / "00000001.seg", (old, old))
    archive(tmp_path, "trap-0", ends[2])

    assert expire(tmp_path, "trap-0", 365, now) == [1]
