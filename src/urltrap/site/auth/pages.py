"""The pages of accounts: log-in, one's own account, the log of what was done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request
from fastapi import Query as FromQuery
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import StringConstraints

from urltrap.site.auth import onetime, passwords
from urltrap.site.auth.cookies import FORM, LOGIN, cookie_name, drop_cookie, set_cookie
from urltrap.site.auth.forms import form_of, with_cookie
from urltrap.site.auth.identity import Identity, identity_of
from urltrap.site.auth.lasting import lifetime_of
from urltrap.site.context import Site, render, site_of
from urltrap.site.pages.queries import Cursor, Query, get
from urltrap.store.accounts import audit, keys, sessions, users, waits
from urltrap.store.accounts.audit import Actor
from urltrap.store.accounts.users import User

router = APIRouter()

Form = Annotated[Mapping[str, str], Depends(form_of)]


class LoginQuery(Query):
    """Where to go on to."""

    next: Annotated[str, StringConstraints(max_length=4000)] = "/"


class AuditQuery(Query):
    """The place in the list."""

    cursor: Cursor = None


class NoQuery(Query):
    """Nothing is asked."""


def local(path: str) -> str:
    """A path of this site to go on to; "/" for an address that leads elsewhere (no open redirect), or to the log-in."""
    if not path.startswith("/") or path.startswith("//") or not path.isprintable() or "\\" in path:
        return "/"
    parts = urlsplit(path)
    if parts.scheme or parts.netloc:
        return "/"
    return "/" if parts.path in ("/login", "/logout") else path


@get(router, "/login")
def login_page(request: Request, query: Annotated[LoginQuery, FromQuery()]) -> Response:
    """The form; who is logged in already goes on."""
    who = identity_of(request)
    if who.role is not None and not who.open_house:
        return RedirectResponse(local(query.next), 303)
    return _login_page(request, next=query.next)


@router.post("/login")
def login(request: Request, form: Form) -> Response:
    """Log in, or say no: always the same, whatever was wrong."""
    site, who = site_of(request), identity_of(request)
    name, aim = form.get("name", "").strip().lower()[:64], form.get("next", "/")
    if who.open_house:
        return _login_page(request, status=403, next=aim)
    now = site.now()
    subjects = [waits.of_address(who.address), waits.of_name(name)]
    tried = waits.begin_try(site.store, subjects, now)
    if tried.pause is not None:
        seconds = max(1, round(tried.pause.total_seconds()))
        answer = _login_page(
            request, status=429, next=aim, name=name,
            problem=f"Too many tries: the next one is looked at in {seconds} s. This one was not.",
        )  # fmt: skip
        answer.headers["Retry-After"] = str(seconds)
        return answer
    user = users.find(site.store, name)
    actor = Actor(user.name if user else "(nobody)", who.address)
    token = _begin(request, user, form, tried) if user is not None and _proves(site, user, form) else None
    if token is None:
        with site.store.begin() as connection:
            # What was typed for a name may be a password: only known names are written down.
            audit.note(connection, now, actor, "login.failed", user.name if user else "(no such user)")
        return _login_page(
            request, status=401, next=aim, name=name, problem="Name, password or code is wrong."
        )
    answer = RedirectResponse(local(aim), 303)
    set_cookie(request, answer, cookie_name(request, LOGIN), token)
    drop_cookie(request, answer, FORM)
    return answer


@router.post("/logout")
def logout(request: Request, form: Form) -> Response:
    """End this log-in."""
    site, who = site_of(request), identity_of(request)
    sessions.end(site.store, who.token, who.name, site.now(), who.actor)
    return _out(request)


@router.post("/account/everywhere")
def everywhere(request: Request, form: Form) -> Response:
    """End all log-ins of this user."""
    site, who = site_of(request), identity_of(request)
    sessions.end_all(site.store, who.name, site.now(), who.actor)
    return _out(request)


@get(router, "/account")
def account(request: Request, query: Annotated[NoQuery, FromQuery()]) -> HTMLResponse:
    """One's own account."""
    return _account_page(request)


@get(router, "/account/password")
@get(router, "/account/codes")
@get(router, "/account/codes/off")
@get(router, "/account/everywhere")
@get(router, "/logout")
def back_to_account(request: Request) -> Response:
    """What is only sent to was opened as a page (again after a log-in, or typed): its form is on the account page."""
    return RedirectResponse("/account", 303)


@router.post("/account/password")
def change_password(request: Request, form: Form) -> Response:
    """Another password, for who knows the one that there is. All other log-ins end."""
    site, who = site_of(request), identity_of(request)
    again = _asked_again(request, form)
    if again is not None:
        return again
    new = form.get("new", "")
    problem = passwords.problem_with(new, who.name)
    if not problem and new != form.get("repeated", ""):
        problem = "The new password was typed differently the second time."
    if problem:
        return _account_page(request, status=422, problem=problem)
    kept = passwords.hash_of(new)
    users.set_password(site.store, who.name, kept, site.now(), who.actor, keep=sessions.digest(who.token))
    return _account_page(request, done="The password is changed, and all other log-ins have ended.")


