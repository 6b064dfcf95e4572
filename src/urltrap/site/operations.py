"""What the data folder says of the trap: processes, the journal that the store has not read yet, backups, disk."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from urltrap.egress.switch import KillSwitch
from urltrap.journal.folder import list_segments, list_writers, segment_path, writer_folder
from urltrap.journal.format import HEADER_LIMIT, decode_header
from urltrap.model.backup import BackupState
from urltrap.pipeline.line_state import LineState, line_state
from urltrap.store.backups import backup_state
from urltrap.store.queries.operations import WriterRow

_STATUS = Path("run") / "status.json"


@dataclass(frozen=True, slots=True)
class Process:
    """One process as the supervisor last wrote it down."""

    name: str
    state: str
    since: datetime | None
    restarts: int
    listen: list[str]


@dataclass(frozen=True, slots=True)
class Journal:
    """One writer's journal: bytes that the store has not read yet, and since when (None: nothing waits)."""

    writer: str
    events: int
    newest: datetime | None
    unread: int


@dataclass(frozen=True, slots=True)
class Disk:
    """Room on the disk of the data folder, in bytes."""

    total: int
    free: int


def processes(data: Path) -> list[Process]:
    """The supervisor's processes; none where it does not run or its file cannot be read."""
    try:
        body: dict[str, Any] = json.loads((data / _STATUS).read_bytes())["processes"]
        return [
            Process(
                name=name,
                state="ready" if state["ready"] else "starting" if state["pid"] else "down",
                since=datetime.fromtimestamp(state["since"], UTC) if state["since"] else None,
                restarts=int(state["restarts"]),
                listen=[str(address) for address in state["listen"]],
            )
            for name, state in body.items()
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def journals(data: Path, known: list[WriterRow]) -> list[Journal]:
    """How much of every writer's journal is not in the store yet."""
    marks = {row.writer: row for row in known}
    folder = data / "journal"
    names = sorted({*marks, *list_writers(folder)})
    return [
        Journal(
            name,
            marks[name].events if name in marks else 0,
            marks[name].newest if name in marks else None,
            _unread(writer_folder(folder, name), marks.get(name)),
        )
        for name in names
    ]


def _unread(folder: Path, mark: WriterRow | None) -> int:
    total = 0
    for segment in list_segments(folder):
        if segment.archived or (mark is not None and segment.number < mark.segment):
            continue
        try:
            size = segment_path(folder, segment.number).stat().st_size
        except FileNotFoundError:
            continue  # archived meanwhile
        begun = mark is not None and segment.number == mark.segment and mark.offset > 0
        read = mark.offset if mark is not None and begun else _header(folder, segment.number)
        total += max(0, size - read)
    return total


def _header(folder: Path, number: int) -> int:
    """Bytes before a segment's first record: of one that has none, nothing waits."""
    try:
        with segment_path(folder, number).open("rb") as file:
            return decode_header(file.read(HEADER_LIMIT))[1]
    except (OSError, ValueError):
        return 0  # gone, or still being begun: what is there counts


def backups(data: Path) -> BackupState:
    """The newest backup, the newest that was restored for a try, what went wrong."""
    return backup_state(data)


def line(data: Path) -> LineState:
    """The last visit of the synthetic attacker, at either end of the line."""
    return line_state(data)


def disk(data: Path) -> Disk:
    """Room where the data folder lies."""
    usage = shutil.disk_usage(data)
    return Disk(usage.total, usage.free)


def door_open(data: Path) -> bool:
    """Whether the fetcher may ask anybody, by the kill switch."""
    return not KillSwitch.of(data).thrown()
