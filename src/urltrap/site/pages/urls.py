"""URLs: the list, and one URL with its whole story. They are shown defanged and never lead outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from fastapi import Query as FromQuery
from fastapi.responses import HTMLResponse
from pydantic import Field

from urltrap.model.event import CommandEntered, DownloadAsked, EventBase, WireSeen
from urltrap.model.submission import Submission
from urltrap.model.verdict import VerdictName
from urltrap.model.views import SightingRow, UrlDetail, UrlFilter
from urltrap.site.context import Site, render, site_of
from urltrap.site.pages.errors import Missing
from urltrap.site.pages.queries import Blank, Cursor, Moment, Query, Short, Text, get
from urltrap.site.text import Span
from urltrap.site.words import AXES
from urltrap.store import Store, decisions, submissions
from urltrap.store.queries import facets as facet_queries
from urltrap.store.queries import intel as intel_queries
from urltrap.store.queries import public as public_queries
from urltrap.store.queries import sessions as session_queries
from urltrap.store.queries import urls as url_queries

router = APIRouter()

Answer = Annotated[Literal["yes", "no"] | None, Blank]
_AS_GIVEN = (
    "kind", "action", "role", "delivery", "target", "hosting", "lifecycle", "family", "campaign", "provider",
    "sensor", "source", "asn", "since", "until",
)  # fmt: skip
_TOLD = 20
"""Sightings that a page tells with the command that held them."""


class UrlsQuery(Query):
    """The filters of the list."""

    verdict: Annotated[VerdictName | None, Blank] = None
    malicious: Answer = None
    published: Answer = None
    host: Short = None
    kind: Short = None
    action: Short = None
    role: Short = None
    delivery: Short = None
    target: Short = None
    hosting: Short = None
    lifecycle: Short = None
    family: Short = None
    campaign: Short = None
    provider: Short = None
    sensor: Short = None
    source: Short = None
    asn: Annotated[Annotated[int, Field(ge=0, lt=2**32)] | None, Blank] = None
    since: Moment = None
    until: Moment = None
    text: Text = None
    cursor: Cursor = None

    def wanted(self) -> UrlFilter:
        """As the store takes it."""
        return UrlFilter(
            verdict=self.verdict,
            malicious=None if self.malicious is None else self.malicious == "yes",
            published=None if self.published is None else self.published == "yes",
            host=self.host and self.host.lower(),
            text=self.text,
            **{name: getattr(self, name) for name in _AS_GIVEN},
        )


@dataclass(frozen=True, slots=True)
class Told:
    """A sighting with the text that held the URL, and where in it."""

    row: SightingRow
    kind: str
    text: bytes
    spans: list[Span]


@get(router, "/urls")
def urls(request: Request, query: Annotated[UrlsQuery, FromQuery()]) -> HTMLResponse:
    """The list, most recently seen first."""
    store = site_of(request).store
    page = url_queries.page(store, query.wanted(), query.cursor)
    whole = page.next is None and query.cursor is None
    filters = query.filters()
    return render(
        request,
        "urls.html",
        page=page,
        query=query,
        filters=filters,
        facets=facet_queries.of_rows(page.rows) if whole else facet_queries.facets(store, query.wanted()),
        narrowing=any(name in filters for name in AXES),
    )


@get(router, "/urls/{key}")
def url(request: Request, key: str) -> HTMLResponse:
    """One URL: how it was seen, what it served, what we think of it and why."""
    with site_of(request).store.snapshot():
        return _url(request, key)


def _url(request: Request, key: str) -> HTMLResponse:
    site = site_of(request)
    store = site.store
    detail = url_queries.detail(store, key)
    if detail is None:
        raise Missing("URL", "/urls")
    told = tell(store, detail.sightings[:_TOLD])
    return render(
        request,
        "url.html",
        detail=detail,
        row=detail.row,
        verdict=detail.verdict,
        told=told,
        publication=publication(detail),
        everyone=for_everyone(site_of(request), detail),
        made=decisions.history(store, detail.row.url),
        entry=_allowed(store, detail.row.host),
        desk=site.desk,
        pending=site.desk.pending(detail.row.url),
        leads=intel_queries.lead(store, detail.row.id),
        handed=_handed(store, detail),
        children=url_queries.second_stages(store, [row.artifact.sha256 for row in detail.artifacts]),
    )


def _allowed(store: Store, host: str) -> str:
    """The entry of the allow-list that a host is under."""
    with store.connect() as connection:
        return decisions.allow_list(connection).entry_of(host)


def _handed(store: Store, detail: UrlDetail) -> list[Submission]:
    """What was handed to others of the URL and its payloads, newest first."""
    found = submissions.of_subject(store, "url", detail.row.url)
    for row in detail.artifacts[:_TOLD]:
        found += submissions.of_subject(store, "sha256", row.artifact.sha256)
    return sorted(found, key=lambda item: item.asked, reverse=True)


def tell(store: Store, rows: Sequence[SightingRow]) -> list[Told]:
    """The commands (or requests of programs) that held the URL, with the URL's place in each."""
    places = [_place_of(row) for row in rows]
    found = session_queries.events_at(store, places)
    return [_told(row, found.get(place)) for row, place in zip(rows, places, strict=True)]


def _place_of(row: SightingRow) -> tuple[str, int]:
    session, _, seq = row.sighting.event_id.rpartition("/")
    return session, int(seq)


def _told(row: SightingRow, event: EventBase | None) -> Told:
    recovered = row.sighting.recovered
    if event is None:
        return Told(row, "", recovered.raw, [Span(0, len(recovered.raw))])
    kind, text = _text_of(event)
    start, end = recovered.span
    if text[start:end] != recovered.raw:
        start = text.find(recovered.raw)
        end = start + len(recovered.raw)
    return Told(row, kind, text or recovered.raw, [Span(start, end)] if start >= 0 else [])


def publication(detail: UrlDetail) -> tuple[str, str]:
    """Whether the URL is in the feeds, in a word and in a sentence."""
    row = detail.row
    if row.published_at is not None:
        return "Published", f"In the feeds since {row.published_at:%Y-%m-%d %H:%M} UTC."
    if row.held:
        return "Held back", "Every sighting of it carries a mark, so it is neither fetched nor published."
    if not row.verdict.startswith("malicious-"):
        return "Not published", "Only URLs judged malicious are published."
    if row.publish_after is None:
        return "Withheld", "It is not published as things stand."
    return (
        "Waiting",
        f"Due {row.publish_after:%Y-%m-%d %H:%M} UTC: one source alone showed it, so the moment is random.",
    )


def for_everyone(site: Site, detail: UrlDetail) -> str:
    """Whether the site for everyone has it, in a sentence; empty where that is no question."""
    row, public = detail.row, site.settings.public
    if not row.verdict.startswith("malicious-") or not (public.enabled or public.export):
        return ""
    after = public_queries.shown_after(site.store, row.id)
    if after is None:
        return (
            f"Not for everyone: fewer than {public.networks} independent networks have shown it, or it carries "
            "what must not get out."
        )
    if row.published_at is None or after > site.now():
        return f"For everyone not before {after:%Y-%m-%d %H:%M} UTC."
    return "Everyone can see it."


def _text_of(event: EventBase) -> tuple[str, bytes]:
    if isinstance(event, CommandEntered):
        return "command", event.text
    if isinstance(event, DownloadAsked | WireSeen):
        return "request", b" ".join(event.argv) or event.url
    return "", b""
