"""The most frequent values of a range of days, exactly, without adding up every value of every day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, func, literal, null, select, union_all

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


@dataclass(frozen=True, slots=True)
class Wanted:
    """One list of the most frequent: of a kind, from the day that begins at `since` on (None: of all time).

    `besides`: counts by key to be added, of the part of a day before `since`.
    """

    what: str
    since: datetime | None
    besides: Mapping[bytes, int] = field(default_factory=dict)


Ranked = list[tuple[bytes, int]]
"""(key, count), the most frequent first."""


def most_frequent(
    connection: Connection, wanted: Sequence[Wanted], limit: int, state: State | None = None
) -> list[Ranked]:
    """The `limit` most frequent values of each list, all lists by the same few statements.

    `state`: of the same snapshot, where it was read already. Fagin's threshold algorithm: the longest lists of each
    day, or of a span of days that is summed already, are read until no value outside of them can be among the first.
    """
    found: dict[int, Ranked] = {}
    ever = [place for place, one in enumerate(wanted) if one.since is None]
    if ever:
        lists = [_ever(wanted[place].what) for place in ever]
        found = dict(zip(ever, _beginnings(connection, lists, limit, by_key=True), strict=True))
    searches = {}
    if len(found) < len(wanted):
        state = state or read_state(connection)
        searches = {
            place: _search(one, one.since, state) for place, one in enumerate(wanted) if one.since is not None
        }
    for depth in _DEPTHS:
        open_ = {place: one for place, one in searches.items() if place not in found and one.few}
        found |= _by_threshold(connection, open_, limit, depth)
    for place, one in searches.items():
        if place not in found:
            found[place] = _by_adding_up(connection, one, limit)
    return [found[place] for place in range(len(wanted))]


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
    # One statement: first the values of all keys with what they have ever, then what keys have in the range.
    ever = select(tallies.c.key, tallies.c.n, tallies.c.value).where(
        tallies.c.what == what, tallies.c.day == EVER
    )
    queries = [ever]
    if since is not None:
        state = state or read_state(connection)
        span = beginning_at(state.held, what, since)
        first = from_micros(span.end) if span else since
        within = select(tallies.c.key, tallies.c.n, null()).where(
            tallies.c.what == what, tallies.c.day >= first
        )
        queries.append(within)
        if span:
            mine = (spans.c.what == what, spans.c.days == span.days)
            queries.append(select(spans.c.key, spans.c.n, null()).where(*mine))
    named: dict[bytes, bytes] = {}
    by_key: Counter[bytes] = Counter()
    for key, n, value in connection.execute(_together(queries)).all():
        if value is not None:
            named[key] = value
        if value is None or since is None:
            by_key[key] += int(n)
    counts = Counter({named[key]: n for key, n in by_key.items()})
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


@dataclass(frozen=True, slots=True)
class _Search:
    what: str
    since: datetime
    days: list[datetime]
    span: Span | None
    extra: Counter[bytes]

    @property
    def few(self) -> bool:
        """Whether it is less to look for the longest than to add all up."""
        return len(self.days) <= _MOST_DAYS

    @property
    def lists(self) -> list[Select[Any]]:
        """One for each day, and the last for the span where there is one."""
        found = [
            select(tallies.c.key, tallies.c.n).where(tallies.c.what == self.what, tallies.c.day == day)
            for day in self.days
        ]
        if self.span:
            mine = (spans.c.what == self.what, spans.c.days == self.span.days)
            found.append(select(spans.c.key, spans.c.n).where(*mine))
        return found

    def counts_of(self, keys: list[bytes]) -> list[Select[Any]]:
        """The counts of some keys, in all lists."""
        found = [
            select(tallies.c.key, tallies.c.n).where(
                tallies.c.what == self.what, tallies.c.day.in_(self.days), tallies.c.key.in_(keys)
            )
        ]
        return [*found, self.lists[-1].where(spans.c.key.in_(keys))] if self.span else found


def _search(wanted: Wanted, since: datetime, state: State) -> _Search:
    span = beginning_at(state.held, wanted.what, since)
    days = _days(state.newest, from_micros(span.end) if span else since)
    return _Search(wanted.what, since, days, span, Counter(wanted.besides))


def _by_threshold(
    connection: Connection, searches: Mapping[int, _Search], limit: int, depth: int
) -> dict[int, Ranked]:
    """The lists that are found by reading so far down; those that are not are left out."""
    lists = {place: one.lists for place, one in searches.items()}
    beginnings = iter(_beginnings(connection, [values for mine in lists.values() for values in mine], depth))
    counts: dict[int, Counter[bytes]] = {}
    unseen: dict[int, int] = {}
    doubtful: list[tuple[int, bytes]] = []
    for place, one in searches.items():
        candidates, unseen[place] = _longest(one.extra, depth)
        read: list[tuple[dict[bytes, int], int]] = []
        for _ in lists[place]:
            values = dict(next(beginnings))
            at_most = min(values.values()) if len(values) == depth else 0
            read.append((values, at_most))
            candidates.update(values)
            unseen[place] += at_most
        counts[place], open_ = _bounded(candidates, one.extra, read, limit)
        doubtful += [(place, key) for key in sorted(open_)]
    _count_rest(connection, searches, counts, doubtful)
    found = {}
    for place in searches:
        first = _first(counts[place], limit)
        if unseen[place] == 0 or (len(first) == limit and first[-1][1] > unseen[place]):
            found[place] = first
    return found


def _count_rest(
    connection: Connection,
    searches: Mapping[int, _Search],
    counts: dict[int, Counter[bytes]],
    doubtful: list[tuple[int, bytes]],
) -> None:
    """Count those that may be among the first all the same, exactly."""
    for start in range(0, len(doubtful), _PART):
        keys: dict[int, list[bytes]] = {}
        for place, key in doubtful[start : start + _PART]:
            keys.setdefault(place, []).append(key)
            counts[place][key] = searches[place].extra.get(key, 0)
        queries = [
            query.add_columns(literal(place).label("place"))
            for place, mine in keys.items()
            for query in searches[place].counts_of(mine)
        ]
        for key, n, place in connection.execute(_together(queries)).all():
            counts[place][key] += int(n)


def _by_adding_up(connection: Connection, search: _Search, limit: int) -> Ranked:
    n = func.sum(tallies.c.n)
    rows = connection.execute(
        select(tallies.c.key, n.label("n"))
        .where(tallies.c.what == search.what, tallies.c.day >= search.since)
        .group_by(tallies.c.key)
    )
    counts = Counter(search.extra)
    counts.update({row.key: int(row.n) for row in rows})
    return _first(counts, limit)


def _ever(what: str) -> Select[Any]:
    return select(tallies.c.key, tallies.c.n).where(tallies.c.what == what, tallies.c.day == EVER)


def _beginnings(
    connection: Connection, lists: Sequence[Select[Any]], depth: int, by_key: bool = False
) -> list[Ranked]:
    """The longest `depth` entries of each list, all by one statement: servers are asked for many lists of a page.

    `by_key`: in order, equal ones by key.
    """
    if not lists:
        return []
    numbered = []
    for number, values in enumerate(lists):
        key, n = values.selected_columns["key"], values.selected_columns["n"]
        order = (n.desc(), key) if by_key else (n.desc(),)
        first = values.order_by(*order).limit(depth).subquery()
        numbered.append(select(literal(number).label("number"), first.c.key, first.c.n))
    found: list[Ranked] = [[] for _ in lists]
    for number, key, n in connection.execute(_together(numbered)).all():
        found[number].append((key, int(n)))
    if by_key:
        for ranked in found:
            ranked.sort(key=lambda item: (-item[1], item[0]))
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
