"""Insert-or-combine statements that mean the same on every database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Dialect, Table, case, or_
from sqlalchemy.dialects import mysql, postgresql, sqlite

from urltrap.store.bulk import Prepared, Row, converted, execute_rows, keys_are_unique, prepare


def insert_new(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert the rows whose primary (or unique) key is not there yet; leave the others as they are."""
    if rows:
        names = tuple(rows[0])
        prepared = _new(connection.dialect, table, names)
        _run(connection, table, names, converted(connection.dialect, table, names, rows), prepared)


@lru_cache(maxsize=500)
def _new(dialect: Dialect, table: Table, names: tuple[str, ...]) -> Prepared:
    statement: Any
    if dialect.name in ("mysql", "mariadb"):
        # INSERT IGNORE would also hide values that do not fit; setting a key column to itself does not.
        own = next(iter(table.primary_key.columns))
        statement = mysql.insert(table).on_duplicate_key_update({own.name: own})
    elif dialect.name == "postgresql":
        statement = postgresql.insert(table).on_conflict_do_nothing()
    else:
        statement = sqlite.insert(table).on_conflict_do_nothing()
    return prepare(dialect, table, names, statement)


def upsert(
    connection: Connection,
    table: Table,
    rows: Sequence[Row],
    *,
    add: Iterable[str] = (),
    replace: Iterable[str] = (),
    lowest: Iterable[str] = (),
    highest: Iterable[str] = (),
) -> None:
    """Insert rows; where the primary key is there, add, replace, or keep the lowest or highest of the named columns.

    A key may stand in `rows` more than once only for `add`, `lowest` and `highest`.
    """
    if rows:
        names = tuple(rows[0])
        values = converted(connection.dialect, table, names, rows)
        upsert_tuples(
            connection, table, names, values, add=add, replace=replace, lowest=lowest, highest=highest
        )


def upsert_tuples(
    connection: Connection,
    table: Table,
    names: tuple[str, ...],
    values: list[tuple[Any, ...]],
    *,
    add: Iterable[str] = (),
    replace: Iterable[str] = (),
    lowest: Iterable[str] = (),
    highest: Iterable[str] = (),
) -> None:
    """`upsert` with rows that are what the driver takes already: moments in microseconds, JSON as text."""
    if values:
        combining = (tuple(add), tuple(replace), tuple(lowest), tuple(highest))
        _run(connection, table, names, values, _combining(connection.dialect, table, names, *combining))


@lru_cache(maxsize=500)
def _combining(
    dialect: Dialect,
    table: Table,
    names: tuple[str, ...],
    add: tuple[str, ...],
    replace: tuple[str, ...],
    lowest: tuple[str, ...],
    highest: tuple[str, ...],
) -> Prepared:
    statement: Any
    if dialect.name in ("mysql", "mariadb"):
        mine = mysql.insert(table)
        statement = mine.on_duplicate_key_update(
            _combined(table, mine.inserted, add, replace, lowest, highest)
        )
    else:
        insert = postgresql.insert(table) if dialect.name == "postgresql" else sqlite.insert(table)
        statement = insert.on_conflict_do_update(
            index_elements=list(table.primary_key.columns),
            set_=_combined(table, insert.excluded, add, replace, lowest, highest),
        )
    return prepare(dialect, table, names, statement)


def _run(
    connection: Connection,
    table: Table,
    names: tuple[str, ...],
    values: list[tuple[Any, ...]],
    prepared: Prepared,
) -> None:
    if len(values) > 1:
        # In the order of their keys: two writers then never wait for each other crosswise.
        places = [names.index(column.name) for column in table.primary_key.columns if column.name in names]
        values.sort(key=itemgetter(*places))
    if (
        connection.dialect.name == "postgresql"
        and len(values) > 1
        and not keys_are_unique(table, names, values)
    ):
        for row in values:
            execute_rows(connection, prepared, [row])
        return
    execute_rows(connection, prepared, values)


def _combined(
    table: Table,
    new: Any,
    add: Iterable[str],
    replace: Iterable[str],
    lowest: Iterable[str],
    highest: Iterable[str],
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for column in add:
        values[column] = table.c[column] + new[column]
    for column in replace:
        values[column] = new[column]
    for column in lowest:
        old = table.c[column]
        values[column] = case((or_(old.is_(None), new[column] < old), new[column]), else_=old)
    for column in highest:
        values[column] = case((new[column] > table.c[column], new[column]), else_=table.c[column])
    return values
