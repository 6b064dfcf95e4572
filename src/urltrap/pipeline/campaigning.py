"""Campaign: what belongs together gets one id."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select, update

from urltrap.analysis import NEAR, distance
from urltrap.judge.campaigns import Fetched, Known, Link, Node, alike, join, links_of
from urltrap.model.artifact import Analysis
from urltrap.pipeline.stage import each
from urltrap.pipeline.workshop import Workshop
from urltrap.store import work
from urltrap.store.intake import in_parts
from urltrap.store.schema import artifacts, captures, sightings, urls
from urltrap.store.schema_analysis import campaign_members, campaigns, payload_hashes, session_marks
from urltrap.store.upsert import insert_new, upsert

_BATCH = 100
_CANDIDATES = 5000
_LEAST_ALIKE = 1024
_SESSIONS = 50
_PAYLOADS = 50


class CampaignStage:
    """Jobs: "url/KEY" where something links a URL anew, "payload/SHA256" for a payload that was analysed."""

    name = "campaign"

    def run(self, workshop: Workshop) -> int:
        """Join a batch."""
        return each(workshop, self.name, lambda connection, job: _join(workshop, connection, job), _BATCH)


def _join(workshop: Workshop, connection: Connection, job: work.Job) -> None:
    kind, _, value = job.subject.partition("/")
    if kind == "url":
        links, seen = _of_url(workshop, connection, value)
    else:
        links, seen = _of_payload(connection, value)
    if not links or seen is None:
        return
    nodes = list(dict.fromkeys(node for link in links for node in (link.first, link.second)))
    known = _known(connection, nodes)
    changes = join(links, known, dict.fromkeys(nodes, seen))
    insert_new(
        connection,
        campaign_members,
        [
            {"kind": node.kind, "value_sha256": _digest(node), "value": node.value, "campaign": campaign, "at": seen,
             "why": why}
            for node, (campaign, why) in changes.members.items()
        ],
    )  # fmt: skip
    for old, new in changes.merged.items():
        for table, column in ((campaign_members, "campaign"), (urls, "campaign"), (campaigns, "merged_into")):
            connection.execute(update(table).where(table.c[column] == old).values({column: new}))
        connection.execute(
            update(campaigns).where(campaigns.c.id == old).values(merged_into=new, urls=0, payloads=0)
        )
    _write(connection, changes.since, seen, changes.members)


def _of_url(workshop: Workshop, connection: Connection, key: str) -> tuple[list[Link], datetime | None]:
    row = connection.execute(select(urls).where(urls.c.key == key)).mappings().first()
    if row is None or row["held"]:
        return [], None
    served = connection.execute(
        select(captures.c.sha256, artifacts.c.kind, artifacts.c.size)
        .join(artifacts, artifacts.c.sha256 == captures.c.sha256)
        .where(
            captures.c.url_key == key,
            or_(captures.c.status.is_(None), and_(captures.c.status >= 200, captures.c.status < 300)),
        )
        .distinct()
        .limit(_PAYLOADS)
    ).all()
    seen = connection.execute(
        select(sightings.c.session, sightings.c.parent_sha256)
        .where(sightings.c.url_key == key)
        .distinct()
        .limit(_SESSIONS)
    ).all()
    parents = {item.parent_sha256 for item in seen if item.parent_sha256}
    marks = connection.execute(
        select(session_marks.c.kind, session_marks.c.value)
        .where(session_marks.c.session.in_({item.session for item in seen if not item.parent_sha256}))
        .distinct()
    ).all()
    fetched = Fetched(
        key=key,
        host=row["host"],
        labels=workshop.known_hosts.labels(row["host"]),
        payloads=tuple((item.sha256, item.kind, item.size or 0) for item in served),
        parents=tuple(sorted(parents)),
        templates=tuple(sorted(mark.value for mark in marks if mark.kind == "template")),
        keys=tuple(sorted(mark.value for mark in marks if mark.kind == "key")),
    )
    return links_of(fetched), row["first_seen"]


def _of_payload(connection: Connection, sha256: str) -> tuple[list[Link], datetime | None]:
    row = connection.execute(select(artifacts).where(artifacts.c.sha256 == sha256)).mappings().first()
    if row is None or not row["kind"]:
        return [], None
    found = Analysis.model_validate(row["analysis"])
    if not found.tlsh or found.kind not in ("elf", "pe", "script") or (row["size"] or 0) < _LEAST_ALIKE:
        return [], None
    others = connection.execute(
        select(payload_hashes.c.sha256, payload_hashes.c.tlsh)
        .where(payload_hashes.c.sha256 != sha256)
        .order_by(payload_hashes.c.at.desc())
        .limit(_CANDIDATES)
    ).all()
    near = [(item.sha256, distance(found.tlsh, item.tlsh)) for item in others]
    insert_new(connection, payload_hashes, [{"sha256": sha256, "tlsh": found.tlsh, "at": row["first_seen"]}])
    return alike(sha256, near, NEAR), row["first_seen"]


def _digest(node: Node) -> str:
    return hashlib.sha256(node.value.encode("utf-8", "surrogateescape")).hexdigest()


def _known(connection: Connection, nodes: Sequence[Node]) -> dict[Node, Known]:
    by_digest = {(node.kind, _digest(node)): node for node in nodes}
    found: dict[Node, Known] = {}
    for part in in_parts([digest for _, digest in by_digest]):
        rows = connection.execute(
            select(
                campaign_members.c.kind,
                campaign_members.c.value_sha256,
                campaign_members.c.campaign,
                campaigns.c.first_seen,
            )
            .join(campaigns, campaigns.c.id == campaign_members.c.campaign)
            .where(campaign_members.c.value_sha256.in_(part))
        )
        for row in rows:
            node = by_digest.get((row.kind, row.value_sha256))
            if node is not None:
                found[node] = Known(row.campaign, row.first_seen)
    return found


def _write(
    connection: Connection,
    since: dict[str, datetime],
    seen: datetime,
    members: dict[Node, tuple[str, str]],
) -> None:
    new: dict[str, list[str]] = {}
    for node, (campaign, _) in members.items():
        if node.kind == "url":
            new.setdefault(campaign, []).append(node.value)
    for campaign, keys in new.items():
        connection.execute(update(urls).where(urls.c.key.in_(keys)).values(campaign=campaign))
    upsert(
        connection,
        campaigns,
        [
            {"id": campaign, "first_seen": first, "last_seen": max(first, seen), "merged_into": "", **counts}
            for campaign, first in since.items()
            for counts in [_counts(connection, campaign)]
        ],
        replace=["urls", "payloads"],
        lowest=["first_seen"],
        highest=["last_seen"],
    )


def _counts(connection: Connection, campaign: str) -> dict[str, Any]:
    rows: Iterable[Any] = connection.execute(
        select(campaign_members.c.kind, func.count().label("n"))
        .where(campaign_members.c.campaign == campaign)
        .group_by(campaign_members.c.kind)
    )
    found = {row.kind: int(row.n) for row in rows}
    return {"urls": found.get("url", 0), "payloads": found.get("payload", 0)}
