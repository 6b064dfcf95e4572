from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.store.conftest import START, session_id, visit

from urltrap.model.views import SessionFilter
from urltrap.store import Store
from urltrap.store.intake import ingest
from urltrap.store.migrations.versions import v0007_narrow
from urltrap.store.queries import narrowing, overview, sessions, top
from urltrap.store.queries.shared import BadCursor
from urltrap.store.rollups import place_addresses, value_key


@pytest.fixture
def filled(store: Store) -> Store:
    for n in range(7):
        batch = visit(
            n,
            b"uname -a",
            b"id" if n % 2 else b"ls 100%_",
            address=f"198.51.100.{n % 3}",
            at=START + timedelta(hours=n),
        )
        ingest(store, "w", batch, (1, n))
    return store


def test_pages_join_without_gap_or_repeat(filled: Store) -> None:
    seen: list[str] = []
    cursor = None
    while True:
        page = sessions.page(filled, cursor=cursor, limit=3)
        seen += [row.id for row in page.rows]
        cursor = page.next
        if cursor is None:
            break
    assert seen == [session_id(n) for n in range(6, -1, -1)]


@pytest.mark.parametrize("cursor", ["x", "12", "٣.a", "9" * 30 + ".x", ".", "1.2' OR 1=1"])
def test_a_cursor_that_is_none_is_refused_or_finds_nothing_strange(filled: Store, cursor: str) -> None:
    try:
        assert sessions.page(filled, cursor=cursor).rows == []
    except BadCursor as error:
        assert "first page" in str(error)


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (SessionFilter(src_ip="198.51.100.0"), 3),
        (SessionFilter(protocol="telnet"), 0),
        (SessionFilter(classed="interactive"), 7),
        (SessionFilter(since=START + timedelta(hours=5)), 2),
        (SessionFilter(until=START + timedelta(hours=5)), 5),
        (SessionFilter(text="100%_"), 4),
        (SessionFilter(text="100__"), 0),
        (SessionFilter(country="DE"), 0),
        (SessionFilter(country=""), 7),
        (SessionFilter(hassh="ab" * 16), 7),
        (SessionFilter(asn=64500), 0),
    ],
)
def test_a_filter_takes_what_it_says(filled: Store, wanted: SessionFilter, count: int) -> None:
    assert len(sessions.page(filled, wanted).rows) == count


def test_the_overview_counts_by_hour_and_day(filled: Store) -> None:
    figures = overview.counters(filled, START + timedelta(hours=25))
    assert (figures.sessions, figures.commands, figures.logins, figures.addresses) == (7, 14, 7, 3)
    assert figures.sessions_day == 6
    assert figures.last_event == START + timedelta(hours=6, seconds=2)
    points = overview.timeline(filled, START - timedelta(hours=1))
    assert [point.sessions for point in points] == [1] * 7
    assert {point.sensor for point in points} == {"ssh"}
    assert points[0].hour < points[-1].hour


def test_the_pulse_changes_with_every_batch(filled: Store) -> None:
    before = overview.pulse(filled)
    assert overview.pulse(filled) == before
    ingest(filled, "w", visit(50), (2, 1))
    assert overview.pulse(filled) != before


def test_top_lists_are_ordered_and_can_begin_at_a_day(filled: Store) -> None:
    commands = top.top(filled, "command")
    assert [(row.value, row.count) for row in commands] == [(b"uname -a", 7), (b"ls 100%_", 4), (b"id", 3)]
    pair = top.top(filled, "pair")[0]
    assert (pair.value, pair.second, pair.count) == (b"root", b"p\xff\x000", 7)
    assert [row.count for row in top.top(filled, "address")] == [3, 2, 2]
    assert [row.count for row in top.top(filled, "address", since=START + timedelta(hours=6))] == [1]
    assert top.top(filled, "username", since=START + timedelta(days=2)) == []
    assert top.top(filled, "client", limit=1)[0].value == b"SSH-2.0-Go"
    assert top.top(filled, "country")[0].count == 7
    assert top.top(filled, "network") == []


