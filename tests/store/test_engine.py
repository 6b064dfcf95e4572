from __future__ import annotations

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import func, select, update
from sqlalchemy.schema import CreateIndex, CreateTable
from tests.store.conftest import visit

from urltrap.store import (
    Store,
    StoreCorrupt,
    StoreError,
    StoreLocked,
    StoreNewer,
    StoreUnavailable,
    migrating,
    open_store,
)
from urltrap.store import engine as engine_module
from urltrap.store.intake import ingest
from urltrap.store.partitions import is_partition
from urltrap.store.queries import sessions
from urltrap.store.schema import facts, metadata
from urltrap.store.turns import schema_turn


def test_the_migrations_make_exactly_the_schema(store: Store) -> None:
    def counts(_object: object, name: str | None, kind: str, *_rest: object) -> bool:
        return kind != "table" or not is_partition(str(name))

    with store.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": counts})
        assert compare_metadata(context, metadata) == []


def test_the_newest_schema_is_alembic_s_head(store: Store) -> None:
    with store.connect() as connection:
        script = ScriptDirectory.from_config(migrating.config(connection))
        assert MigrationContext.configure(connection).get_current_revision() == script.get_current_head()
    assert engine_module.newest_schema() == script.get_current_head() == engine_module.schema_of(store)


def test_text_is_told_apart_and_ordered_by_its_bytes_on_every_database(store: Store) -> None:
    names = ["a ", "a", "B", "b", "\u00e9", "_", "Z"]
    with store.begin() as connection:
        connection.execute(facts.insert(), [{"name": f"t.{name}", "value": ""} for name in names])
        query = select(facts.c.name).where(facts.c.name.like("t.%")).order_by(facts.c.name)
        found = connection.execute(query).scalars().all()
    assert found == sorted(f"t.{name}" for name in names)


def test_of_processes_that_open_an_empty_database_at_once_one_makes_the_schema(database_url: str) -> None:
    opening = "import sys; from urltrap.store import open_store; open_store(sys.argv[1]).close()"
    running = [
        subprocess.Popen([sys.executable, "-c", opening, database_url], stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=120)[1].decode() for process in running]
    assert [process.returncode for process in running] == [0, 0], said
    opened = open_store(database_url, migrate=False)
    assert engine_module.schema_of(opened) == engine_module.newest_schema()
    opened.close()


def test_who_waits_too_long_for_the_schema_is_told(database_url: str) -> None:
    store = open_store(database_url)
    try:
        with store.begin() as first, schema_turn(first):
            if store.dialect == "sqlite":
                return  # its write transaction is the turn: there is no second one
            with pytest.raises(StoreLocked), store.begin() as second, schema_turn(second, 1):
                pass
        with store.begin() as second, schema_turn(second, 1):
            pass  # it was given back
    finally:
        store.close()


def test_a_store_that_is_up_to_date_opens_without_alembic(tmp_path: Path) -> None:
    open_store(str(tmp_path / "urltrap.db")).close()
    opening = (
        "import sys; from urltrap.store import open_store; open_store(sys.argv[1]).close(); "
        "assert 'alembic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", opening, str(tmp_path / "urltrap.db")], check=True)


@pytest.mark.parametrize("url", ["postgresql+psycopg://", "mysql+pymysql://", "mariadb+pymysql://"])
def test_the_schema_can_be_written_for_the_other_databases(url: str) -> None:
    from sqlalchemy.engine import make_url

    dialect = make_url(url).get_dialect()()
    statements = [str(CreateTable(table).compile(dialect=dialect)) for table in metadata.sorted_tables]
    indexes = [
        str(CreateIndex(index).compile(dialect=dialect))
        for table in metadata.sorted_tables
        for index in table.indexes
    ]
    assert len(statements) == len(metadata.tables)
    assert all("BLOB" not in statement for statement in statements) == url.startswith("postgresql")
    if not url.startswith("postgresql"):
        assert all("CHARSET=utf8mb4" in statement for statement in statements)
    for index in indexes:
        assert "TEXT" not in index


