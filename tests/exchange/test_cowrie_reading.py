"""Cowrie's lines become events: of every version, the same ids each time, and bad ones told apart."""

from __future__ import annotations

import json
import struct
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.exchange.lines import SHA256, START, line, visit

from urltrap.exchange.cowrie import CowrieLineError, CowrieReader
from urltrap.model.event import (
    ClientIdentified,
    CommandEntered,
    Connected,
    Disconnected,
    DownloadAnswered,
    DownloadAsked,
    EventBase,
    FileWritten,
    ForwardAsked,
    LoginTried,
    ProgramRun,
    TerminalFrames,
    Uploaded,
)


def read(lines: list[bytes], reader: CowrieReader | None = None) -> list[EventBase]:
    reader = reader or CowrieReader()
    return [event for each in lines for event in reader.read(each)]


def only(lines: list[bytes]) -> EventBase:
    """The event of one line, without the beginning of its session."""
    first, second = read(lines)
    assert isinstance(first, Connected)
    return second


def test_a_visit_becomes_the_events_that_our_own_sensor_would_have_written() -> None:
    events = read(visit())
    assert [type(event).__name__ for event in events] == [
        "Connected", "ClientIdentified", "ClientIdentified", "LoginTried", "LoginTried", "TerminalRequested",
        "CommandEntered", "ProgramRun", "DownloadAsked", "DownloadAnswered", "Disconnected",
    ]  # fmt: skip
    assert [event.seq for event in events] == list(range(11))
    assert len({event.session for event in events}) == 1
    connected, *_ = events
    assert isinstance(connected, Connected)
    assert (connected.sensor, connected.src_ip, connected.src_port) == ("trap", "203.0.113.9", 4711)
    assert connected.at == START
    logins = [event for event in events if isinstance(event, LoginTried)]
    assert [(each.username, each.password, each.accepted) for each in logins] == [
        (b"root", b"root", False),
        (b"root", b"admin", True),
    ]
    answered = next(event for event in events if isinstance(event, DownloadAnswered))
    assert (answered.outcome, answered.sha256) == ("fetched", SHA256)
    closed = events[-1]
    assert isinstance(closed, Disconnected)
    assert closed.duration_ms == 5250


def test_reading_a_log_twice_gives_the_same_ids() -> None:
    assert [event.id for event in read(visit())] == [event.id for event in read(visit())]


def test_two_sensors_may_use_the_same_session_name() -> None:
    events = read([line("login.failed", username="a", password="b", sensor=name) for name in ("one", "two")])
    assert len({event.session for event in events}) == 2


def test_a_log_that_begins_in_the_middle_of_a_session_gives_it_a_beginning() -> None:
    event = only([line("command.input", input="id")])
    assert isinstance(event, CommandEntered)
    assert event.text == b"id"


def test_a_version_written_as_the_picture_of_bytes_is_read_as_those_bytes() -> None:
    event = only([line("client.version", version="b'SSH-2.0-\\xffweird'")])
    assert isinstance(event, ClientIdentified)
    assert event.version == b"SSH-2.0-\xffweird"


def test_bytes_that_were_not_text_come_back() -> None:
    event = only([line("command.input", input="echo \udcff")])
    assert isinstance(event, CommandEntered)
    assert event.text == b"echo \xff"


@pytest.mark.parametrize(
    ("fields", "milliseconds"),
    [
        ({"duration": 1.5}, 1500),
        ({"duration": "2.25"}, 2250),
        ({"duration_ms": 77}, 77),
        ({}, 0),
        ({"duration": "x"}, 0),
    ],
)
def test_a_duration_is_read_in_the_form_of_every_version(
    fields: dict[str, object], milliseconds: int
) -> None:
    event = only([line("session.closed", **fields)])
    assert isinstance(event, Disconnected)
    assert event.duration_ms == milliseconds


@pytest.mark.parametrize(
    "stamp",
    [
        "2026-03-01T12:00:00.000000Z",
        "2026-03-01T13:00:00+01:00",
        "2026-03-01T12:00:00+0000",
        "2026-03-01T12:00:00",
    ],
)
def test_a_time_is_read_in_utc_in_the_form_of_every_version(stamp: str) -> None:
    assert read([line("command.input", input="id", timestamp=stamp)])[0].at == START


def test_kippos_numbers_are_still_known() -> None:
    event = only([line("x", eventid="KIPP0003", username="root", password="1234")])
    assert isinstance(event, LoginTried)
    assert not event.accepted


def test_a_download_without_a_url_is_a_file_that_was_written() -> None:
    event = only([line("session.file_download", outfile="x", destfile="/tmp/run", shasum=SHA256)])
    assert isinstance(event, FileWritten)
    assert (event.path, event.sha256) == (b"/tmp/run", SHA256)


