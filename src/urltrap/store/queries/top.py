"""Top lists, from the tallies that intake keeps."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from sqlalchemy import Connection, func, select

from urltrap.model.views import TopKind, TopRow
from urltrap.store.engine import Store
from urltrap.store.queries.overview import countries
from urltrap.store.queries.ranking import midnight_after, most_frequent
from urltrap.store.rollups import EVER, NO_NETWORK, tally_key
from urltrap.store.schema import addresses, places, sessions, sightings, tallies, urls
from urltrap.store.types import DAY, from_micros, to_micros


def top(store: Store, what: TopKind, limit: int = 10, since: datetime | None = None) -> list[TopRow]:
    """The `limit` most frequent values of a kind, since the beginning of the day of `since` (None: ever).

    Equal counts are ordered by value, so that two calls agree.
    """
    if what in ("username", "password", "pair", "command", "client"):
        return _tallied(store, what, limit, since)
    if what == "address":
        return _addresses(store, limit, since)
    if what == "network":
        return _networks(store, limit, since)
    if what == "country":
        rows = [row for row in countries(store, since) if row.sessions]
        return [TopRow(value=row.country.encode(), count=row.sessions) for row in rows[:limit]]
    return _urls(store, what, limit, since)


def _tallied(store: Store, what: str, limit: int, since: datetime | None) -> list[TopRow]:
    with store.connect() as connection:
        begin = from_micros(to_micros(since) // DAY * DAY) if since is not None else None
        counted = most_frequent(connection, what, limit, begin)
        named = _values(connection, what, [key for key, _ in counted])
    return [TopRow(value=named[key][0], second=named[key][1], count=n) for key, n in counted]


def _addresses(store: Store, limit: int, since: datetime | None) -> list[TopRow]:
    with store.connect() as connection:
        besides: dict[bytes, int] = {}
        text: dict[bytes, bytes] = {}
        begin = None
        if since is not None:
            begin = midnight_after(since)
            for row in connection.execute(
                select(sessions.c.src_ip, func.count().label("n"))
                .where(sessions.c.started >= since, sessions.c.started < begin, sessions.c.connected)
                .group_by(sessions.c.src_ip)
            ):
                key = tally_key(row.src_ip.encode())
                besides[key], text[key] = row.n, row.src_ip.encode()
        counted = most_frequent(connection, "address", limit, begin, besides)
        named = _values(connection, "address", [key for key, _ in counted if key not in text])
        text.update({key: value for key, (value, _) in named.items()})
        listed = [text[key].decode() for key, _ in counted]
        where = select(addresses.c.address, addresses.c.country).where(addresses.c.address.in_(listed))
        countries_of = {row.address: row.country for row in connection.execute(where)}
    return [
        TopRow(value=text[key], second=countries_of.get(text[key].decode(), "").encode(), count=n)
        for key, n in counted
    ]


def _networks(store: Store, limit: int, since: datetime | None) -> list[TopRow]:
    with store.connect() as connection:
        counted: Counter[int] = Counter()
        n = func.sum(places.c.n).label("n")
        query = select(places.c.asn, n).where(places.c.asn != NO_NETWORK).group_by(places.c.asn)
        if since is None:
            query = query.where(places.c.day == EVER)
        else:
            begin = midnight_after(since)
            query = query.where(places.c.day >= begin, places.c.day > EVER)
            partial = (
                select(addresses.c.asn, func.count().label("n"))
                .select_from(sessions.join(addresses, addresses.c.address == sessions.c.src_ip))
                .where(sessions.c.started >= since, sessions.c.started < begin, sessions.c.connected)
                .where(addresses.c.asn.is_not(None))
                .group_by(addresses.c.asn)
            )
            counted.update({row.asn: int(row.n) for row in connection.execute(partial)})
        counted.update({row.asn: int(row.n) for row in connection.execute(query)})
        first = sorted(
            (item for item in counted.items() if item[1] > 0), key=lambda item: (-item[1], item[0])
        )
        rows = []
        for asn, count in first[:limit]:
            name = select(addresses.c.network).where(addresses.c.asn == asn).limit(1)
            found = connection.execute(name).scalar() or ""
            rows.append(TopRow(value=found.encode(), second=f"AS{asn}".encode(), count=count))
    return rows


def _urls(store: Store, what: str, limit: int, since: datetime | None) -> list[TopRow]:
    with store.connect() as connection:
        if since is None and what == "url":
            query = select(urls.c.url, urls.c.key, urls.c.sightings)
            newest = connection.execute(query.order_by(urls.c.sightings.desc(), urls.c.key).limit(limit))
            return [
                TopRow(value=row.url.encode(), second=row.key.encode(), count=row.sightings) for row in newest
            ]
        besides: dict[bytes, int] = {}
        text: dict[bytes, bytes] = {}
        begin = None
        if since is not None:
            begin = midnight_after(since)
            column = urls.c.host if what == "host" else urls.c.key
            for row in connection.execute(
                select(column.label("value"), func.count().label("n"))
                .select_from(sightings.join(urls, urls.c.key == sightings.c.url_key))
                .where(sightings.c.at >= since, sightings.c.at < begin)
                .group_by(column)
            ):
                key = tally_key(row.value.encode())
                besides[key], text[key] = row.n, row.value.encode()
        counted = most_frequent(connection, what, limit, begin, besides)
        named = _values(connection, what, [key for key, _ in counted if key not in text])
        text.update({key: value for key, (value, _) in named.items()})
        values = [text[key].decode() for key, _ in counted]
        if what == "host":
            return [TopRow(value=text[key], second=text[key], count=n) for key, n in counted]
        found = connection.execute(select(urls.c.key, urls.c.url).where(urls.c.key.in_(values)))
        url_of = {row.key: row.url for row in found}
    return [
        TopRow(value=url_of.get(text[key].decode(), "").encode(), second=text[key], count=n)
        for key, n in counted
    ]


def _values(connection: Connection, what: str, keys: list[bytes]) -> dict[bytes, tuple[bytes, bytes]]:
    rows = connection.execute(
        select(tallies.c.key, tallies.c.value, tallies.c.second).where(
            tallies.c.what == what, tallies.c.key.in_(keys), tallies.c.day == EVER
        )
    )
    return {row.key: (row.value, row.second) for row in rows}
