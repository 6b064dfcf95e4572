"""What feeds carry: published URLs, times coarse, nothing of sensors, sessions or providers."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from urltrap.model.views import FeedRow
from urltrap.store.engine import Store
from urltrap.store.schema import artifacts, urls, verdicts


def rows(
    store: Store, now: datetime, min_confidence: int, since: datetime | None = None, limit: int | None = None
) -> list[FeedRow]:
    """Published URLs, most recently seen first (`since`: seen then or later).

    The publish stage decides what is published; verdict, confidence and moment are asked again here, so that a row
    that it has not reached yet cannot slip out.
    """
    query = (
        select(urls, verdicts.c.reasons, artifacts.c.architecture)
        .select_from(
            urls.join(verdicts, verdicts.c.url_key == urls.c.key).outerjoin(
                artifacts, artifacts.c.sha256 == urls.c.sha256
            )
        )
        .where(
            urls.c.published_at.is_not(None),
            urls.c.publish_after <= now,
            urls.c.verdict.like("malicious-%"),
            urls.c.confidence >= min_confidence,
            ~urls.c.held,
        )
        .order_by(urls.c.last_seen.desc(), urls.c.key)
    )
    if since is not None:
        query = query.where(urls.c.last_seen >= since)
    if limit is not None:
        query = query.limit(limit)
    with store.connect() as connection:
        return [
            FeedRow(
                id=row["key"], url=row["url"], host=row["host"], first_seen=_hour(row["first_seen"]),
                last_seen=_hour(row["last_seen"]), verdict=row["verdict"], confidence=row["confidence"],
                reasons=[reason["code"] for reason in row["reasons"]], sha256=row["sha256"], kind=row["kind"],
                architecture=row["architecture"] or "",
            )
            for row in connection.execute(query).mappings()
        ]  # fmt: skip


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
