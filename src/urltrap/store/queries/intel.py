"""What `urltrap domains`, `quota` and `check` show: ranking, what is left, what waits, what others say."""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import case, func, select

from urltrap.model.verdict import Observation, SubjectKind
from urltrap.store import breakers, windows
from urltrap.store.engine import Store
from urltrap.store.schema import addresses, observations
from urltrap.store.schema_intel import (
    address_labels,
    leads,
    liveness,
    lookups,
    names,
    provider_breakers,
    provider_windows,
)
from urltrap.store.windows import Window


@dataclass(frozen=True, slots=True)
class DomainRow:
    """A registered domain with the attackers' addresses whose reverse names are below it."""

    domain: str
    addresses: int
    confirmed: int
    sessions: int
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """One provider: what it allows, what is left, what waits, and why it is not asked now."""

    provider: str
    windows: list[Window]
    waiting: int
    asking: int
    answered: int
    state: str
    until: datetime | None
    reason: str
    last_expected: datetime | None
    """When the last question that waits can be asked, if nothing else comes."""


def busiest_domains(store: Store, top: int) -> list[tuple[str, int]]:
    """The registered domains with most attackers' addresses below them, and how many: from an index alone."""
    with store.connect() as connection:
        rows = connection.execute(
            select(names.c.domain, func.count().label("n"))
            .where(names.c.domain != "")
            .group_by(names.c.domain)
            .order_by(func.count().desc(), names.c.domain)
            .limit(top)
        ).all()
    return [(row.domain, row.n) for row in rows]


@dataclass(frozen=True, slots=True)
class NameRow:
    """An attacker's address with its reverse name."""

    address: str
    name: str
    confirmed: bool
    sessions: int
    last_seen: datetime


def below_domain(store: Store, domain: str, limit: int) -> list[NameRow]:
    """Attackers' addresses whose reverse names are below a registered domain, busiest first."""
    with store.connect() as connection:
        rows = connection.execute(
            select(
                names.c.address, names.c.name, names.c.confirmed, addresses.c.sessions, addresses.c.last_seen
            )
            .join(addresses, addresses.c.address == names.c.address)
            .where(names.c.domain == domain)
            .order_by(addresses.c.sessions.desc(), names.c.address)
            .limit(limit)
        ).all()
    return [NameRow(row.address, row.name, bool(row.confirmed), row.sessions, row.last_seen) for row in rows]


def domains(store: Store, top: int) -> list[DomainRow]:
    """Registered domains by how many attackers' addresses are below them."""
    first = [domain for domain, _ in busiest_domains(store, top)]
    with store.connect() as connection:
        rows = connection.execute(
            select(
                names.c.domain,
                func.count().label("addresses"),
                func.sum(case((names.c.confirmed, 1), else_=0)).label("confirmed"),
                func.sum(addresses.c.sessions).label("sessions"),
                func.max(addresses.c.last_seen).label("last_seen"),
            )
            .join(addresses, addresses.c.address == names.c.address)
            .where(names.c.domain.in_(first))
            .group_by(names.c.domain)
            .order_by(func.count().desc(), names.c.domain)
        ).all()
    return [
        DomainRow(row.domain, row.addresses, int(row.confirmed or 0), int(row.sessions or 0), row.last_seen)
        for row in rows
    ]


def quotas(store: Store, now: datetime) -> list[ProviderRow]:
    """All providers that were ever asked or wanted."""
    with store.connect() as connection:
        counted = connection.execute(
            select(lookups.c.provider, lookups.c.state, func.count().label("n")).group_by(
                lookups.c.provider, lookups.c.state
            )
        ).all()
        known = {row.provider: row for row in connection.execute(select(provider_breakers))}
        named = {row.provider for row in counted} | set(known)
        named |= set(connection.execute(select(provider_windows.c.provider).distinct()).scalars())
        found = []
        for provider in sorted(named):
            states = {row.state: row.n for row in counted if row.provider == provider}
            breaker = known.get(provider)
            shut = breaker is not None and breakers.Breaker(
                provider, breaker.state, until=breaker.until
            ).refuses(now)
            spans = windows.seen(connection, provider, now)
            waiting = states.get("ready", 0) + states.get("later", 0)
            until = breaker.until if shut and breaker is not None else windows.spent_until(spans)
            found.append(
                ProviderRow(
                    provider,
                    spans,
                    waiting,
                    states.get("claimed", 0),
                    states.get("done", 0),
                    "refused" if shut and until is None else "waits" if until else "open",
                    until,
                    breaker.reason if breaker is not None and (shut or breaker.failures) else "",
                    windows.expected(spans, waiting - 1, max(now, until or now)) if waiting else None,
                )
            )
    return found