@router.post("/account/codes")
def codes(request: Request, form: Form) -> Response:
    """Ask for one-time codes from now on: first shows the secret, then takes a code made with it."""
    site, who = site_of(request), identity_of(request)
    sealer = site.sealer
    if sealer is None or who.open_house:
        return _account_page(request, status=422, problem="One-time codes cannot be kept by this site.")
    sealed = form.get("sealed", "")
    if not sealed:
        again = _asked_again(request, form)
        if again is not None:
            return again
        secret = onetime.new_secret()
        return _codes_page(request, secret, sealer.seal(f"{who.name} {secret}"))
    name, _, secret = (sealer.open(sealed) or "").partition(" ")
    if name != who.name or not secret:
        return _account_page(request, status=422, problem="The form is out of date; begin again.")
    step = onetime.step_of(secret, form.get("code", ""), site.now())
    if step is None:
        return _codes_page(request, secret, sealed, status=422, problem="This is not the code of now.")
    users.set_totp(site.store, who.name, sealer.seal(secret), step, site.now(), who.actor)
    return _account_page(request, done="From now on a log-in asks for a code.")


@router.post("/account/codes/off")
def codes_off(request: Request, form: Form) -> Response:
    """Ask for no codes any more."""
    site, who = site_of(request), identity_of(request)
    again = _asked_again(request, form)
    if again is not None:
        return again
    users.set_totp(site.store, who.name, "", 0, site.now(), who.actor)
    return _account_page(request, done="A log-in asks for no code any more.")


@get(router, "/users")
def users_page(request: Request, query: Annotated[NoQuery, FromQuery()]) -> HTMLResponse:
    """Who may log in, and which programs may ask; they are changed on the machine."""
    store = site_of(request).store
    with store.snapshot():
        return render(
            request,
            "users.html",
            rows=users.all_users(store),
            used=sessions.last_used(store),
            keys=keys.all_keys(store),
        )


@get(router, "/audit")
def audit_page(request: Request, query: Annotated[AuditQuery, FromQuery()]) -> HTMLResponse:
    """Who did what, when, from where."""
    entries, following = audit.page(site_of(request).store, query.cursor)
    return render(request, "audit.html", entries=entries, cursor=query.cursor, following=following)


def _begin(request: Request, user: User, form: Mapping[str, str], tried: waits.Try) -> str | None:
    """Log in who has proved to be this user: the token; None where the password was changed in the meantime."""
    site = site_of(request)
    agent = "".join(char for char in request.headers.get("user-agent", "") if char.isprintable())
    actor = Actor(user.name, identity_of(request).address)
    token = sessions.begin(site.store, user, agent, lifetime_of(site.settings.site), tried.at, actor)
    if token is None:
        return None
    waits.succeeded(site.store, tried)
    if passwords.weak(user.password_hash):
        kept = passwords.hash_of(form.get("password", ""))
        users.renew_hash(site.store, user.name, user.password_hash, kept)
    return token


def _proves(site: Site, user: User | None, form: Mapping[str, str]) -> bool:
    """Whether who logs in is this user: by password, and code where one is asked for."""
    if not passwords.fits(form.get("password", ""), user.password_hash if user else None) or user is None:
        return False
    if user.totp:
        secret = site.sealer.open(user.totp) if site.sealer else None
        step = onetime.step_of(secret, form.get("code", ""), site.now()) if secret else None
        return step is not None and users.take_step(site.store, user.name, step)
    return True


def _asked_again(request: Request, form: Mapping[str, str]) -> Response | None:
    """A refusal where who is logged in does not know the password: a page left open is not its user."""
    site, who = site_of(request), identity_of(request)
    user = users.find(site.store, who.name)
    now = site.now()
    subjects = [waits.of_login(who.token)]  # strangers who guess the name must not keep its user from this
    tried = waits.begin_try(site.store, subjects, now)
    if tried.pause is not None:
        answer = _account_page(request, status=429, problem="Too many wrong passwords; wait a moment.")
        answer.headers["Retry-After"] = str(max(1, round(tried.pause.total_seconds())))
        return answer
    if user is None or not passwords.fits(form.get("password", ""), user.password_hash):
        return _account_page(
            request, status=422, problem="The present password is wrong; nothing was changed."
        )
    waits.succeeded(site.store, tried)
    return None


def _out(request: Request) -> Response:
    answer = RedirectResponse("/login", 303)
    drop_cookie(request, answer, LOGIN)
    answer.headers["Clear-Site-Data"] = '"cache"'
    return answer


def _login_page(request: Request, *, status: int = 200, **values: Any) -> Response:
    shown = {"name": "", "problem": "", "next": "/", **values}
    request.scope["urltrap.identity"] = _nobody_of(identity_of(request))
    return with_cookie(request, render(request, "login.html", status=status, **shown))


def _nobody_of(who: Identity) -> Identity:
    """Who stands before the log-in, without a log-in that has run out (its token would make the form's)."""
    return Identity(address=who.address, open_house=who.open_house)


def _account_page(request: Request, *, status: int = 200, problem: str = "", done: str = "") -> HTMLResponse:
    site, who = site_of(request), identity_of(request)
    there = [] if who.open_house else sessions.of_user(
        site.store, who.name, lifetime_of(site.settings.site), site.now()
    )  # fmt: skip
    return render(
        request, "account.html", status=status, problem=problem, done=done, user=users.find(site.store, who.name),
        logged_in=there, mine=sessions.digest(who.token), can_codes=site.sealer is not None,
    )  # fmt: skip


def _codes_page(
    request: Request, secret: str, sealed: str, *, status: int = 200, problem: str = ""
) -> HTMLResponse:
    who = identity_of(request)
    spaced = " ".join(secret[place : place + 4] for place in range(0, len(secret), 4))
    return render(
        request, "codes.html", status=status, secret=spaced, sealed=sealed, problem=problem,
        picture=onetime.picture(secret, who.name),
    )  # fmt: skip