def test_no_key_is_of_a_type_that_mariadb_cannot_index() -> None:
    from sqlalchemy.engine import make_url

    dialect = make_url("mariadb+pymysql://").get_dialect()()
    for table in metadata.sorted_tables:
        for columns in (table.primary_key.columns, *(index.columns for index in table.indexes)):
            for column in columns:
                written = column.type.compile(dialect=dialect)
                assert "BLOB" not in written and "TEXT" not in written, (
                    f"{table.name}.{column.name}: {written}"
                )


def test_no_key_or_index_is_too_long_for_mariadb() -> None:
    for table in metadata.sorted_tables:
        keyed = [table.primary_key.columns, *(index.columns for index in table.indexes)]
        for columns in keyed:
            size = 0
            for column in columns:
                length = getattr(column.type, "length", None)
                python = getattr(column.type, "python_type", int)
                assert not (length is None and python in (str, bytes)), (
                    f"{table.name}.{column.name} has no length"
                )
                size += (length or 8) * (4 if python is str else 1)
            assert size <= 3072, f"{table.name}: key of {size} bytes"


def test_an_open_store_is_opened_again_by_others(tmp_path: Path) -> None:
    first = open_store(str(tmp_path / "x.db"))
    second = open_store(str(tmp_path / "x.db"), migrate=False)
    ingest(first, "w", visit(1, b"id"), (1, 1))
    assert len(sessions.page(second).rows) == 1
    first.close()
    second.close()


def test_a_store_without_schema_is_refused_where_migrating_is_not_wanted(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="urltrap up"):
        open_store(str(tmp_path / "x.db"), migrate=False)


def test_a_damaged_file_says_that_the_journal_still_has_everything(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"no database at all " * 1000)
    with pytest.raises(StoreCorrupt, match="urltrap rebuild"):
        open_store(str(path))
    assert path.read_bytes().startswith(b"no database")


def test_a_file_cut_in_the_middle_is_told_from_a_locked_one(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    store = open_store(str(path))
    for number in range(40):
        ingest(store, "w", visit(number, b"x" * 5000), (1, number))
    store.flush()
    store.close()
    raw = bytearray(path.read_bytes())
    raw[4096 : len(raw) // 2] = b"\xa5" * (len(raw) // 2 - 4096)
    path.write_bytes(raw)
    with pytest.raises(StoreCorrupt, match="journal still holds every event"):
        damaged = open_store(str(path))
        ingest(damaged, "w", visit(77), (2, 1))


def test_a_lock_held_by_another_process_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "_WAIT_SECONDS", 0)
    path = tmp_path / "x.db"
    store = open_store(str(path))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreLocked, match="another process"):
        ingest(store, "w", visit(1), (1, 1))
    other.execute("ROLLBACK")
    other.close()
    assert ingest(store, "w", visit(1), (1, 1)).new > 0
    store.close()


def test_a_newer_schema_is_refused(store: Store) -> None:
    with store.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num='9999'")
    with pytest.raises(StoreNewer, match="newer urltrap"):
        open_store(store.engine.url.render_as_string(hide_password=False))


def test_a_missing_folder_and_a_bad_address_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="urltrap init"):
        open_store(str(tmp_path / "nowhere" / "x.db"))
    with pytest.raises(StoreError, match=r"store\.url"):
        open_store("://")


def test_an_error_never_holds_the_password() -> None:
    with pytest.raises(StoreError) as caught:
        open_store("postgresql+psycopg://user:hunter2@127.0.0.1:1/x")
    assert "hunter2" not in str(caught.value)


