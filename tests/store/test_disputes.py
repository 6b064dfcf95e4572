"""Disputes as rows, on each kind of database."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from tests.store.conftest import START

from urltrap.store import Store, disputes, open_store
from urltrap.store.accounts.carrying import carry


def test_a_dispute_is_filed_listed_and_decided(store: Store) -> None:
    first = disputes.file(store, START, "url", "http://198.51.100.7/a", "ada@site.example", "this is ours")
    second = disputes.file(store, START + timedelta(minutes=1), "host", "site.example", "", "cleaned up")
    assert disputes.count_open(store) == 2
    rows, following = disputes.page(store, limit=1)
    assert [row.id for row in rows] == [second]
    rows, following = disputes.page(store, cursor=following, limit=1)
    assert [row.id for row in rows] == [first] and following is None
    later = START + timedelta(hours=1)
    assert disputes.decide(store, first, "upheld", "ada", "you are right", later)
    assert not disputes.decide(store, "nosuch", "upheld", "ada", "", later)
    found = disputes.find(store, first)
    assert found is not None and (found.state, found.decided_by, found.decided_at) == ("upheld", "ada", later)
    assert [row.id for row in disputes.page(store, "open")[0]] == [second]
    assert disputes.decide(store, first, "open", "ada", "", later), "a decision can be taken back"
    again = disputes.find(store, first)
    assert again is not None and again.decided_at is None and again.decided_by == ""
    assert disputes.find(store, "nosuch") is None


def test_what_strangers_write_is_kept_within_bounds(store: Store) -> None:
    id_ = disputes.file(store, START, "other", "a\0b\ud800" + "x" * 9000, "y" * 9000, "z" * 9000)
    found = disputes.find(store, id_)
    assert found is not None and found.subject.startswith("ab?x") and len(found.subject) == 2000
    assert len(found.contact) == 200 and len(found.text) == 4000


def test_a_flood_of_disputes_is_not_taken(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disputes, "MOST_A_DAY", 3)
    for minute in range(3):
        disputes.file(sqlite_store, START + timedelta(minutes=minute), "other", "s", "", "t")
    with pytest.raises(disputes.TooMany):
        disputes.file(sqlite_store, START + timedelta(hours=23), "other", "s", "", "t")
    disputes.file(sqlite_store, START + timedelta(hours=25), "other", "s", "", "t")


def test_disputes_are_taken_along_into_a_new_store(sqlite_store: Store, tmp_path: Path) -> None:
    id_ = disputes.file(sqlite_store, START, "url", "http://198.51.100.7/a", "", "ours")
    fresh = open_store(str(tmp_path / "fresh.db"))
    carry(sqlite_store, fresh)
    assert disputes.find(fresh, id_) == disputes.find(sqlite_store, id_)
    fresh.close()
