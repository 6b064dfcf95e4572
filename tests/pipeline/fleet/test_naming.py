from __future__ import annotations

import json
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from tests.pipeline.fleet.conftest import START, visit

from urltrap.model.capture import Capture
from urltrap.model.event import Captured, Connected, decode_event, encode_event
from urltrap.model.ids import ulid_time_ms
from urltrap.pipeline.fleet.naming import fleet_session, renamed

SESSION = visit(1)[0].session
LATEST = START + timedelta(days=1)


def test_a_session_keeps_its_moment_and_gets_a_name_of_the_sensors_own() -> None:
    here, there = fleet_session("campus-1", SESSION), fleet_session("campus-2", SESSION)
    assert ulid_time_ms(here) == ulid_time_ms(there) == ulid_time_ms(SESSION)
    assert len({here, there, SESSION}) == 3
    assert fleet_session("campus-1", SESSION) == here


@given(st.text(max_size=60))
def test_any_name_of_a_session_fits_the_store(session: str) -> None:
    assert 26 <= len(fleet_session("campus-1", session)) <= 40


def test_the_sensors_name_stands_before_its_services() -> None:
    record = renamed("campus-1", encode_event(visit(1)[0]), LATEST)
    assert record is not None
    event = decode_event(record)
    assert isinstance(event, Connected) and event.sensor == "campus-1/ssh"


def test_a_capture_still_belongs_to_the_session_that_it_was_made_for() -> None:
    capture = Capture(url="http://dropper.example/x", at=START, outcome="not-found", for_session=SESSION)
    record = renamed(
        "campus-1", encode_event(Captured(session=SESSION, seq=0, at=START, capture=capture)), LATEST
    )
    assert record is not None
    event = decode_event(record)
    assert isinstance(event, Captured) and event.capture.for_session == fleet_session("campus-1", SESSION)


def test_attackers_bytes_come_through_unchanged() -> None:
    text = bytes(range(256)) + "ü😀\u2028".encode()
    for event in visit(1, text, b"plain\x00\x1b[0m"):
        record = renamed("campus-1", encode_event(event), LATEST)
        assert record is not None
        back, sent = json.loads(record), json.loads(encode_event(event))
        assert back.pop("session") == fleet_session("campus-1", sent.pop("session"))
        assert back.pop("sensor", "") == ("campus-1/ssh" if sent.pop("sensor", "") else "")
        assert back == sent


_JSON = st.recursive(st.none() | st.text() | st.integers(), st.lists)


@given(st.binary(max_size=200) | _JSON.map(lambda value: json.dumps(value).encode()))
def test_any_record_is_kept_as_json_or_left_out(record: bytes) -> None:
    assert renamed("campus-1", record, LATEST) is None
