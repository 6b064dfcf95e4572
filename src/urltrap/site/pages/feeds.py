"""The feeds, and the page that explains them."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Query as FromQuery
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException

from urltrap.feeds import FORMATS
from urltrap.model.views import FeedRow
from urltrap.site.context import Site, render, site_of
from urltrap.site.pages.queries import Query, get
from urltrap.site.publishing import Edition

router = APIRouter()


class NoQuery(Query):
    """Feeds take no filters yet."""


@get(router, "/feeds")
def feeds(request: Request, query: Annotated[NoQuery, FromQuery()]) -> HTMLResponse:
    """What each feed holds and where it is."""
    site = site_of(request)
    rows = _rows(site)
    editions = [(feed, site.editions.edition(feed.name, rows)) for feed in FORMATS.values()]
    return render(
        request,
        "feeds.html",
        editions=editions,
        entries=len(rows),
        publish=site.settings.publish,
        base=str(request.base_url).rstrip("/"),
    )


@get(router, "/feed.{name}")
def feed(request: Request, name: str) -> Response:
    """One feed; 304 for a reader who has this edition already."""
    if name not in FORMATS:
        raise HTTPException(404)
    site = site_of(request)
    edition = site.editions.edition(name, _rows(site))
    headers = {
        "ETag": edition.etag,
        "Last-Modified": format_datetime(edition.made, usegmt=True),
        "Cache-Control": "no-cache",
    }
    if _known(request, edition):
        return Response(status_code=304, headers=headers)
    headers["Content-Disposition"] = f'inline; filename="urltrap.{name}"'
    return Response(edition.body, media_type=FORMATS[name].media_type, headers=headers)


def _rows(site: Site) -> list[FeedRow]:
    return site.editions.entries(site.store, site.settings.publish.min_confidence)


def _known(request: Request, edition: Edition) -> bool:
    """Whether the reader has this edition. Source: RFC 9110 §13.2.2 (the entity tag goes before the date)."""
    tags = request.headers.get("if-none-match")
    if tags is not None:
        offered = [tag.strip().removeprefix("W/") for tag in tags.split(",")]
        return edition.etag in offered or offered == ["*"]
    date = request.headers.get("if-modified-since")
    if date is None:
        return False
    try:
        moment: datetime = parsedate_to_datetime(date)
    except ValueError:
        return False  # a date that is none is to be ignored
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return edition.made <= moment
