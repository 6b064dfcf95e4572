"""Look up: what the dumps of reputation providers say, and which questions others are asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog
from sqlalchemy import Connection, select

from urltrap.intel import questions
from urltrap.intel.lists.index import BENIGN
from urltrap.intel.reputation import registry
from urltrap.intel.reputation.asked import Asked
from urltrap.intel.reputation.provider import Provider
from urltrap.model.url import parse_url
from urltrap.model.verdict import Observation
from urltrap.pipeline.stage import BATCH
from urltrap.pipeline.workshop import Workshop
from urltrap.store import lookups, observing, work
from urltrap.store.intake import in_parts
from urltrap.store.schema import artifacts, captures, facts, urls
from urltrap.store.schema_intel import liveness
from urltrap.store.upsert import upsert

log = structlog.get_logger("urltrap.pipeline")


class LookUpStage:
    """Jobs: the key of a URL. A provider whose data changed is looked everything up in again."""

    name = "lookup"

    def __init__(self, asked: list[Asked] | None = None) -> None:
        self._versions: dict[str, str] = {}
        self._asked = asked

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
            found = connection.execute(
                select(urls.c.key, urls.c.url, urls.c.outcome).where(urls.c.key.in_(keys), ~urls.c.held)
            ).all()
            payloads = _payloads(connection, [row.key for row in found])
            alive = _online(connection, [row.key for row in found])
        parsed = [parse_url(row.url) for row in found]
        digests = list(dict.fromkeys(digest for served in payloads.values() for digest, _ in served))
        answers: list[Observation] = []
        for provider in workshop.providers:
            for said in provider.look_up(parsed, now):
                answers += said
            by_hash = getattr(provider, "look_up_hashes", None)
            if by_hash is not None and digests:
                answers += by_hash(digests, now)
        listed = {item.subject for item in answers if item.result == "listed" and item.subject_kind != "host"}
        wanted: list[lookups.Question] = []
        for row, url in zip(found, parsed, strict=True):
            served = payloads.get(row.key, ())
            known = questions.Known(
                url=url,
                labels=_kinds(workshop, url.host),
                payloads=tuple(item for item in served if not _innocent(workshop, item[0])),
                online=row.key in alive,
                listed=url.text in listed or any(digest in listed for digest, _ in served),
                unmasking=any(own in url.text for own in workshop.own_addresses),
            )
            wanted += questions.questions(self._others(workshop), known)
        with workshop.store.begin() as connection:
            observing.record(connection, answers)
            lookups.want(connection, wanted, now)
            work.put(connection, "judge", [row.key for row in found], now)
            work.finish(connection, self.name, keys)
        return len(due)

    def _others(self, workshop: Workshop) -> list[Asked]:
        if self._asked is None:
            self._asked = registry.usable(workshop.settings.intel)
        return self._asked

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


def _kinds(workshop: Workshop, host: str) -> frozenset[str]:
    if workshop.lists is None:
        return frozenset(label.kind for label in workshop.known_hosts.labels(host))
    return frozenset(label.kind for label in workshop.lists.index.of_host(host))


def _innocent(workshop: Workshop, digest: str) -> bool:
    """The empty file and others that every list of false positives knows."""
    if workshop.lists is None:
        return False
    return any(label.kind in BENIGN for label in workshop.lists.index.of_hash(digest))


def _payloads(connection: Connection, keys: Sequence[str]) -> dict[str, tuple[tuple[str, bool], ...]]:
    """Key of a URL → the complete payloads that it served, and whether their family is known."""
    found: dict[str, dict[str, bool]] = {}
    for part in in_parts(keys):
        rows = connection.execute(
            select(captures.c.url_key, captures.c.sha256, artifacts.c.analysis)
            .join(artifacts, artifacts.c.sha256 == captures.c.sha256)
            # Half a payload has a hash that nobody knows; an error page says nothing of the URL.
            .where(captures.c.url_key.in_(part), captures.c.complete, artifacts.c.size > 0)
            .where(captures.c.status.is_(None) | (captures.c.status < 400))
        )
        for row in rows:
            analysis: Any = row.analysis or {}
            found.setdefault(row.url_key, {})[row.sha256] = bool(
                analysis.get("family") or analysis.get("families")
            )
    return {key: tuple(served.items()) for key, served in found.items()}


def _online(connection: Connection, keys: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for part in in_parts(keys):
        found.update(
            connection.execute(
                select(liveness.c.url_key).where(
                    liveness.c.url_key.in_(part), liveness.c.state.in_(["online", "moved"])
                )
            ).scalars()
        )
    return found
