"""Stores to run the queue on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.databases import KINDS, database
from tests.support.stores import empty_store

from urltrap.store import Store, open_store


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database of each kind, dropped afterwards."""
    with database(request.param, tmp_path) as url:
        yield url


@pytest.fixture(params=KINDS)
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store on each kind of database."""
    with empty_store(request.param, tmp_path) as opened:
        yield opened


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A fresh store on SQLite."""
    opened = open_store(str(tmp_path / "store.db"))
    yield opened
    opened.close()
