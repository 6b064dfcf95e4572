from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from urltrap.journal import JournalReader, JournalWriter, Position, archive, rewrite
from urltrap.journal.folder import list_segments
from urltrap.model.event import CommandEntered, Connected, EventBase
from urltrap.model.settings import JournalSettings

WHEN = datetime(2026, 1, 2, tzinfo=UTC)
SETTINGS = JournalSettings(segment_bytes=65_536, sync_milliseconds=1, free_bytes_reserve=0)
OLD, NEW = "203.0.113.199", "0.0.0.0"


def forget(event: EventBase) -> EventBase:
    if isinstance(event, Connected) and event.src_ip == OLD:
        return event.model_copy(update={"src_ip": NEW})
    return event


def connected(number: int) -> Connected:
    return Connected(
        session=f"S{number}", seq=0, at=WHEN, sensor="ssh", protocol="ssh", src_ip=OLD if number % 2 else "192.0.2.1",
        src_port=1, dst_ip="192.0.2.2", dst_port=22,
    )  # fmt: skip


def fill(journal: Path, writer: JournalWriter, count: int = 40) -> list[EventBase]:
    made: list[EventBase] = []
    for number in range(count):
        made += [
            connected(number),
            CommandEntered(session=f"S{number}", seq=1, at=WHEN, mode="exec", text=b"x" * 5000),
        ]
    for event in made:
        writer.wait_durable(writer.append(event), 30)
    return made


def read(journal: Path) -> list[tuple[Position, EventBase]]:
    with JournalReader(journal) as reader:
        return list(reader.read("trap-0", None, 100_000))


def everything(journal: Path) -> bytes:
    import zstandard

    parts = []
    for segment in list_segments(journal / "trap-0"):
        data = segment.path.read_bytes()
        parts.append(zstandard.ZstdDecompressor().stream_reader(data).readall() if segment.archived else data)
    return b"".join(parts)


def test_an_address_goes_from_archives_and_closed_segments_and_no_position_moves(tmp_path: Path) -> None:
    with JournalWriter(tmp_path, "trap-0", SETTINGS) as writer:
        fill(tmp_path, writer)
        archive(tmp_path, "trap-0", Position(2, 0))
        segments = list_segments(tmp_path / "trap-0")
        assert segments[0].archived and not segments[1].archived and len(segments) >= 3
        before = read(tmp_path)
        ages = [segment.path.stat().st_mtime_ns for segment in segments]
        done = rewrite(tmp_path, "trap-0", forget)
        assert done.left == (segments[-1].number,), "the one that is being written"
        assert [s.path.stat().st_mtime_ns for s in list_segments(tmp_path / "trap-0")] == ages
    assert done.events > 10
    done = rewrite(tmp_path, "trap-0", forget)
    assert done.left == ()
    after = read(tmp_path)
    assert [(position, forget(event)) for position, event in before] == after
    assert OLD.encode() not in everything(tmp_path)
    assert rewrite(tmp_path, "trap-0", forget).events == 0


def test_only_segments_of_the_age_that_is_meant_are_changed(tmp_path: Path) -> None:
    with JournalWriter(tmp_path, "trap-0", SETTINGS) as writer:
        fill(tmp_path, writer)
    segments = list_segments(tmp_path / "trap-0")
    old = datetime.now(UTC) - timedelta(days=50)
    os.utime(segments[0].path, (old.timestamp(), old.timestamp()))
    done = rewrite(tmp_path, "trap-0", forget, datetime.now(UTC) - timedelta(days=30))
    assert done.events > 0 and done.left == ()
    assert OLD.encode() not in segments[0].path.read_bytes()
    assert OLD.encode() in segments[1].path.read_bytes()


def test_a_damaged_segment_is_left_as_it_is_and_named(tmp_path: Path) -> None:
    with JournalWriter(tmp_path, "trap-0", SETTINGS) as writer:
        fill(tmp_path, writer)
    first = list_segments(tmp_path / "trap-0")[0]
    raw = bytearray(first.path.read_bytes())
    raw[20_000] ^= 0xFF
    first.path.write_bytes(raw)
    done = rewrite(tmp_path, "trap-0", forget)
    assert done.left == (first.number,) and done.events > 0
    assert first.path.read_bytes() == bytes(raw)


def test_a_torn_tail_stays_for_the_next_start_to_cut(tmp_path: Path) -> None:
    with JournalWriter(tmp_path, "trap-0", SETTINGS) as writer:
        fill(tmp_path, writer, 4)
    last = list_segments(tmp_path / "trap-0")[-1]
    with open(last.path, "ab") as file:
        file.write(b"\x40\0\0\0torn")
    assert rewrite(tmp_path, "trap-0", forget).events == 2
    assert last.path.read_bytes().endswith(b"\x40\0\0\0torn")
    with JournalWriter(tmp_path, "trap-0", SETTINGS) as writer:
        assert writer.repair.cut_bytes == 8
