"""Sessions and log-in tries."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query, Request

from urltrap.model.views import SessionDetail, SessionPage
from urltrap.site import logins as login_queries
from urltrap.site.api.routing import CURSOR, MISSING, ROWS, Cursor, Limit, make_router
from urltrap.site.context import site_of
from urltrap.site.pages.errors import Missing
from urltrap.site.pages.logins import LoginsQuery
from urltrap.site.pages.sessions import SessionQuery, SessionsQuery
from urltrap.store.queries import sessions as session_queries

router = make_router("Sessions")


class SessionList(SessionsQuery):
    """The filters of the page's list, and how many rows."""

    limit: Limit = ROWS
    cursor: Cursor = None


class LoginList(LoginsQuery):
    """The filters of the page's list, and how many rows."""

    limit: Limit = ROWS
    cursor: Cursor = None


@router.get("/sessions", responses=CURSOR)
def sessions(request: Request, query: Annotated[SessionList, Query()]) -> SessionPage:
    """Sessions that match, newest first."""
    return session_queries.page(site_of(request).store, query.wanted(), query.cursor, query.limit)


@router.get("/sessions/{id}", responses=MISSING)
def session(
    request: Request,
    id: Annotated[str, Path(pattern=r"^[0-9A-Z]{26}$")],
    query: Annotated[SessionQuery, Query()],
) -> SessionDetail:
    """One session with its events in order, at most 2,000; ask on with `after` where `more_events` is true."""
    detail = session_queries.detail(site_of(request).store, id, query.after)
    if detail is None:
        raise Missing("session", "/sessions")
    return detail


@router.get("/logins", responses=CURSOR)
def logins(request: Request, query: Annotated[LoginList, Query()]) -> login_queries.LoginPage:
    """Log-in tries that match, newest first."""
    return login_queries.page(site_of(request).store, query.wanted(), query.cursor, query.limit)
