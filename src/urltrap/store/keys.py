"""Rows by many keys of several columns, found by index on every database."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, and_, func, literal_column, select, tuple_


def is_among(
    dialect: str, columns: Sequence[Column[Any]], keys: Sequence[tuple[str | int, ...]]
) -> ColumnElement[bool]:
    """Whether these columns of one table, which begin one of its indexes, are one of these keys.

    SQLite reads the whole table for `(a, b) IN (VALUES …)`. There the keys go in as one JSON text (which makes the
    statement always the same), and each is looked up.
    """
    if dialect != "sqlite":
        return tuple_(*columns).in_(keys)
    table = columns[0].table
    again = table.alias("again")
    wanted = func.json_each(json.dumps(keys)).table_valued("value", name="wanted")
    equal = [
        again.c[column.name]
        == func.json_extract(wanted.c.value, literal_column(f"'$[{place}]'"), type_=column.type)
        for place, column in enumerate(columns)
    ]
    rows: Select[Any] = select(literal_column("again.rowid")).select_from(wanted.join(again, and_(*equal)))
    return literal_column(f"{table.name}.rowid").in_(rows)
