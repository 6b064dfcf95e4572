"""Makes URLs of a demonstration's store public, as the pipeline would have for independent networks."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, select, update

from urltrap.model.settings import Settings
from urltrap.store import Store
from urltrap.store.schema import captures, urls, verdicts
from urltrap.store.schema_intel import leads
from urltrap.store.schema_public import publications

SECRET = b"s" * 32
SETTINGS = Settings.model_validate(
    {
        "public": {
            "address": "https://urls.example",
            "contact": "mailto:abuse@urls.example",
            "title": "Example list",
        },
        "sensors": {"ssh": {"listen": ["203.0.113.99:22"]}},
    }
)


def told_of(connection: Connection, row: Any) -> str:
    """What the pipeline would have kept of a verdict for everyone."""
    reasons = connection.execute(select(verdicts.c.reasons).where(verdicts.c.url_key == row.key)).scalar_one()
    return json.dumps(
        {
            "verdict": row.verdict, "confidence": row.confidence, "reasons": [reason["code"] for reason in reasons],
            "delivery": row.delivery, "techniques": ["T1105", "T1059.004"],
        }
    )  # fmt: skip


def publish(store: Store, now: datetime) -> list[str]:
    """Put what is malicious into the table of publications; give most payloads a second capture and some URLs a lead.
    The keys."""
    with store.begin() as connection:
        found = connection.execute(
            select(urls).where(urls.c.verdict.like("malicious-%")).order_by(urls.c.key)
        ).all()
        for n, row in enumerate(found):
            first = row.first_seen.replace(hour=0, minute=0, second=0, microsecond=0)
            last = row.last_seen.replace(hour=0, minute=0, second=0, microsecond=0)
            connection.execute(
                insert(publications).values(
                    url_key=row.key,
                    after=min(row.last_seen, now - timedelta(hours=1)),
                    first=first,
                    last=last,
                    told=told_of(connection, row),
                )
            )
            connection.execute(
                update(urls)
                .where(urls.c.key == row.key)
                .values(published_at=last, publish_after=last, held=False)
            )
            before = (
                connection.execute(select(captures).where(captures.c.url_key == row.key)).mappings().first()
            )
            if before is not None and n % 4:
                connection.execute(insert(captures).values({**before, "session": f"again-{n}"}))
            if n % 3 == 0:
                listed = first + timedelta(days=1 + n % 5)
                connection.execute(
                    insert(leads).values(
                        url_key=row.key, provider="urlhaus", first_seen=row.first_seen, listed=listed, basis="stated",
                        seconds=int((listed - row.first_seen).total_seconds()),
                    )
                )  # fmt: skip
    return [row.key for row in found]


def share_a_payload(store: Store) -> None:
    """Let the first URLs of three hosts serve the same payload, so that there is a campaign."""
    with store.begin() as connection:
        found = connection.execute(
            select(urls.c.key, urls.c.host, urls.c.sha256)
            .join(publications, publications.c.url_key == urls.c.key)
            .where(urls.c.sha256.is_not(None))
            .order_by(urls.c.key)
        ).all()
        firsts = list({row.host: row for row in reversed(found)}.values())[-3:]
        repeated = connection.execute(
            select(captures.c.sha256)
            .where(captures.c.sha256.in_([row.sha256 for row in found]), captures.c.session.like("again-%"))
            .order_by(captures.c.sha256)
        ).scalars()
        connection.execute(
            update(urls).where(urls.c.key.in_([row.key for row in firsts])).values(sha256=repeated.first())
        )
