"""What a database holds, as numbers that are the same on every kind of database: rows and a checksum per table."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from sqlalchemy import Connection, Table, func, inspect, select
from sqlalchemy import table as named

from urltrap.store.schema import metadata

_ROWS = 2000
_MODULUS = 1 << 128


def tables_of(connection: Connection) -> list[Table]:
    """The tables of this version's schema that the database has."""
    there = set(inspect(connection).get_table_names())
    return [table for table in metadata.sorted_tables if table.name in there]


def row_counts(connection: Connection, wanted: Iterable[str] | None = None) -> dict[str, int]:
    """Rows of every table; or of those named in `wanted` that are there, which may be of an older schema."""
    if wanted is None:
        names = [table.name for table in tables_of(connection)]
    else:
        there = set(inspect(connection).get_table_names())
        names = [name for name in wanted if name in there]
    return {
        name: int(connection.execute(select(func.count()).select_from(named(name))).scalar_one())
        for name in names
    }


def checksums(connection: Connection) -> dict[str, str]:
    """A checksum of every table's rows, which does not depend on their order or the kind of database."""
    return {table.name: checksum(connection, table) for table in tables_of(connection)}


def checksum(connection: Connection, table: Table) -> str:
    """Sum of the rows' BLAKE2 hashes, as 32 hexadecimal digits: no sorting, and rows that stand twice count twice."""
    total = 0
    streamed = connection.execution_options(yield_per=_ROWS).execute(select(table))
    for row in streamed:
        total += int.from_bytes(hashlib.blake2b(_canonical(row), digest_size=16).digest(), "big")
    return f"{total % _MODULUS:032x}"


def _canonical(row: Iterable[object]) -> bytes:
    parts = []
    for value in row:
        if isinstance(value, bytes):
            part = b"b" + value
        elif isinstance(value, bool):
            part = b"i%d" % value
        else:
            part = f"{type(value).__name__[:1]}{value!r}".encode()
        parts.append(b"%d:" % len(part) + part)
    return b"".join(parts)
