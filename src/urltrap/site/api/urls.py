"""URLs: the list, its facets, one URL with everything that is known of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query, Request

from urltrap.model.groups import Facets
from urltrap.model.views import UrlDetail, UrlPage
from urltrap.site.api.routing import CURSOR, MISSING, ROWS, Cursor, Limit, make_router
from urltrap.site.context import site_of
from urltrap.site.pages.errors import Missing
from urltrap.site.pages.queries import Query as Asked
from urltrap.site.pages.urls import UrlsQuery
from urltrap.store.queries import facets as facet_queries
from urltrap.store.queries import urls as url_queries

router = make_router("URLs")


class UrlList(UrlsQuery):
    """The filters of the page's list, and how many rows."""

    limit: Limit = ROWS
    cursor: Cursor = None


class FacetsAsked(UrlsQuery):
    """The filters of the page's list; a cursor is understood and changes nothing."""

    cursor: Cursor = None


class UrlAsked(Asked):
    """A URL as it stands in a list or a command; a longer one is found by its id, for no request line takes more."""

    url: Annotated[str, Query(max_length=5400, examples=["http://198.51.100.23/bins/mips"])]


@router.get("/urls", responses=CURSOR)
def urls(request: Request, query: Annotated[UrlList, Query()]) -> UrlPage:
    """URLs that match, most recently seen first."""
    return url_queries.page(site_of(request).store, query.wanted(), query.cursor, query.limit)


@router.get("/facets")
def facets(request: Request, query: Annotated[FacetsAsked, Query()]) -> Facets:
    """How the URLs that match are spread over verdicts, axes, families and campaigns."""
    return facet_queries.facets(site_of(request).store, query.wanted())


@router.get("/lookup", responses=MISSING)
def lookup(request: Request, query: Annotated[UrlAsked, Query()]) -> UrlDetail:
    """One URL by itself; it is brought into its canonical form first."""
    return _found(url_queries.detail(site_of(request).store, query.url) if query.url.isprintable() else None)


@router.get("/urls/{id}", responses=MISSING)
def url(
    request: Request,
    id: Annotated[str, Path(pattern=r"^[0-9a-f]{8,64}$", description="Its id, or the beginning of it.")],
) -> UrlDetail:
    """One URL: sightings, captures, payloads, what providers say, the verdict with its reasons."""
    return _found(url_queries.detail(site_of(request).store, id))


def _found(detail: UrlDetail | None) -> UrlDetail:
    if detail is None:
        raise Missing("URL", "/urls")
    return detail
