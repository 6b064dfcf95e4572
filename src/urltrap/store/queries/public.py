"""What everyone may see, read from the store: URLs that came through the publication gate, and nothing besides."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal

from sqlalchemy import Connection, Select, distinct, func, select

from urltrap.model.public_views import PublicPayload, PublicUrl
from urltrap.store.among import among
from urltrap.store.engine import Store
from urltrap.store.intake import in_parts
from urltrap.store.queries.overview import countries
from urltrap.store.queries.top import top
from urltrap.store.rollups import value_key
from urltrap.store.schema import (
    addresses,
    artifacts,
    captures,
    logins,
    observations,
    sessions,
    urls,
    verdicts,
)
from urltrap.store.schema_intel import leads
from urltrap.store.schema_public import publications

Tried = Literal["username", "password"]
MOST = 50_000
"""URLs that are shown, the newest."""
_TRIED_AT_MOST = 5000
_CANDIDATES = 100


_URL = tuple(
    urls.c[name]
    for name in (
        "key", "url", "host", "port", "scheme", "verdict", "action", "role", "target", "hosting", "lifecycle", "family",
        "kind", "sha256",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Public:
    """Everything for everyone at one moment: URLs (newest day first), and their payloads by hash.

    `known` is how the store had each URL, so that what has not changed need not be made anew.
    """

    urls: list[PublicUrl]
    payloads: dict[str, PublicPayload]
    known: dict[tuple[Any, ...], PublicUrl]


def read(
    store: Store,
    now: datetime,
    min_confidence: int,
    hides: Callable[[str], bool] = lambda url: False,
    known: Mapping[tuple[Any, ...], PublicUrl] = MappingProxyType({}),
) -> Public:
    """What is published at `now`. `hides` says of a URL whether it must not be shown, whatever the gate said before;
    `known`: those of an earlier reading that was asked with the same `hides`."""
    with store.connect() as connection:
        rows = connection.execute(_query(now, min_confidence)).all()
        keys = [row.key for row in rows]
        listed = _listed(connection, keys)
        first_listed = _first_listed(connection, keys)
        served = _served(connection, [row.sha256 for row in rows if row.sha256])
        found: dict[tuple[Any, ...], PublicUrl] = {}
        for row in rows:
            others = first_listed.get(row.key)
            raw = (*row, listed.get(row.key, 0), others, served.get(row.sha256 or "", 0) >= 2)
            url = known.get(raw)
            if url is None and not hides(row.url):
                url = _url(row, raw[-3], others, raw[-1])
            if url is not None:
                found[raw] = url
        shown = list(found.values())
        return Public(shown, _payloads(connection, shown), found)


def _query(now: datetime, min_confidence: int) -> Select[Any]:
    return (
        select(*_URL, publications.c.first, publications.c.last, publications.c.told, verdicts.c.classes)
        .select_from(urls)
        .join(publications, publications.c.url_key == urls.c.key)
        .join(verdicts, verdicts.c.url_key == urls.c.key)
        .where(
            publications.c.after <= now,
            urls.c.published_at.is_not(None),
            urls.c.publish_after <= now,
            urls.c.verdict.like("malicious-%"),
            urls.c.confidence >= min_confidence,
            ~urls.c.held,
        )
        # Within a day by what nobody chose: the order in which URLs came is nobody's business.
        .order_by(publications.c.last.desc(), urls.c.key)
        .limit(MOST)
    )


def _url(row: Any, listed: int, others: datetime | None, served_again: bool) -> PublicUrl:
    classes, told = json.loads(row.classes or "{}"), json.loads(row.told)
    return PublicUrl(
        id=row.key, url=row.url, host=row.host, port=row.port, scheme=row.scheme, first=row.first, last=row.last,
        verdict=row.verdict, confidence=told["confidence"], reasons=told["reasons"], action=row.action, role=row.role,
        target=row.target, delivery=told["delivery"], hosting=row.hosting, lifecycle=row.lifecycle, family=row.family,
        fp_risk=classes.get("fp_risk", "medium"), techniques=told["techniques"], kind=row.kind, listed=listed,
        # A body that was given out once may be made for whoever asked.
        sha256=row.sha256 if served_again else None,
        days_first=max(0, (others - row.first).days) if others and others > row.first else None,
    )  # fmt: skip


def _listed(connection: Connection, keys: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in in_parts(keys):
        query = (
            select(observations.c.subject_sha256, func.count(distinct(observations.c.provider)))
            .where(
                among(connection, observations.c.subject_sha256, part),
                observations.c.subject_kind == "url",
                observations.c.result == "listed",
            )
            .group_by(observations.c.subject_sha256)
        )
        found.update({row[0]: row[1] for row in connection.execute(query)})
    return found


def _first_listed(connection: Connection, keys: Iterable[str]) -> dict[str, datetime]:
    found: dict[str, datetime] = {}
    for part in in_parts(keys):
        query = (
            select(leads.c.url_key, func.min(leads.c.listed))
            .where(among(connection, leads.c.url_key, part))
            .group_by(leads.c.url_key)
        )
        found.update({row[0]: row[1] for row in connection.execute(query)})
    return found


def _served(connection: Connection, payloads: Iterable[str]) -> dict[str, int]:
    """How many captures gave each payload."""
    found: dict[str, int] = {}
    for part in in_parts(dict.fromkeys(payloads)):
        query = (
            select(captures.c.sha256, func.count())
            .where(among(connection, captures.c.sha256, part))
            .group_by(captures.c.sha256)
        )
        found.update({row[0]: row[1] for row in connection.execute(query)})
    return found


def _payloads(connection: Connection, shown: Sequence[PublicUrl]) -> dict[str, PublicPayload]:
    serving: dict[str, list[PublicUrl]] = {}
    for url in shown:
        if url.sha256:
            serving.setdefault(url.sha256, []).append(url)
    found: dict[str, PublicPayload] = {}
    for part in in_parts(serving):
        for row in connection.execute(select(artifacts).where(among(connection, artifacts.c.sha256, part))):
            its = serving[row.sha256]
            found[row.sha256] = PublicPayload(
                sha256=row.sha256, md5=row.md5, sha1=row.sha1, size=row.size or 0, kind=row.kind,
                architecture=row.architecture, family=row.analysis.get("family", "") if row.kind else "",
                first=min(url.first for url in its), last=max(url.last for url in its), urls=[url.id for url in its],
            )  # fmt: skip
    return found


def shown_after(store: Store, key: str) -> datetime | None:
    """The moment from which everyone may see a URL; None where too few networks have shown it, or it is withheld."""
    with store.connect() as connection:
        query = select(publications.c.after).where(publications.c.url_key == key)
        found: datetime | None = connection.execute(query).scalar()
    return found


def address_counts(store: Store) -> tuple[int, dict[str, int]]:
    """How many addresses attacked, and how many of each country."""
    with store.connect() as connection:
        total = connection.execute(select(func.count()).select_from(addresses)).scalar_one()
    return total, {row.country: row.addresses for row in countries(store) if row.country}


def tried(store: Store, what: Tried, most: int) -> list[tuple[bytes, int]]:
    """Words that were tried often, each with the number of addresses that did, among a bounded number of its tries:
    `most` at most."""
    column, key = getattr(logins.c, what), logins.c[f"{what}_key"]
    found = []
    for row in top(store, what, _CANDIDATES):
        tries = (
            select(logins.c.session)
            .where(key == value_key(row.value), column == row.value)
            .limit(_TRIED_AT_MOST)
            .subquery()
        )
        sources = (
            select(sessions.c.src_ip)
            .join(tries, tries.c.session == sessions.c.id)
            .distinct()
            .limit(most)
            .subquery()
        )
        with store.connect() as connection:
            found.append(
                (row.value, connection.execute(select(func.count()).select_from(sources)).scalar_one())
            )
    return found
