"""A store with believable and with hostile sessions, and a client that asks the site for pages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal
from fastapi.testclient import TestClient
from tests.site import demo, hostile

from urltrap.model.settings import Settings
from urltrap.site.app import create_app
from urltrap.store import Store, open_store

NOW = datetime(2026, 11, 24, 4, 30, tzinfo=UTC)


@pytest.fixture(scope="session", autouse=True)
def _one_event_loop() -> Iterator[None]:
    """For the requests of all clients: each would start a thread and a loop of its own."""
    with start_blocking_portal() as portal, pytest.MonkeyPatch.context() as patch:
        patch.setattr(TestClient, "portal", portal)
        yield


def client_of(store: Store, settings: Settings | None = None) -> TestClient:
    """A client of the site over this store, at a clock that stands still."""
    app = create_app(store, settings or Settings(), now=lambda: NOW)
    return TestClient(app, base_url="http://127.0.0.1:8080", follow_redirects=False)


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[TestClient]:
    """The site over a store with nothing in it."""
    store = open_store(str(tmp_path / "urltrap.db"))
    yield client_of(store)
    store.close()


@pytest.fixture(scope="module")
def filled_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A few hundred believable sessions."""
    store = demo.fill(tmp_path_factory.mktemp("filled") / "urltrap.db", NOW, sessions=200)
    yield store
    store.close()


@pytest.fixture(scope="module")
def filled(filled_store: Store) -> TestClient:
    """The site over the believable sessions."""
    return client_of(filled_store)


@pytest.fixture(scope="module")
def hostile_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A session that puts markup, terminal escapes and bidi controls wherever an attacker can."""
    store = hostile.fill(tmp_path_factory.mktemp("hostile") / "urltrap.db", NOW)
    yield store
    store.close()


@pytest.fixture(scope="module")
def attacked(hostile_store: Store) -> TestClient:
    """The site over the hostile session."""
    return client_of(hostile_store)
