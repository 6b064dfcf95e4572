"""Submissions on each kind of database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from urltrap.model.submission import Submission
from urltrap.store import Store, breakers, lookups, submissions, windows

NOW = datetime(2026, 11, 24, 4, 0, 30, tzinfo=UTC)
URL = "http://evil.cc/" + "x" * 3000 + "\u20ac"
MONTH = timedelta(days=30)


def wanted(at: datetime = NOW) -> Submission:
    return Submission(service="here", subject_kind="url", subject=URL, asked=at, asked_by="operator")


def ask(store: Store, at: datetime = NOW) -> None:
    with store.begin() as connection:
        submissions.ask(connection, "here-submit", wanted(at), MONTH)


def declare(store: Store, **most: int) -> None:
    with store.begin() as connection:
        for name, limit in most.items():
            windows.declare(connection, name.replace("_", "-"), {"minute": limit})


def claim(store: Store, at: datetime = NOW) -> list[lookups.Claim] | lookups.Wait:
    return lookups.claim(store, "here-submit", at, "w", 4, shares="shared")


def used(store: Store, provider: str, at: datetime = NOW) -> int:
    with store.connect() as connection:
        return windows.seen(connection, provider, at)[0].used


def test_one_is_queued_settled_and_queued_again(any_store: Store) -> None:
    declare(any_store, here_submit=5, shared=5)
    ask(any_store)
    with pytest.raises(submissions.TooEarly):
        ask(any_store, NOW + timedelta(seconds=1))
    assert submissions.any_waiting(any_store)
    claims = claim(any_store)
    assert isinstance(claims, list) and [item.question.subject for item in claims] == [URL]
    assert (used(any_store, "here-submit"), used(any_store, "shared")) == (1, 1)
    with any_store.begin() as connection:
        submissions.settle(
            connection, "here", "url", URL, NOW, "submitted", reference="1", link="https://x/1"
        )
        lookups.answered(connection, claims[0].question, NOW + MONTH, listed=False)
    assert not submissions.any_waiting(any_store)
    with pytest.raises(submissions.TooEarly) as early:
        ask(any_store, NOW + MONTH - timedelta(seconds=1))
    assert early.value.until == NOW + MONTH
    ask(any_store, NOW + MONTH)
    assert [item.state for item in submissions.of_subject(any_store, "url", URL)] == ["waiting", "submitted"]
    again = claim(any_store, NOW + MONTH)
    assert isinstance(again, list) and len(again) == 1


def test_neither_quota_is_exceeded_and_nothing_is_burnt_that_is_not_claimed(any_store: Store) -> None:
    declare(any_store, here_submit=5, shared=1)
    ask(any_store)
    with any_store.begin() as connection:
        windows.take(connection, "shared", NOW, 1)
    waits = claim(any_store)
    assert isinstance(waits, lookups.Wait) and waits.until == NOW.replace(second=0) + timedelta(minutes=1)
    assert (used(any_store, "here-submit"), used(any_store, "shared")) == (0, 1)
    with any_store.begin() as connection:
        breakers.limited(connection, "shared", NOW, NOW + timedelta(hours=1), "too many")
    waits = claim(any_store, NOW + timedelta(minutes=2))
    assert isinstance(waits, lookups.Wait) and waits.why == "too many"
    assert isinstance(claim(any_store, NOW + timedelta(hours=1)), list), (
        "a breaker that is due lets it through"
    )


def test_what_waits_or_was_answered_is_not_taken_back_by_another(any_store: Store) -> None:
    declare(any_store, here_submit=5)
    ask(any_store)
    question = lookups.Question("here-submit", "url", URL)
    with any_store.begin() as connection:
        lookups.forget(connection, question)  # takes back answers only
    assert isinstance(claim(any_store), list)
