from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select
from tests.store.conftest import START, terminal, visit
from tests.store.test_bytes import AWKWARD

from urltrap.model.event import FloodCounted
from urltrap.store import Store, open_store
from urltrap.store import moving as moving_module
from urltrap.store.bulk import insert_rows
from urltrap.store.compare import checksums, row_counts
from urltrap.store.intake import Mark, ingest, watermark
from urltrap.store.moving import MoveFailed, move
from urltrap.store.schema import addresses, metadata


def filled(store: Store) -> None:
    for number, text in enumerate(AWKWARD.values()):
        ingest(store, "trap-0", [*visit(number, text, b"id"), *terminal(number, 60)], (1, number))
    shed = FloodCounted(
        session="F", seq=0, at=START, sensor="ssh", src_ip="2001:db8::1", since=START, count=7
    )
    ingest(store, "trap-1", [shed], (4, 9))
    with store.begin() as connection:
        # Coordinates are the only numbers that are no integers; MariaDB's own FLOAT would round them.
        connection.execute(addresses.update().values(latitude=52.520008123456, longitude=-0.1))


def test_a_move_there_and_back_loses_nothing(store: Store, tmp_path: Path) -> None:
    first, last = open_store(str(tmp_path / "first.db")), open_store(str(tmp_path / "last.db"))
    filled(first)
    there = {moved.table: (moved.rows, moved.checksum) for moved in move(first, store)}
    move(store, last)
    with first.connect() as one, last.connect() as other:
        assert row_counts(one) == row_counts(other)
        assert checksums(one) == checksums(other)
        assert {name: value for name, (_, value) in there.items()} == checksums(one)
        assert set(there) == set(metadata.tables)
        assert one.execute(select(addresses.c.latitude)).scalars().all() == other.execute(
            select(addresses.c.latitude)
        ).scalars().all()  # fmt: skip
    assert watermark(last, "trap-1") == Mark(4, 9)
    # And intake goes on where it was.
    assert ingest(last, "trap-0", visit(0, b"id"), (1, 99)).new == 0
    first.close()
    last.close()


def test_a_move_into_a_database_that_holds_something_changes_nothing(store: Store, tmp_path: Path) -> None:
    source = open_store(str(tmp_path / "x.db"))
    filled(source)
    ingest(store, "w", visit(1), (1, 1))
    with store.connect() as connection:
        before = checksums(connection)
    with pytest.raises(MoveFailed, match="not empty"):
        move(source, store)
    with store.connect() as connection:
        assert checksums(connection) == before
    source.close()


def test_a_move_that_loses_a_row_is_noticed_and_undone(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = open_store(str(tmp_path / "x.db"))
    filled(source)

    def forgetful(connection, table, rows) -> None:  # type: ignore[no-untyped-def]
        insert_rows(connection, table, rows[1:] if table.name == "commands" else rows)

    monkeypatch.setattr(moving_module, "insert_rows", forgetful)
    with pytest.raises(MoveFailed, match=r"commands: \d+ rows"):
        move(source, store)
    with store.connect() as connection:
        assert set(row_counts(connection).values()) == {0}
    source.close()


def test_a_checksum_sees_every_change_and_no_order(sqlite_store: Store, store: Store) -> None:
    filled(sqlite_store)
    filled(store)
    with sqlite_store.connect() as one, store.connect() as other:
        before = checksums(one)
        assert checksums(other) == before
    with store.begin() as connection:
        connection.execute(addresses.update().values(longitude=-0.1000001))
    with store.connect() as other:
        after = checksums(other)
    assert {name for name in before if before[name] != after[name]} == {"addresses"}
