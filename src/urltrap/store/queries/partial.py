"""What several lists of one range need, read once: the part of a day before its first whole one, and where the sums
of whole days end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from urltrap.store.engine import Store
from urltrap.store.queries.ranking import State, read_state
from urltrap.store.schema import addresses, sessions, sightings, urls
from urltrap.store.types import DAY, from_micros, to_micros


@dataclass(frozen=True, slots=True)
class PartOfDay:
    """From `since` on and before `begin`, the first whole day's midnight (UTC): sessions, and sightings of URLs.

    With the state of the figures that go on from there, of the same snapshot.
    """

    since: datetime
    begin: datetime
    sources: Counter[str]
    countries: Counter[str]
    networks: Counter[int]
    """Those of unknown networks are in none."""
    urls: Counter[str]
    """Sightings by the URL's key."""
    hosts: Counter[str]
    state: State


def midnight_after(moment: datetime) -> datetime:
    """The first beginning of a day (UTC) at or after a moment."""
    return from_micros(-(-to_micros(moment) // DAY) * DAY)


def part_of_day(store: Store, since: datetime) -> PartOfDay:
    """Count the sessions of the range that are in no whole day of it."""
    with store.connect() as connection:
        return read_part(connection, since)


def read_part(connection: Connection, since: datetime) -> PartOfDay:
    """The same within a snapshot that is read already."""
    part = PartOfDay(
        since,
        midnight_after(since),
        Counter(),
        Counter(),
        Counter(),
        Counter(),
        Counter(),
        read_state(connection),
    )
    if part.begin == since:
        return part
    n = func.count().label("n")
    made = (
        select(sessions.c.src_ip, n)
        .where(sessions.c.started >= since, sessions.c.started < part.begin, sessions.c.connected)
        .group_by(sessions.c.src_ip)
        .subquery()
    )
    placed = select(made, addresses.c.country, addresses.c.asn).select_from(
        made.outerjoin(addresses, addresses.c.address == made.c.src_ip)
    )
    for address, count, country, asn in connection.execute(placed).all():
        part.sources[address] = count
        part.countries[country or ""] += count
        if asn is not None:
            part.networks[asn] += count
    seen = (
        select(sightings.c.url_key, n)
        .where(sightings.c.at >= since, sightings.c.at < part.begin)
        .group_by(sightings.c.url_key)
        .subquery()
    )
    named = select(seen, urls.c.host).select_from(seen.join(urls, urls.c.key == seen.c.url_key))
    for key, count, host in connection.execute(named).all():
        part.urls[key] = count
        part.hosts[host] += count
    return part
