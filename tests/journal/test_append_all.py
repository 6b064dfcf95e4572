"""Many events appended at once are read back as the single ones are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from urltrap.journal import JournalReader, JournalRecordError, JournalWriter
from urltrap.model.event import CommandEntered
from urltrap.model.settings import JournalSettings

Make = Callable[..., CommandEntered]


def test_events_appended_together_are_read_one_by_one(tmp_path: Path, event: Make) -> None:
    events = [event(number) for number in range(5)]
    with JournalWriter(tmp_path, "import", JournalSettings()) as writer:
        writer.append(events[0])
        position = writer.append_all(events[1:])
        writer.wait_durable(position, 30)
        assert writer.durable_position == position
    read = JournalReader(tmp_path).read("import")
    assert [event for _, event in read] == events
    assert read[-1][0] == position


def test_all_or_none_are_taken(tmp_path: Path, event: Make) -> None:
    long = event(1, text=b"x" * 17_000_000)
    with JournalWriter(tmp_path, "import", JournalSettings()) as writer:
        with pytest.raises(JournalRecordError):
            writer.append_all([event(0), long])
        with pytest.raises(ValueError, match="no events"):
            writer.append_all([])
    assert JournalReader(tmp_path).read("import") == []
