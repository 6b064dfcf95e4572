"""URLs: lists, and one URL with everything that is known of it."""

from __future__ import annotations

import json
import re
from typing import Any

from sqlalchemy import Connection, and_, exists, func, or_, select

from urltrap.model.capture import Capture
from urltrap.model.url import UrlError, canonical
from urltrap.model.verdict import Observation, Reason, Verdict
from urltrap.model.views import ServedRow, SightingRow, UrlDetail, UrlFilter, UrlPage, UrlRow
from urltrap.store.engine import Store
from urltrap.store.queries.shared import (
    PAGE,
    artifact_row,
    make_cursor,
    page_size,
    read_cursor,
    sighting_of,
    url_row,
)
from urltrap.store.rows import url_key
from urltrap.store.schema import (
    addresses,
    artifacts,
    captures,
    observations,
    sightings,
    url_sources,
    urls,
    verdicts,
)

_COLUMNS = (
    "verdict", "host", "kind", "held", "action", "role", "delivery", "target", "hosting", "lifecycle", "family",
    "campaign",
)  # fmt: skip
_KEY = re.compile(r"[0-9a-f]{8,64}")
_SHOWN = 200


def page(
    store: Store, wanted: UrlFilter | None = None, cursor: str | None = None, limit: int = PAGE
) -> UrlPage:
    """URLs, most recently seen first. Raises shared.BadCursor for a cursor that is none."""
    limit = page_size(limit)
    query = select(urls).where(*conditions(wanted or UrlFilter()))
    if cursor:
        seen, key = read_cursor(cursor)
        query = query.where(or_(urls.c.last_seen < seen, and_(urls.c.last_seen == seen, urls.c.key < key)))
    query = query.order_by(urls.c.last_seen.desc(), urls.c.key.desc()).limit(limit + 1)
    with store.connect() as connection:
        found = connection.execute(query).mappings().all()
    rows = [url_row(row) for row in found[:limit]]
    return UrlPage(
        rows=rows, next=make_cursor(rows[-1].last_seen, rows[-1].id) if len(found) > limit else None
    )


def detail(store: Store, name: str) -> UrlDetail | None:
    """One URL by its id, the beginning of its id (8 characters or more, if unique), or the URL itself."""
    with store.connect() as connection:
        row = _find(connection, name)
        if row is None:
            return None
        key = row["key"]
        seen = connection.execute(
            select(sightings, urls.c.url)
            .join(urls, urls.c.key == sightings.c.url_key)
            .where(sightings.c.url_key == key)
            .order_by(sightings.c.at.desc(), sightings.c.session, sightings.c.seq, sightings.c.n)
            .limit(_SHOWN)
        ).mappings()
        sighting_rows = [
            SightingRow(sighting=sighting_of(found), sensor=found["sensor"], src_ip=found["src_ip"])
            for found in seen
        ]
        bodies = connection.execute(
            select(captures.c.body)
            .where(captures.c.url_key == key)
            .order_by(captures.c.at.desc(), captures.c.session, captures.c.seq)
            .limit(_SHOWN)
        ).scalars()
        attempts = [Capture.model_validate_json(body) for body in bodies]
        served = _served(connection, key)
        payloads = [payload.sha256 for payload in served]
        return UrlDetail(
            row=url_row(row),
            verdict=_verdict(connection, row),
            sightings=sighting_rows,
            captures=attempts,
            observations=_observations(connection, [key]),
            artifacts=[
                artifact_row(found)
                for found in connection.execute(
                    select(artifacts).where(artifacts.c.sha256.in_(payloads)).order_by(artifacts.c.first_seen)
                ).mappings()
            ],
            payloads=served,
        )


def _served(connection: Connection, key: str) -> list[ServedRow]:
    """All payloads of a URL, however long ago."""
    begun = func.min(captures.c.at)
    rows = connection.execute(
        select(captures.c.sha256, begun, func.max(captures.c.at), func.count())
        .where(captures.c.url_key == key, captures.c.sha256.is_not(None))
        .group_by(captures.c.sha256)
        .order_by(begun, captures.c.sha256)
        .limit(_SHOWN)
    )
    return [
        ServedRow(sha256=sha256, first=first, last=last, captures=times)
        for sha256, first, last, times in rows
    ]


