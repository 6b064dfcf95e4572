"""Work that is due: rows of the table `jobs`, kept until their results are in the store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, select, update

from urltrap.store.engine import Store
from urltrap.store.intake import in_parts
from urltrap.store.schema import jobs
from urltrap.store.upsert import upsert

_PAUSES = (5, 30, 300, 1800, 21_600, 86_400)
_ERROR_LENGTH = 2000


@dataclass(frozen=True, slots=True)
class Job:
    """Something that a stage has to do. `attempts`: how often it was begun before."""

    stage: str
    subject: str
    attempts: int


def due(store: Store, stage: str, now: datetime, limit: int) -> list[Job]:
    """The work of a stage that is due, longest waiting first."""
    with store.connect() as connection:
        rows = connection.execute(
            select(jobs.c.subject, jobs.c.attempts)
            .where(jobs.c.stage == stage, jobs.c.due <= now)
            .order_by(jobs.c.due)
            .limit(limit)
        ).all()
    return [Job(stage, row.subject, row.attempts) for row in rows]


def newest(store: Store, stage: str, now: datetime, limit: int) -> list[Job]:
    """The work of a stage that is due and was never begun, newest first."""
    with store.connect() as connection:
        rows = connection.execute(
            select(jobs.c.subject)
            .where(jobs.c.stage == stage, jobs.c.due <= now, jobs.c.attempts == 0)
            .order_by(jobs.c.due.desc())
            .limit(limit)
        ).all()
    return [Job(stage, row.subject, 0) for row in rows]


def next_due(store: Store, stages: Sequence[str] | None = None) -> datetime | None:
    """When the next work is due, of all stages or of these; None where nothing waits."""
    earliest = select(func.min(jobs.c.due))
    if stages is not None:
        earliest = earliest.where(jobs.c.stage.in_(stages))
    with store.connect() as connection:
        moment: datetime | None = connection.execute(earliest).scalar()
    return moment


def put(connection: Connection, stage: str, subjects: Iterable[str], at: datetime) -> None:
    """Make work due at `at`, or earlier where it is due earlier already."""
    upsert(
        connection,
        jobs,
        [
            {"stage": stage, "subject": subject, "due": at, "attempts": 0, "error": ""}
            for subject in dict.fromkeys(subjects)
        ],
        lowest=["due"],
    )


def finish(connection: Connection, stage: str, subjects: Iterable[str]) -> None:
    """The work is done; in the transaction that writes its results."""
    for part in in_parts(subjects):
        connection.execute(delete(jobs).where(jobs.c.stage == stage, jobs.c.subject.in_(part)))


def postpone(connection: Connection, stage: str, subjects: Sequence[str], until: datetime) -> None:
    """Not before `until`; counted as an attempt."""
    for part in in_parts(subjects):
        connection.execute(
            update(jobs)
            .where(jobs.c.stage == stage, jobs.c.subject.in_(part))
            .values(due=until, attempts=jobs.c.attempts + 1)
        )


def delay(connection: Connection, stage: str, subjects: Sequence[str], until: datetime) -> None:
    """Not before `until`; nothing was tried, so that no attempt counts."""
    for part in in_parts(subjects):
        connection.execute(
            update(jobs).where(jobs.c.stage == stage, jobs.c.subject.in_(part)).values(due=until)
        )


def failed(connection: Connection, job: Job, now: datetime, error: str) -> datetime:
    """Note a failure and when the next try is due: 5 s, 30 s, 5 min, 30 min, 6 h, then daily."""
    until = now + timedelta(seconds=_PAUSES[min(job.attempts, len(_PAUSES) - 1)])
    connection.execute(
        update(jobs)
        .where(jobs.c.stage == job.stage, jobs.c.subject == job.subject)
        .values(due=until, attempts=job.attempts + 1, error=error.replace("\0", "")[:_ERROR_LENGTH])
    )
    return until
