"""A site with accounts: one user of each role, logged in with a client each, and keys of the API."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI
from fastapi.testclient import TestClient
from tests.site import demo
from tests.site.conftest import NOW

from urltrap.model.settings import Settings
from urltrap.site.app import create_app
from urltrap.site.auth import passwords
from urltrap.store import Store, open_store
from urltrap.store.accounts import keys, users
from urltrap.store.accounts.audit import Actor

PASSWORD = "correct horse battery"
CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
HASH = CHEAP.hash(PASSWORD)
"""Cheap: what these tests ask is not how long it takes."""
MACHINE = Actor("tests")


@dataclass
class House:
    """The site, its clock, and ways in."""

    store: Store
    settings: Settings = field(default_factory=Settings)
    now: datetime = NOW
    app: FastAPI | None = None
    built: Settings | None = None
    data: Path | None = None

    def client(
        self, base: str = "http://127.0.0.1:8080", peer: str = "127.0.0.1", **headers: str
    ) -> TestClient:
        """A browser that nobody has used."""
        if self.app is None or self.built is not self.settings:
            self.app = create_app(
                self.store,
                self.settings,
                now=lambda: self.now,
                secret=b"of the installation",
                data=self.data,
            )
            self.built = self.settings
        return TestClient(
            self.app, base_url=base, follow_redirects=False, client=(peer, 50000), headers=headers
        )

    def logged_in(self, name: str) -> TestClient:
        """A browser in which a user has logged in."""
        client = self.client()
        answer = log_in(client, name)
        assert answer.status_code == 303, answer.text
        return client

    def later(self, **given: float) -> None:
        """Let time pass."""
        self.now += timedelta(**given)


def token_in(page: str) -> str:
    """The token of the forms on a page."""
    found = re.search(r'name="token" value="([0-9a-f]+)"', page)
    assert found, page[:500]
    return found[1]


def log_in(client: TestClient, name: str, password: str = PASSWORD, **fields: str):  # type: ignore[no-untyped-def]
    """Fill in the form of the log-in and send it."""
    token = token_in(client.get("/login").text)
    return client.post("/login", data={"token": token, "name": name, "password": password, **fields})


def add_users(store: Store) -> None:
    """One of each role."""
    for role in ("admin", "analyst", "viewer"):
        users.add(store, f"{role}-1", role, HASH, NOW, MACHINE)


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Passwords that cost nothing to look at."""
    monkeypatch.setattr(passwords, "_HASHER", CHEAP)
    passwords._of_nobody.cache_clear()
    yield
    passwords._of_nobody.cache_clear()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A site with one user of each role, and nothing in it besides."""
    store = open_store(str(tmp_path / "urltrap.db"))
    add_users(store)
    yield House(store)
    store.close()


@pytest.fixture(scope="module")
def askers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Callable[[str, str], int]]]:
    """Who asks → a way to ask (method, path) for the status that comes."""
    store = demo.fill(tmp_path_factory.mktemp("askers") / "urltrap.db", NOW, sessions=20)
    add_users(store)
    house = House(store)
    found: dict[str, Callable[[str, str], int]] = {}

    def asker(client: TestClient) -> Callable[[str, str], int]:
        return lambda method, path: client.request(method, path).status_code

    found["nobody"] = asker(house.client())
    for role in ("viewer", "analyst", "admin"):
        found[role] = asker(house.logged_in(f"{role}-1"))
    for scope in keys.SCOPES:
        secret = keys.add(store, f"of-{scope}", [scope], 10_000, NOW, MACHINE)
        found[f"key:{scope}"] = asker(house.client(Authorization=f"Bearer {secret}"))
    yield found
    store.close()
