# ruff: noqa: E501 - tables read best several on a line
"""The pure words of the model: identifiers, moments, raw bytes, what the allow-list takes, when backups are due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from urltrap.model.backup import BackupState
from urltrap.model.base import RawBytes, Utc
from urltrap.model.decisions import BadEntry, allow_entry
from urltrap.model.ids import event_id, new_ulid, ulid_time_ms
from urltrap.model.public_settings import stands_on
from urltrap.model.settings import BackupSettings, Settings

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@given(st.integers(0, (1 << 48) - 1), st.binary(min_size=10, max_size=10))
def test_a_ulid_keeps_its_time_and_sorts_by_it(moment: int, entropy: bytes) -> None:
    made = new_ulid(moment, entropy)
    assert len(made) == 26 and ulid_time_ms(made) == moment
    assert moment == 0 or new_ulid(moment - 1, entropy) < made


def test_a_ulid_is_that_of_the_specification() -> None:
    assert new_ulid(1_469_918_176_385, bytes(10)) == "01ARYZ6S410000000000000000"
    assert event_id("01ARYZ6S410000000000000000", 7) == "01ARYZ6S410000000000000000/7"


@pytest.mark.parametrize(("moment", "entropy"), [(-1, bytes(10)), (1 << 48, bytes(10)), (0, bytes(9))])
def test_what_fits_no_ulid_is_an_error(moment: int, entropy: bytes) -> None:
    with pytest.raises(ValueError):
        new_ulid(moment, entropy)


@pytest.mark.parametrize("text", ["", "01ARYZ6S41", "U" * 26])
def test_what_is_no_ulid_has_no_time(text: str) -> None:
    with pytest.raises(ValueError):
        ulid_time_ms(text)


@given(st.binary(max_size=40))
def test_attackers_bytes_are_equal_after_a_round_trip_through_json(data: bytes) -> None:
    adapter = TypeAdapter(RawBytes)
    assert adapter.validate_json(adapter.dump_json(data)) == data


def test_bytes_are_text_in_json_where_they_are_utf_8() -> None:
    adapter = TypeAdapter(RawBytes)
    assert adapter.dump_json("é".encode()) == '"é"'.encode()
    assert adapter.dump_json(b"\xff") == b'{"base64":"/w=="}'
    for wrong in (5, {"base64": "!"}, {"other": "x"}):
        with pytest.raises(ValidationError):
            adapter.validate_python(wrong)


def test_moments_are_in_utc_and_need_a_zone() -> None:
    adapter = TypeAdapter(Utc)
    assert adapter.validate_python(datetime(2026, 5, 1, 14, tzinfo=timezone(timedelta(hours=2)))) == NOON
    with pytest.raises(ValidationError, match="ambiguous"):
        adapter.validate_python(datetime(2026, 5, 1))


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        (" Files.Example.ORG. ", "files.example.org"), (".example.org", ".example.org"), ("files[.]example.org", "files.example.org"),
        ("bücher.example", "xn--bcher-kva.example"), ("192.0.2.7", "192.0.2.7"), ("192.0.2.0/24", "192.0.2.0/24"),
        ("192.0.2.7/32", "192.0.2.7"), ("[2001:db8::1]", "2001:db8::1"), ("2001:db8::/32", "2001:db8::/32"),
    ],
)  # fmt: skip
def test_an_entry_of_the_allow_list_is_kept_in_one_form(text: str, entry: str) -> None:
    assert allow_entry(text) == entry


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is no host"), ("localhost", "is no host"), ("a b.example", "is no host"), ("x" * 64 + ".example", "is no host"),
        ("192.0.2.1/24", "exact network"), ("192.0.2.999", "is no host"), ("0.0.0.0/0", "too large"), ("2001::/16", "/32 at most"),
        ("ü" * 70 + ".example", "is no host"),
    ],
)  # fmt: skip
def test_what_the_allow_list_does_not_take_is_told_with_what_it_does(text: str, says: str) -> None:
    with pytest.raises(BadEntry, match=says):
        allow_entry(text)


def test_backups_are_due_after_two_periods() -> None:
    every = BackupSettings(enabled=True, every_minutes=60)
    fresh = BackupState(verified_at=NOON, verified_whole_at=NOON, targets={"disk": "ok today"})
    assert fresh.overdue(every, NOON + timedelta(hours=2), NOON) == []
    assert fresh.overdue(every, NOON + timedelta(hours=3), NOON) == [
        "no backup has been verified since 2026-05-01 12:00 UTC; one is due every hour"
    ]
    assert BackupState(sealed=True, problem="disk full").overdue(every, NOON + timedelta(days=3), NOON) == [
        "no backup has been verified yet; one is due every hour", "the last try said: disk full",
    ]  # fmt: skip
    late = BackupState(verified_at=NOON + timedelta(days=3), targets={"b": "unreachable", "a": "ok today"})
    assert late.overdue(every, NOON + timedelta(days=3), NOON) == [
        "no backup has been restored for a try yet; one is due every day", "b: unreachable",
    ]  # fmt: skip
    assert BackupState().overdue(BackupSettings(enabled=False), NOON + timedelta(days=9), NOON) == []


@pytest.mark.parametrize(
    ("listen", "sensors", "where"),
    [
        ("127.0.0.1:8088", ["0.0.0.0:22"], ""), ("192.0.2.1:80", ["192.0.2.1:22"], "192.0.2.1:22"),
        ("192.0.2.1:80", ["192.0.2.2:22"], ""), ("192.0.2.1:80", ["0.0.0.0:22"], "0.0.0.0:22"),
        ("0.0.0.0:80", ["192.0.2.2:22"], "192.0.2.2:22"), ("0.0.0.0:80", ["127.0.0.1:22"], ""), ("[::]:80", ["[2001:db8::1]:22"], "[2001:db8::1]:22"),
    ],
)  # fmt: skip
def test_the_public_site_on_a_sensor_s_address_is_found(listen: str, sensors: list[str], where: str) -> None:
    assert stands_on(listen, sensors) == where


def test_settings_refuse_a_public_site_that_unmasks_a_sensor() -> None:
    tree = {
        "public": {"enabled": True, "listen": "0.0.0.0:80"},
        "sensors": {"ssh": {"listen": ["192.0.2.1:22"]}},
    }
    with pytest.raises(ValidationError, match="would unmask it"):
        Settings.model_validate(tree)
    allowed = {**tree, "public": {**tree["public"], "allow_sensor_address": True}}
    assert Settings.model_validate(allowed).public.enabled
