"""Every value that was ever tried or typed, once and close together, so that a part of one is looked for quickly.

`tallies` has them, too, between the figures of all days. Once a day `roll` adds those of the days that have ended; what
comes later than its day is added by intake, and today's values are looked for among today's figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects import mysql, postgresql, sqlite

from urltrap.store.engine import Store
from urltrap.store.schema import facts, tallies, words
from urltrap.store.types import DAY, from_micros, to_micros
from urltrap.store.upsert import insert_new

KINDS = ("username", "password", "command")
_FACT = "words.until"
_NONE_YET = "1"


def until(connection: Connection, hold: bool = False) -> int | None:
    """The day before which all values are among `words`, in microseconds; None where none are yet.

    `hold`: it stays so until the transaction ends, also where none are.
    """
    query = select(facts.c.value).where(facts.c.name == _FACT)
    if not hold:
        return _day(connection.execute(query).scalar())
    held = query.with_for_update(read=True)
    value = connection.execute(held).scalar()
    if value is None:
        # Whoever rolls for the first time waits for this row, and so for all that this transaction counts.
        insert_new(connection, facts, [{"name": _FACT, "value": _NONE_YET}])
        value = connection.execute(held).scalar()
    return _day(value)


def _day(value: str | None) -> int | None:
    return None if value in (None, _NONE_YET) else int(value)


def add_late(
    connection: Connection, counted: Mapping[tuple[int, str, bytes], tuple[bytes, Any, int]]
) -> None:
    """Add values of days that are among `words` already."""
    kept = until(connection, hold=True)
    if kept is None:
        return
    late = {
        (what, key): value
        for (day, what, key), (value, _, _) in counted.items()
        if day < kept and what in KINDS
    }
    insert_new(
        connection, words, [{"what": what, "key": key, "value": value} for (what, key), value in late.items()]
    )


def matching(connection: Connection, what: str, found: Any, limit: int) -> list[bytes] | None:
    """Keys of at most `limit` values of a kind for which `found` (of a column) holds; None where tallies must say."""
    kept = until(connection)
    if kept is None or what not in KINDS:
        return None
    # Passwords are most of the table: by an expression, it is read as it lies and not in the order of its keys.
    kind = func.coalesce(words.c.what, "") if what == "password" else words.c.what
    mine = select(words.c.key).where(kind == what, found(words.c.value))
    keys = dict.fromkeys(connection.execute(mine.limit(limit)).scalars())
    newer = (
        select(tallies.c.key)
        .where(tallies.c.what == what, tallies.c.day >= from_micros(kept), found(tallies.c.value))
        .distinct()
    )
    keys.update(dict.fromkeys(connection.execute(newer.limit(limit)).scalars()))
    return list(keys)[:limit]


def roll(store: Store, now: datetime) -> bool:
    """Add the values of all days before that of `now`; whether there was anything to do."""
    today = to_micros(now) // DAY * DAY
    with store.connect() as connection:
        kept = until(connection)
    if kept is not None and kept >= today:
        return False
    with store.begin() as connection:
        # In a transaction of its own, so that from now on intake finds a row that it can hold.
        insert_new(connection, facts, [{"name": _FACT, "value": _NONE_YET}])
    with store.begin() as connection:
        query = select(facts.c.value).where(facts.c.name == _FACT).with_for_update()
        kept = int(connection.execute(query).scalar_one())
        if kept < today:
            _add(connection, kept, today)
            connection.execute(update(facts).where(facts.c.name == _FACT).values(value=str(today)))
    return True


def _add(connection: Connection, begin: int, end: int) -> None:
    new = (
        select(tallies.c.what, tallies.c.key, tallies.c.value)
        .where(
            tallies.c.what.in_(KINDS), tallies.c.day >= from_micros(begin), tallies.c.day < from_micros(end)
        )
        .group_by(tallies.c.what, tallies.c.key, tallies.c.value)
    )
    names = ["what", "key", "value"]
    statement: Any
    if connection.dialect.name in ("mysql", "mariadb"):
        statement = mysql.insert(words).from_select(names, new).on_duplicate_key_update(what=words.c.what)
    elif connection.dialect.name == "postgresql":
        statement = postgresql.insert(words).from_select(names, new).on_conflict_do_nothing()
    else:
        statement = sqlite.insert(words).from_select(names, new).on_conflict_do_nothing()
    connection.execute(statement)
