"""Figures kept while writing are what a scan of the rows gives: after any intake, repeated, late, renamed, aged."""

from __future__ import annotations

import random
import threading
from collections import Counter
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select
from tests.store.conftest import session_id, visit

from urltrap.model.event import EventBase, LoginTried, ProgramRun
from urltrap.model.views import TopKind
from urltrap.store import Store, spans, words
from urltrap.store.forgetting import coarsen, expire, forget
from urltrap.store.intake import ingest
from urltrap.store.queries import gaps as gap_queries
from urltrap.store.queries import narrowing, ranking
from urltrap.store.queries import overview as overview_queries
from urltrap.store.queries import top as top_queries
from urltrap.store.queries.partial import midnight_after, part_of_day
from urltrap.store.rollups import EVER, add_tallies, place_addresses, tally_key
from urltrap.store.schema import addresses, logins, missing, program_runs, sessions, tallies
from urltrap.store.schema import spans as spans_table
from urltrap.store.types import DAY, from_micros, to_micros

NOON = datetime.fromisoformat("2026-11-24T12:00:00Z")


def crowd(dice: random.Random, numbers: range, oldest: int) -> list[list[EventBase]]:
    """Sessions of the last `oldest` days with passwords and programs of few kinds."""
    made = []
    for number in numbers:
        at = NOON - timedelta(days=dice.randrange(oldest), minutes=dice.randrange(600))
        events = visit(
            number, b"id", address=f"198.51.{dice.randrange(2)}.{dice.randrange(5)}", at=at, logins=0
        )
        for _ in range(dice.randrange(4)):
            events.append(
                LoginTried(
                    session=session_id(number), seq=len(events), at=at, method="password",
                    username=dice.choice((b"root", b"admin")), password=b"pw%d" % dice.randrange(9), accepted=False,
                )
            )  # fmt: skip
        for _ in range(dice.randrange(5)):
            outcome = dice.choice(("ran", "builtin", "not-found", "not-found", "not-implemented"))
            events.append(
                ProgramRun(
                    session=session_id(number), seq=len(events), at=at, argv=[dice.choice((b"", b"wgett", b"lua"))],
                    outcome=outcome,
                )
            )  # fmt: skip
        made.append(events)
    return made


def take(store: Store, dice: random.Random, visits: list[list[EventBase]]) -> None:
    """Take events in as batches of any size and order of sessions, some of them twice."""
    events = [event for visited in visits for event in visited]
    place = 0
    while place < len(events):
        end = place + dice.randrange(1, 60)
        ingest(store, "w", events[place:end], (1, end))
        if dice.random() < 0.4:
            begin = max(0, place - dice.randrange(40))
            ingest(store, "w", events[begin:end], (1, end))
        place = end


def spans_agree(store: Store, now: datetime) -> None:
    """Every span holds the sums of its days, no more and no less."""
    today = to_micros(now) // DAY * DAY
    with store.connect() as connection:
        for days, kinds in spans.KINDS.items():
            summed = {
                (row.what, row.key): int(row.n)
                for row in connection.execute(
                    select(tallies.c.what, tallies.c.key, func.sum(tallies.c.n).label("n"))
                    .where(
                        tallies.c.what.in_(kinds),
                        tallies.c.day >= from_micros(today - days * DAY),
                        tallies.c.day < from_micros(today),
                    )
                    .group_by(tallies.c.what, tallies.c.key)
                )
            }
            there = connection.execute(select(spans_table).where(spans_table.c.days == days))
            found = {(row.what, row.key): row.n for row in there if row.n}
            assert found == {key: n for key, n in summed.items() if n}, days


def place(store: Store) -> None:
    """Give every address a place, some another than before."""
    with store.begin() as connection:
        found = connection.execute(select(addresses.c.address)).scalars().all()
        place_addresses(
            connection,
            {
                address: {"country": "NL" if place else "", "asn": 64500 + place if place else None,
                          "network": f"Net {place}" if place else ""}
                for address in found
                for place in [int(address.rpartition(".")[2]) % 3]
            },
        )  # fmt: skip


def by_place(store: Store, kind: str, since: datetime) -> Counter[bytes]:
    """Sessions by the place of their address, from the rows themselves."""
    column = func.coalesce(addresses.c.country, "") if kind == "country" else addresses.c.network
    with store.connect() as connection:
        rows = connection.execute(
            select(column, func.count())
            .select_from(sessions.outerjoin(addresses, addresses.c.address == sessions.c.src_ip))
            .where(sessions.c.started >= since, sessions.c.connected)
            .group_by(column)
        ).all()
    return Counter({value.encode(): n for value, n in rows if kind == "country" or value})


