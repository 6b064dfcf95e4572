"""Our events as Cowrie's lines: what its readers look for stands where they look, and reading them gives it back."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.exchange.lines import SHA256, visit

from urltrap.exchange.cowrie import CowrieReader, CowrieWriter
from urltrap.model.event import (
    CommandEntered,
    Connected,
    DownloadAnswered,
    EnvironmentSet,
    Event,
    EventBase,
    FileWritten,
    ForwardAsked,
    LoginTried,
    Malformed,
    ProgramRun,
    Uploaded,
)

SESSION = "01JNX0000000000000000000AA"
AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def begun(writer: CowrieWriter) -> Connected:
    event = Connected(
        session=SESSION, seq=0, at=AT, sensor="ssh", protocol="telnet", src_ip="203.0.113.9", src_port=4711,
        dst_ip="192.0.2.1", dst_port=2323,
    )  # fmt: skip
    writer.lines(event)
    return event


def written(kind: type[EventBase], **fields: Any) -> list[dict[str, Any]]:
    """The lines of one event in an open session, without what every line of Cowrie's repeats."""
    writer = CowrieWriter()
    begun(writer)
    records = writer.records(kind(session=SESSION, seq=1, at=AT, **fields))
    common = {
        "sensor": "ssh", "timestamp": "2026-03-01T12:00:00.000000Z", "src_ip": "203.0.113.9", "session": SESSION,
        "protocol": "telnet",
    }  # fmt: skip
    assert all(common.items() <= record.items() for record in records)
    return [
        {name: value for name, value in record.items() if name not in (*common, "message")}
        for record in records
    ]


@pytest.mark.parametrize(
    ("kind", "fields", "lines"),
    [
        (
            CommandEntered,
            {"mode": "exec", "text": b"uname -a"},
            [{"eventid": "cowrie.command.input", "input": "uname -a"}],
        ),
        (
            CommandEntered,
            {"mode": "exec", "text": b"\xff"},
            [{"eventid": "cowrie.command.input", "input": "\\xff"}],
        ),
        (
            LoginTried,
            {"method": "password", "username": b"root", "password": b"x", "accepted": True},
            [{"eventid": "cowrie.login.success", "username": "root", "password": "x"}],
        ),
        (
            LoginTried,
            {
                "method": "publickey",
                "username": b"a",
                "public_key": "ssh-rsa AA",
                "key_fingerprint": "f",
                "accepted": False,
            },
            [
                {
                    "eventid": "cowrie.client.fingerprint",
                    "username": "a",
                    "fingerprint": "f",
                    "key": "ssh-rsa AA",
                    "type": "ssh-rsa",
                }
            ],
        ),
        (LoginTried, {"method": "none", "username": b"a", "accepted": False}, []),
        (
            ProgramRun,
            {"argv": [b"foo", b"-x"], "outcome": "not-found"},
            [{"eventid": "cowrie.command.failed", "input": "foo -x"}],
        ),
        (ProgramRun, {"argv": [b"ls"], "outcome": "ran"}, []),
        (
            DownloadAnswered,
            {"url": b"http://198.51.100.7/x", "outcome": "fetched", "sha256": SHA256},
            [
                {
                    "eventid": "cowrie.session.file_download",
                    "url": "http://198.51.100.7/x",
                    "shasum": SHA256,
                    "outfile": f"var/lib/cowrie/downloads/{SHA256}",
                }
            ],
        ),
        (
            DownloadAnswered,
            {"url": b"http://198.51.100.7/x", "outcome": "timed-out"},
            [{"eventid": "cowrie.session.file_download.failed", "url": "http://198.51.100.7/x"}],
        ),
        (
            FileWritten,
            {"path": b"/tmp/x", "size": 3, "mode": 0o644, "sha256": SHA256},
            [
                {
                    "eventid": "cowrie.session.file_download",
                    "destfile": "/tmp/x",
                    "shasum": SHA256,
                    "outfile": f"var/lib/cowrie/downloads/{SHA256}",
                }
            ],
        ),
        (FileWritten, {"path": b"/tmp/x", "size": 0, "mode": 0o644}, []),
        (
            Uploaded,
            {"via": "scp", "path": b"/tmp/a", "size": 3, "sha256": SHA256},
            [
                {
                    "eventid": "cowrie.session.file_upload",
                    "filename": "/tmp/a",
                    "destfile": "/tmp/a",
                    "shasum": SHA256,
                    "outfile": f"var/lib/cowrie/downloads/{SHA256}",
                }
            ],
        ),
        (
            ForwardAsked,
            {"direction": "direct", "host": b"192.0.2.5", "port": 25, "first_bytes": b"EHLO"},
            [
                {
                    "eventid": "cowrie.direct-tcpip.request",
                    "dst_ip": "192.0.2.5",
                    "dst_port": 25,
                    "orig_ip": "",
                    "orig_port": 0,
                },
                {
                    "eventid": "cowrie.direct-tcpip.data",
                    "dst_ip": "192.0.2.5",
                    "dst_port": 25,
                    "data": "b'EHLO'",
                },
            ],
        ),
        (ForwardAsked, {"direction": "reverse", "host": b"", "port": 1}, []),
        (
            EnvironmentSet,
            {"name": b"LANG", "value": b"C"},
            [{"eventid": "cowrie.client.var", "name": "LANG", "value": "C"}],
        ),
        (
            Malformed,
            {"what": "x", "data": b"\0a"},
            [{"eventid": "cowrie.client.malformed_packet", "data": "0061", "datalen": 2}],
        ),
    ],
)
def test_an_event_is_written_as_cowrie_would_have(
    kind: type[EventBase], fields: dict[str, Any], lines: list[dict[str, Any]]
) -> None:
    assert written(kind, **fields) == lines


def test_what_is_written_reads_back_as_it_was() -> None:
    writer, first, second = CowrieWriter(), CowrieReader(), CowrieReader()
    events: list[EventBase] = [event for line in visit() for event in first.read(line)]
    again: list[EventBase] = [
        event for each in events for line in writer.lines(each) for event in second.read(line)
    ]
    assert [_content(event) for event in again] == [_content(event) for event in events]


def _content(event: Event | EventBase) -> dict[str, Any]:
    return event.model_dump(exclude={"session", "detail"})


def test_every_line_is_one_line_of_ascii_whatever_the_attacker_typed() -> None:
    writer = CowrieWriter()
    begun(writer)
    (line,) = writer.lines(
        CommandEntered(session=SESSION, seq=1, at=AT, mode="shell", text="a\nb\x1b[31m\u2028é\0".encode())
    )
    assert line.count(b"\n") == 1 and line.isascii()
    assert json.loads(line)["input"] == "a\nb\x1b[31m\u2028é\0"


def test_memory_of_open_sessions_is_bounded() -> None:
    writer = CowrieWriter(remembered=1)
    begun(writer)
    writer.lines(begun(writer).model_copy(update={"session": "01JNX0000000000000000000BB"}))
    (record,) = writer.records(CommandEntered(session=SESSION, seq=1, at=AT, mode="exec", text=b"id"))
    assert record["src_ip"] == ""
