"""The everyday claim of look-ups on SQLite, by the driver itself: about four times as many per second.

It decides nothing of its own: where anything is out of the ordinary (a breaker, no window or one that begins or is
spent, a claim of a dead worker, a question that was answered before, nothing ready) it changes nothing and gives None,
and the general way in `lookups` is taken.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy.exc import DBAPIError

from urltrap.store.engine import Store, explained
from urltrap.store.types import DAY, HOUR, to_micros
from urltrap.store.windows import span_start

AGAIN = 1000
"""Added to the priority of a question that was answered before: it goes behind all new ones, and may use a fifth of
the provider's day, counted in a window of its own."""

_STATE = (
    "SELECT span, starts, used, most, "
    "EXISTS (SELECT 1 FROM lookups WHERE state IN ('later', 'claimed') AND due <= ?), "
    "EXISTS (SELECT 1 FROM provider_breakers AS b WHERE b.provider = w.provider AND b.state <> 'closed') "
    "FROM provider_windows AS w WHERE provider = ?"
)
_READY = (
    "SELECT rowid, subject_kind, subject, priority, attempts, negatives FROM lookups "
    "WHERE provider = ? AND state = 'ready' ORDER BY priority, due LIMIT ?"
)
_BURN = "UPDATE provider_windows SET used = used + ? WHERE provider = ?"
_CLAIM = "UPDATE lookups SET state = 'claimed', due = ?, worker = ?, asked = ? WHERE rowid = ?"

_LENGTHS = {"minute": 60_000_000, "hour": HOUR, "day": DAY}
"""Of the spans that all are of one length, in microseconds; 1970 began with a full one of each."""


class Taken(NamedTuple):
    """A row of `lookups` that is claimed now."""

    rowid: int
    kind: str
    subject: str
    priority: int
    attempts: int
    negatives: int


def take(
    store: Store, provider: str, now: datetime, worker: str, limit: int, end: datetime
) -> list[Taken] | None:
    """Claim up to `limit` questions until `end` and burn quota for exactly these; None: take the general way.

    Raises StoreError kinds.
    """
    with explained(store.label):
        try:
            return _within(store, provider, now, worker, limit, end)
        except sqlite3.Error as error:
            raise DBAPIError.instance(
                "claim", None, error, sqlite3.Error, hide_parameters=True, dialect=store.engine.dialect
            ) from error


def _within(
    store: Store, provider: str, now: datetime, worker: str, limit: int, end: datetime
) -> list[Taken] | None:
    pooled = store.engine.raw_connection()
    try:
        cursor = pooled.cursor()
        cursor.execute("BEGIN IMMEDIATE")
        taken = _take(cursor, provider, now, worker, limit, end)
        cursor.execute("COMMIT" if taken else "ROLLBACK")
        return taken
    finally:
        pooled.close()  # back to the pool, which rolls back what is open


def _take(
    cursor: Any, provider: str, now: datetime, worker: str, limit: int, end: datetime
) -> list[Taken] | None:
    moment = to_micros(now)
    windows = cursor.execute(_STATE, (moment, provider)).fetchall()
    granted = limit if windows else 0
    for span, starts, used, most, overdue, broken in windows:
        length = _LENGTHS.get(span)
        start = moment - moment % length if length else to_micros(span_start(span, now))
        if overdue or broken or starts < start:
            return None
        granted = min(granted, most - used)
    if granted <= 0:
        return None
    taken = [Taken(*row) for row in cursor.execute(_READY, (provider, granted))]
    if not taken or taken[-1].priority >= AGAIN:
        return None
    cursor.execute(_BURN, (len(taken), provider))
    lease = to_micros(end)
    for row in taken:
        cursor.execute(_CLAIM, (lease, worker, moment, row.rowid))
    return taken
