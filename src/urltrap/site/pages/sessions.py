"""Sessions: the list, one session with every event in order, its terminal recording."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Query as FromQuery
from fastapi.responses import HTMLResponse, Response, StreamingResponse
from pydantic import Field

from urltrap.model.event import Connected
from urltrap.model.session import SessionClass
from urltrap.model.sighting import Sighting
from urltrap.model.views import SessionDetail, SessionFilter
from urltrap.site import cast
from urltrap.site.context import render, site_of
from urltrap.site.pages.errors import Missing
from urltrap.site.pages.queries import Blank, Cursor, Moment, Query, Short, Text, get
from urltrap.site.security import content_policy
from urltrap.site.text import Span
from urltrap.store import Store
from urltrap.store.queries import sessions as session_queries
from urltrap.store.rows import url_key

router = APIRouter()

_EVENTS = 400


class SessionsQuery(Query):
    """The filters of the list."""

    classed: Annotated[SessionClass | None, Blank] = None
    sensor: Short = None
    address: Short = None
    country: Short = None
    asn: Annotated[Annotated[int, Field(ge=0, lt=2**32)] | None, Blank] = None
    hassh: Short = None
    client: Text = None
    text: Text = None
    since: Moment = None
    until: Moment = None
    cursor: Cursor = None

    def wanted(self) -> SessionFilter:
        """As the store takes it."""
        return SessionFilter(
            classed=self.classed,
            sensor=self.sensor,
            src_ip=self.address,
            country="" if self.country == "unknown" else self.country and self.country.upper(),
            asn=self.asn,
            hassh=self.hassh,
            client=self.client,
            text=self.text,
            since=self.since,
            until=self.until,
        )


class SessionQuery(Query):
    """Where in a long session to begin."""

    after: Annotated[int, Field(ge=-1, lt=2**31)] = -1


class ReplayQuery(Query):
    """Which of several terminals; the first where nothing is said."""

    channel: Annotated[Annotated[int, Field(ge=0, lt=2**31)] | None, Blank] = None


@get(router, "/sessions")
def sessions(request: Request, query: Annotated[SessionsQuery, FromQuery()]) -> HTMLResponse:
    """The list, newest first."""
    site = site_of(request)
    page = session_queries.page(site.store, query.wanted(), query.cursor)
    return render(request, "sessions.html", page=page, query=query, filters=query.filters())


@get(router, "/sessions/{session}")
def session(request: Request, session: str, query: Annotated[SessionQuery, FromQuery()]) -> HTMLResponse:
    """One session, its events in order."""
    detail = _detail(site_of(request).store, session, query.after, _EVENTS)
    if detail is None:
        raise Missing("session", "/sessions")
    listened = next((event for event in detail.events if isinstance(event, Connected)), None)
    return render(
        request,
        "session.html",
        detail=detail,
        summary=detail.summary,
        listened=listened,
        spans=spans_by_event(detail.sightings),
        urls=_distinct(detail.sightings),
        after=query.after,
        url_key=url_key,
    )


@get(router, "/sessions/{session}/replay")
def replay(request: Request, session: str, query: Annotated[ReplayQuery, FromQuery()]) -> HTMLResponse:
    """The player. It runs WebAssembly, which no other page may."""
    store = site_of(request).store
    detail = _detail(store, session)
    recording = session_queries.recording(store, session, query.channel) if detail else None
    if detail is None or recording is None:
        raise Missing("recording", f"/sessions/{session}" if detail else "/sessions")
    response = render(request, "replay.html", summary=detail.summary, recording=recording)
    response.headers["Content-Security-Policy"] = content_policy(wasm=True)
    return response


@get(router, "/sessions/{session}/recording.cast")
def recording(request: Request, session: str, query: Annotated[ReplayQuery, FromQuery()]) -> Response:
    """The recording as asciicast v2."""
    store = site_of(request).store
    detail = _detail(store, session)
    found = session_queries.recording(store, session, query.channel) if detail else None
    if detail is None or found is None:
        raise Missing("recording", "/sessions")
    return StreamingResponse(
        cast.asciicast(found, detail.summary.started),
        media_type=cast.MEDIA_TYPE,
        headers={"Content-Disposition": f'inline; filename="{detail.summary.id}.cast"'},
    )


def _detail(store: Store, session: str, after: int = -1, limit: int = 1) -> SessionDetail | None:
    if not session.isprintable():  # PostgreSQL refuses a NUL
        return None
    return session_queries.detail(store, session, after, limit)


def spans_by_event(sightings: Iterable[Sighting]) -> dict[str, list[Span]]:
    """Where URLs stand in the text of each event, with links to their pages."""
    found: dict[str, list[Span]] = defaultdict(list)
    for sighting in sightings:
        start, end = sighting.recovered.span
        found[sighting.event_id].append(Span(start, end, f"/urls/{url_key(sighting.recovered.url)}"))
    return dict(found)


def _distinct(sightings: Iterable[Sighting]) -> list[str]:
    return list(dict.fromkeys(sighting.recovered.url for sighting in sightings))
