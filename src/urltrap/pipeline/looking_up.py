"""Look up: what reputation providers say."""

from __future__ import annotations

import hashlib
from typing import Any

import structlog
from sqlalchemy import select

from urltrap.intel.reputation.provider import Provider
from urltrap.model.url import parse_url
from urltrap.model.verdict import Observation
from urltrap.pipeline.stage import BATCH
from urltrap.pipeline.workshop import Workshop
from urltrap.store import work
from urltrap.store.intake import in_parts
from urltrap.store.rows import url_key
from urltrap.store.schema import facts, observations, urls
from urltrap.store.upsert import insert_new, upsert

log = structlog.get_logger("urltrap.pipeline")


class LookUpStage:
    """Jobs: the key of a URL. A provider whose data changed is asked about everything again."""

    name = "lookup"

    def __init__(self) -> None:
        self._versions: dict[str, str] = {}

    def run(self, workshop: Workshop) -> int:
        """Look a batch up."""
        for provider in workshop.providers:
            self._again(workshop, provider)
        now = workshop.now()
        due = work.due(workshop.store, self.name, now, BATCH)
        if not due:
            return 0
        keys = [job.subject for job in due]
        with workshop.store.connect() as connection:
            found = connection.execute(select(urls.c.key, urls.c.url).where(urls.c.key.in_(keys))).all()
        parsed = [parse_url(row.url) for row in found]
        rows: dict[tuple[str, str, str], dict[str, Any]] = {}
        for provider in workshop.providers:
            for answers in provider.look_up(parsed, now):
                for answer in answers:
                    row = _row(answer)
                    rows[answer.provider, answer.subject_kind, row["subject_sha256"]] = row
        with workshop.store.begin() as connection:
            upsert(
                connection,
                observations,
                [row for row in rows.values() if row["result"] != "error"],
                replace=["at", "result", "detail", "tags", "reference"],
                lowest=["first_listed"],
            )
            # That a provider cannot say does not take back what it said before.
            insert_new(connection, observations, [row for row in rows.values() if row["result"] == "error"])
            work.put(connection, "judge", [row.key for row in found], now)
            work.finish(connection, self.name, keys)
        return len(due)

    def _again(self, workshop: Workshop, provider: Provider) -> None:
        version = provider.version
        if self._versions.get(provider.name) == version:
            return
        name = f"provider.{provider.name}"
        now = workshop.now()
        with workshop.store.begin() as connection:
            stored = connection.execute(select(facts.c.value).where(facts.c.name == name)).scalar()
            if stored != version and version:
                keys = list(connection.execute(select(urls.c.key).where(~urls.c.held)).scalars())
                for part in in_parts(keys, 1000):
                    work.put(connection, self.name, part, now)
                upsert(connection, facts, [{"name": name, "value": version}], replace=["value"])
                log.info("lookup.again", provider=provider.name, urls=len(keys))
        self._versions[provider.name] = version


def _row(answer: Observation) -> dict[str, Any]:
    return {
        "provider": answer.provider, "subject_kind": answer.subject_kind,
        "subject_sha256": url_key(answer.subject) if answer.subject_kind == "url" else _sha(answer.subject),
        "subject": answer.subject, "at": answer.at, "result": answer.result, "detail": answer.detail,
        "tags": answer.tags, "reference": answer.reference,
        "first_listed": answer.at if answer.result == "listed" else None,
    }  # fmt: skip


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
