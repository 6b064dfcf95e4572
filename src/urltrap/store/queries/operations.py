"""How the trap itself is doing: sensors, work that waits, how far the journal is read."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from urltrap.store.engine import Store
from urltrap.store.schema import hourly, jobs, watermarks

_SERIES = ("sessions", "logins", "commands", "shed")


@dataclass(frozen=True, slots=True)
class SensorRow:
    """What a sensor counted: in the hour that runs, and in the 24 hours before it with it."""

    sensor: str
    hour: dict[str, int]
    day: dict[str, int]


@dataclass(frozen=True, slots=True)
class StageRow:
    """The work of one stage of the pipeline that waits."""

    stage: str
    waiting: int
    due: int
    failed: int
    """Tried at least once, and to be tried again."""
    oldest: datetime
    """When the first of it was due."""


@dataclass(frozen=True, slots=True)
class WriterRow:
    """How far the journal of one writing process is in the store."""

    writer: str
    segment: int
    offset: int
    events: int
    newest: datetime


def sensors(store: Store, now: datetime) -> list[SensorRow]:
    """Every sensor that counted anything in the last day."""
    this = now.replace(minute=0, second=0, microsecond=0)
    hour: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(_SERIES, 0))
    day: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(_SERIES, 0))
    with store.connect() as connection:
        rows = connection.execute(
            select(hourly).where(hourly.c.hour >= this - timedelta(days=1), hourly.c.what.in_(_SERIES))
        )
        for row in rows:
            day[row.sensor][row.what] += row.n
            if row.hour >= this:
                hour[row.sensor][row.what] += row.n
    return [SensorRow(name, hour[name], day[name]) for name in sorted(day)]


def stages(store: Store, now: datetime) -> list[StageRow]:
    """Stages with work that waits, by name."""
    late = (jobs.c.due <= now).label("late")
    tried = (jobs.c.attempts > 0).label("tried")
    with store.connect() as connection:
        rows = connection.execute(
            select(jobs.c.stage, late, tried, func.count().label("n"), func.min(jobs.c.due).label("oldest")).group_by(
                jobs.c.stage, late, tried
            )
        ).all()  # fmt: skip
    found: dict[str, StageRow] = {}
    for row in rows:
        before = found.get(row.stage) or StageRow(row.stage, 0, 0, 0, row.oldest)
        found[row.stage] = StageRow(
            row.stage,
            before.waiting + row.n,
            before.due + (row.n if row.late else 0),
            before.failed + (row.n if row.tried else 0),
            min(before.oldest, row.oldest),
        )
    return [found[name] for name in sorted(found)]


def writers(store: Store) -> list[WriterRow]:
    """Every writing process that the store has read.

    How far sensors elsewhere are has names with a slash, and journals of a former owner have names with an @.
    """
    ours = (
        select(watermarks)
        .where(watermarks.c.writer.not_like("%/%"), watermarks.c.writer.not_like("%@%"))
        .order_by(watermarks.c.writer)
    )
    with store.connect() as connection:
        rows = connection.execute(ours).all()
    return [WriterRow(row.writer, row.segment, row.offset, row.events, row.last_at) for row in rows]
