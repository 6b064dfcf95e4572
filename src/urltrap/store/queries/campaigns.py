"""Campaigns: lists, and one with everything that belongs to it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from urltrap.model.conclusions import CampaignDetail, CampaignMember, CampaignRow
from urltrap.store.engine import Store
from urltrap.store.schema_analysis import campaign_members, campaigns

_MEMBERS = 1000


def largest(store: Store, limit: int) -> list[CampaignRow]:
    """Campaigns of more than one URL, most URLs first."""
    query = (
        select(campaigns)
        .where(campaigns.c.merged_into == "", campaigns.c.urls > 1)
        .order_by(campaigns.c.urls.desc(), campaigns.c.last_seen.desc(), campaigns.c.id)
        .limit(limit)
    )
    with store.connect() as connection:
        return [_row(row) for row in connection.execute(query)]


def detail(store: Store, name: str) -> CampaignDetail | None:
    """A campaign by its id, or by one that it had before it turned out to be part of an older one."""
    with store.connect() as connection:
        row = connection.execute(select(campaigns).where(campaigns.c.id == name)).first()
        if row is not None and row.merged_into:
            row = connection.execute(select(campaigns).where(campaigns.c.id == row.merged_into)).first()
        if row is None:
            return None
        members = connection.execute(
            select(campaign_members)
            .where(campaign_members.c.campaign == row.id)
            .order_by(campaign_members.c.at, campaign_members.c.kind, campaign_members.c.value_sha256)
            .limit(_MEMBERS)
        )
        merged = connection.execute(
            select(campaigns.c.id).where(campaigns.c.merged_into == row.id).order_by(campaigns.c.id)
        ).scalars()
        return CampaignDetail(
            row=_row(row),
            members=[
                CampaignMember(kind=item.kind, value=item.value, at=item.at, why=item.why) for item in members
            ],
            merged_from=list(merged),
        )


def _row(row: Any) -> CampaignRow:
    return CampaignRow(
        id=row.id, first_seen=row.first_seen, last_seen=row.last_seen, urls=row.urls, payloads=row.payloads
    )
