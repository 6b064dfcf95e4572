"""The part of a day before the first whole one of a range: read once from its sessions, and used by several lists."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from urltrap.store.engine import Store
from urltrap.store.intake import in_parts
from urltrap.store.schema import addresses, sessions, sightings, urls
from urltrap.store.types import DAY, from_micros, to_micros


@dataclass(frozen=True, slots=True)
class PartOfDay:
    """From `since` on and before `begin`, the first whole day's midnight (UTC): sessions, and sightings of URLs."""

    since: datetime
    begin: datetime
    sources: Counter[str]
    countries: Counter[str]
    networks: Counter[int]
    """Those of unknown networks are in none."""
    urls: Counter[str]
    """Sightings by the URL's key."""
    hosts: Counter[str]


def midnight_after(moment: datetime) -> datetime:
    """The first beginning of a day (UTC) at or after a moment."""
    return from_micros(-(-to_micros(moment) // DAY) * DAY)


def part_of_day(store: Store, since: datetime) -> PartOfDay:
    """Count the sessions of the range that are in no whole day of it."""
    with store.connect() as connection:
        return read_part(connection, since)


def read_part(connection: Connection, since: datetime) -> PartOfDay:
    """The same within a snapshot that is read already."""
    part = PartOfDay(since, midnight_after(since), Counter(), Counter(), Counter(), Counter(), Counter())
    if part.begin == since:
        return part
    counted = connection.execute(
        select(sessions.c.src_ip, func.count().label("n"))
        .where(sessions.c.started >= since, sessions.c.started < part.begin, sessions.c.connected)
        .group_by(sessions.c.src_ip)
    )
    part.sources.update({row.src_ip: int(row.n) for row in counted})
    known = set()
    for some in in_parts(part.sources):
        where = select(addresses.c.address, addresses.c.country, addresses.c.asn)
        for address, country, asn in connection.execute(where.where(addresses.c.address.in_(some))).all():
            known.add(address)
            part.countries[country] += part.sources[address]
            if asn is not None:
                part.networks[asn] += part.sources[address]
    part.countries[""] += sum(n for address, n in part.sources.items() if address not in known)
    seen = connection.execute(
        select(sightings.c.url_key, func.count().label("n"))
        .where(sightings.c.at >= since, sightings.c.at < part.begin)
        .group_by(sightings.c.url_key)
    )
    part.urls.update({row.url_key: int(row.n) for row in seen})
    for some in in_parts(part.urls):
        for key, host in connection.execute(
            select(urls.c.key, urls.c.host).where(urls.c.key.in_(some))
        ).all():
            part.hosts[host] += part.urls[key]
    return part
