"""Publish: what may leave as a feed, from when on."""

from __future__ import annotations

from sqlalchemy import or_, select, update

from urltrap.judge import RULES
from urltrap.judge.publication import VERSION
from urltrap.model.settings import Settings
from urltrap.pipeline.judging import policy_of
from urltrap.pipeline.workshop import Workshop
from urltrap.store import work
from urltrap.store.intake import in_parts
from urltrap.store.schema import facts, urls, verdicts
from urltrap.store.upsert import upsert

_BATCH = 1000


def gate_of(settings: Settings) -> str:
    """What stands for the gate's rules and the operator's choices: another one judges what is malicious again."""
    return f"{VERSION} {policy_of(settings)} {sorted(settings.public.hidden)}"


class PublishStage:
    """No jobs: what is due is found by its moment."""

    name = "publish"

    def __init__(self) -> None:
        self._settled = False

    def run(self, workshop: Workshop) -> int:
        """Publish a batch of what is due."""
        least = workshop.settings.publish.min_confidence
        if not self._settled:
            self._settle(workshop, least)
            self._settled = True
        now = workshop.now()
        due = select(urls.c.key).where(
            urls.c.published_at.is_(None),
            urls.c.publish_after <= now,
            urls.c.verdict.like("malicious-%"),
            urls.c.confidence >= least,
            ~urls.c.held,
        )
        with workshop.store.connect() as connection:
            keys = list(connection.execute(due.limit(_BATCH)).scalars())
        if not keys:
            return 0
        with workshop.store.begin() as connection:
            for part in in_parts(keys):
                connection.execute(update(urls).where(urls.c.key.in_(part)).values(published_at=now))
        return len(keys)

    def _settle(self, workshop: Workshop, least: int) -> None:
        """At the start: the settings or the rules may be other ones than before."""
        now = workshop.now()
        with workshop.store.begin() as connection:
            connection.execute(
                update(urls)
                .where(
                    urls.c.published_at.is_not(None),
                    or_(urls.c.confidence < least, urls.c.publish_after.is_(None), urls.c.held),
                )
                .values(published_at=None)
            )
            gate = gate_of(workshop.settings)
            known = connection.execute(select(facts.c.value).where(facts.c.name == "gate")).scalar()
            if known != gate:
                malicious = select(urls.c.key).where(urls.c.verdict.like("malicious-%"))
                work.put(connection, "judge", list(connection.execute(malicious).scalars()), now)
                upsert(connection, facts, [{"name": "gate", "value": gate}], replace=["value"])
            stored = connection.execute(select(facts.c.value).where(facts.c.name == "rules")).scalar()
            if stored != RULES:
                keys = list(
                    connection.execute(select(verdicts.c.url_key).where(verdicts.c.rules != RULES)).scalars()
                )
                work.put(connection, "judge", keys, now)
                upsert(connection, facts, [{"name": "rules", "value": RULES}], replace=["value"])
