"""The overview: counters, timeline, map. Answered from roll-ups, never by scanning events."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, cast, func, literal, select, union_all

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
    # One statement for all: a server on the network is asked once, and every figure is of one moment.
    figures = union_all(
        select(literal("ever").label("of"), daily.c.what, func.sum(daily.c.n).label("n")).group_by(daily.c.what),
        select(literal("day"), hourly.c.what, func.sum(hourly.c.n))
        .where(hourly.c.hour >= yesterday)
        .group_by(hourly.c.what),
        select(literal("verdict"), urls.c.verdict, func.count()).group_by(urls.c.verdict),
        select(literal("rows"), literal("published"), func.count()).where(urls.c.published_at.is_not(None)),
        *(
            select(literal("rows"), literal(name), func.count()).select_from(table)
            for name, table in (
                ("addresses", addresses), ("artifacts", artifacts), ("waiting", jobs), ("dead_letters", dead_letters)
            )
        ),
        select(literal("newest"), literal(""), func.max(watermarks.c.last_at)),
    )  # fmt: skip
    found: dict[str, dict[str, int]] = defaultdict(dict)
    with store.connect() as connection:
        for of, what, n in connection.execute(figures):
            found[of][what] = int(n or 0)
    total, day, verdicts, rows = found["ever"], found["day"], found["verdict"], found["rows"]
    return Counters(
        sessions=total.get("sessions", 0),
        sessions_day=day.get("sessions", 0),
        addresses=rows["addresses"],
        logins=total.get("logins", 0),
        logins_day=day.get("logins", 0),
        commands=total.get("commands", 0),
        commands_day=day.get("commands", 0),
        downloads=total.get("downloads", 0),
        shed=total.get("shed", 0),
        urls=sum(verdicts.values()),
        urls_malicious=sum(n for verdict, n in verdicts.items() if verdict.startswith("malicious-")),
        urls_published=rows["published"],
        artifacts=rows["artifacts"],
        waiting=rows["waiting"],
        dead_letters=rows["dead_letters"],
        last_event=_moment(from_micros(found["newest"][""])),
    )


def pulse(store: Store) -> Pulse:
    """A cheap value that changes whenever the store does; live updates compare it."""
    count = select(func.count()).select_from(urls).scalar_subquery()
    with store.connect() as connection:
        row = connection.execute(
            select(func.sum(watermarks.c.events), func.max(watermarks.c.last_at), count)
        ).one()
    return Pulse(events=int(row[0] or 0), last_event=_moment(row[1]), urls=int(row[2]))


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
    active = select(addresses.c.country, func.count().label("n")).group_by(addresses.c.country)
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


def _moment(newest: datetime | None) -> datetime | None:
    return newest if newest and newest.year > 1970 else None
