"""The most frequent values of a range of days, exactly, without adding up every value of every day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, func, literal, select, union_all

from urltrap.store.rollups import EVER
from urltrap.store.schema import spans, tallies, watermarks
from urltrap.store.spans import Span, beginning_at, spans_held
from urltrap.store.types import from_micros

_DEPTHS = (40, 400, 3000)
"""How far down each list is read, while that was not far enough."""
_MOST_DAYS = 62
_PART = 400


@dataclass(frozen=True, slots=True)
class State:
    """Up to when the figures go, read once for all lists of a page: sums of days, and the newest event."""

    held: tuple[Span, ...]
    newest: datetime | None


def read_state(connection: Connection) -> State:
    """The state of the figures within a snapshot."""
    newest = connection.execute(select(func.max(watermarks.c.last_at))).scalar()
    return State(tuple(spans_held(connection)), newest)


def most_frequent(
    connection: Connection,
    what: str,
    limit: int,
    since: datetime | None,
    besides: Mapping[bytes, int] | None = None,
    state: State | None = None,
) -> list[tuple[bytes, int]]:
    """(key, count) of the `limit` most frequent values from the day that begins at `since` (None: of all time).

    `besides`: counts by key to be added, of the part of a day before `since`. `state`: of the same snapshot, where it
    was read already. Fagin's threshold algorithm: the longest lists of each day, or of a span of days that is summed
    already, are read until no value outside of them can be among the first.
    """
    if since is None:
        rows = connection.execute(
            select(tallies.c.key, tallies.c.n)
            .where(tallies.c.what == what, tallies.c.day == EVER)
            .order_by(tallies.c.n.desc(), tallies.c.key)
            .limit(limit)
        )
        return [(row.key, int(row.n)) for row in rows]
    extra = Counter(besides or {})
    state = state or read_state(connection)
    span = beginning_at(state.held, what, since)
    days = _days(state.newest, from_micros(span.end) if span else since)
    if len(days) <= _MOST_DAYS:
        for depth in _DEPTHS:
            found = _by_threshold(connection, what, limit, days, span, extra, depth)
            if found is not None:
                return found
    n = func.sum(tallies.c.n)
    rows = connection.execute(
        select(tallies.c.key, n.label("n"))
        .where(tallies.c.what == what, tallies.c.day >= since)
        .group_by(tallies.c.key)
    )
    extra.update({row.key: int(row.n) for row in rows})
    return _first(extra, limit)


def counts_of(
    connection: Connection,
    what: str,
    since: datetime | None,
    besides: Mapping[bytes, int] | None = None,
    state: State | None = None,
) -> dict[bytes, int]:
    """Every value of a kind that has few, by value, from the day that begins at `since` (None: of all time).

    `besides`: counts by value to be added, of the part of a day before `since`. `state`: as of `most_frequent`.
    """
    named = {row.key: row.value for row in connection.execute(
        select(tallies.c.key, tallies.c.value).where(tallies.c.what == what, tallies.c.day == EVER)
    )}  # fmt: skip
    counts: Counter[bytes] = Counter()
    if since is None:
        queries = [select(tallies.c.key, tallies.c.n).where(tallies.c.what == what, tallies.c.day == EVER)]
    else:
        state = state or read_state(connection)
        span = beginning_at(state.held, what, since)
        first = from_micros(span.end) if span else since
        queries = [select(tallies.c.key, tallies.c.n).where(tallies.c.what == what, tallies.c.day >= first)]
        if span:
            queries.append(
                select(spans.c.key, spans.c.n).where(spans.c.what == what, spans.c.days == span.days)
            )
    for query in queries:
        for key, n in connection.execute(query).all():
            counts[named[key]] += int(n)
    counts.update(besides or {})
    return {value: n for value, n in counts.items() if n > 0}


def _days(newest: datetime | None, since: datetime) -> list[datetime]:
    days = []
    day = since
    # A day more: an event may be newer than the newest that was committed when this was read.
    while newest is not None and day <= newest + timedelta(days=1):
        days.append(day)
        day += timedelta(days=1)
    return days


def _by_threshold(
    connection: Connection,
    what: str,
    limit: int,
    days: list[datetime],
    span: Span | None,
    extra: Counter[bytes],
    depth: int,
) -> list[tuple[bytes, int]] | None:
    lists = [
        select(tallies.c.key, tallies.c.n).where(tallies.c.what == what, tallies.c.day == day) for day in days
    ]
    if span:
        lists.append(select(spans.c.key, spans.c.n).where(spans.c.what == what, spans.c.days == span.days))
    read: list[tuple[dict[bytes, int], int]] = []
    candidates, unseen = _longest(extra, depth)
    for values in _beginnings(connection, lists, depth):
        at_most = min(values.values()) if len(values) == depth else 0
        read.append((values, at_most))
        candidates.update(values)
        unseen += at_most
    counts, doubtful = _bounded(candidates, extra, read, limit)
    listed = sorted(doubtful)
    for start in range(0, len(listed), _PART):
        part = listed[start : start + _PART]
        counts.update({key: extra.get(key, 0) for key in part})
        rest = select(tallies.c.key, tallies.c.n).where(
            tallies.c.what == what, tallies.c.day.in_(days), tallies.c.key.in_(part)
        )
        for row in connection.execute(
            _together([rest, lists[-1].where(spans.c.key.in_(part))] if span else [rest])
        ):
            counts[row.key] += int(row.n)
    found = _first(counts, limit)
    if unseen == 0 or (len(found) == limit and found[-1][1] > unseen):
        return found
    return None


def _beginnings(
    connection: Connection, lists: Sequence[Select[tuple[bytes, int]]], depth: int
) -> list[dict[bytes, int]]:
    """The longest `depth` entries of each list, all by one statement: servers are asked for many lists of a page."""
    if not lists:
        return []
    numbered = []
    for number, values in enumerate(lists):
        n = values.selected_columns["n"]
        first = values.order_by(n.desc()).limit(depth).subquery()
        numbered.append(select(literal(number).label("number"), first.c.key, first.c.n))
    found: list[dict[bytes, int]] = [{} for _ in lists]
    for number, key, n in connection.execute(_together(numbered)).all():
        found[number][key] = n
    return found


def _together(queries: Sequence[Select[Any]]) -> Any:
    return queries[0] if len(queries) == 1 else union_all(*queries)


def _bounded(
    candidates: Iterable[bytes], extra: Counter[bytes], read: list[tuple[dict[bytes, int], int]], limit: int
) -> tuple[Counter[bytes], list[bytes]]:
    """The counts of candidates that are known whole, and the others that may be among the first all the same."""
    whole: Counter[bytes] = Counter()
    open_: dict[bytes, tuple[int, int]] = {}
    for key in candidates:
        least = extra.get(key, 0)
        more = 0
        for values, at_most in read:
            n = values.get(key)
            if n is None:
                more += at_most
            else:
                least += n
        if more:
            open_[key] = (least, least + more)
        else:
            whole[key] = least
    least_of_all = sorted((*whole.values(), *(least for least, _ in open_.values())), reverse=True)
    bar = least_of_all[limit - 1] if len(least_of_all) >= limit else 0
    return whole, [key for key, (_, most) in open_.items() if most >= bar]


def _longest(counts: Counter[bytes], depth: int) -> tuple[set[bytes], int]:
    """The first `depth` of a list, and how many any other of it can have."""
    listed = counts.most_common(depth)
    return {key for key, _ in listed}, listed[-1][1] if len(listed) == depth else 0


def _first(counts: Counter[bytes], limit: int) -> list[tuple[bytes, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:limit]