def second_stages(store: Store, payloads: list[str]) -> list[UrlRow]:
    """URLs that were found in these payloads, oldest first."""
    within = select(sightings.c.url_key).where(sightings.c.parent_sha256.in_(payloads))
    with store.connect() as connection:
        rows = connection.execute(
            select(urls).where(urls.c.key.in_(within)).order_by(urls.c.first_seen, urls.c.key).limit(_SHOWN)
        ).mappings()
        return [url_row(row) for row in rows]


def _find(connection: Any, name: str) -> Any:
    if _KEY.fullmatch(name):
        if len(name) == 64:
            return connection.execute(select(urls).where(urls.c.key == name)).mappings().first()
        found = connection.execute(select(urls).where(urls.c.key.like(f"{name}%")).limit(2)).mappings().all()
        return found[0] if len(found) == 1 else None
    try:
        key = url_key(canonical(name))
    except UrlError:
        return None
    return connection.execute(select(urls).where(urls.c.key == key)).mappings().first()


def _verdict(connection: Any, url: Any) -> Verdict | None:
    row = connection.execute(select(verdicts).where(verdicts.c.url_key == url["key"])).mappings().first()
    if row is None:
        return None
    return Verdict(
        url=url["url"], verdict=row["verdict"], confidence=row["confidence"],
        reasons=[Reason.model_validate(reason) for reason in row["reasons"]], at=row["at"], rules=row["rules"],
        publish_after=row["publish_after"], campaign=url["campaign"], **json.loads(row["classes"] or "{}"),
    )  # fmt: skip


def _observations(connection: Any, subjects: list[str]) -> list[Observation]:
    rows = connection.execute(
        select(observations)
        .where(observations.c.subject_sha256.in_(subjects))
        .order_by(observations.c.provider, observations.c.subject_kind)
    ).mappings()
    return [
        Observation(
            provider=row["provider"], subject_kind=row["subject_kind"], subject=row["subject"], at=row["at"],
            result=row["result"], detail=row["detail"], tags=row["tags"], reference=row["reference"],
        )
        for row in rows
    ]  # fmt: skip


def conditions(wanted: UrlFilter) -> list[Any]:
    """What a filter asks of rows of `urls`."""
    found: list[Any] = []
    for name in _COLUMNS:
        value = getattr(wanted, name)
        if value is not None:
            found.append(urls.c[name] == value)
    if wanted.provider is not None:
        found.append(
            exists().where(
                observations.c.provider == wanted.provider,
                observations.c.subject_kind == "url",
                observations.c.subject_sha256 == urls.c.key,
                observations.c.result == "listed",
            )
        )
    if wanted.sensor is not None:
        # First, because it is asked once and not for every URL: a sensor that saw none.
        found.append(exists().where(sightings.c.sensor == wanted.sensor))
        found.append(exists().where(sightings.c.url_key == urls.c.key, sightings.c.sensor == wanted.sensor))
    if wanted.source is not None:
        brought = select(url_sources.c.url_key).where(url_sources.c.address == wanted.source)
        found.append(urls.c.key.in_(brought))
    if wanted.asn is not None:
        brought = select(url_sources.c.url_key).join(addresses, addresses.c.address == url_sources.c.address)
        found.append(urls.c.key.in_(brought.where(addresses.c.asn == wanted.asn)))
    if wanted.malicious is not None:
        is_malicious = urls.c.verdict.like("malicious-%")
        found.append(is_malicious if wanted.malicious else ~is_malicious)
    if wanted.published is not None:
        found.append(urls.c.published_at.is_not(None) if wanted.published else urls.c.published_at.is_(None))
    if wanted.min_confidence is not None:
        found.append(urls.c.confidence >= wanted.min_confidence)
    if wanted.since is not None:
        found.append(urls.c.last_seen >= wanted.since)
    if wanted.until is not None:
        found.append(urls.c.first_seen < wanted.until)
    if wanted.text:
        found.append(urls.c.url.contains(wanted.text.replace("\0", ""), autoescape=True))
    return found
