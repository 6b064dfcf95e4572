from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from urltrap.journal import JournalReader, Position
from urltrap.model.event import CommandEntered, Event
from urltrap.model.settings import JournalSettings

SESSION = "01JZ0000000000000000000000"
WHEN = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


@pytest.fixture
def event() -> Callable[..., CommandEntered]:
    def make(seq: int, text: bytes = b"uname -a") -> CommandEntered:
        return CommandEntered(
            session=SESSION, seq=seq, at=WHEN + timedelta(milliseconds=seq), mode="exec", text=text
        )

    return make


@pytest.fixture
def settings() -> JournalSettings:
    return JournalSettings(sync_milliseconds=1, free_bytes_reserve=0)


@pytest.fixture
def small(settings: JournalSettings) -> JournalSettings:
    """The smallest segments that settings allow."""
    return settings.model_copy(update={"segment_bytes": 65_536})


@pytest.fixture
def read_all() -> Callable[..., list[Event]]:
    """All events of a writer, read in small steps from watermark to watermark."""

    def read(
        directory: Path, writer: str = "trap-0", after: Position | None = None, limit: int = 7
    ) -> list[Event]:
        events: list[Event] = []
        with JournalReader(directory) as reader:
            while batch := reader.read(writer, after, limit):
                assert len(batch) <= limit
                events += [event for _, event in batch]
                after = batch[-1][0]
        return events

    return read
