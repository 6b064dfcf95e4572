"""The overview: what happened in a range of time, each figure with the list behind it; and its live updates."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi import Query as FromQuery
from fastapi.responses import HTMLResponse, Response, StreamingResponse

from urltrap.model.views import CountryRow, TimelinePoint, TopKind, TopRow
from urltrap.site import charts
from urltrap.site.auth.identity import identity_of
from urltrap.site.auth.lasting import lasts, lifetime_of
from urltrap.site.context import Site, render, site_of
from urltrap.site.live import pulse_key
from urltrap.site.pages.queries import Query, get
from urltrap.site.ranges import BEGINNING, Range, RangeName, range_of
from urltrap.store import Store, StoreError
from urltrap.store.queries import intel as intel_queries
from urltrap.store.queries import overview as overview_queries
from urltrap.store.queries import sessions as session_queries
from urltrap.store.queries import top as top_queries
from urltrap.store.queries import urls as url_queries
from urltrap.store.queries.partial import PartOfDay, part_of_day

router = APIRouter()

TOPS: tuple[tuple[TopKind | Literal["domain"], str], ...] = (
    ("url", "URLs"),
    ("command", "Commands"),
    ("host", "Hosts of URLs"),
    ("pair", "Log-ins"),
    ("username", "User names"),
    ("password", "Passwords"),
    ("address", "Addresses"),
    ("country", "Countries"),
    ("network", "Networks"),
    ("domain", "Registered domains"),
    ("client", "Clients"),
)
_TOP = 8
_NEWEST_URLS = 12
_NEWEST_SESSIONS = 8


class OverviewQuery(Query):
    """The range of time."""

    range: RangeName = "24h"


@dataclass(frozen=True, slots=True)
class Figure:
    """One counter: its value, what it counts, a second figure in words, and the list behind it."""

    value: int
    name: str
    note: str
    link: str
    alarming: bool = False


@get(router, "/")
def overview(request: Request, query: Annotated[OverviewQuery, FromQuery()]) -> HTMLResponse:
    """The overview as a page; its live part is swapped in from the same page."""
    with site_of(request).store.snapshot():
        return _overview(request, query)


def _overview(request: Request, query: OverviewQuery) -> HTMLResponse:
    site = site_of(request)
    now = site.now()
    span = range_of(query.range, now)
    pulse = overview_queries.pulse(site.store)  # first: a page may show more than it says, never less
    points = overview_queries.timeline(site.store, span.since or BEGINNING, step=span.step)
    part = part_of_day(site.store, span.since) if span.since else None
    countries = overview_queries.countries(site.store, span.since, part)
    sensors, row = charts.bars(points, span, now)
    return render(
        request,
        "overview.html",
        pulse=pulse_key(pulse),
        span=span,
        **_figures(site, now, span, points, countries),
        sensors_seen=sensors,
        bars=row,
        timeline=charts.timeline_option(sensors, row, span.step),
        countries=charts.country_counts(countries),
        tops=_tops(site.store, span.since, part, countries),
        newest_urls=url_queries.page(site.store, limit=_NEWEST_URLS).rows,
        newest_sessions=session_queries.page(site.store, limit=_NEWEST_SESSIONS).rows,
        since=charts.moment_text(span.since) if span.since else None,
    )


@router.get("/live")
async def live(request: Request) -> Response:
    """Server-sent events: one `pulse` whenever the store holds something new."""
    site, who = site_of(request), identity_of(request)
    updates = site.live
    if updates.full:
        return Response(
            "too many pages watch already; this one works without, reload it\n", 503, media_type="text/plain"
        )

    async def allowed() -> bool:
        lifetime = lifetime_of(site.settings.site)
        try:
            return await to_thread.run_sync(lasts, site.store, who, lifetime, site.now())
        except StoreError:
            return True  # there is no news while the store is away; it is asked again

    async def events() -> AsyncIterator[str]:
        async for event in updates.watch(allowed):
            yield event

    return StreamingResponse(
        events(),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def _tops(
    store: Store, since: datetime | None, part: PartOfDay | None, countries: list[CountryRow]
) -> list[tuple[str, str, list[TopRow]]]:
    """Every list with its kind and its heading, in their order."""
    apart: dict[str, list[TopRow]] = {
        "country": top_queries.of_countries(countries, _TOP),
        "domain": [
            TopRow(value=domain.encode(), count=count)
            for domain, count in intel_queries.busiest_domains(store, _TOP)
        ],
    }
    kinds = [kind for kind, _ in TOPS if kind != "country" and kind != "domain"]
    found = top_queries.tops(store, kinds, _TOP, since, part)
    return [
        (kind, name, apart[kind] if kind in apart else found[kind])  # type: ignore[index]
        for kind, name in TOPS
    ]


def _figures(
    site: Site, now: datetime, span: Range, points: list[TimelinePoint], countries: list[CountryRow]
) -> dict[str, Any]:
    counters = overview_queries.counters(site.store, now)
    since = charts.moment_text(span.since) if span.since else None
    within = f"?since={since}" if since else ""
    also = f"&since={since}" if since else ""

    def total(name: str) -> int:
        return sum(getattr(point, name) for point in points)

    def ever(count: int) -> str:
        return f"{count:,} ever" if span.since else ""

    visits = [
        Figure(total("sessions"), "Sessions", ever(counters.sessions), f"/sessions{within}"),
        Figure(
            sum(row.addresses for row in countries),
            "Addresses",
            ever(counters.addresses),
            f"/sessions{within}",
        ),
        Figure(total("logins"), "Log-in tries", ever(counters.logins), f"/logins{within}"),
        Figure(
            total("commands"), "Commands", ever(counters.commands), f"/sessions?classed=interactive{also}"
        ),
        Figure(
            total("downloads"),
            "Downloads",
            ever(counters.downloads),
            f"/sessions?classed=dropper{also}",
        ),
        Figure(total("uploads"), "Uploads", "files sent", f"/sessions?classed=upload{also}"),
    ]
    kept = [
        Figure(counters.urls, "URLs", "all time", "/urls"),
        Figure(counters.urls_malicious, "Malicious", "all time", "/urls?malicious=yes", alarming=True),
        Figure(counters.urls_published, "Published", "in the feeds", "/urls?published=yes"),
        Figure(counters.artifacts, "Artifacts", "payloads kept", "/artifacts"),
    ]
    return {"visits": visits, "kept": kept, "counters": counters, "shed": total("shed")}
