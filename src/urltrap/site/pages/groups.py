"""What belongs together: families and campaigns of URLs, each a way to the payloads, hosts and URLs in it."""

from __future__ import annotations

from collections import defaultdict
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Query as FromQuery
from fastapi.responses import HTMLResponse

from urltrap.model.conclusions import CampaignMember
from urltrap.model.groups import FacetName
from urltrap.model.views import UrlFilter
from urltrap.site.context import render, site_of
from urltrap.site.pages.errors import Missing
from urltrap.site.pages.queries import Query, get
from urltrap.store.queries import campaigns as campaign_queries
from urltrap.store.queries import facets as facet_queries
from urltrap.store.queries import groups as group_queries
from urltrap.store.queries import urls as url_queries

router = APIRouter()

_NEWEST = 15
_LISTED = 200
_SHOWN: tuple[FacetName, ...] = (
    "verdict", "host", "campaign", "family", "role", "target", "delivery", "hosting", "lifecycle", "sha256",
)  # fmt: skip


class NothingAsked(Query):
    """These pages take nothing in their addresses."""


@get(router, "/families")
def families(request: Request, query: Annotated[NothingAsked, FromQuery()]) -> HTMLResponse:
    """The list, most URLs first."""
    return render(request, "families.html", rows=group_queries.families(site_of(request).store, _LISTED))


@get(router, "/families/{name:path}")
def family(request: Request, name: str, query: Annotated[NothingAsked, FromQuery()]) -> HTMLResponse:
    """One family: its URLs, payloads, hosts and campaigns."""
    store = site_of(request).store
    wanted = UrlFilter(family=name)
    newest = url_queries.page(store, wanted, limit=_NEWEST) if name.isprintable() else None
    if newest is None or not newest.rows:
        raise Missing("family", "/families")
    found = facet_queries.facets(store, wanted, _SHOWN)
    return render(
        request,
        "family.html",
        name=name,
        newest=newest.rows,
        facets=found,
        payloads=group_queries.payloads(store, found.values["sha256"]),
    )


@get(router, "/campaigns")
def campaigns(request: Request, query: Annotated[NothingAsked, FromQuery()]) -> HTMLResponse:
    """The list, most URLs first; what stands alone is no campaign."""
    return render(request, "campaigns.html", rows=campaign_queries.largest(site_of(request).store, _LISTED))


@get(router, "/campaigns/{name}")
def campaign(request: Request, name: str, query: Annotated[NothingAsked, FromQuery()]) -> HTMLResponse:
    """One campaign: what holds it together, and what belongs to it."""
    store = site_of(request).store
    detail = campaign_queries.detail(store, name) if name.isprintable() else None
    if detail is None:
        raise Missing("campaign", "/campaigns")
    wanted = UrlFilter(campaign=detail.row.id)
    members: dict[str, list[CampaignMember]] = defaultdict(list)
    for member in detail.members:
        members[member.kind].append(member)
    found = facet_queries.facets(store, wanted, _SHOWN)
    newest = url_queries.page(store, wanted, limit=_LISTED).rows
    return render(
        request,
        "campaign.html",
        detail=detail,
        row=detail.row,
        members=members,
        newest=newest[:_NEWEST],
        known={url.id: url for url in newest},
        facets=found,
        payloads=group_queries.payloads(store, found.values["sha256"]),
    )
