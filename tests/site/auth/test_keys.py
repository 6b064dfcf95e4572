from __future__ import annotations

import pytest
from tests.site.auth.conftest import MACHINE, House

from urltrap.site.auth.limits import KeyLimits
from urltrap.store.accounts import keys
from urltrap.store.accounts.users import AccountError


def test_a_key_reads_the_api_and_an_unknown_one_is_a_problem(house: House) -> None:
    secret = keys.add(house.store, "reader", ["read"], 60, house.now, MACHINE)
    assert secret.startswith("urltrap_") and len(secret) > 40
    answer = house.client(Authorization=f"Bearer {secret}").get("/api/v1/counters")
    assert answer.status_code == 200
    for header in (
        "Bearer urltrap_nothing",
        f"Bearer {secret}x",
        f"Basic {secret}",
        "Bearer",
        f"Bearer {secret[8:]}",
    ):
        answer = house.client(Authorization=header).get("/api/v1/counters")
        assert answer.status_code == 401 and answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"].startswith("Bearer")
    keys.remove(house.store, "reader", house.now, MACHINE)
    assert house.client(Authorization=f"Bearer {secret}").get("/api/v1/counters").status_code == 401


def test_a_scope_opens_what_it_says_alone(house: House) -> None:
    feeds = keys.add(house.store, "feeds", ["feeds"], 60, house.now, MACHINE)
    client = house.client(Authorization=f"bearer {feeds}")
    assert client.get("/feed.txt").status_code == 200
    refused = client.get("/api/v1/urls")
    assert refused.status_code == 403 and "asks for read" in refused.json()["detail"]
    assert client.get("/urls").status_code == 303, "pages are for people"
    assert client.post("/api/v1/urls").status_code == 403
    both = keys.add(house.store, "both", ["read", "feeds"], 60, house.now, MACHINE)
    client = house.client(Authorization=f"Bearer {both}")
    assert client.get("/feed.txt").status_code == client.get("/api/v1/urls").status_code == 200


def test_a_key_may_ask_so_often_a_minute_and_hears_when_again(house: House) -> None:
    secret = keys.add(house.store, "slow", ["read"], 3, house.now, MACHINE)
    other = keys.add(house.store, "other", ["read"], 3, house.now, MACHINE)
    client = house.client()
    found = [client.get("/api/v1/counters", headers={"Authorization": f"Bearer {secret}"}) for _ in range(5)]
    assert [answer.status_code for answer in found] == [200, 200, 200, 429, 429]
    assert found[3].headers["content-type"] == "application/problem+json"
    assert 1 <= int(found[3].headers["retry-after"]) <= 60
    assert client.get("/api/v1/counters", headers={"Authorization": f"Bearer {other}"}).status_code == 200


def test_a_key_is_counted_apart_from_others() -> None:
    limits = KeyLimits()
    assert [limits.wait("a", 2) for _ in range(2)] == [0, 0]
    assert limits.wait("a", 2) > 0 and limits.wait("b", 2) == 0


def test_what_is_kept_is_a_hash_and_a_name_is_taken_once(house: House) -> None:
    secret = keys.add(house.store, "one", ["read"], 60, house.now, MACHINE)
    (kept,) = keys.all_keys(house.store)
    assert kept.used is None and secret not in repr(kept)
    assert keys.find(house.store, secret) == kept
    keys.touch(house.store, kept, house.now)
    assert keys.all_keys(house.store)[0].used == house.now
    for name, scopes, rate in (("one", ["read"], 60), ("two", ["write"], 60), ("two", [], 60), ("t w", ["read"], 60),
                               ("two", ["read"], 0)):  # fmt: skip
        with pytest.raises(AccountError):
            keys.add(house.store, name, scopes, rate, house.now, MACHINE)
