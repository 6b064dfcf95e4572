"""Alembic, told where our migrations are."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, inspect, select
from sqlalchemy import table as named
from sqlalchemy.exc import DBAPIError

from urltrap.store.engine import MIGRATIONS
from urltrap.store.errors import StoreCorrupt
from urltrap.store.schema import metadata

_VERSION = "alembic_version"
_FORMER = ("sessions",)
"""Names that tables of ours had in older schemas."""


def config(connection: Connection) -> Config:
    """What Alembic's commands take to work on this connection, in its transaction."""
    made = Config()
    made.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    made.attributes["connection"] = connection
    return made


def upgrade(connection: Connection, label: str) -> None:
    """Bring the database to the newest schema; `label` names it in errors.

    StoreCorrupt where an earlier try on a MariaDB that holds something was cut off in the middle of a step.
    """
    if connection.dialect.name not in ("mysql", "mariadb"):
        command.upgrade(config(connection), "head")
        return
    # There each change of a table is committed by itself: what was cut off has done a part of a step.
    _clear_half_made(connection)
    try:
        command.upgrade(config(connection), "head")
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        raise StoreCorrupt(
            f"{label} cannot be brought to the newest schema ({error.orig}): an earlier try was probably cut off "
            "half-way. Nothing was removed, and the journal still holds every event. Stop urltrap, and restore the "
            "newest backup (urltrap restore --force), or make the store anew in an empty database "
            "(urltrap rebuild --database URL)"
        ) from error


def _clear_half_made(connection: Connection) -> None:
    """Remove tables that an earlier try has made where nothing is in any of them: then the schema is made anew.

    A database in which Alembic has never been is somebody else's, and left alone.
    """
    there = set(inspect(connection).get_table_names())
    if _VERSION not in there:
        return
    ours = sorted(there & {*metadata.tables, *_FORMER})
    if any(connection.execute(select(1).select_from(named(name)).limit(1)).first() for name in ours):
        return
    quote = connection.dialect.identifier_preparer.quote
    for name in (*ours, _VERSION):
        connection.exec_driver_sql(f"DROP TABLE {quote(name)}")
