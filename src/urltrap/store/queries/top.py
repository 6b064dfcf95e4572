"""Top lists, from the tallies that intake keeps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select, union_all

from urltrap.model.views import CountryRow, TopKind, TopRow
from urltrap.store.engine import Store
from urltrap.store.queries.overview import countries
from urltrap.store.queries.partial import PartOfDay, read_part
from urltrap.store.queries.ranking import counts_of, most_frequent
from urltrap.store.rollups import EVER, tally_key
from urltrap.store.schema import addresses, tallies, urls
from urltrap.store.types import DAY, from_micros, to_micros


def top(
    store: Store,
    what: TopKind,
    limit: int = 10,
    since: datetime | None = None,
    part: PartOfDay | None = None,
) -> list[TopRow]:
    """The `limit` most frequent values of a kind, since the beginning of the day of `since` (None: ever).

    Equal counts are ordered by value, so that two calls agree. `part`: the part of a day at the beginning of the range,
    where it was read already: addresses, networks and countries are counted from its very hour.
    """
    if what in ("username", "password", "pair", "command", "client"):
        return _tallied(store, what, limit, since, part)
    if what == "address":
        return _addresses(store, limit, since, part)
    if what == "network":
        return _networks(store, limit, since, part)
    if what == "country":
        return of_countries(countries(store, since, part), limit)
    return _urls(store, what, limit, since, part)


def of_countries(rows: Sequence[CountryRow], limit: int) -> list[TopRow]:
    """The first of what `overview.countries` found."""
    busy = [row for row in rows if row.sessions]
    return [TopRow(value=row.country.encode(), count=row.sessions) for row in busy[:limit]]


def _tallied(
    store: Store, what: str, limit: int, since: datetime | None, part: PartOfDay | None
) -> list[TopRow]:
    with store.connect() as connection:
        begin = from_micros(to_micros(since) // DAY * DAY) if since is not None else None
        counted = most_frequent(connection, what, limit, begin, state=part.state if part else None)
        named = _values(connection, what, [key for key, _ in counted])
    return [TopRow(value=named[key][0], second=named[key][1], count=n) for key, n in counted]


def _addresses(store: Store, limit: int, since: datetime | None, part: PartOfDay | None) -> list[TopRow]:
    with store.connect() as connection:
        besides: dict[bytes, int] = {}
        text: dict[bytes, bytes] = {}
        begin = None
        if since is not None:
            part = part or read_part(connection, since)
            begin = part.begin
            for address, n in part.sources.items():
                key = tally_key(address.encode())
                besides[key], text[key] = n, address.encode()
        counted = most_frequent(connection, "address", limit, begin, besides, part.state if part else None)
        named = _values(connection, "address", [key for key, _ in counted if key not in text])
        text.update({key: value for key, (value, _) in named.items()})
        listed = [text[key].decode() for key, _ in counted]
        where = select(addresses.c.address, addresses.c.country).where(addresses.c.address.in_(listed))
        countries_of = {row.address: row.country for row in connection.execute(where)}
    return [
        TopRow(value=text[key], second=countries_of.get(text[key].decode(), "").encode(), count=n)
        for key, n in counted
    ]


def _networks(store: Store, limit: int, since: datetime | None, part: PartOfDay | None) -> list[TopRow]:
    with store.connect() as connection:
        begin, besides = None, None
        if since is not None:
            part = part or read_part(connection, since)
            begin, besides = part.begin, {b"%d" % asn: n for asn, n in part.networks.items()}
        counted = counts_of(connection, "network", begin, besides, part.state if part else None)
        first = sorted(((int(asn), n) for asn, n in counted.items()), key=lambda item: (-item[1], item[0]))
        first = first[:limit]
        names: dict[int, str] = {}
        one_each = [
            select(addresses.c.asn, addresses.c.network).where(addresses.c.asn == asn).limit(1).subquery()
            for asn, _ in first
        ]
        if one_each:
            together = union_all(*(select(one) for one in one_each))
            names = {row.asn: row.network for row in connection.execute(together)}
    return [
        TopRow(value=names.get(asn, "").encode(), second=f"AS{asn}".encode(), count=count)
        for asn, count in first
    ]


def _urls(
    store: Store, what: str, limit: int, since: datetime | None, part: PartOfDay | None
) -> list[TopRow]:
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
            part = part or read_part(connection, since)
            begin = part.begin
            for value, n in (part.hosts if what == "host" else part.urls).items():
                key = tally_key(value.encode())
                besides[key], text[key] = n, value.encode()
        counted = most_frequent(connection, what, limit, begin, besides, part.state if part else None)
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
