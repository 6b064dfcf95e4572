"""Many rows in one statement, the fastest way that each driver has: the same meaning everywhere.

SQLite takes an executemany of plain tuples, PostgreSQL COPY and arrays, MariaDB statements of many rows (which its
driver makes). Values go through the column's own type, attackers' bytes as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Dialect, LargeBinary, Table
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.dml import Insert

from urltrap.store.types import Micros, to_micros

Row = Mapping[str, Any]
_NAMED = re.compile(r"%\((\w+)\)s")


@dataclass(frozen=True, slots=True)
class Prepared:
    """An INSERT for many rows as the driver takes it; written once per table, columns and database."""

    text: str
    order: tuple[int, ...] | None
    """Where its parameters stand in a row, where that is not the row's own order."""


def insert_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows whose keys are not there. All have the same columns; IntegrityError where a key is taken."""
    if rows:
        names = tuple(rows[0])
        insert_tuples(connection, table, names, converted(connection.dialect, table, names, rows))


def insert_tuples(
    connection: Connection, table: Table, names: tuple[str, ...], values: list[tuple[Any, ...]]
) -> None:
    """The same with rows that are what the driver takes already: moments in microseconds, JSON as text."""
    if not values:
        return
    if connection.dialect.name == "postgresql":
        _copy(connection, table, names, values)
    else:
        execute_rows(connection, _plain(connection.dialect, table, names), values)


@lru_cache(maxsize=500)
def _plain(dialect: Dialect, table: Table, names: tuple[str, ...]) -> Prepared:
    return prepare(dialect, table, names, table.insert())


def prepare(dialect: Dialect, table: Table, names: tuple[str, ...], statement: Insert) -> Prepared:
    """Write an INSERT (with or without a clause for conflicts, which has no parameters) for `execute_rows`."""
    compiled = statement.compile(dialect=dialect, column_keys=list(names))
    text = str(compiled)
    if dialect.name == "postgresql":
        place = text.find(" ON CONFLICT")
        tail = text[place:] if place >= 0 else ""
        arrays = ", ".join(f"%s::{kind}[]" for kind in _types(table, names))
        return Prepared(
            f"INSERT INTO {_column_list(dialect, table, names)} SELECT * FROM unnest({arrays}){tail}", None
        )
    # Both other drivers are given tuples, in the order in which the statement names its parameters.
    order = tuple(compiled.positiontup or _NAMED.findall(text))
    places = None if order == names else tuple(names.index(name) for name in order)
    return Prepared(_NAMED.sub("%s", text), places)


def execute_rows(connection: Connection, prepared: Prepared, values: list[tuple[Any, ...]]) -> None:
    """Run a prepared INSERT for all rows at once. On PostgreSQL no two rows may have one key."""
    if connection.dialect.name == "postgresql":
        columns = tuple(list(column) for column in zip(*values, strict=True))
        connection.exec_driver_sql(prepared.text, columns)
        return
    if prepared.order is not None:
        values = [tuple([row[place] for place in prepared.order]) for row in values]
    connection.exec_driver_sql(prepared.text, values)


def converted(
    dialect: Dialect, table: Table, names: Sequence[str], rows: Iterable[Row]
) -> list[tuple[Any, ...]]:
    """Rows as tuples of what the driver takes."""
    converters = _converters(dialect, table, tuple(names))
    taken = _taker(tuple(names))
    if not converters:
        return [taken(row) for row in rows]
    made = []
    for row in rows:
        values = list(taken(row))
        for index, convert in converters:
            values[index] = convert(values[index])
        made.append(tuple(values))
    return made


@lru_cache(maxsize=500)
def _taker(names: tuple[str, ...]) -> Callable[[Row], tuple[Any, ...]]:
    if len(names) == 1:
        return lambda row: (row[names[0]],)
    return itemgetter(*names)


def keys_are_unique(table: Table, names: Sequence[str], values: Sequence[tuple[Any, ...]]) -> bool:
    """Whether no primary key stands in `values` twice."""
    places = [names.index(column.name) for column in table.primary_key.columns]
    return len({tuple(row[place] for place in places) for row in values}) == len(values)


def _micros(value: Any) -> int | None:
    return value if value is None or value.__class__ is int else to_micros(value)


@lru_cache(maxsize=500)
def _converters(
    dialect: Dialect, table: Table, names: tuple[str, ...]
) -> list[tuple[int, Callable[[Any], Any]]]:
    found = []
    for index, name in enumerate(names):
        implementation: Any = table.c[name].type.dialect_impl(dialect)
        if isinstance(implementation, LargeBinary):
            continue  # bytes are bytes to all three drivers
        # Moments are the most frequent by far: straight to what their type says, without its way there.
        processor = _micros if isinstance(implementation, Micros) else implementation.bind_processor(dialect)
        if processor is not None:
            found.append((index, processor))
    return found


@lru_cache(maxsize=500)
def _types(table: Table, names: tuple[str, ...]) -> tuple[str, ...]:
    """PostgreSQL's names of the columns' types, lengths left out."""
    from sqlalchemy.dialects import postgresql

    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    kinds = (table.c[name].type.compile(dialect=dialect).partition("(")[0].lower() for name in names)
    return tuple({"float": "float8"}.get(kind, kind) for kind in kinds)


def _column_list(dialect: Dialect, table: Table, names: Sequence[str]) -> str:
    quote = dialect.identifier_preparer.quote
    return f"{quote(table.name)} ({', '.join(quote(name) for name in names)})"


def _copy(
    connection: Connection, table: Table, names: tuple[str, ...], values: list[tuple[Any, ...]]
) -> None:
    statement = f"COPY {_column_list(connection.dialect, table, names)} FROM STDIN (FORMAT BINARY)"
    raw: Any = connection.connection.dbapi_connection
    driver = connection.dialect.loaded_dbapi
    try:
        with raw.cursor() as cursor, cursor.copy(statement) as copy:
            copy.set_types(_types(table, names))
            for row in values:
                copy.write_row(row)
    except driver.Error as error:
        lost = bool(raw.closed)
        raise DBAPIError.instance(
            statement, None, error, driver.Error, hide_parameters=True, connection_invalidated=lost,
            dialect=connection.dialect,
        ) from error  # fmt: skip