def test_a_write_that_fails_is_rolled_back(store: Store) -> None:
    ingest(store, "w", visit(1), (1, 1))
    from urltrap.store.schema import sessions as table

    with pytest.raises(RuntimeError), store.begin() as connection:
        connection.execute(update(table).values(sensor="changed"))
        raise RuntimeError
    with store.connect() as connection:
        assert connection.execute(select(table.c.sensor)).scalar_one() == "ssh"


def test_what_a_thread_reads_within_a_snapshot_is_of_one_moment_and_over_one_connection(store: Store) -> None:
    ingest(store, "w", visit(1), (1, 1))
    opened: list[object] = []

    def noticed(connection: object, _record: object, _proxy: object) -> None:
        opened.append(connection)

    sqlalchemy_event.listen(store.engine, "checkout", noticed)
    try:
        with store.snapshot():
            assert len(sessions.page(store).rows) == 1
            with ThreadPoolExecutor(1) as other:
                other.submit(ingest, store, "w", visit(2), (1, 2)).result()
                assert other.submit(lambda: len(sessions.page(store).rows)).result() == 2
            mine = len(opened)
            seen = len(sessions.page(store).rows)
            assert len(opened) == mine, "another connection was taken"
            # MariaDB is asked to show what is committed at once (see engine._engine).
            assert seen == (2 if store.dialect in ("mysql", "mariadb") else 1)
    finally:
        sqlalchemy_event.remove(store.engine, "checkout", noticed)
    assert len(sessions.page(store).rows) == 2


class _Switching:
    """A cursor as SQLite's is where others switch the same new file: locked at once, without any waiting."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)
        self.asked = 0

    def execute(self, statement: str) -> None:
        assert statement == "PRAGMA journal_mode=WAL"
        self.asked += 1
        if self.codes:
            error = sqlite3.OperationalError("what the driver says")
            error.sqlite_errorcode = self.codes.pop(0)
            raise error


def test_of_several_that_open_a_new_file_at_once_none_gives_up() -> None:
    cursor = _Switching(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_BUSY)
    engine_module._use_wal(cursor)  # type: ignore[arg-type]
    assert cursor.asked == 3
    with pytest.raises(sqlite3.OperationalError):
        engine_module._use_wal(_Switching(sqlite3.SQLITE_READONLY))  # type: ignore[arg-type]


def test_a_server_that_is_lost_while_the_schema_is_changed_is_told_as_such(store: Store) -> None:
    if store.dialect == "sqlite":
        return  # there is no connection to lose
    ending = "SELECT pg_terminate_backend({})" if store.dialect == "postgresql" else "KILL {}"
    asking = "SELECT pg_backend_pid()" if store.dialect == "postgresql" else "SELECT CONNECTION_ID()"
    with pytest.raises(StoreUnavailable), store.begin() as connection, schema_turn(connection):
        number = connection.exec_driver_sql(asking).scalar_one()
        with store.begin() as other:
            other.exec_driver_sql(ending.format(number))
        connection.exec_driver_sql("SELECT 1")
    with store.begin() as connection, schema_turn(connection, 5):
        pass  # the turn was given back


def test_a_schema_that_was_cut_off_half_way_is_made_anew_unless_something_is_in_it(database_url: str) -> None:
    store = open_store(database_url)
    try:
        if store.dialect not in ("mysql", "mariadb"):
            return  # there a schema is made whole or not at all
        with store.begin() as connection:
            connection.exec_driver_sql("DELETE FROM alembic_version")
            connection.exec_driver_sql("DROP TABLE verdicts")
        again = open_store(database_url)
        assert engine_module.schema_of(again) == engine_module.newest_schema()
        again.close()
        ingest(store, "trap-0", visit(1, b"uname"), (1, 1))
        with store.begin() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0015'")
        with pytest.raises(StoreCorrupt, match="Nothing was removed.*rebuild --database"):
            open_store(database_url)
        with store.connect() as connection:
            assert connection.execute(
                select(func.count()).select_from(metadata.tables["events"])
            ).scalar_one()
    finally:
        store.close()
