"""Questions to providers: kept until answered, asked by priority within the provider's windows, never lost.

A question is claimed in the transaction that burns the quota for it, so that any number of processes together stay
within it. A worker that dies leaves its claim to expire: that question, and no other, is asked again.
An answered question stays as long as its answer is fresh, and is what "cached" means.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Connection, bindparam, func, select, update

from urltrap.model.verdict import SubjectKind
from urltrap.store import breakers, quick_claims, windows
from urltrap.store.engine import Store
from urltrap.store.errors import StoreLocked
from urltrap.store.intake import in_parts
from urltrap.store.keys import is_among
from urltrap.store.schema_intel import lookups
from urltrap.store.upsert import insert_new

LEASE = timedelta(minutes=2)
"""How long a claim holds; longer than any provider's time-out."""

AGAIN = quick_claims.AGAIN
_AGAIN_SHARE = 5
_ERROR_LENGTH = 500
_TRIES = 8
_KEY = (lookups.c.provider, lookups.c.subject_kind, lookups.c.subject_sha256)
_IS = (
    lookups.c.provider == bindparam("k_provider"),
    lookups.c.subject_kind == bindparam("k_kind"),
    lookups.c.subject_sha256 == bindparam("k_sha"),
)
_OVERDUE = (
    select(*_KEY)
    .where(lookups.c.state.in_(["later", "claimed"]), lookups.c.due <= bindparam("now"))
    .limit(500)
    .with_for_update(skip_locked=True)
)
_READY = (
    select(lookups)
    .where(lookups.c.provider == bindparam("p"), lookups.c.state == "ready")
    .order_by(lookups.c.priority, lookups.c.due)
    .limit(bindparam("n"))
    .with_for_update(skip_locked=True)
)
_PROMOTE = update(lookups).where(*_IS).values(state="ready", worker="")
_CLAIM = update(lookups).where(*_IS).values(
    state="claimed", due=bindparam("lease"), worker=bindparam("who"), asked=bindparam("at")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask whom. Lower `priority` goes first."""

    provider: str
    kind: SubjectKind
    subject: str
    priority: int = 50

    @property
    def sha256(self) -> str:
        """The key of the subject."""
        return hashlib.sha256(self.subject.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Claim:
    """A question that this worker may ask once; its quota is burnt."""

    question: Question
    attempts: int
    negatives: int
    lease: datetime


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing may be asked now: not before `until` (None: not before something changes), and why."""

    until: datetime | None
    why: str


def want(connection: Connection, questions: Iterable[Question], now: datetime) -> int:
    """Have questions asked that have no fresh answer; how many are new or due again. A higher priority is kept.

    What was answered before and is asked again goes behind what is new (`AGAIN`).
    """
    wanted: dict[tuple[str, str, str], Question] = {
        (item.provider, item.kind, item.sha256): item for item in questions
    }
    known: dict[tuple[str, str, str], Any] = {}
    for part in in_parts(wanted, 200):
        for row in connection.execute(
            select(*_KEY, lookups.c.state, lookups.c.due, lookups.c.priority).where(
                is_among(connection.dialect.name, _KEY, part)
            )
        ):
            known[row.provider, row.subject_kind, row.subject_sha256] = row
    new = [item for key, item in wanted.items() if key not in known]
    insert_new(
        connection,
        lookups,
        [
            {"provider": item.provider, "subject_kind": item.kind, "subject_sha256": item.sha256,
             "subject": item.subject, "priority": item.priority, "state": "ready", "due": now, "wanted": now,
             "attempts": 0, "negatives": 0, "worker": "", "asked": None, "error": ""}
            for item in new
        ],
    )  # fmt: skip
    again = 0
    for key, row in known.items():
        item = wanted[key]
        stale = row.state == "done" and row.due <= now
        changes: dict[str, Any] = {}
        if stale:
            changes = {"state": "ready", "due": now, "wanted": now, "priority": item.priority + AGAIN}
            again += 1
        elif row.state != "done" and item.priority < row.priority % AGAIN:
            changes = {"priority": item.priority + row.priority // AGAIN * AGAIN}
        if changes:
            connection.execute(update(lookups).where(*_is(item)).values(**changes))
    return len(new) + again


def claim(
    store: Store,
    provider: str,
    now: datetime,
    worker: str,
    limit: int = 1,
    lease: timedelta = LEASE,
    shares: str = "",
) -> list[Claim] | Wait:
    """Claim up to `limit` questions to a provider, burning its quota for exactly these; else how long to wait.

    `shares`: another provider whose quota is burnt as well, and which is not asked while its breaker is open.
    Raises StoreError. An empty list never comes: where nothing waits, `Wait` says so.
    """
    if store.dialect == "sqlite" and not shares:
        taken = quick_claims.take(store, provider, now, worker, limit, now + lease)
        if taken is not None:
            return [
                Claim(
                    Question(provider, cast(SubjectKind, row.kind), row.subject, row.priority),
                    row.attempts,
                    row.negatives,
                    now + lease,
                )
                for row in taken
            ]
    for attempt in range(_TRIES):
        try:
            with store.begin() as connection:
                return _claim(connection, provider, now, worker, limit, lease, shares)
        except StoreLocked:
            # Two processes met on a server's row locks: one was told to try again, and nothing was burnt.
            if attempt == _TRIES - 1 or store.dialect == "sqlite":
                raise
    raise AssertionError("the last try returns or raises")


def _claim(
    connection: Connection,
    provider: str,
    now: datetime,
    worker: str,
    limit: int,
    lease: timedelta,
    shares: str,
) -> list[Claim] | Wait:
    _promote(connection, now)
    breaker = breakers.read(connection, provider)
    if breaker.refuses(now):
        return Wait(breaker.until, breaker.reason or "it failed")
    if shares and (other := breakers.read(connection, shares)).refuses(now):
        return Wait(other.until, other.reason or "it failed")
    allowed = windows.current(connection, provider, now)
    shared = windows.current(connection, shares, now) if shares else []
    both = [*allowed, *shared]
    granted = min([1 if breaker.state != "closed" else limit, *(window.left for window in both)])
    if granted <= 0:
        spent = max((window for window in both if not window.left), key=lambda window: window.ends)
        return Wait(spent.ends, f"{spent.used} of {spent.most} requests of this {spent.span} are used")
    ready = connection.execute(_READY, {"p": provider, "n": granted}).all()
    if not ready:
        return Wait(_next_due(connection, provider), "nothing is due")
    rows = _within_share(connection, provider, allowed, ready, now)
    if isinstance(rows, Wait):
        return rows
    if breaker.state != "closed":
        breakers.probe(connection, breaker, now, lease)
    windows.use(connection, provider, allowed, len(rows))
    windows.use(connection, shares, shared, len(rows))
    end = now + lease
    connection.execute(
        _CLAIM,
        [
            {"k_provider": provider, "k_kind": row.subject_kind, "k_sha": row.subject_sha256, "lease": end,
             "who": worker, "at": now}
            for row in rows
        ],
    )  # fmt: skip
    return [
        Claim(
            Question(provider, cast(SubjectKind, row.subject_kind), row.subject, row.priority),
            row.attempts,
            row.negatives,
            end,
        )
        for row in rows
    ]


def _within_share(
    connection: Connection,
    provider: str,
    allowed: Sequence[windows.Window],
    rows: Sequence[Any],
    now: datetime,
) -> Sequence[Any] | Wait:
    """These rows without the questions that were answered before and are over their share, which is burnt here."""
    again = [row for row in rows if row.priority >= AGAIN]
    most = next((max(1, window.most // _AGAIN_SHARE) for window in allowed if window.span == "day"), None)
    if not again or most is None:
        return rows
    own = f"{provider} again"
    windows.learn(connection, own, "day", now, most=most)
    granted, until = windows.take(connection, own, now, len(again))
    kept = rows[: len(rows) - len(again) + granted]
    if not kept:
        return Wait(
            until, f"{most} of {most} questions of this day that were answered before are asked again"
        )
    return kept


def _promote(connection: Connection, now: datetime) -> None:
    """What waited until `now`, and what a dead worker held, is ready."""
    rows = connection.execute(_OVERDUE, {"now": now}).all()
    if rows:
        connection.execute(
            _PROMOTE,
            [
                {"k_provider": row.provider, "k_kind": row.subject_kind, "k_sha": row.subject_sha256}
                for row in rows
            ],
        )


def _next_due(connection: Connection, provider: str) -> datetime | None:
    moment: datetime | None = connection.execute(
        select(func.min(lookups.c.due)).where(
            lookups.c.provider == provider, lookups.c.state.in_(["later", "claimed"])
        )
    ).scalar()
    return moment


def answered(connection: Connection, question: Question, fresh_until: datetime, *, listed: bool) -> None:
    """The question is answered, in the transaction that keeps the answer; it is not asked before `fresh_until`."""
    connection.execute(
        update(lookups)
        .where(*_is(question))
        .values(
            state="done",
            due=fresh_until,
            attempts=0,
            negatives=0 if listed else lookups.c.negatives + 1,
            worker="",
            error="",
        )
    )


def later(
    connection: Connection, question: Question, until: datetime, error: str, *, counted: bool = True
) -> None:
    """The question was not answered: asked again from `until`. `counted`: as a failure of its own."""
    connection.execute(
        update(lookups)
        .where(*_is(question))
        .values(
            state="later",
            due=until,
            attempts=lookups.c.attempts + (1 if counted else 0),
            worker="",
            error=error.replace("\0", "")[:_ERROR_LENGTH],
        )
    )


def forget(connection: Connection, question: Question) -> None:
    """Take back a question that has its answer, so that it can be asked again before that is stale."""
    connection.execute(lookups.delete().where(*_is(question), lookups.c.state == "done"))


def drop(connection: Connection, questions: Sequence[Question]) -> None:
    """Take back questions that wait: they need no answer any more."""
    for part in in_parts([(item.provider, item.kind, item.sha256) for item in questions], 200):
        connection.execute(
            lookups.delete().where(
                is_among(connection.dialect.name, _KEY, part), lookups.c.state.in_(["ready", "later"])
            )
        )


def _is(question: Question) -> tuple[Any, ...]:
    return (
        lookups.c.provider == question.provider,
        lookups.c.subject_kind == question.kind,
        lookups.c.subject_sha256 == question.sha256,
    )