def test_a_user_named_like_a_pair_is_counted_apart(store: Store) -> None:
    ingest(store, "w", visit(1), (1, 1))
    assert len(top.top(store, "username")) == 1
    assert len(top.top(store, "pair")) == 1


def test_a_session_with_many_events_is_read_in_parts(store: Store) -> None:
    ingest(store, "w", visit(1, *[b"id"] * 30), (1, 1))
    first = sessions.detail(store, session_id(1), limit=10)
    assert first is not None and first.more_events
    rest = sessions.detail(store, session_id(1), after=first.events[-1].seq)
    assert rest is not None and not rest.more_events
    assert len(first.events) + len(rest.events) == len(visit(1, *[b"id"] * 30))
    assert sessions.detail(store, "nobody") is None


def test_single_events_of_many_sessions_are_those_of_their_sessions(filled: Store) -> None:
    wanted = [(session_id(n), seq) for n in range(8) for seq in (0, 2, 4, 99)]
    expected = {}
    for n in range(7):
        detail = sessions.detail(filled, session_id(n))
        assert detail is not None
        expected |= {(event.session, event.seq): event for event in detail.events if event.seq in (0, 2, 4)}
    assert sessions.events_at(filled, wanted) == expected
    assert sessions.events_at(filled, []) == {}


def test_what_is_rare_and_what_is_frequent_are_listed_alike(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(40):
        what = b"uname -a" if number % 8 else b"rarely typed"
        ingest(
            store, "w",
            visit(number, what, address=f"198.51.100.{number % 8}", at=START + timedelta(minutes=number)),
            (1, number),
        )  # fmt: skip
    with store.begin() as connection:
        place_addresses(
            connection,
            {
                f"198.51.100.{n}": {"country": "IS" if n == 3 else "NL", "asn": 64500 + n % 2, "network": "x"}
                for n in range(8)
            },
        )
    asked = [
        SessionFilter(country="IS"), SessionFilter(country="NL"), SessionFilter(country="AQ"), SessionFilter(asn=64501),
        SessionFilter(text="rarely"), SessionFilter(text="uname"), SessionFilter(text="nobody typed this"),
        SessionFilter(text="rarely", country="NL"), SessionFilter(text="rarely", country="IS"),
        SessionFilter(country="NL", since=START + timedelta(minutes=20), until=START + timedelta(minutes=30)),
    ]  # fmt: skip

    def listed() -> list[list[str]]:
        found = []
        for wanted in asked:
            ids: list[str] = []
            cursor = None
            while True:
                page = sessions.page(store, wanted, cursor, limit=3)
                ids += [row.id for row in page.rows]
                cursor = page.next
                if cursor is None:
                    break
            found.append(ids)
        return found

    as_few = listed()
    assert [len(ids) for ids in as_few] == [5, 35, 0, 20, 5, 35, 0, 5, 0, 9]
    monkeypatch.setattr(narrowing, "FEW", 0)
    assert listed() == as_few


def test_a_migration_makes_the_numbers_that_intake_makes(store: Store) -> None:
    ingest(store, "w", visit(1, b"id", logins=3), (1, 1))
    dialect = store.dialect.replace("mariadb", "mysql")
    words = v0007_narrow._WORDS[dialect].format("password")
    with store.begin() as connection:
        if dialect == "sqlite":
            raw: Any = connection.connection.dbapi_connection
            raw.create_function("urltrap_value_key", 1, value_key)
        rows = connection.exec_driver_sql(f"SELECT password, password_key, {words} FROM logins").all()
    assert len(rows) == 3
    assert all(value_key(bytes(password)) == kept == made for password, kept, made in rows)


def test_lists_are_read_without_parallel_helpers(store: Store) -> None:
    with store.connect() as connection:
        if store.dialect == "postgresql":
            assert connection.exec_driver_sql("SHOW max_parallel_workers_per_gather").scalar() == "0"
