"""Sums of the daily figures over the last days, so that a top list of a month reads one list and not thirty.

A span holds the whole days (UTC) before today. Once a day `roll` adds the day that has ended and takes away the one
that has left; events that come later than their day are added by intake. Days since the span's end are read by day.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, literal, select, update
from sqlalchemy.dialects import mysql, postgresql, sqlite

from urltrap.store.engine import Store
from urltrap.store.schema import facts, spans, tallies
from urltrap.store.types import DAY, from_micros, to_micros
from urltrap.store.upsert import insert_new, upsert_tuples

_TRIED = ("username", "password", "pair", "command", "client")
_SEEN = ("address", "url", "host", "country", "network")
_NONE_YET = "0 0"
KINDS: Mapping[int, tuple[str, ...]] = {30: _TRIED + _SEEN, 7: _TRIED, 6: _SEEN}
"""Days of a span → kinds of `tallies` in it. Of a week, what is counted from its very hour has one whole day less."""


@dataclass(frozen=True, slots=True)
class Span:
    """The days that a span holds: from `first` on and before `end`, in microseconds; none where both are 0."""

    days: int
    first: int
    end: int


def spans_held(connection: Connection) -> list[Span]:
    """The spans as they are; none before the first `roll`."""
    return _read(connection)


def beginning_at(held: Iterable[Span], what: str, first: datetime) -> Span | None:
    """The one of these spans that holds this kind and begins with this day; None where there is none (yet)."""
    for span in held:
        if what in KINDS[span.days] and span.first == to_micros(first):
            return span
    return None


def add_late(connection: Connection, counted: Mapping[tuple[int, str, bytes], tuple[Any, Any, int]]) -> None:
    """Add to the spans what was counted in days that they hold already."""
    held = _read(connection, hold=True)
    if not held or min((day for day, _, _ in counted), default=0) >= max(span.end for span in held):
        return
    late: Counter[tuple[int, str, bytes]] = Counter()
    for (day, what, key), (_, _, n) in counted.items():
        for span in held:
            if span.first <= day < span.end and what in KINDS[span.days]:
                late[span.days, what, key] += n
    rows = [(*key, n) for key, n in late.items()]
    upsert_tuples(connection, spans, ("days", "what", "key", "n"), rows, add=["n"])


def forget_keys(connection: Connection, what: str, keys: Iterable[bytes]) -> None:
    """Take values out of all spans."""
    connection.execute(delete(spans).where(spans.c.what == what, spans.c.key.in_(list(keys))))


def roll(store: Store, now: datetime) -> bool:
    """Let the spans end with the day before that of `now`; whether there was anything to do. Never goes back."""
    today = to_micros(now) // DAY * DAY
    with store.connect() as connection:
        state = {span.days: span for span in _read(connection)}
    behind = [days for days in KINDS if days not in state or state[days].end < today]
    for days in behind:
        with store.begin() as connection:
            # In a transaction of its own, so that from now on intake finds a row that it can hold.
            insert_new(connection, facts, [{"name": _fact(days), "value": _NONE_YET}])
        with store.begin() as connection:
            mine = select(facts.c.value).where(facts.c.name == _fact(days)).with_for_update()
            span = _span(days, connection.execute(mine).scalar_one())
            if span.end < today:
                _roll(connection, span, today)
    return bool(behind)


def _roll(connection: Connection, span: Span, today: int) -> None:
    first = today - span.days * DAY
    if span.first <= first < span.end:
        _add(connection, span.days, span.end, today, 1)
        _add(connection, span.days, span.first, first, -1)
    else:
        connection.execute(delete(spans).where(spans.c.days == span.days))
        _add(connection, span.days, first, today, 1)
    connection.execute(delete(spans).where(spans.c.days == span.days, spans.c.n <= 0))
    connection.execute(update(facts).where(facts.c.name == _fact(span.days)).values(value=f"{first} {today}"))


def _add(connection: Connection, days: int, begin: int, end: int, sign: int) -> None:
    if begin == end:
        return
    summed = (
        select(literal(days), tallies.c.what, tallies.c.key, func.sum(tallies.c.n) * sign)
        .where(
            tallies.c.what.in_(KINDS[days]),
            tallies.c.day >= from_micros(begin),
            tallies.c.day < from_micros(end),
        )
        .group_by(tallies.c.what, tallies.c.key)
    )
    names = ["days", "what", "key", "n"]
    statement: Any
    if connection.dialect.name in ("mysql", "mariadb"):
        mine = mysql.insert(spans).from_select(names, summed)
        statement = mine.on_duplicate_key_update(n=spans.c.n + mine.inserted.n)
    else:
        kind = postgresql if connection.dialect.name == "postgresql" else sqlite
        insert: Any = kind.insert(spans).from_select(names, summed)
        statement = insert.on_conflict_do_update(
            index_elements=list(spans.primary_key.columns), set_={"n": spans.c.n + insert.excluded.n}
        )
    connection.execute(statement)


def _read(connection: Connection, hold: bool = False) -> list[Span]:
    """The spans as they are; `hold`: nobody rolls them on, or for the first time, before the transaction ends."""
    query = select(facts.c.name, facts.c.value).where(facts.c.name.in_([_fact(days) for days in KINDS]))
    if hold:
        query = query.with_for_update(read=True)
    rows = connection.execute(query).all()
    if hold and len(rows) < len(KINDS):
        # Whoever rolls for the first time waits for these rows, and so for all that this transaction counts.
        insert_new(connection, facts, [{"name": _fact(days), "value": _NONE_YET} for days in KINDS])
        rows = connection.execute(query).all()
    return [_span(int(name.rpartition(".")[2]), value) for name, value in rows]


def _fact(days: int) -> str:
    return f"spans.{days}"


def _span(days: int, value: str) -> Span:
    first, end = value.split(" ")
    return Span(days, int(first), int(end))
