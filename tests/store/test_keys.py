from __future__ import annotations

import json

from sqlalchemy import delete, select
from sqlalchemy.dialects import sqlite
from tests.store.conftest import session_id, visit

from urltrap.store import Store
from urltrap.store.intake import ingest
from urltrap.store.keys import is_among
from urltrap.store.schema import events, url_sources

PLACE = (events.c.session, events.c.seq)


def test_rows_are_found_and_deleted_by_keys_of_several_columns(store: Store) -> None:
    for number in range(4):
        ingest(store, "w", visit(number, b"id"), (1, number))
    keys = [(session_id(1), 2), (session_id(3), 0), (session_id(2), 99), ("nobody's ü", 1)]
    mine = is_among(store.dialect, PLACE, keys)
    with store.begin() as connection:
        before = connection.execute(select(events.c.session, events.c.seq)).all()
        found = connection.execute(select(events.c.session, events.c.seq).where(mine)).all()
        assert sorted(map(tuple, found)) == [(session_id(1), 2), (session_id(3), 0)]
        assert connection.execute(select(events.c.seq).where(is_among(store.dialect, PLACE, []))).all() == []
        connection.execute(delete(events).where(mine, events.c.seq > 0))
        after = connection.execute(select(events.c.session, events.c.seq)).all()
    assert set(before) - set(after) == {(session_id(1), 2)}


def test_sqlite_looks_keys_up_and_scans_no_table(sqlite_store: Store) -> None:
    for columns, keys in (
        (PLACE, [("a", 1), ("b", 2)]),
        ((url_sources.c.url_key, url_sources.c.address), [("k", "a")]),
    ):
        table = columns[0].table.name
        query = select(*columns).where(is_among("sqlite", columns, keys))
        statement = f"EXPLAIN QUERY PLAN {query.compile(dialect=sqlite.dialect())}"
        with sqlite_store.connect() as connection:
            plan = [row.detail for row in connection.exec_driver_sql(statement, (json.dumps(keys),))]
        assert any("SEARCH again USING" in step for step in plan), plan
        assert not any(f"SCAN {table}" in step or "SCAN again" in step for step in plan), plan
