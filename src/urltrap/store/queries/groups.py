"""What belongs together: families, hosts, networks, addresses. Each by an index, none by a scan of events."""

from __future__ import annotations

from sqlalchemy import func, select

from urltrap.model.artifact import Analysis
from urltrap.model.capture import Capture
from urltrap.model.groups import AddressDetail, FacetValue, FamilyRow, HostDetail, NetworkDetail, PayloadRow
from urltrap.store.engine import Store
from urltrap.store.rollups import EVER
from urltrap.store.schema import addresses, artifacts, captures, places, url_sources, urls
from urltrap.store.schema_intel import address_labels, names

_CAPTURES = 200
_TOP = 12


def families(store: Store, limit: int = 200) -> list[FamilyRow]:
    """Malware families, most URLs first."""
    with store.connect() as connection:
        rows = connection.execute(
            select(urls.c.family, func.count().label("n"))
            .where(urls.c.family != "")
            .group_by(urls.c.family)
            .order_by(func.count().desc(), urls.c.family)
            .limit(limit)
        ).all()
        found = []
        for row in rows:
            newest = select(urls.c.last_seen).where(urls.c.family == row.family)
            last = connection.execute(newest.order_by(urls.c.last_seen.desc()).limit(1)).scalar_one()
            found.append(FamilyRow(name=row.family, urls=row.n, last_seen=last))
        return found


def payloads(store: Store, counted: list[FacetValue]) -> list[PayloadRow]:
    """Payloads by their hashes, in the same order; `counted` as facets() gives them for `sha256`."""
    with store.connect() as connection:
        wanted = [item.value for item in counted]
        rows = {
            row.sha256: row
            for row in connection.execute(
                select(artifacts.c.sha256, artifacts.c.size, artifacts.c.kind, artifacts.c.analysis).where(
                    artifacts.c.sha256.in_(wanted)
                )
            )
        }
    found = []
    for item in counted:
        row = rows.get(item.value)
        analysis = Analysis.model_validate(row.analysis) if row is not None and row.kind else None
        size = row.size if row is not None else None
        found.append(PayloadRow(sha256=item.value, size=size, analysis=analysis, urls=item.count))
    return found


def host(store: Store, name: str) -> HostDetail | None:
    """A host of URLs; None where no URL has it."""
    with store.connect() as connection:
        row = connection.execute(
            select(
                func.count().label("n"),
                func.min(urls.c.first_seen).label("first"),
                func.max(urls.c.last_seen).label("last"),
            ).where(urls.c.host == name)
        ).one()
        if not row.n:
            return None
        bodies = connection.execute(
            select(captures.c.body)
            .join(urls, urls.c.key == captures.c.url_key)
            .where(urls.c.host == name, captures.c.outcome == "fetched")
            .limit(_CAPTURES)
        ).scalars()
        answered = dict.fromkeys(
            address for body in bodies if (address := Capture.model_validate_json(body).address)
        )
    return HostDetail(
        host=name, urls=row.n, first_seen=row.first, last_seen=row.last, answered=sorted(answered)
    )


def address(store: Store, text: str) -> AddressDetail | None:
    """An attacker's address; None where it never came."""
    with store.connect() as connection:
        row = connection.execute(select(addresses).where(addresses.c.address == text)).first()
        if row is None:
            return None
        name = connection.execute(select(names).where(names.c.address == text)).first()
        labels = connection.execute(
            select(address_labels.c.kind, address_labels.c.list)
            .where(address_labels.c.address == text)
            .order_by(address_labels.c.kind, address_labels.c.list)
        ).mappings()
        brought = connection.execute(
            select(func.count()).select_from(url_sources).where(url_sources.c.address == text)
        ).scalar_one()
        return AddressDetail(
            address=text, first_seen=row.first_seen, last_seen=row.last_seen, sessions=row.sessions, shed=row.shed,
            country=row.country, city=row.city, asn=row.asn, network=row.network,
            name=name.name if name else "", name_confirmed=bool(name and name.confirmed),
            domain=name.domain if name else "", labels=[dict(label) for label in labels], urls=brought,
        )  # fmt: skip


def network(store: Store, asn: int) -> NetworkDetail | None:
    """A network that attackers come from; None where none of its addresses ever came."""
    with store.connect() as connection:
        total = connection.execute(
            select(func.count()).select_from(addresses).where(addresses.c.asn == asn)
        ).scalar_one()
        if not total:
            return None
        busiest = connection.execute(
            select(addresses.c.address, addresses.c.sessions, addresses.c.network)
            .where(addresses.c.asn == asn)
            .order_by(addresses.c.sessions.desc(), addresses.c.address)
            .limit(_TOP)
        ).all()
        counted = connection.execute(
            select(places.c.country, func.sum(places.c.n).label("n"))
            .where(places.c.day == EVER, places.c.asn == asn)
            .group_by(places.c.country)
        ).all()
    spread = sorted(counted, key=lambda row: (-int(row.n), row.country))
    return NetworkDetail(
        asn=asn,
        name=busiest[0].network,
        sessions=sum(int(row.n) for row in counted),
        addresses=total,
        countries=[FacetValue(value=row.country, count=int(row.n)) for row in spread if row.n > 0],
        top=[FacetValue(value=row.address, count=row.sessions) for row in busiest],
    )
