"""A fresh store and events to put into it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.support.databases import KINDS, database
from tests.support.stores import empty_store

from urltrap.model.event import (
    ClientIdentified,
    CommandEntered,
    Connected,
    Disconnected,
    EventBase,
    LoginTried,
    TerminalFrames,
    TerminalRequested,
)
from urltrap.model.ids import new_ulid
from urltrap.store import Store, open_store

START = datetime(2026, 11, 24, 4, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind."""
    with database(request.param, tmp_path) as url:
        yield url


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store on each kind of database."""
    with empty_store(request.param, tmp_path) as opened:
        yield opened


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Iterator[Store]:
    """A store in a file, for what only SQLite has."""
    opened = open_store(str(tmp_path / "only.db"))
    yield opened
    opened.close()


def session_id(number: int) -> str:
    return new_ulid(1_795_000_000_000 + number, number.to_bytes(10, "big"))


def visit(
    number: int = 1,
    *commands: bytes,
    address: str = "198.51.100.7",
    logins: int = 1,
    accepted: bool = True,
    at: datetime = START,
) -> list[EventBase]:
    """The events of one session: connect, log-ins, commands, close."""
    session = session_id(number)
    events: list[EventBase] = [
        Connected(
            session=session, seq=0, at=at, sensor="ssh", protocol="ssh", src_ip=address, src_port=40000,
            dst_ip="203.0.113.5", dst_port=22,
        ),
        ClientIdentified(session=session, seq=1, at=at, version=b"SSH-2.0-Go", hassh="ab" * 16),
    ]  # fmt: skip
    for index in range(logins):
        last = accepted and index == logins - 1
        events.append(
            LoginTried(
                session=session, seq=len(events), at=at, method="password", username=b"root",
                password=b"p\xff\x00%d" % index, accepted=last,
            )
        )  # fmt: skip
    for text in commands:
        events.append(
            CommandEntered(
                session=session, seq=len(events), at=at + timedelta(seconds=1), mode="exec", text=text
            )
        )
    events.append(
        Disconnected(
            session=session, seq=len(events), at=at + timedelta(seconds=2), reason="client", duration_ms=2000
        )
    )
    return events


def terminal(number: int, seq: int) -> list[EventBase]:
    """A terminal of 100×30 with two pieces of its stream."""
    session = session_id(number)
    return [
        TerminalRequested(session=session, seq=seq, at=START, channel=3, term=b"xterm", columns=100, rows=30),
        TerminalFrames(
            session=session, seq=seq + 1, at=START, channel=3, frames=[(9, "o", b"$ "), (30, "i", b"\xff")]
        ),
        TerminalFrames(session=session, seq=seq + 2, at=START, channel=3, frames=[(40, "o", b"bye")]),
    ]