def test_a_failed_download_still_names_its_url() -> None:
    events = read([line("session.file_download.failed", url="http://198.51.100.7/x")])
    assert [type(event) for event in events] == [Connected, DownloadAsked, DownloadAnswered]


def test_uploads_keys_programs_and_forwards_are_kept() -> None:
    upload = only([line("session.file_upload", filename="/tmp/a", outfile="x", shasum=SHA256)])
    assert isinstance(upload, Uploaded)
    assert upload.path == b"/tmp/a"
    key = only([line("client.fingerprint", username="root", fingerprint="SHA256:x", key="ssh-ed25519 AAAA")])
    assert isinstance(key, LoginTried)
    assert (key.method, key.key_fingerprint) == ("publickey", "SHA256:x")
    missing = only([line("command.failed", input="foo -x")])
    assert isinstance(missing, ProgramRun)
    assert (missing.argv, missing.outcome) == ([b"foo", b"-x"], "not-found")
    forward = only([line("direct-tcpip.data", dst_ip="192.0.2.5", dst_port=25, data="b'EHLO \\x00'")])
    assert isinstance(forward, ForwardAsked)
    assert (forward.host, forward.port, forward.first_bytes) == (b"192.0.2.5", 25, b"EHLO \0")


def test_a_recording_becomes_frames_of_its_own_session() -> None:
    head = struct.Struct("<iLiiLL")
    start = int(START.timestamp())
    recording = (
        head.pack(1, 0, 0, 0, start, 0)
        + head.pack(3, 0, 3, 1, start + 1, 500_000) + b"ls\r"
        + head.pack(3, 0, 4, 2, start + 2, 0) + b"a b\n"
        + head.pack(3, 0, 90, 2, start + 3, 0) + b"cut short"
    )  # fmt: skip
    reader = CowrieReader(recording=lambda name: recording if name == "tty/x" else None)
    events = read([line("log.closed", ttylog="tty/x"), line("log.closed", ttylog="tty/gone")], reader)
    assert isinstance(events[1], TerminalFrames)
    assert events[1].frames == [(1500, "i", b"ls\r"), (2000, "o", b"a b\n")]
    assert len(events) == 2


def test_what_carries_nothing_for_us_is_counted() -> None:
    reader = CowrieReader()
    assert read([line("virustotal.scanfile"), line("log.closed", ttylog="x"), b"", b"  "], reader) == []
    assert reader.ignored == Counter({"virustotal.scanfile": 1, "log.closed": 1})


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"{", "not JSON"),
        (b"[1]", "not a JSON object"),
        (b'{"session": "x"}', "no eventid"),
        (b'{"eventid": "cowrie.login.failed"}', "no session"),
        (line("login.failed", timestamp="yesterday"), "no time"),
        (line("login.failed", timestamp=None), "no timestamp"),
        (line("session.file_upload", filename="x"), "hash"),
        (b"x" * 4_000_001, "bytes long"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_a_bad_line_says_what_is_wrong_with_it(bad: bytes, reason: str) -> None:
    with pytest.raises(CowrieLineError, match=reason):
        CowrieReader().read(bad)


def test_memory_of_open_sessions_is_bounded_and_can_be_taken_along() -> None:
    reader = CowrieReader(remembered=2)
    read(
        [line("login.failed", session=str(number), username="a", password="b") for number in range(5)], reader
    )
    memory = json.loads(json.dumps(reader.memory()))
    assert [entry[1] for entry in memory] == ["3", "4"]
    other = CowrieReader()
    other.recall(memory)
    (event,) = other.read(line("command.input", session="4", input="id"))
    assert event.seq == 2


NAMES = (
    "eventid",
    "session",
    "timestamp",
    "input",
    "duration",
    "shasum",
    "url",
    "data",
    "width",
    "dst_port",
    "version",
)
KINDS = ("cowrie.session.closed", "cowrie.client.size", "cowrie.direct-tcpip.data", "b'")
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.lists(st.integers(), max_size=2),
    st.sampled_from(KINDS),
)


@given(st.dictionaries(st.sampled_from(NAMES), VALUES))
def test_no_line_makes_the_reader_fail_in_another_way(fields: dict[str, object]) -> None:
    try:
        events = CowrieReader().read(json.dumps(fields).encode())
    except CowrieLineError:
        return
    assert all(event.session for event in events)


def test_real_lines_of_2019_are_all_read(shared_data: Path) -> None:
    reader = CowrieReader()
    lines = (shared_data / "formats" / "cowrie_json_lines_2019.jsonl").read_bytes().splitlines()
    kinds = Counter(type(event).__name__ for event in read(lines, reader))
    assert reader.ignored == Counter({"log.closed": 5})
    assert kinds["LoginTried"] == 76
    assert kinds["CommandEntered"] == 33
    assert kinds["ClientIdentified"] == 120
    assert kinds["Disconnected"] == 71
    assert kinds["Connected"] >= 72
