"""What people decide: the queue of suspicious URLs, decisions, the allow-list, disputes. For analysts, only read."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query, Request

from urltrap.model.base import Model
from urltrap.model.views import UrlPage
from urltrap.site.api.routing import CURSOR, MISSING, ROWS, Cursor, Limit, make_router
from urltrap.site.context import site_of
from urltrap.site.pages.disputes import DisputesQuery
from urltrap.site.pages.errors import Missing
from urltrap.site.pages.review import QueueQuery
from urltrap.store import decisions as decision_queries
from urltrap.store import disputes as dispute_queries
from urltrap.store.decisions import Made
from urltrap.store.disputes import Dispute
from urltrap.store.queries import urls as url_queries

router = make_router("Decisions", scope="analyst")


class QueueList(QueueQuery):
    """Which part of the queue, and how many rows."""

    limit: Limit = ROWS
    cursor: Cursor = None


class DisputeList(DisputesQuery):
    """Which disputes, and how many rows."""

    limit: Limit = ROWS
    cursor: Cursor = None


class DisputePage(Model):
    """A part of the disputes."""

    rows: list[Dispute]
    next: str | None


@router.get("/review", responses=CURSOR)
def review(request: Request, query: Annotated[QueueList, Query()]) -> UrlPage:
    """Suspicious URLs that nobody decided about, or (`left`) that were looked at and left; newest first."""
    return decision_queries.queue(site_of(request).store, query.state or "open", query.cursor, query.limit)


@router.get("/urls/{id}/decisions", responses=MISSING)
def of_url(request: Request, id: Annotated[str, Path(pattern=r"^[0-9a-f]{8,64}$")]) -> list[Made]:
    """All that people decided about a URL, newest first: the first one counts, `withdrawn` means none does."""
    store = site_of(request).store
    detail = url_queries.detail(store, id)
    if detail is None:
        raise Missing("URL", "/urls")
    return decision_queries.history(store, detail.row.url)


@router.get("/allow-list")
def allow_list(request: Request) -> list[Made]:
    """Hosts, domains and networks that never become malicious, with who put them there and why; newest first."""
    with site_of(request).store.connect() as connection:
        entries = decision_queries.allow_list(connection).entries
    return sorted(entries.values(), key=lambda made: made.at, reverse=True)


@router.get("/disputes", responses=CURSOR)
def disputes(request: Request, query: Annotated[DisputeList, Query()]) -> DisputePage:
    """What strangers say against entries, newest first. `subject`, `contact` and `text` are their words."""
    rows, following = dispute_queries.page(site_of(request).store, query.state, query.cursor, query.limit)
    return DisputePage(rows=rows, next=following)


@router.get("/disputes/{id}", responses=MISSING)
def dispute(request: Request, id: Annotated[str, Path(pattern=r"^[0-9A-Z]{26}$")]) -> Dispute:
    """One dispute and its answer."""
    found = dispute_queries.find(site_of(request).store, id)
    if found is None:
        raise Missing("dispute", "/disputes")
    return found
