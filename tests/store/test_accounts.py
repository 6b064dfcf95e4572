"""Accounts as rows, on each kind of database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
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


def begin(store: Store, name: str) -> str:
    """Log a user in who has proved who he is."""
    user = users.find(store, name)
    assert user is not None
    token = sessions.begin(store, user, "a browser", LIFETIME, START, BY)
    assert token is not None
    return token


def pause(store: Store, *subjects: waits.Subject, at: datetime = START) -> timedelta | None:
    """A try that fails, or how long it waits."""
    return waits.begin_try(store, subjects, at).pause


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
    token = begin(store, "bob")
    found = sessions.held(store, token, LIFETIME, START + timedelta(hours=7))
    assert found is not None and found.user.name == "bob"
    assert sessions.held(store, token, LIFETIME, START + timedelta(hours=9)) is None, "looking is not using"
    sessions.touch(store, token, found, START + timedelta(hours=7))
    assert sessions.held(store, token + "x", LIFETIME, START) is None
    assert sessions.held(store, token, LIFETIME, START + timedelta(hours=14)) is not None, "used in between"
    assert sessions.held(store, token, LIFETIME, START + timedelta(hours=23)) is None
    other = begin(store, "bob")
    users.set_password(store, "bob", "new", START, BY, keep=sessions.digest(other))
    assert sessions.held(store, other, LIFETIME, START) is not None
    assert sessions.held(store, token, LIFETIME, START) is None
    users.remove(store, "bob", START, BY)
    assert sessions.held(store, other, LIFETIME, START) is None
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
        tries = list(pool.map(lambda _: waits.begin_try(store, subjects, START), range(12)))
    looked_at = [one for one in tries if one.pause is None]
    assert len(looked_at) == waits.RULES["name"].free
    assert pause(store, waits.of_name("bob")) is None
    waits.succeeded(store, looked_at[-1])
    assert pause(store, *subjects) is None
    for _ in range(9):
        pause(store, *subjects)
    assert pause(store, *subjects) is not None
    later = START + waits.FORGOTTEN * 2
    assert pause(store, *subjects, at=later) is None
    assert pause(store, *subjects, at=later) is None, "what is long past is forgotten"


def test_who_guesses_wipes_nothing_out_by_an_account_of_his_own(store: Store) -> None:
    address, own = waits.of_address("192.0.2.7"), waits.of_name("mallory")
    guesses = 0
    for number in range(40):
        if pause(store, address, waits.of_name(f"name-{number}")) is None:
            guesses += 1
        tried = waits.begin_try(store, [address, own], START)
        if tried.pause is None:
            waits.succeeded(store, tried)
    assert guesses == waits.RULES["address"].free


def test_who_logs_in_often_and_right_never_waits(store: Store) -> None:
    subjects = [waits.of_address("192.0.2.7"), waits.of_name("ada")]
    assert pause(store, *subjects) is None
    for hour in range(40):
        tried = waits.begin_try(store, subjects, START + timedelta(hours=hour))
        assert tried.pause is None
        waits.succeeded(store, tried)
    with store.connect() as connection:
        left = connection.execute(select(login_waits.c.failures)).scalars().all()
    assert set(left) <= {0}, "the one failure was forgotten, though its address was used all the time"


def test_a_name_that_others_guess_is_open_to_its_owner(store: Store) -> None:
    for number in range(40):
        pause(store, waits.of_address(f"192.0.2.{number}"), waits.of_name("ada"))
    again = [waits.of_address("192.0.2.1"), waits.of_name("ada")]
    assert pause(store, *again) is not None, "who failed before waits"
    assert pause(store, waits.of_address("203.0.113.9"), waits.of_name("ada")) is None
    assert pause(store, waits.of_login("the owner's log-in")) is None


def test_a_log_in_that_was_proved_by_what_has_changed_since_does_not_begin(store: Store) -> None:
    users.add(store, "ada", "admin", "hash", START, BY)
    proved = users.find(store, "ada")
    assert proved is not None
    users.set_password(store, "ada", "another hash", START, BY)
    assert sessions.begin(store, proved, "", LIFETIME, START, BY) is None
    proved = users.find(store, "ada")
    assert proved is not None
    users.set_totp(store, "ada", "sealed", 1, START, BY)
    assert sessions.begin(store, proved, "", LIFETIME, START, BY) is None
    begin(store, "ada")
    users.remove(store, "ada", START, BY)
    assert sessions.begin(store, proved, "", LIFETIME, START, BY) is None
    assert sessions.of_user(store, "ada", LIFETIME, START) == []


def test_of_log_ins_beside_a_change_of_the_password_none_is_left(store: Store) -> None:
    users.add(store, "ada", "admin", "hash 0", START, BY)

    def log_in(_: int) -> None:
        user = users.find(store, "ada")
        assert user is not None
        sessions.begin(store, user, "", LIFETIME, START, BY)

    def change(number: int) -> None:
        users.set_password(store, "ada", f"hash {number}", START, BY)

    with ThreadPoolExecutor(4) as pool:
        tasks = [pool.submit(log_in, number) for number in range(12)]
        tasks += [pool.submit(change, number) for number in range(1, 4)]
        tasks += [pool.submit(log_in, number) for number in range(12)]
        for task in tasks:
            task.result()
    stale = users.find(store, "ada")
    users.set_password(store, "ada", "the last", START, BY)
    assert stale is not None and sessions.begin(store, stale, "", LIFETIME, START, BY) is None
    assert sessions.of_user(store, "ada", LIFETIME, START) == []


@pytest.mark.parametrize("name", ["ada\0", "\0", "\ud800", "Ada", "a" * 300, "a'b", ""])
def test_what_can_be_no_name_is_no_user_on_any_database(store: Store, name: str) -> None:
    assert users.find(store, name) is None
    assert pause(store, waits.of_name(name)) is None


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
    token = begin(store, "ada")
    secret = keys.add(store, "k", ["read"], 60, START, BY)
    fresh = open_store(str(tmp_path / "fresh.db"))
    assert carry(store, fresh) == 1
    assert users.all_users(fresh) == users.all_users(store)
    assert sessions.held(fresh, token, LIFETIME, START) is not None
    assert keys.find(fresh, secret) is not None
    assert audit.page(fresh) == audit.page(store)
    fresh.close()
