"""The gate before every route: finds out who asks, and whether that is answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import quote

import structlog
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from urltrap.model.settings import SiteSettings
from urltrap.site.api.problems import problem
from urltrap.site.auth.cookies import LOGIN, cookie_of
from urltrap.site.auth.identity import Identity
from urltrap.site.auth.lasting import lifetime_of
from urltrap.site.auth.limits import KeyLimits
from urltrap.site.auth.rules import Rule, rule_of
from urltrap.site.security import is_loopback
from urltrap.store import Store, StoreError
from urltrap.store.accounts import keys, sessions, users
from urltrap.store.accounts.sessions import Lifetime

log = structlog.get_logger()

_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
_SAFE = ("GET", "HEAD")
_MAKE_ONE = "Make one on the machine: urltrap user add NAME --role admin"


@dataclass(frozen=True, slots=True)
class House:
    """What the gate knows of the site."""

    store: Store
    settings: SiteSettings
    listen: str
    now: Callable[[], datetime]
    limits: KeyLimits
    refused: Callable[[Request, int, str], Response]
    """Makes the page of a refusal: status, and why."""
    away: Callable[[Request, StoreError], Response]
    """Makes the page for a store that does not answer."""

    @property
    def lifetime(self) -> Lifetime:
        """How long log-ins last."""
        return lifetime_of(self.settings)

    @property
    def may_be_open(self) -> bool:
        """Whether a site without users is open to whoever reaches it."""
        return is_loopback(self.listen) and not self.settings.trusted_proxies


class Gate:
    """ASGI middleware. `routes`: those that are asked for, once the application has them all."""

    def __init__(self, app: ASGIApp, house: House, routes: Callable[[], Sequence[BaseRoute]]) -> None:
        self._app = app
        self._house = house
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        rule = rule_of(self._routes(), scope)
        try:
            refusal = await to_thread.run_sync(self._decide, request, rule)
        except StoreError as error:
            refusal = self._away(request, rule, error)
        await (refusal or self._app)(scope, receive, send)

    def _decide(self, request: Request, rule: Rule | None) -> Response | None:
        house = self._house
        who = Identity(address=request.client.host if request.client else "")
        if rule is None:
            return house.refused(request, 403, "This page has no rule of who may see it.")
        if rule.role is None and not request.url.path.startswith("/login"):
            return None
        with house.store.snapshot():  # one connection for all that is asked
            return self._look(request, who, rule)

    def _look(self, request: Request, who: Identity, rule: Rule) -> Response | None:
        house = self._house
        if not users.any_user(house.store):
            return self._without_users(request, who, rule)
        presented = _bearer(request)
        if presented and rule.scope is not None:
            return self._by_key(request, who, rule, presented)
        token = cookie_of(request, LOGIN)
        if token:
            held = sessions.held(house.store, token, house.lifetime, house.now())
            if held is not None:
                who = replace(
                    who, name=held.user.name, role=held.user.role, token=token, rights=held.user.right_set
                )
                if rule.kind == "page" and _by_hand(request):
                    who = replace(
                        who, unwritable=not _written(sessions.touch, house.store, token, held, house.now())
                    )
        request.scope["urltrap.identity"] = who
        if rule.role is None:
            return None
        if who.role is None:
            return self._unknown(request, rule)
        if rule.right is not None and rule.right not in who.rights:
            return self._no(
                request, rule, 403,
                f"This asks for the right {rule.right}, which an admin gives to a person by name: urltrap user allow "
                f"{who.name or 'NAME'} {rule.right}",
            )  # fmt: skip
        if not who.has(rule.role):
            return self._no(
                request,
                rule,
                403,
                f"Your role is {who.role}; this asks for the role {rule.role}, which an admin gives.",
            )
        return None

    def _without_users(self, request: Request, who: Identity, rule: Rule) -> Response | None:
        if not self._house.may_be_open:
            return self._no(request, rule, 403, f"There is no account yet. {_MAKE_ONE}.")
        if any(name in request.headers for name in _FORWARDED):
            return self._no(
                request, rule, 403,
                f"This came through a proxy, and there is no account yet. {_MAKE_ONE}, and name the proxy in "
                "site.trusted_proxies.",
            )  # fmt: skip
        request.scope["urltrap.identity"] = replace(who, name="(open)", role="admin", open_house=True)
        if rule.right is not None:
            return self._no(request, rule, 403, f"This is given to people by name: {_MAKE_ONE}.")
        return None

    def _by_key(self, request: Request, who: Identity, rule: Rule, presented: str) -> Response | None:
        house = self._house
        key = keys.find(house.store, presented)
        if key is None:
            return _challenge("The key is not known here; it may have been removed.", error="invalid_token")
        if request.method not in _SAFE or rule.scope not in key.scopes:
            return problem(
                403, f"The key has the scopes {', '.join(sorted(key.scopes))}; this asks for {rule.scope}."
            )
        seconds = house.limits.wait(key.name, key.per_minute)
        if seconds:
            answer = problem(
                429, f"The key may ask {key.per_minute} times a minute. Ask again in {seconds} s."
            )
            answer.headers["Retry-After"] = str(seconds)
            return answer
        _written(keys.touch, house.store, key, house.now())
        request.scope["urltrap.identity"] = replace(who, name=f"key {key.name}", scopes=key.scopes)
        return None

    def _away(self, request: Request, rule: Rule | None, error: StoreError) -> Response:
        """Who asks cannot be found out. What is wrong is told where only this machine can ask."""
        if self._house.may_be_open and rule is not None and rule.scope != "read":
            return self._house.away(request, error)
        text = "The database does not answer at the moment; nothing is lost. Ask again."
        answer: Response = Response(text + "\n", 503, media_type="text/plain")
        if rule is not None and rule.kind == "program":
            answer = problem(503, text)
        answer.headers["Retry-After"] = "5"
        return answer

    def _unknown(self, request: Request, rule: Rule) -> Response:
        if rule.scope is not None:
            return _challenge("Send a key as Authorization: Bearer, or log in. Keys: urltrap key add NAME")
        if rule.kind == "program" or request.method not in _SAFE or request.headers.get("hx-request"):
            return self._no(
                request, rule, 401, "The log-in has ended, or there was none. Nothing was changed."
            )
        query = request.url.query
        wanted = request.url.path + (f"?{query}" if query else "")
        aim = "/login" if wanted == "/" else f"/login?next={quote(wanted, safe='')}"
        return RedirectResponse(aim, 303)

    def _no(self, request: Request, rule: Rule, status: int, why: str) -> Response:
        if rule.kind == "program":
            return problem(status, why)
        return self._house.refused(request, status, why)


def _by_hand(request: Request) -> bool:
    """Whether a person went to this page or sent this form; a page that renews itself is not used by that."""
    mode = request.headers.get("sec-fetch-mode", "navigate")  # older browsers do not say
    return mode == "navigate" and "hx-request" not in request.headers


def _written(write: Callable[..., None], *values: object) -> bool:
    """Whether it could be kept that a log-in or a key was used. Where not, what is there can be read all the same."""
    try:
        write(*values)
    except StoreError as error:
        log.warning("the use of a log-in or key is not kept", error=str(error))
        return False
    return True


def _bearer(request: Request) -> str:
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    return value.strip() if kind.lower() == "bearer" else ""


def _challenge(why: str, error: str = "") -> Response:
    answer = problem(401, why)
    answer.headers["WWW-Authenticate"] = 'Bearer realm="urltrap"' + (f', error="{error}"' if error else "")
    return answer
