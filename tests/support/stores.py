"""Stores whose schema is made once per test worker: for a server that takes a second, for a file a tenth."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import exists, literal_column, select, union_all
from tests.support.databases import database

from urltrap.store import Store, engine, newest_schema, open_store
from urltrap.store.schema import metadata

_CHILDREN_FIRST = metadata.sorted_tables[::-1]
_FILLED = union_all(
    *(
        select(literal_column(f"'{table.name}'")).where(exists(select(1).select_from(table)))
        for table in _CHILDREN_FIRST
    )
)
"""The names of the tables that have rows."""
_open: dict[str, Store] = {}
_stack = contextlib.ExitStack()


@contextlib.contextmanager
def empty_store(kind: str, folder: Path) -> Iterator[Store]:
    """An empty store on this kind of database (SQLite: a new file in `folder`); rows are gone afterwards."""
    if kind == "sqlite":
        opened = open_store(str(folder / "urltrap.db"))
        try:
            yield opened
        finally:
            opened.close()
        return
    if kind not in _open:
        _open[kind] = open_store(_stack.enter_context(database(kind, folder)))
    shared = _open[kind]
    try:
        yield shared
    finally:
        with shared.begin() as connection:
            filled = set(
                connection.execute(_FILLED).scalars()
            )  # one question instead of a statement for each
            for table in _CHILDREN_FIRST:
                if table.name in filled:
                    connection.execute(table.delete())
            connection.exec_driver_sql(f"UPDATE alembic_version SET version_num='{newest_schema()}'")


@contextlib.contextmanager
def copied_sqlite_schema(folder: Path) -> Iterator[None]:
    """Within it a new SQLite file begins as a copy of one that the migrations made; one that exists is left to them."""
    made = folder / "migrated.db"
    open_store(str(made)).close()
    upgrade = engine._upgrade

    def copy_first(store: Store, migrate: bool) -> None:
        file = store.engine.url.database
        if store.dialect == "sqlite" and migrate and file and _is_new(Path(file)):
            with contextlib.suppress(OSError):  # where it cannot be made, the store says so
                shutil.copyfile(made, file)
        upgrade(store, migrate)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "_upgrade", copy_first)
        yield


def _is_new(file: Path) -> bool:
    return not file.exists() and file.parent.is_dir()


def close_stores() -> None:
    """End what `empty_store` keeps open."""
    while _open:
        _open.popitem()[1].close()
    _stack.close()
