"""One store per database server and test worker: making a schema takes such a server a second, emptying it does not."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.support.databases import database

from urltrap.store import Store, newest_schema, open_store
from urltrap.store.schema import metadata

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
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())
            connection.exec_driver_sql(f"UPDATE alembic_version SET version_num='{newest_schema()}'")


def close_stores() -> None:
    """End what `empty_store` keeps open."""
    while _open:
        _open.popitem()[1].close()
    _stack.close()
