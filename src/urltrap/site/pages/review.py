"""What people decide: the queue of suspicious URLs, a decision about one URL, the allow-list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from fastapi import Query as FromQuery
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from urltrap.model.decisions import (
    LONGEST_NOTE,
    URL_DECISIONS,
    BadEntry,
    ListDecision,
    UrlDecision,
    allow_entry,
)
from urltrap.site.auth.forms import form_of
from urltrap.site.auth.identity import identity_of
from urltrap.site.auth.pages import local
from urltrap.site.context import render, site_of
from urltrap.site.desk import CannotDecide
from urltrap.site.pages.errors import Missing
from urltrap.site.pages.groups import NothingAsked
from urltrap.site.pages.queries import Blank, Cursor, Query, get
from urltrap.store import decisions, disputes
from urltrap.store.accounts import audit
from urltrap.store.queries import urls as url_queries

router = APIRouter()

Form = Annotated[Mapping[str, str], Depends(form_of)]
_ROWS = 20


class QueueQuery(Query):
    """Which part of the queue."""

    state: Annotated[Literal["open", "left"] | None, Blank] = None
    cursor: Cursor = None


@get(router, "/review")
def review(request: Request, query: Annotated[QueueQuery, FromQuery()]) -> HTMLResponse:
    """Suspicious URLs that wait for somebody's eyes."""
    store = site_of(request).store
    with store.snapshot():
        page = decisions.queue(store, query.state or "open", query.cursor, _ROWS)
        return render(
            request,
            "review.html",
            page=page,
            query=query,
            state=query.state or "open",
            reasons=decisions.reasons(store, [row.id for row in page.rows]),
            **tabs(request),
        )


@get(router, "/urls/{key}/decision")
def decision_page(request: Request, key: str) -> Response:
    """The form for it stands on the URL's own page."""
    return RedirectResponse(f"/urls/{key if key.isalnum() else ''}", 303)


@router.post("/urls/{key}/decision")
def decide(request: Request, key: str, form: Form) -> Response:
    """Decide about one URL."""
    detail = url_queries.detail(site_of(request).store, key)
    if detail is None:
        raise Missing("URL", "/review")
    made = next((one for one in URL_DECISIONS if one == form.get("decision")), None)
    if made is None:
        raise HTTPException(422, f"Choose one of {', '.join(URL_DECISIONS)}.")
    write_down(request, detail.row.url, made, note_of(form))
    return RedirectResponse(
        local(form.get("back", "")) if form.get("back") else f"/urls/{detail.row.id}", 303
    )


@get(router, "/allow-list")
def allow_list(request: Request, query: Annotated[NothingAsked, FromQuery()]) -> HTMLResponse:
    """Hosts that never become malicious, and why."""
    return _list_page(request)


@router.post("/allow-list")
def allow(request: Request, form: Form) -> Response:
    """Put a host, a domain, an address or a network on the list."""
    text = form.get("entry", "")
    try:
        entry = allow_entry(text)
    except BadEntry as error:
        return _list_page(request, status=422, problem=str(error), entry=text[:300])
    note = note_of(form)
    if not note:
        return _list_page(request, status=422, problem="Say why, for whoever asks later.", entry=entry)
    write_down(request, entry, "allow", note)
    return RedirectResponse("/allow-list", 303)


@get(router, "/allow-list/remove")
def back_to_list(request: Request) -> Response:
    """The form for it stands on the list."""
    return RedirectResponse("/allow-list", 303)


@router.post("/allow-list/remove")
def disallow(request: Request, form: Form) -> Response:
    """Take an entry off the list."""
    site = site_of(request)
    entry = form.get("entry", "")
    with site.store.connect() as connection:
        there = entry in decisions.allow_list(connection).entries
    if not there:
        return _list_page(request, status=422, problem="This is not on the list (any more).")
    write_down(request, entry, "disallow", note_of(form))
    return RedirectResponse("/allow-list", 303)


def write_down(request: Request, subject: str, made: UrlDecision | ListDecision, note: str) -> None:
    """Keep a decision in the journal, and in the log of what was done."""
    site, who = site_of(request), identity_of(request)
    try:
        site.desk.decide(subject, made, who.actor.name, note)
    except CannotDecide as error:
        raise HTTPException(503, f"Nothing was decided: {error}") from error
    with site.store.begin() as connection:
        audit.note(connection, site.now(), who.actor, f"decision.{made}", subject, note)


def note_of(form: Mapping[str, str]) -> str:
    """The note of a form, without what no text has."""
    kept = "".join(char for char in form.get("note", "") if char.isprintable() or char in "\n\t")
    return kept.encode("utf-8", "replace").decode().strip()[:LONGEST_NOTE]


def tabs(request: Request) -> dict[str, Any]:
    """How much waits, for the tabs above these pages."""
    site = site_of(request)
    return {
        "waiting": decisions.count_open(site.store),
        "open_disputes": disputes.count_open(site.store),
        "desk": site.desk,
    }


def _list_page(request: Request, *, status: int = 200, problem: str = "", entry: str = "") -> HTMLResponse:
    site = site_of(request)
    with site.store.snapshot():
        with site.store.connect() as connection:
            entries = decisions.allow_list(connection).entries
        rows = sorted(entries.values(), key=lambda made: made.at, reverse=True)
        return render(
            request,
            "allow_list.html",
            status=status,
            rows=rows,
            problem=problem,
            entry=entry,
            **tabs(request),
        )
