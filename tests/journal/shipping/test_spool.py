from __future__ import annotations

from pathlib import Path

import pytest
from tests.journal.shipping.conftest import visit, write

from urltrap.journal import BEGINNING, JournalWriter, Position, archive
from urltrap.journal.format import frames
from urltrap.journal.shipping.spool import Spool
from urltrap.model.event import encode_event
from urltrap.model.settings import JournalSettings


def drained(spool: Spool, limit: int = 5000) -> list[bytes]:
    """Everything that can be shipped, in pieces."""
    records: list[bytes] = []
    place = BEGINNING
    while piece := spool.read("trap-0", place, limit):
        assert piece.end > place
        records += [payload for payload, _ in frames(piece.frames)]
        place = piece.end
    return records


def fill(writer: JournalWriter, sessions: int) -> list[bytes]:
    events = [event for number in range(sessions) for event in visit(number, b"x" * 500)]
    for start in range(0, len(events), 20):
        write(writer, *events[start : start + 20])
    return [encode_event(event) for event in events]


def test_pieces_hold_every_record_once_in_order_across_segments(writer: JournalWriter, spool: Spool) -> None:
    written = fill(writer, 150)
    assert len(spool.segments("trap-0")) > 1
    assert drained(spool) == written


def test_archived_segments_are_read_as_before(writer: JournalWriter, spool: Spool, journal: Path) -> None:
    written = fill(writer, 150)
    assert archive(journal, "trap-0", writer.position)
    assert drained(spool) == written


def test_a_record_longer_than_a_piece_travels_alone(writer: JournalWriter, spool: Spool) -> None:
    write(writer, *visit(1, b"a", b"y" * 400_000, b"b"))
    assert len(drained(spool, 1000)) == 5


def test_a_record_that_is_being_written_is_not_there_yet(
    writer: JournalWriter, spool: Spool, journal: Path
) -> None:
    write(writer, *visit(1))
    end = writer.position
    with open(spool.segments("trap-0")[-1].path, "ab") as file:
        file.write(b"\x40\x00\x00\x00half")
    piece = spool.read("trap-0", BEGINNING)
    assert piece is not None and piece.end == end
    assert spool.read("trap-0", end) is None


def test_damage_in_a_closed_segment_is_left_out_and_what_is_behind_it_comes(
    journal: Path, settings: JournalSettings, spool: Spool
) -> None:
    with JournalWriter(journal, "trap-0", settings) as writer:
        written = fill(writer, 20)
    with JournalWriter(journal, "trap-0", settings) as writer:
        behind = [encode_event(event) for event in visit(99)]
        write(writer, *visit(99))
        path = spool.segments("trap-0")[0].path
        data = bytearray(path.read_bytes())
        data[data.index(written[30])] ^= 0xFF
        path.write_bytes(data)
        assert drained(spool) == written[:30] + written[31:] + behind


@pytest.mark.parametrize("damaged", [b"", b"nothing of ours", b"urltrapJ"])
def test_a_segment_without_a_header_stops_nobody(
    journal: Path, settings: JournalSettings, spool: Spool, damaged: bytes
) -> None:
    with JournalWriter(journal, "trap-0", settings) as writer:
        write(writer, *visit(1))
    with JournalWriter(journal, "trap-0", settings) as writer:
        write(writer, *visit(2))
        spool.segments("trap-0")[0].path.write_bytes(damaged)
        assert len(drained(spool)) == 2


def test_how_much_waits_is_counted_from_the_mark(writer: JournalWriter, spool: Spool) -> None:
    fill(writer, 3)
    assert spool.waiting("trap-0", writer.position).bytes == 0
    piece = spool.read("trap-0", BEGINNING, 1200)
    assert piece is not None
    assert spool.waiting("trap-0", piece.end).bytes == writer.position.offset - piece.end.offset
    assert spool.waiting("trap-0", Position(0, 0)).segments == 1


def test_a_new_segment_without_records_is_nothing_that_waits(
    journal: Path, settings: JournalSettings, spool: Spool
) -> None:
    with JournalWriter(journal, "trap-0", settings) as writer:
        write(writer, *visit(1))
        end = writer.position
    with JournalWriter(journal, "trap-0", settings):
        assert len(spool.segments("trap-0")) == 2
        assert spool.waiting("trap-0", end).bytes == 0


def test_what_a_collector_wrote_here_is_not_shipped_on(
    journal: Path, settings: JournalSettings, spool: Spool
) -> None:
    with JournalWriter(journal, "fleet-0123-0", settings), JournalWriter(journal, "fetcher", settings):
        assert spool.writers() == ["fetcher"]
