"""Journals to ship, and a collector that answers from memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from urltrap.journal import BEGINNING, JournalWriter, Position
from urltrap.journal.shipping.chunk import Chunk
from urltrap.journal.shipping.spool import Spool
from urltrap.journal.shipping.state import ShippingState
from urltrap.journal.shipping.transport import Beat, Behind, TransportAway
from urltrap.model.event import CommandEntered, Connected, Disconnected, EventBase
from urltrap.model.ids import new_ulid
from urltrap.model.settings import JournalSettings
from urltrap.quarantine import Quarantine

START = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)


def session_id(number: int) -> str:
    return new_ulid(1_795_000_000_000 + number, number.to_bytes(10, "big"))


def visit(number: int, *commands: bytes, address: str = "198.51.100.7") -> list[EventBase]:
    """One session: connect, command lines, close."""
    session, at = session_id(number), START + timedelta(milliseconds=number)
    events: list[EventBase] = [
        Connected(
            session=session, seq=0, at=at, sensor="ssh", protocol="ssh", src_ip=address, src_port=40000,
            dst_ip="203.0.113.5", dst_port=22,
        )
    ]  # fmt: skip
    for text in commands:
        events.append(CommandEntered(session=session, seq=len(events), at=at, mode="exec", text=text))
    events.append(Disconnected(session=session, seq=len(events), at=at, reason="client", duration_ms=1))
    return events


class Centre:
    """A collector in memory: takes chunks as a real one does, and is away or forgets when it is told to."""

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        self.known: dict[str, Position] = {}
        self.artifacts: list[str] = []
        self.beats: list[Beat] = []
        self.away = False
        self.lose_answers = 0
        self.told: Callable[[], None] = lambda: None

    async def marks(self) -> Mapping[str, Position]:
        self._there()
        return dict(self.known)

    async def send(self, chunk: Chunk) -> Position:
        self._there()
        mark = self.known.get(chunk.writer, BEGINNING)
        if chunk.after > mark:
            raise Behind(mark)
        if chunk.end > mark:
            self.chunks.append(chunk)
            self.known[chunk.writer] = chunk.end
        self.told()
        if self.lose_answers:
            self.lose_answers -= 1
            raise TransportAway("the answer was lost")
        return self.known[chunk.writer]

    async def send_artifact(self, quarantine: Quarantine, sha256: str) -> None:
        self._there()
        quarantine.stat(sha256)
        self.artifacts.append(sha256)

    async def beat(self, beat: Beat) -> None:
        self._there()
        self.beats.append(beat)

    async def close(self) -> None:
        """Nothing is open."""

    def _there(self) -> None:
        if self.away:
            raise TransportAway("away")

    def records(self, writer: str = "trap-0") -> list[bytes]:
        return [record for chunk in self.chunks if chunk.writer == writer for record in chunk.records()]


@pytest.fixture
def settings() -> JournalSettings:
    """The smallest segments that settings allow."""
    return JournalSettings(sync_milliseconds=1, free_bytes_reserve=0, segment_bytes=65_536)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def writer(journal: Path, settings: JournalSettings) -> Iterator[JournalWriter]:
    with JournalWriter(journal, "trap-0", settings) as opened:
        yield opened


@pytest.fixture
def spool(journal: Path) -> Iterator[Spool]:
    opened = Spool(journal)
    yield opened
    opened.close()


@pytest.fixture
def state(journal: Path, writer: JournalWriter) -> ShippingState:
    return ShippingState(journal / "shipping.json")


def write(writer: JournalWriter, *events: EventBase) -> Position:
    position = writer.append_all(events)
    writer.wait_durable(position, 10)
    return position