@dataclass(frozen=True, slots=True)
class Waiting:
    """A question that has no fresh answer yet, and before when it cannot be asked (None: unknown)."""

    provider: str
    state: str
    before_it: int
    not_before: datetime | None
    error: str


def said(store: Store, kind: SubjectKind, subject: str) -> list[Observation]:
    """What providers said of a subject, newest first."""
    key = hashlib.sha256(subject.encode()).hexdigest()
    with store.connect() as connection:
        rows = connection.execute(
            select(observations)
            .where(observations.c.subject_sha256 == key, observations.c.subject_kind == kind)
            .order_by(observations.c.at.desc())
        ).mappings()
        return [
            Observation(
                provider=row["provider"], subject_kind=row["subject_kind"], subject=row["subject"], at=row["at"],
                result=row["result"], detail=row["detail"], tags=row["tags"], reference=row["reference"],
                since=row["since"],
            )
            for row in rows
        ]  # fmt: skip


def said_of_host(store: Store, host: str) -> list[Observation]:
    """What providers and lists say of a host of URLs; of one that is an address, what they say of that too."""
    found = said(store, "host", host)
    try:
        address = str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return found
    return found + said(store, "ip", address)


def waiting(store: Store, kind: SubjectKind, subject: str, now: datetime) -> list[Waiting]:
    """The questions about a subject that still wait, each with the moment before which it cannot be asked."""
    key = hashlib.sha256(subject.encode()).hexdigest()
    found = []
    with store.connect() as connection:
        rows = connection.execute(
            select(lookups).where(
                lookups.c.subject_sha256 == key, lookups.c.subject_kind == kind, lookups.c.state != "done"
            )
        ).all()
        for row in rows:
            before = connection.execute(
                select(func.count()).where(
                    lookups.c.provider == row.provider,
                    lookups.c.state == "ready",
                    (lookups.c.priority < row.priority)
                    | ((lookups.c.priority == row.priority) & (lookups.c.due < row.due)),
                )
            ).scalar_one()
            spans = windows.seen(connection, row.provider, now)
            breaker = breakers.seen(connection, row.provider)
            moment: datetime | None = windows.expected(spans, before, now)
            if row.state != "ready" and moment is not None:
                moment = max(moment, row.due)
            if breaker.refuses(now):
                moment = max(moment, breaker.until) if breaker.until and moment else None
            found.append(Waiting(row.provider, row.state, before, moment, row.error or breaker.reason))
    return found


def lead(store: Store, url_key: str) -> list[tuple[str, datetime, str, int]]:
    """Providers that list the URL: (provider, listed since, stated or observed, seconds that we were earlier)."""
    with store.connect() as connection:
        rows = connection.execute(
            select(leads).where(leads.c.url_key == url_key).order_by(leads.c.listed)
        ).all()
    return [(row.provider, row.listed, row.basis, row.seconds) for row in rows]


def alive(store: Store, url_key: str) -> dict[str, Any] | None:
    """The liveness of a URL: state, first and last online, when it was found gone, when it is checked next."""
    with store.connect() as connection:
        row = connection.execute(select(liveness).where(liveness.c.url_key == url_key)).mappings().first()
    return {name: value for name, value in row.items() if name != "url_key"} if row else None


def about_address(store: Store, address: str) -> dict[str, Any]:
    """Reverse name and labels of an attacker's address."""
    with store.connect() as connection:
        name = connection.execute(select(names).where(names.c.address == address)).mappings().first()
        labels = connection.execute(
            select(address_labels).where(address_labels.c.address == address)
        ).mappings()
        return {
            "name": dict(name) if name else None,
            "labels": [{key: row[key] for key in ("kind", "list", "version", "expires")} for row in labels],
        }
