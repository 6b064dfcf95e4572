"""The inbox of disputes: what strangers say against an entry, and what was answered."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Query as FromQuery
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from urltrap.model.decisions import BadEntry, allow_entry
from urltrap.model.url import UrlError, canonical, parse_url
from urltrap.site.auth.identity import identity_of
from urltrap.site.context import render, site_of
from urltrap.site.pages.errors import Missing
from urltrap.site.pages.groups import NothingAsked
from urltrap.site.pages.queries import Blank, Cursor, Query, get
from urltrap.site.pages.review import Form, note_of, tabs, write_down
from urltrap.site.public.search import refanged
from urltrap.store import Store, disputes
from urltrap.store.accounts import audit
from urltrap.store.disputes import STATES, Dispute, State
from urltrap.store.queries import urls as url_queries

router = APIRouter()


class DisputesQuery(Query):
    """Which disputes."""

    state: Annotated[State | None, Blank] = None
    cursor: Cursor = None


@get(router, "/disputes")
def inbox(request: Request, query: Annotated[DisputesQuery, FromQuery()]) -> HTMLResponse:
    """Disputes, newest first."""
    store = site_of(request).store
    rows, following = disputes.page(store, query.state, query.cursor)
    return render(
        request,
        "disputes.html",
        refanged=refanged,
        rows=rows,
        following=following,
        query=query,
        filters=query.filters(),
        **tabs(request),
    )


@get(router, "/disputes/{id}")
def dispute(request: Request, id: str, query: Annotated[NothingAsked, FromQuery()]) -> HTMLResponse:
    """One dispute, what it is about, and the answer."""
    return _page(request, id)


@router.post("/disputes/{id}")
def answer(request: Request, id: str, form: Form) -> Response:
    """Decide a dispute; where it is right, with what follows from it."""
    site, who = site_of(request), identity_of(request)
    found = _found(site.store, id)
    state = next((one for one in STATES if one == form.get("state")), None)
    follows = form.get("follows", "")
    if state is None:
        raise HTTPException(422, f"Choose one of {', '.join(STATES)}.")
    note = note_of(form)
    if state != "open" and not note:
        return _page(request, id, status=422, problem="Write an answer: why it was decided so.")
    if state == "upheld" and follows:
        url, host = subject_of(found)
        if follows == "benign" and url:
            write_down(request, url, "benign", f"dispute {found.id}: {note}")
        elif follows == "allow" and host:
            write_down(request, host, "allow", f"dispute {found.id}: {note}")
        else:
            return _page(request, id, status=422, problem="This does not follow from what it is about.")
    disputes.decide(site.store, found.id, state, who.actor.name, note, site.now())
    with site.store.begin() as connection:
        audit.note(connection, site.now(), who.actor, f"dispute.{state}", found.id, note)
    return RedirectResponse(f"/disputes/{found.id}", 303)


def subject_of(dispute: Dispute) -> tuple[str, str]:
    """The canonical URL and the host (as an entry of the allow-list) that a dispute is about; empty for none."""
    text = refanged(dispute.subject.strip())
    url = host = ""
    if dispute.kind == "url":
        try:
            url = canonical(text)
            host = parse_url(url).host
        except UrlError:
            return "", ""
    elif dispute.kind == "host":
        host = text
    try:
        return url, allow_entry(host)
    except BadEntry:
        return url, ""


def _found(store: Store, id_: str) -> Dispute:
    """The dispute of an address; what can be no id is not looked for (a database may refuse to)."""
    found = disputes.find(store, id_) if re.fullmatch(r"[0-9A-Z]{26}", id_) else None
    if found is None:
        raise Missing("dispute", "/disputes")
    return found


def _page(request: Request, id_: str, *, status: int = 200, problem: str = "") -> HTMLResponse:
    site = site_of(request)
    found = _found(site.store, id_)
    url, host = subject_of(found)
    known = url_queries.detail(site.store, url) if url else None
    return render(
        request, "dispute.html", refanged=refanged, status=status, dispute=found, url=url, host=host,
        known=known.row if known else None, problem=problem, **tabs(request),
    )  # fmt: skip
