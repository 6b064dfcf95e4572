"""Top lists, from the tallies that intake keeps."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, literal_column, select

from urltrap.model.views import TopKind, TopRow
from urltrap.store.engine import Store
from urltrap.store.queries.overview import countries
from urltrap.store.schema import addresses, sessions, sightings, tallies, urls
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
        return [
            TopRow(value=row.country.encode(), count=row.sessions) for row in countries(store, since)[:limit]
        ]
    return _urls(store, what, limit, since)


def _tallied(store: Store, what: str, limit: int, since: datetime | None) -> list[TopRow]:
    n = func.sum(tallies.c.n).label("n")
    query = select(tallies.c.key, n).where(tallies.c.what == what)
    if since is not None:
        query = query.where(tallies.c.day >= from_micros(to_micros(since) // DAY * DAY))
    query = query.group_by(tallies.c.key).order_by(n.desc(), tallies.c.key).limit(limit)
    with store.connect() as connection:
        counted = {row.key: int(row.n) for row in connection.execute(query)}
        named: dict[bytes, TopRow] = {}
        values = select(tallies.c.key, tallies.c.value, tallies.c.second).where(
            tallies.c.what == what, tallies.c.key.in_(counted)
        )
        for row in connection.execute(values):
            named[row.key] = TopRow(value=row.value, second=row.second, count=counted[row.key])
    return [named[key] for key in counted]


def _addresses(store: Store, limit: int, since: datetime | None) -> list[TopRow]:
    if since is None:
        query: Select[Any] = select(
            addresses.c.address, addresses.c.country, addresses.c.sessions.label("n")
        ).order_by(addresses.c.sessions.desc(), addresses.c.address)
    else:
        n = func.count().label("n")
        country = func.coalesce(addresses.c.country, literal_column("''")).label("country")
        query = (
            select(sessions.c.src_ip.label("address"), country, n)
            .select_from(sessions.outerjoin(addresses, addresses.c.address == sessions.c.src_ip))
            .where(sessions.c.started >= since, sessions.c.connected)
            .group_by(sessions.c.src_ip, country)
            .order_by(n.desc(), sessions.c.src_ip)
        )
    return _rows(store, query.limit(limit), "address", "country")


def _networks(store: Store, limit: int, since: datetime | None) -> list[TopRow]:
    if since is None:
        n = func.sum(addresses.c.sessions).label("n")
        query: Select[Any] = select(addresses.c.asn, func.max(addresses.c.network).label("network"), n).where(
            addresses.c.asn.is_not(None)
        )
    else:
        n = func.count().label("n")
        query = (
            select(addresses.c.asn, func.max(addresses.c.network).label("network"), n)
            .select_from(sessions.join(addresses, addresses.c.address == sessions.c.src_ip))
            .where(sessions.c.started >= since, sessions.c.connected, addresses.c.asn.is_not(None))
        )
    query = query.group_by(addresses.c.asn).order_by(n.desc(), addresses.c.asn).limit(limit)
    with store.connect() as connection:
        return [
            TopRow(value=row.network.encode(), second=f"AS{row.asn}".encode(), count=int(row.n))
            for row in connection.execute(query)
        ]


def _urls(store: Store, what: str, limit: int, since: datetime | None) -> list[TopRow]:
    if since is None:
        n = func.sum(urls.c.sightings).label("n")
        source: Any = urls
        query: Select[Any] = select(n).select_from(source)
    else:
        n = func.count().label("n")
        query = (
            select(n)
            .select_from(sightings.join(urls, urls.c.key == sightings.c.url_key))
            .where(sightings.c.at >= since)
        )
    if what == "host":
        query = query.add_columns(urls.c.host.label("value"), urls.c.host.label("second"))
        query = query.group_by(urls.c.host).order_by(n.desc(), urls.c.host)
    else:
        query = query.add_columns(func.max(urls.c.url).label("value"), urls.c.key.label("second"))
        query = query.group_by(urls.c.key).order_by(n.desc(), urls.c.key)
    return _rows(store, query.limit(limit), "value", "second")


def _rows(store: Store, query: Select[Any], value: str, second: str) -> list[TopRow]:
    with store.connect() as connection:
        return [
            TopRow(value=row[value].encode(), second=row[second].encode(), count=int(row["n"]))
            for row in connection.execute(query).mappings()
        ]
