"""The public site over believable and over hostile URLs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from tests.site import demo, hostile
from tests.site.conftest import NOW
from tests.site.public.showing import SECRET, SETTINGS, publish

from urltrap.model.settings import Settings
from urltrap.site.public.app import create_public_app
from urltrap.site.public.snapshot import Snapshot, Source
from urltrap.store import Store, open_store
from urltrap.store.accounts import keys, users
from urltrap.store.accounts.audit import Actor


def public_client(store: Store, settings: Settings = SETTINGS) -> TestClient:
    """A client of the public site over this store, at a clock that stands still."""
    app = create_public_app(store, settings, secret=SECRET, now=lambda: NOW)
    return TestClient(app, base_url="http://urls.example", follow_redirects=False)


@pytest.fixture(scope="module")
def shown_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A few hundred believable sessions, their malicious URLs for everyone."""
    store = demo.fill(tmp_path_factory.mktemp("shown") / "urltrap.db", NOW, sessions=200)
    publish(store, NOW)
    users.add(store, "operator-ada", "admin", "hash-of-a-password", NOW, Actor("operator-bob"))
    keys.add(store, "siem-of-ada", ["feeds"], 60, NOW, Actor("operator-bob"))
    yield store
    store.close()


@pytest.fixture(scope="module")
def everyone(shown_store: Store) -> TestClient:
    """The public site over them."""
    return public_client(shown_store)


@pytest.fixture(scope="module")
def snapshot(shown_store: Store) -> Snapshot:
    """What everyone sees of them."""
    return Source(shown_store, SETTINGS, SECRET, lambda: NOW).snapshot()


@pytest.fixture(scope="module")
def evil_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A hostile URL that is for everyone."""
    store = hostile.fill(tmp_path_factory.mktemp("evil") / "urltrap.db", NOW)
    publish(store, NOW)
    yield store
    store.close()


@pytest.fixture(scope="module")
def evil(evil_store: Store) -> TestClient:
    """The public site over it."""
    return public_client(evil_store)


@pytest.fixture
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The public site over a store with nothing in it."""
    store = open_store(str(tmp_path_factory.mktemp("bare") / "urltrap.db"))
    yield public_client(store)
    store.close()
