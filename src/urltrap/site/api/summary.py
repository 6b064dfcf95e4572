"""Figures: counters, the timeline, countries, top lists."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query, Request

from urltrap.model.views import Counters, CountryRow, TimelinePoint, TopKind, TopRow
from urltrap.site.api.routing import MISSING, Limit, make_router
from urltrap.site.context import Site, site_of
from urltrap.site.pages.overview import OverviewQuery
from urltrap.site.ranges import BEGINNING, Range, range_of
from urltrap.store.queries import overview as overview_queries
from urltrap.store.queries import top as top_queries

router = make_router("Figures")


class TopQuery(OverviewQuery):
    """The range of time, and how many rows."""

    limit: Limit = 10


def _span(site: Site, query: OverviewQuery) -> Range:
    return range_of(query.range, site.now())


@router.get("/counters")
def counters(request: Request) -> Counters:
    """The figures at the top of the overview."""
    site = site_of(request)
    return overview_queries.counters(site.store, site.now())


@router.get("/timeline")
def timeline(request: Request, query: Annotated[OverviewQuery, Query()]) -> list[TimelinePoint]:
    """What each sensor had in every hour of the range, oldest first; hours without anything are left out."""
    site = site_of(request)
    return overview_queries.timeline(site.store, _span(site, query).since or BEGINNING)


@router.get("/countries")
def countries(request: Request, query: Annotated[OverviewQuery, Query()]) -> list[CountryRow]:
    """Sessions and addresses by country, most sessions first."""
    site = site_of(request)
    return overview_queries.countries(site.store, _span(site, query).since)


@router.get("/top/{what}", responses=MISSING)
def top(
    request: Request,
    what: Annotated[TopKind, Path(description="What is counted.")],
    query: Annotated[TopQuery, Query()],
) -> list[TopRow]:
    """What was most frequent in the range."""
    site = site_of(request)
    return top_queries.top(site.store, what, query.limit, _span(site, query).since)
