"""The overview: counters, timeline, map. Answered from roll-ups, never by scanning events."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Connection, cast, func, select

from urltrap.model.views import Counters, CountryRow, Pulse, TimelinePoint
from urltrap.store.engine import Store
from urltrap.store.queries.partial import PartOfDay, read_part
from urltrap.store.queries.ranking import counts_of
from urltrap.store.schema import (
    addresses,
    artifacts,
    daily,
    dead_letters,
    hourly,
    jobs,
    urls,
    watermarks,
)
from urltrap.store.types import DAY, HOUR, from_micros, to_micros

_SERIES = ("sessions", "logins", "commands", "downloads", "uploads", "shed")


def counters(store: Store, now: datetime) -> Counters:
    """The figures at the top of the overview; "day" is the 24 hours before `now`, by whole hours."""
    yesterday = (now - timedelta(days=1)).replace(minute=0, second=0, microsecond=0)
    with store.connect() as connection:
        total: dict[str, int] = {}
        day: dict[str, int] = {}
        ever = select(daily.c.what, func.sum(daily.c.n)).group_by(daily.c.what)
        for what, n in connection.execute(ever):
            total[what] = int(n)
        newest = select(hourly.c.what, func.sum(hourly.c.n)).group_by(hourly.c.what)
        for what, n in connection.execute(newest.where(hourly.c.hour >= yesterday)):
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


def timeline(
    store: Store, since: datetime, until: datetime | None = None, step: timedelta = timedelta(hours=1)
) -> list[TimelinePoint]:
    """One point per step (an hour or a day, UTC) and sensor with anything in it, oldest first."""
    micros = step // timedelta(microseconds=1)
    whole = micros % DAY == 0 and all(to_micros(at) % DAY == 0 for at in (since, until) if at is not None)
    counted, moment = (daily, daily.c.day) if whole else (hourly, hourly.c.hour)
    number = cast(moment, BigInteger)
    begin = number if micros == (DAY if whole else HOUR) else number - number % micros
    columns = (begin.label("begin"), counted.c.sensor, counted.c.what)
    query = select(*columns, func.sum(counted.c.n)).where(moment >= since, counted.c.what.in_(_SERIES))
    if until is not None:
        query = query.where(moment < until)
    points: dict[tuple[int, str], dict[str, int]] = {}
    with store.connect() as connection:
        for at, sensor, what, n in connection.execute(query.group_by(*columns).order_by("begin")):
            points.setdefault((at, sensor), {})[what] = int(n)
    return [
        TimelinePoint(hour=from_micros(at), sensor=sensor, **values)
        for (at, sensor), values in points.items()
    ]


def countries(store: Store, since: datetime | None = None, part: PartOfDay | None = None) -> list[CountryRow]:
    """Sessions and addresses per country, most sessions first; unknown ones as an empty country.

    `part`: the part of a day at the beginning of the range, where it was read already. A country whose addresses were
    only shed in floods has no sessions, and is listed.
    """
    # By an expression: SQLite would read all addresses in the order of their countries, to spare itself the grouping.
    country = func.coalesce(addresses.c.country, "").label("country")
    active = select(country, func.count().label("n")).group_by(country)
    counted: Counter[str] = Counter()
    with store.connect() as connection:
        begin, besides = None, None
        if since is not None:
            part = part or read_part(connection, since)
            begin, besides = part.begin, {name.encode(): n for name, n in part.countries.items()}
            active = active.where(addresses.c.last_seen >= since)
        counted.update(
            {
                value.decode(): n
                for value, n in counts_of(
                    connection, "country", begin, besides, part.state if part else None
                ).items()
            }
        )
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
