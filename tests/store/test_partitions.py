"""Raw events on PostgreSQL: a table per month, which changes nothing of what the store holds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import func, select
from tests.store.conftest import START, terminal, visit
from tests.support.databases import database

from urltrap.model.capture import Capture
from urltrap.model.event import Captured, EventBase
from urltrap.model.ids import new_ulid
from urltrap.store import Store, cowrie_views, open_store, partitions
from urltrap.store.collation import compare_bytes
from urltrap.store.compare import checksums
from urltrap.store.forgetting import expire
from urltrap.store.intake import ingest
from urltrap.store.schema import events


@pytest.fixture
def parted(tmp_path: Path) -> Iterator[Store]:
    """An empty store on PostgreSQL."""
    with database("postgresql", tmp_path) as url:
        store = open_store(url)
        yield store
        store.close()


def at(moment: datetime, number: int) -> list[EventBase]:
    """A session with an id of that moment, as real ones have."""
    id_ = new_ulid(int(moment.timestamp() * 1000), number.to_bytes(10, "big"))
    made = [*visit(number, b"id", at=moment), *terminal(number, 40)]
    return [event.model_copy(update={"session": id_}) for event in made]


def tables(store: Store) -> dict[str, int]:
    """Rows of every part."""
    with store.connect() as connection:
        names = connection.exec_driver_sql(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'events'::regclass"
        ).scalars()
        return {
            name: connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one()
            for name in list(names)
        }


def months(names: dict[str, int]) -> list[str]:
    return sorted(name for name in names if name != "events_rest")


def test_this_month_and_the_next_three_are_there_and_take_what_comes(parted: Store) -> None:
    now = datetime.now(UTC)
    ingest(parted, "w", at(now, 1), (1, 1))
    found = tables(parted)
    assert len(months(found)) == 4
    assert found.pop(f"events_y{now:%Y}m{now:%m}") == len(at(now, 1))
    assert set(found.values()) == {0}


def test_a_table_of_before_is_divided_with_nothing_lost(parted: Store) -> None:
    old = datetime(2026, 8, 15, tzinfo=UTC)
    for number, moment in enumerate((old, old + timedelta(days=40), datetime.now(UTC))):
        ingest(parted, "w", at(moment, number), (1, number))
    ingest(parted, "w", visit(9), (1, 9))
    with parted.connect() as connection:
        before = checksums(connection)
    with parted.begin() as connection:
        # As it was before there were parts.
        connection.exec_driver_sql("CREATE TABLE plain (LIKE events INCLUDING DEFAULTS)")
        connection.exec_driver_sql("INSERT INTO plain SELECT * FROM events")
        cowrie_views.drop(connection)
        connection.exec_driver_sql("DROP TABLE events")
        connection.exec_driver_sql("ALTER TABLE plain RENAME TO events")
        connection.exec_driver_sql("ALTER TABLE events ADD CONSTRAINT pk_events PRIMARY KEY (session, seq)")
    again = open_store(parted.engine.url.render_as_string(hide_password=False))
    with again.connect() as connection:
        assert checksums(connection) == before
    found = tables(again)
    assert "events_y2026m08" in found and found["events_y2026m08"] == len(at(old, 0))
    assert found["events_rest"] == 0
    again.close()


def test_a_month_that_aged_is_dropped_and_the_store_is_as_any_other(parted: Store, tmp_path: Path) -> None:
    plain = open_store(str(tmp_path / "plain.db"))
    with parted.begin() as connection:
        partitions.prepare(connection, datetime(2026, 1, 9, tzinfo=UTC))
    stream = new_ulid(int(datetime(2026, 1, 5, tzinfo=UTC).timestamp() * 1000), bytes(10))
    tried = Capture(url="http://198.51.100.9/x", at=START, client="wget", outcome="dns-failure")
    for number, moment in enumerate(
        (
            datetime(2026, 1, 9, tzinfo=UTC),
            datetime(2026, 2, 9, tzinfo=UTC),
            datetime(2026, 2, 20, tzinfo=UTC),
        )
    ):
        for store in (parted, plain):
            ingest(store, "w", at(moment, number), (1, number))
            ingest(store, "w", [Captured(session=stream, seq=number, at=moment, capture=tried)], (1, number))
    assert "events_y2026m01" in tables(parted)
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    sqlalchemy_event.listen(parted.engine, "before_cursor_execute", note)
    until = datetime(2026, 2, 15, tzinfo=UTC)
    gone = [expire(store, until, until - timedelta(days=365)) for store in (parted, plain)]
    assert gone[0] == gone[1]
    assert any(statement.startswith("DROP TABLE events_y2026m01") for statement in statements)
    assert "events_y2026m01" not in tables(parted)
    with parted.connect() as one, plain.connect() as other:
        assert checksums(one) == checksums(other)
        # What belongs to no session stays.
        kept = one.execute(select(func.count()).where(events.c.kind == "url.captured")).scalar()
    assert kept == 3
    plain.close()


def test_what_came_before_its_month_was_made_stays_where_it_is(parted: Store) -> None:
    early = datetime(2031, 5, 5, tzinfo=UTC)
    ingest(parted, "w", at(early, 1), (1, 1))
    with parted.begin() as connection:
        assert partitions.prepare(connection, early) is True
    found = tables(parted)
    assert found["events_rest"] == len(at(early, 1))
    assert "events_y2031m05" not in found and "events_y2031m06" in found
    assert ingest(parted, "w", at(early, 1), (1, 1)).new == 0


def test_text_of_an_older_store_is_compared_as_bytes_with_nothing_lost(parted: Store) -> None:
    for number in (1, 2):
        ingest(parted, "w", at(datetime.now(UTC), number), (1, number))
    ingest(parted, "w", visit(9), (1, 9))
    with parted.connect() as connection:
        before, parts = checksums(connection), tables(parted)
    with parted.begin() as connection:
        # As it was before: by the database's locale.
        cowrie_views.drop(connection)
        partitions.collate(connection, "default")
        connection.exec_driver_sql('ALTER TABLE urls ALTER COLUMN key TYPE varchar(64) COLLATE "default"')
    with parted.begin() as connection:
        compare_bytes(connection)
        by_locale = connection.exec_driver_sql(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema() "
            "AND data_type IN ('character varying', 'text') AND collation_name IS DISTINCT FROM 'C'"
        )
        assert by_locale.all() == []
        cowrie_views.make(connection)
    assert tables(parted) == parts, "every part stands where it stood"
    with parted.connect() as connection:
        assert checksums(connection) == before
    again = ingest(parted, "w", [*at(datetime.now(UTC), 3), *visit(9)], (1, 20))
    assert (again.new, again.repeated) == (len(at(datetime.now(UTC), 3)), len(visit(9)))
