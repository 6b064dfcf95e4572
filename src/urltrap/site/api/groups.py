"""What belongs together: families and campaigns."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query, Request

from urltrap.model.conclusions import CampaignDetail, CampaignRow
from urltrap.model.groups import FamilyRow
from urltrap.site.api.routing import MISSING, Limit, make_router
from urltrap.site.context import site_of
from urltrap.site.pages.errors import Missing
from urltrap.site.pages.queries import Query as Asked
from urltrap.store.queries import campaigns as campaign_queries
from urltrap.store.queries import groups as group_queries

router = make_router("Families and campaigns")


class Top(Asked):
    """How many rows."""

    limit: Limit = 200


@router.get("/families")
def families(request: Request, query: Annotated[Top, Query()]) -> list[FamilyRow]:
    """Malware families, most URLs first. Their URLs: `/urls?family=…`."""
    return group_queries.families(site_of(request).store, query.limit)


@router.get("/campaigns")
def campaigns(request: Request, query: Annotated[Top, Query()]) -> list[CampaignRow]:
    """Campaigns, most URLs first. Their URLs: `/urls?campaign=…`."""
    return campaign_queries.largest(site_of(request).store, query.limit)


@router.get("/campaigns/{id}", responses=MISSING)
def campaign(request: Request, id: Annotated[str, Path(pattern=r"^[0-9a-z]{4,64}$")]) -> CampaignDetail:
    """One campaign with what holds it together."""
    detail = campaign_queries.detail(site_of(request).store, id)
    if detail is None:
        raise Missing("campaign", "/campaigns")
    return detail
