"""Rows of many keys at once: ``column IN (…)``, without a parameter for each key where the database spares us that."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, String, bindparam, func, select
from sqlalchemy.sql import ColumnElement

MANY = 2000
"""As many of them as one statement asks for: few enough for every driver, and enough that what a statement costs
by itself is nothing beside its rows."""


def among(connection: Connection, column: Any, values: Collection[str]) -> ColumnElement[bool]:
    """Whether `column`, a text, is one of `values`.

    SQLite takes them as one JSON text and looks each up in the index all the same; hundreds of parameters would
    cost more than finding the rows. Source: SQLite's "The JSON Functions", `json_each`.
    """
    if connection.dialect.name != "sqlite":
        found: ColumnElement[bool] = column.in_(list(values))
        return found
    listed = bindparam(None, json.dumps(list(values)), type_=String, unique=True)
    each = func.json_each(listed).table_valued("value")
    return column.in_(select(each.c.value))  # type: ignore[no-any-return]
