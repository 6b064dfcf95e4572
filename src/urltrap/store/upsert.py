"""Insert-or-combine statements that mean the same on every database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, case, or_
from sqlalchemy.dialects import mysql, postgresql, sqlite

Row = Mapping[str, Any]


def insert_new(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert the rows whose primary (or unique) key is not there yet; leave the others as they are."""
    if not rows:
        return
    if connection.dialect.name in ("mysql", "mariadb"):
        # INSERT IGNORE would also hide values that do not fit; setting a key column to itself does not.
        own = next(iter(table.primary_key.columns))
        connection.execute(mysql.insert(table).on_duplicate_key_update({own.name: own}), list(rows))
    elif connection.dialect.name == "postgresql":
        connection.execute(postgresql.insert(table).on_conflict_do_nothing(), list(rows))
    else:
        connection.execute(sqlite.insert(table).on_conflict_do_nothing(), list(rows))


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
    if not rows:
        return
    name = connection.dialect.name
    if name in ("mysql", "mariadb"):
        mine = mysql.insert(table)
        connection.execute(
            mine.on_duplicate_key_update(_combined(table, mine.inserted, add, replace, lowest, highest)),
            list(rows),
        )
        return
    insert = postgresql.insert(table) if name == "postgresql" else sqlite.insert(table)
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=list(table.primary_key.columns),
            set_=_combined(table, insert.excluded, add, replace, lowest, highest),
        ),
        list(rows),
    )


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
