"""What feeds carry: published URLs, times coarse, nothing of sensors, sessions or providers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Select, Text, select, type_coerce

from urltrap.model.views import FeedRow
from urltrap.store.engine import Store
from urltrap.store.schema import artifacts, urls, verdicts
from urltrap.store.types import HOUR, from_micros


@dataclass(frozen=True, slots=True)
class Published:
    """All entries of the feeds at one moment. `raw` is how the store had them, to see whether any has changed."""

    raw: list[tuple[Any, ...]]
    rows: list[FeedRow]


def rows(
    store: Store, now: datetime, min_confidence: int, since: datetime | None = None, limit: int | None = None
) -> list[FeedRow]:
    """Published URLs, most recently seen first (`since`: seen then or later).

    The publish stage decides what is published; verdict, confidence and moment are asked again here, so that a row
    that it has not reached yet cannot slip out.
    """
    query = _query(now, min_confidence).order_by(urls.c.last_seen.desc(), urls.c.key)
    if since is not None:
        query = query.where(urls.c.last_seen >= since)
    if limit is not None:
        query = query.limit(limit)
    with store.connect() as connection:
        return [_row(tuple(found)) for found in connection.execute(query)]


def published(store: Store, now: datetime, min_confidence: int, before: Published | None = None) -> Published:
    """All of them; `before` itself where nothing has changed since, so that nothing need be made of it again."""
    with store.connect() as connection:
        raw = [tuple(found) for found in connection.execute(_query(now, min_confidence))]
    # Sorted here: a database would read the table in another order than its own for it.
    raw.sort(key=lambda found: (-found[4], found[0]))
    if before is not None and raw == before.raw:
        return before
    known = dict(zip(before.raw, before.rows, strict=True)) if before else {}
    return Published(raw, [known.get(found) or _row(found) for found in raw])


def _query(now: datetime, min_confidence: int) -> Select[Any]:
    return (
        select(
            urls.c.key,
            urls.c.url,
            urls.c.host,
            type_coerce(urls.c.first_seen, BigInteger),
            type_coerce(urls.c.last_seen, BigInteger),
            urls.c.verdict,
            urls.c.confidence,
            urls.c.sha256,
            urls.c.kind,
            type_coerce(verdicts.c.reasons, Text),
            artifacts.c.architecture,
        )
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
    )


def _row(found: tuple[Any, ...]) -> FeedRow:
    key, url, host, first_seen, last_seen, verdict, confidence, sha256, kind, reasons, architecture = found
    return FeedRow(
        id=key, url=url, host=host, first_seen=_hour(first_seen), last_seen=_hour(last_seen), verdict=verdict,
        confidence=confidence, reasons=list(_codes(reasons)), sha256=sha256, kind=kind,
        architecture=architecture or "",
    )  # fmt: skip


@lru_cache(maxsize=4096)
def _codes(reasons: str) -> tuple[str, ...]:
    return tuple(reason["code"] for reason in json.loads(reasons))


def _hour(moment: int) -> datetime:
    return from_micros(moment // HOUR * HOUR)
