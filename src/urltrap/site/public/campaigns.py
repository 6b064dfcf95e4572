"""Campaigns for everyone: published URLs that hang together by what is published of them.

The operator's campaigns also join what shares a planted key or the template of a script. Those come out of sessions:
whoever shows one machine two published URLs in one script of his own, and finds them joined here, would know what that
machine is. So nothing of a session counts here, and a campaign tells nobody more than its URLs do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from urltrap.model.public_views import PublicUrl

_NUMERIC = "raw-ip"


@dataclass(frozen=True, slots=True)
class PublicCampaign:
    """URLs of several hosts, newest first. `payloads`: what they serve, by hash."""

    id: str
    urls: list[PublicUrl]
    payloads: list[str]
    hosts: list[str]
    first: datetime
    last: datetime


def campaigns_of(urls: Iterable[PublicUrl]) -> dict[str, PublicCampaign]:
    """Campaigns by id, most URLs first: URLs are one where they serve the same payload or lie on the same numeric
    address (a name may be shared by innocents). What stays on one host is no campaign: it has its host's page.

    An id is that of the oldest payload, so that it stays when a campaign grows.
    """
    shown = list(urls)
    parents = list(range(len(shown)))

    def root(number: int) -> int:
        while parents[number] != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number

    holders: dict[tuple[str, str], int] = {}
    for number, url in enumerate(shown):
        ties = [("payload", url.sha256)] if url.sha256 else []
        if url.hosting == _NUMERIC:
            ties.append(("host", url.host))
        for tie in ties:
            other = holders.setdefault(tie, number)
            parents[root(number)] = root(other)
    joined: dict[int, list[PublicUrl]] = {}
    for number, url in enumerate(shown):
        joined.setdefault(root(number), []).append(url)
    found = [_campaign(its) for its in joined.values() if len({url.host for url in its}) > 1]
    found.sort(key=lambda campaign: (-len(campaign.urls), campaign.id))
    return {campaign.id: campaign for campaign in found}


def _campaign(urls: list[PublicUrl]) -> PublicCampaign:
    payloads: dict[str, datetime] = {}
    for url in urls:
        if url.sha256:
            payloads[url.sha256] = min(url.first, payloads.get(url.sha256, url.first))
    ordered = sorted(payloads, key=lambda sha256: (payloads[sha256], sha256))
    return PublicCampaign(
        id=ordered[0][:16],
        urls=urls,
        payloads=ordered,
        hosts=sorted({url.host for url in urls}),
        first=min(url.first for url in urls),
        last=max(url.last for url in urls),
    )
