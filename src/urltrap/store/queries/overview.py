"""The overview: counters, timeline, map. Answered from roll-ups, never by scanning events."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, literal_column, select

from urltrap.model.views import Counters, CountryRow, Pulse, TimelinePoint
from urltrap.store.engine import Store
from urltrap.store.queries.ranking import midnight_after
from urltrap.store.rollups import EVER
from urltrap.store.schema import (
    addresses,
    artifacts,
    dead_letters,
    hourly,
    jobs,
    places,
    sessions,
    urls,
    watermarks,
)

_SERIES = ("sessions", "logins", "commands", "downloads", "uploads", "shed")


def counters(store: Store, now: datetime) -> Counters:
    """The figures at the top of the overview; "day" is the 24 hours before `now`, by whole hours."""
    yesterday = (now - timedelta(days=1)).replace(minute=0, second=0, microsecond=0)
    with store.connect() as connection:
        total: dict[str, int] = {}
        day: dict[str, int] = {}
        grouped = select(hourly.c.what, func.sum(hourly.c.n)).group_by(hourly.c.what)
        for what, n in connection.execute(grouped):
            total[what] = int(n)
        for what, n in connection.execute(grouped.where(hourly.c.hour >= yesterday)):
            day[what] = int(n)

        def count(table_count: object) -> int:
            return int(connection.execute(table_count).scalar() or 0)  # type: ignore[call-overload]

        return Counters(
            sessions=total.get("sessions", 0),
            sessions_day=day.get("sessions", 0),
            addresses=count(select(func.count()).select_from(addresses)),
            logins=total.get("logins", 0),
            logins_day=day.get("logins", 0),
            commands=total.get("commands", 0),
            commands_day=day.get("commands", 0),
            downloads=total.get("downloads", 0),
            shed=total.get("shed", 0),
            urls=count(select(func.count()).select_from(urls)),
            urls_malicious=count(select(func.count()).where(urls.c.verdict.like("malicious-%"))),
            urls_published=count(select(func.count()).where(urls.c.published_at.is_not(None))),
            artifacts=count(select(func.count()).select_from(artifacts)),
            waiting=count(select(func.count()).select_from(jobs)),
            dead_letters=count(select(func.count()).select_from(dead_letters)),
            last_event=_last_event(connection),
        )


def pulse(store: Store) -> Pulse:
    """A cheap value that changes whenever the store does; live updates compare it."""
    with store.connect() as connection:
        return Pulse(
            events=int(connection.execute(select(func.sum(watermarks.c.events))).scalar() or 0),
            urls=int(connection.execute(select(func.count()).select_from(urls)).scalar() or 0),
            last_event=_last_event(connection),
        )


def timeline(store: Store, since: datetime, until: datetime | None = None) -> list[TimelinePoint]:
    """One point per hour and sensor with anything in it, oldest first."""
    query = select(hourly).where(hourly.c.hour >= since, hourly.c.what.in_(_SERIES)).order_by(hourly.c.hour)
    if until is not None:
        query = query.where(hourly.c.hour < until)
    points: dict[tuple[datetime, str], dict[str, int]] = {}
    with store.connect() as connection:
        for row in connection.execute(query):
            points.setdefault((row.hour, row.sensor), {})[row.what] = row.n
    return [TimelinePoint(hour=hour, sensor=sensor, **values) for (hour, sensor), values in points.items()]


def countries(store: Store, since: datetime | None = None) -> list[CountryRow]:
    """Sessions and addresses per country, most sessions first; unknown ones as an empty country.

    A country whose addresses were only shed in floods has no sessions, and is listed.
    """
    n = func.sum(places.c.n).label("n")
    by_place = select(places.c.country, n).group_by(places.c.country)
    active = select(addresses.c.country, func.count().label("n")).group_by(addresses.c.country)
    counted: Counter[str] = Counter()
    with store.connect() as connection:
        if since is None:
            by_place = by_place.where(places.c.day == EVER)
        else:
            begin = midnight_after(since)
            by_place = by_place.where(places.c.day >= begin, places.c.day > EVER)
            active = active.where(addresses.c.last_seen >= since)
            country = func.coalesce(addresses.c.country, literal_column("''")).label("country")
            partial = (
                select(country, func.count().label("n"))
                .select_from(sessions.outerjoin(addresses, addresses.c.address == sessions.c.src_ip))
                .where(sessions.c.started >= since, sessions.c.started < begin, sessions.c.connected)
                .group_by(country)
            )
            counted.update({row.country: int(row.n) for row in connection.execute(partial)})
        counted.update({row.country: int(row.n) for row in connection.execute(by_place)})
        sources = {row.country: int(row.n) for row in connection.execute(active)}
    rows = [
        CountryRow(country=country, sessions=max(0, counted[country]), addresses=sources.get(country, 0))
        for country in counted.keys() | sources.keys()
        if counted[country] > 0 or sources.get(country)
    ]
    return sorted(rows, key=lambda row: (-row.sessions, row.country))


def _last_event(connection: Connection) -> datetime | None:
    newest: datetime | None = connection.execute(select(func.max(watermarks.c.last_at))).scalar()
    return newest if newest and newest.year > 1970 else None
