"""What several lists of one range need, read once: the part of a day before its first whole one, and where the sums
of whole days end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, String, cast, func, select

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
    # What belongs to a value is a sub-query for each: for a join, PostgreSQL reads all addresses and all URLs.
    n = func.count().label("n")
    made = (
        select(sessions.c.src_ip, n)
        .where(sessions.c.started >= since, sessions.c.started < part.begin, sessions.c.connected)
        .group_by(sessions.c.src_ip)
        .subquery()
    )
    place = addresses.c.country + " " + func.coalesce(cast(addresses.c.asn, String(20)), "")
    placed = select(made, select(place).where(addresses.c.address == made.c.src_ip).scalar_subquery())
    places: Counter[str] = Counter()
    for address, count, where in connection.execute(placed).all():
        part.sources[address] = count
        places[where or " "] += count
    for where, count in places.items():
        country, _, asn = where.partition(" ")
        part.countries[country] += count
        if asn:
            part.networks[int(asn)] += count
    seen = (
        select(sightings.c.url_key, n)
        .where(sightings.c.at >= since, sightings.c.at < part.begin)
        .group_by(sightings.c.url_key)
        .subquery()
    )
    named = select(seen, select(urls.c.host).where(urls.c.key == seen.c.url_key).scalar_subquery())
    for key, count, host in connection.execute(named).all():
        if host is not None:
            part.urls[key] = count
            part.hosts[host] += count
    return part
