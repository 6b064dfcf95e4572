"""One at a time: processes that would change a database's schema at once wait for each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from urltrap.store.errors import StoreLocked

_SECONDS = 600
"""A migration of a large store takes minutes; whoever waits longer than this is told."""

_KEY = 0x75726C74726170
"""Of PostgreSQL's advisory lock, which is the database's own: "urltrap" in ASCII."""

# MariaDB's named locks are the whole server's, and their names at most 64 characters.
_NAME = "CONCAT('urltrap-', LEFT(SHA1(DATABASE()), 32))"


@contextmanager
def schema_turn(connection: Connection, seconds: int = _SECONDS) -> Iterator[None]:
    """Nobody else changes the schema meanwhile; `connection` is one of `Store.begin`. StoreLocked after `seconds`.

    SQLite: the write transaction is that already. PostgreSQL: until the transaction ends. MariaDB, where changes of
    the schema end transactions by themselves: a lock of the connection, which a lost connection gives back.
    """
    kind = connection.dialect.name
    if kind == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{seconds}s'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_KEY})")
        connection.exec_driver_sql("SET LOCAL lock_timeout = DEFAULT")
        yield
    elif kind in ("mysql", "mariadb"):
        if connection.exec_driver_sql(f"SELECT GET_LOCK({_NAME}, {seconds})").scalar() != 1:
            raise StoreLocked(
                "another urltrap brings this database's schema up to date, or died while it did; wait, and start again"
            )
        try:
            yield
        finally:
            if (
                not connection.invalidated
            ):  # else the server has given it back, and the loss itself is to be told
                connection.exec_driver_sql(f"SELECT RELEASE_LOCK({_NAME})")
    else:
        yield
