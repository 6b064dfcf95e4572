"""A collector on a store, and sensors' chunks to give to it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from urltrap.journal import BEGINNING, Position
from urltrap.journal.format import frame
from urltrap.journal.shipping.chunk import Chunk
from urltrap.model.event import CommandEntered, Connected, Disconnected, EventBase, encode_event
from urltrap.model.ids import new_ulid
from urltrap.model.settings import JournalSettings
from urltrap.pipeline.fleet.collecting import Collector
from urltrap.store import Store, open_store

START = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
STREAM = "0123456789abcdef"
SETTINGS = JournalSettings(sync_milliseconds=1, free_bytes_reserve=0, segment_bytes=65_536)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder of a collector, as far as it needs one."""
    for name in ("keys", "run", "journal", "quarantine"):
        (tmp_path / name).mkdir()
    (tmp_path / "keys" / "secret").write_bytes(b"s" * 32)
    return tmp_path


@pytest.fixture
def store(data: Path) -> Iterator[Store]:
    opened = open_store(str(data / "urltrap.db"))
    yield opened
    opened.close()


def visit(number: int, *commands: bytes, at: datetime = START) -> list[EventBase]:
    """One session: connect, command lines, close."""
    session = new_ulid(int(at.timestamp() * 1000) + number, number.to_bytes(10, "big"))
    at += timedelta(milliseconds=number)
    events: list[EventBase] = [
        Connected(
            session=session, seq=0, at=at, sensor="ssh", protocol="ssh", src_ip="198.51.100.7", src_port=40000,
            dst_ip="203.0.113.5", dst_port=22,
        )
    ]  # fmt: skip
    for text in commands:
        events.append(CommandEntered(session=session, seq=len(events), at=at, mode="exec", text=text))
    events.append(Disconnected(session=session, seq=len(events), at=at, reason="client", duration_ms=1))
    return events


def chunk_of(
    events: list[EventBase],
    sensor: str = "campus-1",
    after: Position = BEGINNING,
    *,
    stream: str = STREAM,
    writer: str = "trap-0",
) -> Chunk:
    """The chunk of these events, behind `after`."""
    segment, offset = (after.segment, after.offset) if after.segment else (1, 100)
    frames = b"".join(frame(encode_event(event)) for event in events)
    return Chunk(sensor, stream, writer, after, segment, offset, frames)


@contextlib.asynccontextmanager
async def collecting(
    data: Path, store: Store, index: int = 0, *, wait_seconds: float = 30
) -> AsyncIterator[Collector]:
    """A collector that runs."""
    collector = Collector(data / "journal", index, 2, store, SETTINGS, wait_seconds=wait_seconds)
    try:
        yield collector
    finally:
        await collector.close()
