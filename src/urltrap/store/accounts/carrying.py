"""Taking accounts and disputes along where the rest of a store is made anew: no journal has them."""

from __future__ import annotations

from sqlalchemy import delete, select

from urltrap.store.bulk import insert_rows
from urltrap.store.engine import Store
from urltrap.store.schema_accounts import api_keys, audit, user_sessions, users
from urltrap.store.schema_public import disputes

_ROWS = 2000
_TABLES = (users, user_sessions, api_keys, audit, disputes)


def carry(source: Store, target: Store) -> int:
    """Copy users, log-ins, keys, the log and disputes into a store that has none; how many users there are."""
    for table in _TABLES:
        with source.connect() as reading:
            streamed = reading.execution_options(yield_per=_ROWS).execute(select(table)).mappings()
            for part in streamed.partitions(_ROWS):
                with target.begin() as connection:
                    insert_rows(connection, table, [dict(row) for row in part])
    with target.connect() as connection:
        return len(connection.execute(select(users.c.name)).all())


def leave(target: Store) -> None:
    """Remove what was copied: the source turned out to be damaged half-way."""
    with target.begin() as connection:
        for table in reversed(_TABLES):
            connection.execute(delete(table))
