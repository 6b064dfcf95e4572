"""Accounts as rows, on each kind of database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select
from tests.store.conftest import START

from urltrap.store import Store, open_store
from urltrap.store.accounts import audit, keys, sessions, users, waits
from urltrap.store.accounts.audit import Actor
from urltrap.store.accounts.carrying import carry
from urltrap.store.schema_accounts import login_waits

BY = Actor("tests", "192.0.2.1")
LIFETIME = sessions.Lifetime(timedelta(hours=8), timedelta(days=14))


def test_users_and_their_log_ins(store: Store) -> None:
    assert not users.any_user(store)
    users.add(store, "ada", "admin", "hash", START, BY)
    users.add(store, "bob", "viewer", "hash", START, BY)
    assert users.any_user(store) and [user.name for user in users.all_users(store)] == ["ada", "bob"]
    for name, role in (
        ("ada", "viewer"),
        ("Ada", "viewer"),
        ("", "viewer"),
        ("x" * 65, "viewer"),
        ("cy", "root"),
    ):
        with pytest.raises(users.AccountError):
            users.add(store, name, role, "hash", START, BY)
    token = sessions.begin(store, "bob", "a browser", LIFETIME, START, BY)
    found = sessions.user_of(store, token, LIFETIME, START + timedelta(hours=7))
    assert found is not None and found.name == "bob"
    assert sessions.user_of(store, token + "x", LIFETIME, START) is None
    assert sessions.user_of(store, token, LIFETIME, START + timedelta(hours=14)) is not None, (
        "used in between"
    )
    assert sessions.user_of(store, token, LIFETIME, START + timedelta(hours=23)) is None
    other = sessions.begin(store, "bob", "another", LIFETIME, START, BY)
    users.set_password(store, "bob", "new", START, BY, keep=sessions.digest(other))
    assert sessions.user_of(store, other, LIFETIME, START) is not None
    assert sessions.user_of(store, token, LIFETIME, START) is None
    users.remove(store, "bob", START, BY)
    assert sessions.user_of(store, other, LIFETIME, START) is None
    with pytest.raises(users.AccountError, match="no user bob"):
        users.set_role(store, "bob", "analyst", START, BY)


def test_a_code_is_taken_once(store: Store) -> None:
    users.add(store, "ada", "admin", "hash", START, BY)
    users.set_totp(store, "ada", "sealed", 100, START, BY)
    assert [users.take_step(store, "ada", step) for step in (100, 101, 101, 99, 102)] == [
        False, True, False, False, True,
    ]  # fmt: skip


def test_tries_at_once_all_count(store: Store) -> None:
    subjects = [waits.of_address("192.0.2.7"), waits.of_name("ada")]
    with ThreadPoolExecutor(4) as pool:
        pauses = list(pool.map(lambda _: waits.begin_try(store, subjects, START), range(12)))
    assert pauses.count(None) == waits.RULES["name"].free
    assert waits.begin_try(store, [waits.of_name("bob")], START) is None
    waits.succeeded(store, subjects, START)
    assert waits.begin_try(store, subjects, START) is None
    for _ in range(9):
        waits.begin_try(store, subjects, START)
    assert waits.begin_try(store, subjects, START) is not None
    assert waits.begin_try(store, subjects, START + waits.FORGOTTEN * 2) is None
    assert waits.begin_try(store, subjects, START + waits.FORGOTTEN * 2) is None, (
        "what is long past is forgotten"
    )


def test_a_name_that_others_guess_is_open_to_its_owner(store: Store) -> None:
    for number in range(40):
        waits.begin_try(store, [waits.of_address(f"192.0.2.{number}"), waits.of_name("ada")], START)
    again = [waits.of_address("192.0.2.1"), waits.of_name("ada")]
    assert waits.begin_try(store, again, START) is not None, "who failed before waits"
    assert waits.begin_try(store, [waits.of_address("203.0.113.9"), waits.of_name("ada")], START) is None
    assert waits.begin_try(store, [waits.of_login("the owner's log-in")], START) is None


def test_tries_that_are_not_looked_at_leave_nothing(store: Store) -> None:
    address = waits.of_address("192.0.2.7")
    for number in range(60):
        waits.begin_try(store, [address, waits.of_name(f"name-{number}")], START)
    with store.connect() as connection:
        count = connection.execute(select(func.count()).select_from(login_waits)).scalar()
    assert count == waits.RULES["address"].free + 1


def test_the_log_is_read_page_by_page_and_pruned(store: Store) -> None:
    for number in range(7):
        with store.begin() as connection:
            audit.note(connection, START + timedelta(seconds=number), BY, "login", f"user-{number}")
    seen: list[str] = []
    cursor = None
    while True:
        entries, cursor = audit.page(store, cursor, limit=3)
        seen += [entry.subject for entry in entries]
        if cursor is None:
            break
    assert seen == [f"user-{number}" for number in reversed(range(7))]
    with store.begin() as connection:
        audit.prune(connection, START + audit.KEPT + timedelta(seconds=4))
    assert len(audit.page(store)[0]) == 3


def test_accounts_are_carried_into_a_store_that_is_made_anew(store: Store, tmp_path: Path) -> None:
    users.add(store, "ada", "admin", "hash", START, BY)
    token = sessions.begin(store, "ada", "a browser", LIFETIME, START, BY)
    secret = keys.add(store, "k", ["read"], 60, START, BY)
    fresh = open_store(str(tmp_path / "fresh.db"))
    assert carry(store, fresh) == 1
    assert users.all_users(fresh) == users.all_users(store)
    assert sessions.user_of(fresh, token, LIFETIME, START) is not None
    assert keys.find(fresh, secret, START) is not None
    assert audit.page(fresh) == audit.page(store)
    fresh.close()