def figures_agree(store: Store, now: datetime, addresses_too: bool = True) -> None:
    """Top lists and gaps are what the rows themselves say.

    Not `addresses_too` where some have aged: one that came again since is counted under its own name still, and the
    places of those that are one now stay counted.
    """
    with store.connect() as connection:
        tries = connection.execute(select(logins.c.password, logins.c.at)).all()
        sources = connection.execute(select(sessions.c.src_ip, sessions.c.started)).all()
        runs = connection.execute(select(program_runs)).all()
    for days in (1, 7, 30):
        since = now - timedelta(days=days)
        begin = from_micros(to_micros(since) // DAY * DAY)
        counted = Counter(row.password for row in tries if row.at >= begin)
        top = {row.value: row.count for row in top_queries.top(store, "password", 100, since)}
        assert top == counted, days
        counted = Counter(row.src_ip.encode() for row in sources if row.started >= since)
        top = {row.value: row.count for row in top_queries.top(store, "address", 100, since)}
        assert top == counted or not addresses_too, days
        assert sum(top.values()) == counted.total(), days
        for kind in ("country", "network"):
            found = Counter({row.value: row.count for row in top_queries.top(store, kind, 100, since)})
            assert found == by_place(store, kind, since) or not addresses_too, (kind, days)
    for kind in ("country", "network"):
        found = Counter({row.value: row.count for row in top_queries.top(store, kind, 100)})
        assert found == by_place(store, kind, from_micros(0)) or not addresses_too, kind
    kinds: tuple[TopKind, ...] = (
        "username",
        "password",
        "address",
        "pair",
        "network",
        "url",
        "client",
        "host",
    )
    for since in (None, now - timedelta(days=7), now - timedelta(days=3, minutes=50)):
        together = top_queries.tops(store, kinds, 3, since)
        assert together == {kind: top_queries.top(store, kind, 3, since) for kind in kinds}
    hours = overview_queries.timeline(store, from_micros(0))
    by_day: Counter[tuple[int, str, str]] = Counter()
    for point in hours:
        for name in ("sessions", "logins", "commands"):
            by_day[to_micros(point.hour) // DAY * DAY, point.sensor, name] += getattr(point, name)
    days_of = overview_queries.timeline(store, from_micros(0), step=timedelta(days=1))
    assert +by_day == +Counter(
        {
            (to_micros(point.hour), point.sensor, name): getattr(point, name)
            for point in days_of
            for name in ("sessions", "logins", "commands")
        }
    )
    ever = overview_queries.counters(store, now)
    assert ever.sessions == sum(point.sessions for point in hours) == len(sources)
    assert ever.logins == sum(point.logins for point in hours) == len(tries)
    wanted = Counter((row.name, row.outcome) for row in runs if row.outcome.startswith("not-"))
    met = Counter((name, outcome) for name, outcome, _ in {(r.name, r.outcome, r.session) for r in runs})
    gaps = gap_queries.gaps(store, 100)
    assert {(row.name, row.outcome): (row.count, row.sessions) for row in gaps.rows} == {
        key: (n, met[key]) for key, n in wanted.items()
    }
    assert gaps.outcomes == Counter(row.outcome for row in runs)


@pytest.mark.parametrize("seed", [1, 2])
def test_kept_figures_are_those_of_a_scan_after_any_intake(store: Store, seed: int) -> None:
    dice = random.Random(seed)
    take(store, dice, crowd(dice, range(30), 45))
    figures_agree(store, NOON)  # before anything was summed
    assert spans.roll(store, NOON)
    spans_agree(store, NOON)
    place(store)
    spans_agree(store, NOON)
    take(store, dice, crowd(dice, range(20, 50), 45))  # some known, some late, some of today
    spans_agree(store, NOON)
    figures_agree(store, NOON)


def test_lists_agree_with_and_without_the_part_of_a_day_that_was_read_before(store: Store) -> None:
    dice = random.Random(6)
    take(store, dice, crowd(dice, range(30), 3))
    since = NOON - timedelta(days=1, hours=3)
    part = part_of_day(store, since)
    with store.connect() as connection:
        started = connection.execute(select(sessions.c.started)).scalars().all()
    assert part.sources.total() == sum(since <= moment < part.begin for moment in started) > 0
    for kind in ("address", "network", "country"):
        assert top_queries.top(store, kind, 9, since, part) == top_queries.top(store, kind, 9, since)
    hours = overview_queries.timeline(store, NOON - timedelta(days=9))
    days = overview_queries.timeline(store, NOON - timedelta(days=9), step=timedelta(days=1))
    summed: Counter[tuple[datetime, str]] = Counter()
    for point in hours:
        summed[point.hour.replace(hour=0), point.sensor] += point.sessions
    assert {(point.hour, point.sensor): point.sessions for point in days} == summed


@pytest.mark.parametrize("depths", [(1, 2, 4), (3,), (1,)])
def test_short_lists_are_the_beginning_of_whole_ones(
    sqlite_store: Store, depths: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, dice = sqlite_store, random.Random(8)
    take(store, dice, crowd(dice, range(40), 9))
    spans.roll(store, NOON)
    for days in (1, 3, 7, 30):
        for kind in ("password", "pair", "address"):
            since = NOON - timedelta(days=days)
            whole = top_queries.top(store, kind, 100, since)
            with monkeypatch.context() as patch:
                patch.setattr(ranking, "_DEPTHS", depths)
                for limit in (1, 2, 5, 30):
                    assert top_queries.top(store, kind, limit, since) == whole[:limit], (kind, days, limit)


def test_a_part_of_a_value_is_found_whenever_the_value_came(store: Store) -> None:
    dice = random.Random(9)
    take(store, dice, crowd(dice, range(20), 20))

    def agrees() -> None:
        with store.connect() as connection:
            for part in (b"pw", b"3", b"root", b"nowhere", b""):
                for kind in ("password", "username", "command"):
                    ever = connection.execute(
                        select(tallies.c.value).where(tallies.c.day == EVER, tallies.c.what == kind)
                    ).scalars()
                    wanted = sorted(value for value in ever if part in value)
                    assert sorted(narrowing.few_values(connection, kind, part) or []) == wanted, (kind, part)

    agrees()
    assert words.roll(store, NOON - timedelta(days=3))
    agrees()
    take(store, dice, crowd(dice, range(15, 40), 20))  # late ones among them
    agrees()
    assert words.roll(store, NOON)
    agrees()
    assert not words.roll(store, NOON)


@pytest.mark.parametrize("first", [True, False])
def test_what_is_counted_while_figures_are_summed_is_in_the_sums(store: Store, first: bool) -> None:
    """An intake that was killed may still be committing when the next one begins by summing."""
    dice = random.Random(4)
    if not first:
        spans.roll(store, NOON - timedelta(days=2))
        words.roll(store, NOON - timedelta(days=2))

    def sums() -> None:
        spans.roll(store, NOON)
        words.roll(store, NOON)

    beside = threading.Thread(target=sums)
    day = to_micros(NOON) // DAY * DAY - DAY
    with store.begin() as connection:
        add_tallies(connection, {(day, "password", tally_key(b"late one")): (b"late one", b"", 3)})
        beside.start()
        beside.join(0.2)  # it waits for this transaction, or has done all that it would
    beside.join()
    take(store, dice, crowd(dice, range(6), 20))
    spans_agree(store, NOON)
    with store.connect() as connection:
        assert narrowing.few_values(connection, "password", b"late") == [b"late one"]


def test_spans_move_on_day_by_day_and_by_leaps_and_never_back(store: Store) -> None:
    dice = random.Random(3)
    take(store, dice, crowd(dice, range(30), 12))
    for days in (-12, -11, -9, -3, 0, 2, 29, 80):
        now = NOON + timedelta(days=days)
        assert spans.roll(store, now)
        spans_agree(store, now)
        assert not spans.roll(store, now)
        assert not spans.roll(store, now - timedelta(days=1))
        spans_agree(store, now)
    with store.connect() as connection:
        assert connection.execute(select(spans_table)).all() == []


def test_what_ages_or_is_forgotten_leaves_the_sums_right(store: Store) -> None:
    dice = random.Random(4)
    take(store, dice, crowd(dice, range(40), 28))
    spans.roll(store, NOON)
    place(store)
    coarsen(store, NOON - timedelta(days=9))
    forget(store, "198.51.1.2")
    spans_agree(store, NOON)
    figures_agree(store, NOON, addresses_too=False)
    before = gap_queries.gaps(store, 100)
    expire(store, NOON - timedelta(days=20), NOON - timedelta(days=20))
    spans_agree(store, NOON)
    assert gap_queries.gaps(store, 100) == before, "figures stay when their sessions leave"


def test_a_list_is_read_by_day_where_no_span_begins_with_it(store: Store) -> None:
    dice = random.Random(5)
    take(store, dice, crowd(dice, range(30), 40))
    spans.roll(store, NOON - timedelta(days=2))  # the pipeline stood still since
    figures_agree(store, NOON)
    since = NOON - timedelta(days=11, hours=3)
    with store.connect() as connection:
        assert spans.beginning_at(spans.spans_held(connection), "address", midnight_after(since)) is None
        ever = connection.execute(
            select(func.sum(tallies.c.n)).where(tallies.c.day == EVER, tallies.c.what == "password")
        ).scalar()
        assert connection.execute(select(func.count()).select_from(missing)).scalar_one() > 0
    assert sum(row.count for row in top_queries.top(store, "password", 100)) == ever
