"""Databases to run the queue on: SQLite always, the servers where they run on this machine's standard ports."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError

from urltrap.store import Store, open_store

SERVERS = {
    "postgresql": "postgresql+psycopg://root@127.0.0.1/{name}",
    "mariadb": "mariadb+pymysql://root@127.0.0.1/{name}",
}
_MAINTENANCE = {"postgresql": "postgres", "mariadb": "mysql"}


def _administer(kind: str, statement: str) -> None:
    engine = create_engine(SERVERS[kind].format(name=_MAINTENANCE[kind]), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
    finally:
        engine.dispose()


@pytest.fixture(params=["sqlite", *SERVERS])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database, dropped afterwards."""
    kind: str = request.param
    if kind == "sqlite":
        yield f"sqlite:///{tmp_path / 'urltrap.db'}"
        return
    name = f"urltrap_intel_{os.getpid()}_{uuid.uuid4().hex[:8]}"
    try:
        _administer(kind, f"CREATE DATABASE {name}")
    except (DBAPIError, ModuleNotFoundError) as error:
        pytest.skip(f"no {kind} that lets us in on this machine: {type(error).__name__}")
    try:
        yield SERVERS[kind].format(name=name)
    finally:
        _administer(kind, f"DROP DATABASE {name}")


@pytest.fixture
def any_store(database_url: str) -> Iterator[Store]:
    """A fresh store on each kind of database."""
    opened = open_store(database_url)
    yield opened
    opened.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A fresh store on SQLite."""
    opened = open_store(str(tmp_path / "store.db"))
    yield opened
    opened.close()
