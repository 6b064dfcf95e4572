"""How long who was let in stays in, and what is said when that is over or not enough."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import event
from tests.site.auth.conftest import CHEAP, MACHINE, PASSWORD, House, log_in, token_in
from tests.support.stores import empty_store
from tests.support.waiting import eventually

from urltrap.model.settings import Settings
from urltrap.site import live
from urltrap.site.auth import pages, passwords
from urltrap.site.context import Site
from urltrap.store import open_store
from urltrap.store.accounts import keys, sessions, users

POLL = {"HX-Request": "true"}


def test_a_page_that_renews_itself_keeps_no_log_in_alive(house: House) -> None:
    client = house.logged_in("viewer-1")
    for _ in range(9):
        house.later(minutes=55)
        status = client.get("/", headers=POLL).status_code
    assert status == 401, "it was left open for longer than a log-in lasts without use"
    for strange in ({"Sec-Fetch-Mode": "cors"}, {"Sec-Fetch-Mode": "no-cors"}):
        client = house.logged_in("viewer-1")
        house.later(hours=7)
        assert client.get("/api/v1/counters").status_code == 200
        assert client.get("/urls", headers=strange).status_code == 200
        house.later(hours=2)
        assert client.get("/urls").status_code == 303
    client = house.logged_in("viewer-1")
    house.later(hours=7)
    assert client.get("/urls", headers={"Sec-Fetch-Mode": "navigate"}).status_code == 200
    house.later(hours=2)
    assert client.get("/urls").status_code == 200, "a person went to a page in between"


@pytest.mark.parametrize("how", ["log-out", "expiry", "role", "removal", "first-account"])
def test_live_updates_end_with_what_let_them_begin(
    house: House, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(live, "CHECK_SECONDS", 0.0)
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr(live, "_ALIVE_SECONDS", 0.01)
    if how == "first-account":
        for name in ("viewer-1", "analyst-1", "admin-1"):
            users.remove(house.store, name, house.now, MACHINE)
        client = house.client()
    else:
        client = house.logged_in("viewer-1")
    token = client.cookies.get("urltrap-login", "")
    ends: dict[str, Callable[[], Any]] = {
        "log-out": lambda: sessions.end(house.store, token, "viewer-1", house.now, MACHINE),
        "expiry": lambda: house.later(hours=9),
        "role": lambda: users.set_role(house.store, "viewer-1", "analyst", house.now, MACHINE),
        "removal": lambda: users.remove(house.store, "viewer-1", house.now, MACHINE),
        "first-account": lambda: users.add(
            house.store, "ada", "admin", CHEAP.hash(PASSWORD), house.now, MACHINE
        ),
    }
    site: Site = client.app.state.site  # type: ignore[attr-defined]
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.get, "/live")
        asyncio.run(eventually(lambda: site.live._watchers == 1))
        ends[how]()
        text = answer.result(30).text
    assert text.endswith("event: over\ndata: log in again\n\n")


def test_a_log_in_that_slips_in_beside_a_change_of_the_password_is_refused(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    proves = pages._proves

    def slow(*given: Any) -> bool:
        right = proves(*given)
        users.set_password(house.store, "viewer-1", CHEAP.hash("changed meanwhile"), house.now, MACHINE)
        return right

    monkeypatch.setattr(pages, "_proves", slow)
    answer = log_in(house.client(), "viewer-1")
    assert answer.status_code == 401 and "is wrong" in answer.text
    assert "urltrap-login" not in answer.headers.get("set-cookie", "")


@contextlib.contextmanager
def only_read(house: House) -> Iterator[None]:
    """No write gets through to the database, as on a volume that became read-only."""

    def connected(connection: Any, _record: object, _proxy: object) -> None:
        connection.execute("PRAGMA query_only=ON")

    event.listen(house.store.engine, "checkout", connected)
    try:
        yield
    finally:
        event.remove(house.store.engine, "checkout", connected)


def test_a_store_that_takes_no_writes_can_be_read_and_says_so(house: House) -> None:
    client = house.logged_in("viewer-1")
    key = keys.add(house.store, "reader", ["read"], 60, house.now, MACHINE)
    house.later(hours=1)
    assert "takes no writes" not in client.get("/urls").text
    house.later(hours=1)
    with only_read(house):
        page = client.get("/urls")
        assert page.status_code == 200 and "The database takes no writes at the moment" in page.text
        answer = house.client(Authorization=f"Bearer {key}").get("/api/v1/counters")
        assert answer.status_code == 200, "a key is read, too"
        account = client.get("/account")
        assert account.status_code == 200
        form = {"token": token_in(account.text), "password": PASSWORD, "new": "a new and long one"}
        refused = client.post("/account/password", data={**form, "repeated": form["new"]})
        assert refused.status_code == 503 and "cannot be written" in refused.text
        stranger = log_in(house.client(), "viewer-1")
        assert stranger.status_code == 503 and "cannot be written" not in stranger.text


@pytest.mark.parametrize(
    "path", ["/account/password", "/account/codes", "/account/codes/off", "/account/everywhere", "/logout"]
)
def test_what_is_only_sent_to_leads_to_its_form_when_it_is_opened(house: House, path: str) -> None:
    client = house.logged_in("viewer-1")
    answer = client.get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert client.get("/account").status_code == 200, "nothing was done by that"


def test_who_is_not_logged_in_any_more_finds_the_way_to_the_log_in(house: House) -> None:
    client = house.logged_in("viewer-1")
    token = token_in(client.get("/account").text)
    house.later(hours=9)
    page = client.post("/account/password", data={"token": token})
    assert page.status_code == 401 and "Nothing was changed" in page.text
    assert 'href="/login?next=%2Faccount%2Fpassword">Log in</a>' in page.text


def test_who_has_not_the_role_hears_which_one_it_takes(house: House) -> None:
    page = house.logged_in("viewer-1").get("/operations")
    assert page.status_code == 403
    assert "Your role is viewer; this asks for the role analyst, which an admin gives." in page.text


@pytest.mark.parametrize(
    "proxy", ["*", "", "proxy.example", "localhost", "10.0.0.1/8", "0.0.0.0/0", "::/0", "10.0.0.0/4", "unix:"]
)
def test_a_proxy_is_an_address_or_an_exact_network_of_bounded_size(proxy: str) -> None:
    with pytest.raises(ValidationError, match=r"is no address or network of a proxy|is too large"):
        Settings.model_validate({"site": {"trusted_proxies": [proxy]}})


@pytest.mark.parametrize("proxy", ["127.0.0.1", "::1", "10.0.0.0/8", "fd00:1::/64", "192.0.2.7/32"])
def test_addresses_and_networks_of_proxies_are_taken(proxy: str) -> None:
    settings = Settings.model_validate({"site": {"trusted_proxies": [proxy]}})
    assert settings.site.trusted_proxies == [proxy]


@pytest.mark.parametrize("name", ["ada\0", "\0", "a\0' OR 1=1 --", "viewer-1\0"])
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_name_with_a_nul_is_a_wrong_name(kind: str, tmp_path: Path, name: str) -> None:
    with empty_store(kind, tmp_path) as store:
        users.add(store, "viewer-1", "admin", CHEAP.hash(PASSWORD), House(store).now, MACHINE)
        house = House(store)
        answer = log_in(house.client(**{"User-Agent": "x"}), name)
        assert answer.status_code == 401 and "is wrong" in answer.text


def test_the_rate_of_a_key_is_counted_by_each_process_of_the_site_alone(house: House, tmp_path: Path) -> None:
    secret = keys.add(house.store, "slow", ["read"], 2, house.now, MACHINE)
    another = House(open_store(str(tmp_path / "urltrap.db")))

    def asked(one: House) -> list[int]:
        client = one.client(Authorization=f"Bearer {secret}")
        return [client.get("/api/v1/counters").status_code for _ in range(3)]

    assert asked(house) == asked(another) == [200, 200, 429], "docs/accounts.md says so"
    another.store.close()


def test_hashes_are_made_outside_of_transactions(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash takes a tenth of a second, for which nobody else shall wait for the database."""
    held: list[int] = []
    real = passwords.fits

    def fits(password: str, kept: str | None) -> bool:
        held.append(house.store.engine.pool.checkedout())  # type: ignore[attr-defined]
        return real(password, kept)

    monkeypatch.setattr(passwords, "fits", fits)
    log_in(house.client(), "viewer-1")
    assert held == [0]
