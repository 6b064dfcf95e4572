"""What each route asks for. A route that is not named here is answered to nobody, and fails the tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from urltrap.site.api.routing import PREFIX
from urltrap.store.accounts.keys import Scope as KeyScope
from urltrap.store.accounts.users import Right, Role

Kind = Literal["page", "program"]


@dataclass(frozen=True, slots=True)
class Rule:
    """Who is answered: everyone, or users from `role` on and keys with `scope`.

    `kind`: who is refused at a page is led to the log-in, a program gets a status and a problem in JSON.
    `right`: what a user must have been given by name, besides the role.
    """

    role: Role | None
    scope: KeyScope | None = None
    kind: Kind = "page"
    right: Right | None = None


EVERYONE = Rule(None)
VIEWER = Rule("viewer")
ANALYST = Rule("analyst")
ADMIN = Rule("admin")
PAYLOADS = Rule("viewer", right="payloads")
STREAM = Rule("viewer", kind="program")
FEED = Rule("viewer", "feeds", "program")
READ = Rule("viewer", "read", "program")
DESK = Rule("analyst", "analyst", "program")

RULES: dict[str, Rule] = {
    "/healthz": EVERYONE,
    "/login": EVERYONE,
    "/static": EVERYONE,
    "/static/build": EVERYONE,
    "/logout": VIEWER,
    "/account": VIEWER,
    "/account/password": VIEWER,
    "/account/codes": VIEWER,
    "/account/codes/off": VIEWER,
    "/account/everywhere": VIEWER,
    "/users": ADMIN,
    "/audit": ADMIN,
    PREFIX: READ,
    "/": VIEWER,
    "/live": STREAM,
    "/sessions": VIEWER,
    "/sessions/{session}": VIEWER,
    "/sessions/{session}/replay": VIEWER,
    "/sessions/{session}/recording.cast": VIEWER,
    "/logins": VIEWER,
    "/urls": VIEWER,
    "/urls/{key}": VIEWER,
    "/artifacts": VIEWER,
    "/artifacts/{sha256}": VIEWER,
    "/artifacts/{sha256}/payload": PAYLOADS,
    "/families": VIEWER,
    "/families/{name:path}": VIEWER,
    "/campaigns": VIEWER,
    "/campaigns/{name}": VIEWER,
    "/hosts/{name}": VIEWER,
    "/addresses/{text}": VIEWER,
    "/networks/{asn}": VIEWER,
    "/domains": VIEWER,
    "/domains/{name}": VIEWER,
    "/urls/{key}/decision": ANALYST,
    "/review": ANALYST,
    "/allow-list": ANALYST,
    "/allow-list/remove": ANALYST,
    "/disputes": ANALYST,
    "/disputes/{id}": ANALYST,
    "/operations": ANALYST,
    "/feeds": VIEWER,
    "/feed.{name}": FEED,
    "/api": VIEWER,
}
"""Route → rule, by the route's own pattern; what is mounted has one for all that is in it."""

API_RULES: dict[str, Rule] = {
    "/review": DESK,
    "/urls/{id}/decisions": DESK,
    "/allow-list": DESK,
    "/disputes": DESK,
    "/disputes/{id}": DESK,
    "/operations/sensors": DESK,
    "/operations/stages": DESK,
    "/operations/journals": DESK,
    "/operations/providers": DESK,
}
"""Those addresses of the API, below its prefix, that ask for more than the API as a whole."""


def flat(routes: Iterable[BaseRoute]) -> Iterator[BaseRoute]:
    """Routes one by one, those of included routers in their place."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is None:
            yield route
        else:
            yield from flat(included.routes)


def pattern_of(route: BaseRoute) -> str:
    """What `RULES` names a route by."""
    return str(getattr(route, "path", "?"))


def rule_of(routes: Iterable[BaseRoute], scope: Scope) -> Rule | None:
    """The rule of that one of the (flat) routes which answers this request; None where it has none.

    What no route answers is told to users only, too: whoever asks learns nothing of what there is.
    """
    partial: list[Rule | None] = []
    for route in routes:
        match, inner = route.matches(scope)
        if match is Match.NONE:
            continue
        pattern = pattern_of(route)
        rule = RULES.get(pattern)
        if rule is not None and pattern == PREFIX:
            rule = _inside(route, {**scope, **inner}, rule)
        if match is Match.FULL:
            return rule
        partial.append(rule)
    return partial[0] if partial else VIEWER


def _inside(mount: BaseRoute, scope: Scope, rule: Rule) -> Rule:
    """The rule of that route of the API which answers, or refuses the method; `rule` where none has one of its own."""
    for route in flat(getattr(mount, "routes", ())):
        if route.matches(scope)[0] is not Match.NONE and (own := API_RULES.get(pattern_of(route))):
            return own
    return rule
