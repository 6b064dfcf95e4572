"""Submissions: asked for once, waiting in the same queue as questions to providers, and kept with what came of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, select, update

from urltrap.model.submission import Submission, SubmissionState
from urltrap.model.verdict import SubjectKind
from urltrap.store import lookups
from urltrap.store.bulk import insert_rows
from urltrap.store.engine import Store
from urltrap.store.lookups import Question
from urltrap.store.schema import sightings
from urltrap.store.schema_intel import submissions

OPERATORS, AUTOMATIC = 5, 60
"""Priorities in the queue: what a person asked for goes first."""

_FIELDS = tuple(Submission.model_fields)
_ROWS = 2000


class TooEarly(Exception):
    """The same one waits already, or was submitted to this service lately (`earlier`); it may be again from `until`."""

    def __init__(self, earlier: Submission, until: datetime | None) -> None:
        super().__init__(earlier.state)
        self.earlier = earlier
        self.until = until


def ask(connection: Connection, queue: str, wanted: Submission, again: timedelta) -> None:
    """Have something submitted to `wanted.service`, whose queue is `queue`.

    Raises TooEarly where it waits already, or was submitted less than `again` ago.
    """
    earlier = newest(connection, wanted.service, wanted.subject_kind, wanted.subject)
    if earlier is not None and earlier.state == "waiting":
        raise TooEarly(earlier, None)
    last = submitted_last(connection, wanted.service, wanted.subject_kind, wanted.subject)
    if last is not None and last.at is not None and last.at + again > wanted.asked:
        raise TooEarly(last, last.at + again)
    connection.execute(submissions.insert().values(**_row(wanted)))
    enqueue(connection, queue, wanted, wanted.asked)


def enqueue(connection: Connection, queue: str, wanted: Submission, now: datetime) -> None:
    """Put a submission that waits into its service's queue; harmless to repeat."""
    priority = OPERATORS if wanted.asked_by == "operator" else AUTOMATIC
    question = Question(queue, wanted.subject_kind, wanted.subject, priority)
    lookups.forget(connection, question)
    lookups.want(connection, [question], now)


def note(connection: Connection, what: Submission) -> None:
    """Keep a submission that is not queued: one that was refused before it came to that."""
    connection.execute(submissions.insert().values(**_row(what)))


def settle(
    connection: Connection,
    service: str,
    kind: SubjectKind,
    subject: str,
    now: datetime,
    state: SubmissionState,
    *,
    reference: str = "",
    link: str = "",
    detail: str = "",
) -> None:
    """What came of one that waits."""
    connection.execute(
        update(submissions)
        .where(*_is(service, kind, subject), submissions.c.state == "waiting")
        .values(state=state, at=now, reference=reference[:200], link=link[:2000], detail=detail[:500])
    )


def newest(connection: Connection, service: str, kind: SubjectKind, subject: str) -> Submission | None:
    """The last time that it was asked for."""
    return _first(connection, _of(service, kind, subject))


def submitted_last(
    connection: Connection, service: str, kind: SubjectKind, subject: str
) -> Submission | None:
    """The last time that the service took it."""
    return _first(connection, _of(service, kind, subject).where(submissions.c.state == "submitted"))


def any_waiting(store: Store) -> bool:
    """Whether anything waits to be submitted."""
    with store.connect() as connection:
        query = select(submissions.c.service).where(submissions.c.state == "waiting").limit(1)
        return connection.execute(query).first() is not None


def of_subject(store: Store, kind: SubjectKind, subject: str) -> list[Submission]:
    """Everything that was asked for about a URL or a payload, newest first."""
    with store.connect() as connection:
        rows = connection.execute(
            select(submissions)
            .where(submissions.c.subject_sha256 == _sha256(subject), submissions.c.subject_kind == kind)
            .order_by(submissions.c.asked.desc(), submissions.c.service)
        )
        return [_read(row) for row in rows]


def of_session(store: Store, session: str) -> list[Submission]:
    """Everything that was asked for about URLs that a session showed, newest first."""
    shown = select(sightings.c.url_key).where(sightings.c.session == session)
    with store.connect() as connection:
        rows = connection.execute(
            select(submissions)
            .where(submissions.c.subject_kind == "url", submissions.c.subject_sha256.in_(shown))
            .order_by(submissions.c.asked.desc(), submissions.c.service)
            .limit(_ROWS)
        )
        return [_read(row) for row in rows]


def carry(source: Store, target: Store, queues: dict[str, str], now: datetime) -> int:
    """Copy all into a store that has none, and queue again what waits (`queues`: service → queue); how many."""
    count = 0
    with source.connect() as reading:
        streamed = reading.execution_options(yield_per=_ROWS).execute(select(submissions)).mappings()
        for part in streamed.partitions(_ROWS):
            with target.begin() as connection:
                insert_rows(connection, submissions, [dict(row) for row in part])
                for row in part:
                    if row["state"] == "waiting" and row["service"] in queues:
                        enqueue(connection, queues[row["service"]], _read(row), now)
            count += len(part)
    return count


def _is(service: str, kind: str, subject: str) -> tuple[Any, ...]:
    return (
        submissions.c.service == service,
        submissions.c.subject_kind == kind,
        submissions.c.subject_sha256 == _sha256(subject),
    )


def _of(service: str, kind: str, subject: str) -> Select[Any]:
    return (
        select(submissions).where(*_is(service, kind, subject)).order_by(submissions.c.asked.desc()).limit(1)
    )


def _first(connection: Connection, query: Select[Any]) -> Submission | None:
    rows: Sequence[Any] = connection.execute(query).all()
    return _read(rows[0]) if rows else None


def _read(row: Any) -> Submission:
    values = row if hasattr(row, "keys") else row._mapping
    return Submission.model_validate({name: values[name] for name in _FIELDS})


def _row(what: Submission) -> dict[str, Any]:
    row = {name: getattr(what, name) for name in _FIELDS}
    return {**row, "subject_sha256": _sha256(what.subject)}


def _sha256(subject: str) -> str:
    return hashlib.sha256(subject.encode()).hexdigest()
