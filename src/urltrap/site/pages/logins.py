"""Log-in tries: what was tried, by whom, and whether it got in."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Request
from fastapi import Query as FromQuery
from fastapi.responses import HTMLResponse

from urltrap.site import logins as login_queries
from urltrap.site.context import render, site_of
from urltrap.site.pages.queries import Blank, Cursor, Moment, Query, Text, get

router = APIRouter()


class LoginsQuery(Query):
    """The filters of the list."""

    username: Text = None
    password: Text = None
    accepted: Annotated[Literal["yes", "no"] | None, Blank] = None
    match: Annotated[Literal["part"] | None, Blank] = None
    since: Moment = None
    cursor: Cursor = None

    def wanted(self) -> login_queries.LoginFilter:
        """As the store takes it."""
        return login_queries.LoginFilter(
            username=None if self.username is None else self.username.encode(),
            password=None if self.password is None else self.password.encode(),
            accepted=None if self.accepted is None else self.accepted == "yes",
            partial=self.match == "part",
            since=self.since,
        )


@get(router, "/logins")
def logins(request: Request, query: Annotated[LoginsQuery, FromQuery()]) -> HTMLResponse:
    """The list, newest first."""
    page = login_queries.page(site_of(request).store, query.wanted(), query.cursor)
    return render(request, "logins.html", page=page, query=query, filters=query.filters())
