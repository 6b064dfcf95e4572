"""Alembic, told where our migrations are."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from urltrap.store.engine import MIGRATIONS


def config(connection: Connection) -> Config:
    """What Alembic's commands take to work on this connection, in its transaction."""
    made = Config()
    made.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    made.attributes["connection"] = connection
    return made


def upgrade(connection: Connection) -> None:
    """Bring the database to the newest schema."""
    command.upgrade(config(connection), "head")
