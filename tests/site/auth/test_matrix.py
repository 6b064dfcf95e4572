"""Every route × everyone who may ask: a route without a rule is answered to nobody, and fails here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.routing import Mount
from tests.site.auth.conftest import House
from tests.site.conftest import client_of

from urltrap.site.api.routing import PREFIX
from urltrap.site.auth.rules import API_RULES, RULES, Rule, flat, pattern_of
from urltrap.store import open_store
from urltrap.store.accounts.users import ROLES

FILLED = {
    "{session}": "0", "{key}": "00000000", "{sha256}": "0" * 64, "{name}": "txt", "{name:path}": "x",
    "{text}": "192.0.2.1", "{asn}": "64500", "{what}": "url", "{provider}": "urlhaus", "{channel}": "0",
    "{id}": "00000000", "{domain}": "a.example", "{address}": "192.0.2.1", "{host}": "a.example",
}  # fmt: skip
REFUSALS = (401, 403)
Askers = dict[str, Callable[[str, str], int]]


def routes_of() -> list[tuple[str, str, tuple[str, ...]]]:
    """(pattern that has the rule, an address that it answers, methods) of every route."""
    store = open_store("sqlite://")
    app = client_of(store).app
    found = []
    for route in flat(app.routes):  # type: ignore[attr-defined]
        inner = flat(route.routes) if isinstance(route, Mount) and route.path == PREFIX else ()
        if not isinstance(route, Mount):
            found.append((pattern_of(route), pattern_of(route), tuple(sorted(route.methods))))  # type: ignore[attr-defined]
        elif not inner:
            found.append((route.path, f"{route.path}/nothing", ("GET",)))
        for one in inner:
            found.append((PREFIX, PREFIX + pattern_of(one), tuple(sorted(one.methods))))  # type: ignore[attr-defined]
    store.close()
    return found


ROUTES = routes_of()


def address_of(pattern: str) -> str:
    for name, value in FILLED.items():
        pattern = pattern.replace(name, value)
    return pattern


def ruling(pattern: str, path: str) -> Rule:
    """The rule of a route; an address of the API may have one of its own."""
    return API_RULES.get(path.removeprefix(PREFIX), RULES[PREFIX]) if pattern == PREFIX else RULES[pattern]


def test_every_route_has_a_rule_and_every_rule_a_route() -> None:
    assert {pattern for pattern, _, _ in ROUTES} == set(RULES)
    assert set(API_RULES) <= {path.removeprefix(PREFIX) for pattern, path, _ in ROUTES if pattern == PREFIX}
    assert len([path for _, path, _ in ROUTES if path.startswith(PREFIX)]) > 15, "the API is walked, too"
    assert not any("{" in address_of(path) for _, path, _ in ROUTES), "name a value for it in FILLED"


@pytest.mark.parametrize(
    "who", ["nobody", "viewer", "analyst", "admin", "key:read", "key:feeds", "key:analyst"]
)
def test_each_is_answered_what_the_rules_say_and_nothing_else(askers: Askers, who: str) -> None:
    wrong = []
    for pattern, path, methods in ROUTES:
        rule = ruling(pattern, path)
        if path == "/live":
            continue  # its answer has no end; who may not see it is asked for below
        for method in methods:
            status = askers[who](method, address_of(path))
            login = (
                status == 303 and method in ("GET", "HEAD") and (who == "nobody" or who.startswith("key:"))
            )
            refused = status in REFUSALS or login
            if rule.role is None:
                allowed = True
            elif who.startswith("key:"):
                allowed = rule.scope == who.removeprefix("key:")
            else:
                allowed = who in ROLES and ROLES.index(who) >= ROLES.index(rule.role)  # type: ignore[arg-type]
            if rule.right is not None:
                allowed = False  # nobody here was given it; who was is asked in test_parcels
            if method == "POST":
                # No form was sent along: for who is allowed, that is what is wrong with it.
                fits = status == 415 if allowed else status in REFUSALS
            else:
                fits = refused != allowed
            if not fits:
                wrong.append((method, path, status))
    assert wrong == []


def test_who_is_not_logged_in_hears_no_live_updates_and_not_what_there_is(house: House) -> None:
    client = house.client()
    assert client.get("/live").status_code == 401
    there, absent = client.get("/sessions/x"), client.get("/no/such/page")
    assert there.status_code == absent.status_code == 303
    assert there.headers["location"].startswith("/login?next=")


@pytest.mark.parametrize(
    "path",
    ["/sessions/../audit", "//audit", "/audit/", "/%61udit", "/audit%2f", "/static/../audit", "/AUDIT"],
)
def test_no_other_spelling_of_an_address_gets_past_its_rule(house: House, path: str) -> None:
    assert "What was done" not in house.logged_in("viewer-1").get(path).text


def test_a_site_without_users_is_open_to_its_machine_alone(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "urltrap.db"))
    house = House(store)
    assert house.client().get("/audit").status_code == 200
    for name in ("X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"):
        assert house.client(**{name: "192.0.2.9"}).get("/").status_code == 403, "a proxy lets others in"
    house.settings = house.settings.model_validate({"site": {"listen": "0.0.0.0:8080"}})
    client = house.client()
    assert client.get("/").status_code == client.get("/login").status_code == 403
    assert client.get("/api/v1/counters").status_code == 403 and client.get("/healthz").status_code == 200
    store.close()
