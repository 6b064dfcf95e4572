"""Top lists, from the tallies that intake keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, select, union_all

from urltrap.model.views import CountryRow, TopKind, TopRow
from urltrap.store.engine import Store
from urltrap.store.queries.overview import countries
from urltrap.store.queries.partial import PartOfDay, read_part
from urltrap.store.queries.ranking import Wanted, counts_of, most_frequent
from urltrap.store.rollups import EVER, tally_key
from urltrap.store.schema import addresses, tallies, urls
from urltrap.store.types import DAY, from_micros, to_micros

_TRIED = ("username", "password", "pair", "command", "client")
_BY_DAY = ("address", "url", "host")


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
    if what == "country":
        return of_countries(countries(store, since, part), limit)
    return tops(store, (what,), limit, since, part)[what]


def tops(
    store: Store,
    kinds: Sequence[TopKind],
    limit: int = 10,
    since: datetime | None = None,
    part: PartOfDay | None = None,
) -> dict[TopKind, list[TopRow]]:
    """The same of several kinds (but countries), by few statements."""
    found: dict[TopKind, list[TopRow]] = {}
    with store.connect() as connection:
        if since is not None and part is None and not set(kinds) <= set(_TRIED):
            part = read_part(connection, since)
        if "network" in kinds:
            found["network"] = _networks(connection, limit, part)
        if since is None and "url" in kinds:
            found["url"] = _urls_ever(connection, limit)
        listed = [kind for kind in kinds if kind not in found]
        wanted, text = [], {}
        for kind in listed:
            one, text[kind] = _wanted(kind, since, part)
            wanted.append(one)
        ranked = most_frequent(connection, wanted, limit, part.state if part else None)
        by_kind = dict(zip(listed, ranked, strict=True))
        named = _values(
            connection,
            {kind: [key for key, _ in rows if key not in text[kind]] for kind, rows in by_kind.items()},
        )
        for kind, rows in by_kind.items():
            named.update({(kind, key): (value, b"") for key, value in text[kind].items()})
            values = [(*named[kind, key], n) for key, n in rows]
            found[kind] = _rows(connection, kind, values)
    return found


def _wanted(
    kind: TopKind, since: datetime | None, part: PartOfDay | None
) -> tuple[Wanted, dict[bytes, bytes]]:
    """What to look for, and the values of keys that are known already."""
    if since is None:
        return Wanted(kind, None), {}
    if kind not in _BY_DAY or part is None:
        return Wanted(kind, from_micros(to_micros(since) // DAY * DAY)), {}
    counts = {"address": part.sources, "url": part.urls, "host": part.hosts}[kind]
    besides: dict[bytes, int] = {}
    text: dict[bytes, bytes] = {}
    for value, n in counts.items():
        key = tally_key(value.encode())
        besides[key], text[key] = n, value.encode()
    return Wanted(kind, part.begin, besides), text


def _rows(connection: Connection, kind: TopKind, values: list[tuple[bytes, bytes, int]]) -> list[TopRow]:
    """Rows of what was found: with what goes with a value of its kind."""
    texts = [value.decode() for value, _, _ in values] if kind in ("address", "url") else []
    if kind == "address":
        places = select(addresses.c.address, addresses.c.country).where(addresses.c.address.in_(texts))
        where = {row.address: row.country for row in connection.execute(places)}
        return [
            TopRow(value=value, second=where.get(value.decode(), "").encode(), count=n)
            for value, _, n in values
        ]
    if kind == "url":
        query = select(urls.c.key, urls.c.url).where(urls.c.key.in_(texts))
        url_of = {row.key: row.url for row in connection.execute(query)}
        return [
            TopRow(value=url_of.get(value.decode(), "").encode(), second=value, count=n)
            for value, _, n in values
        ]
    if kind == "host":
        return [TopRow(value=value, second=value, count=n) for value, _, n in values]
    return [TopRow(value=value, second=second, count=n) for value, second, n in values]


def of_countries(rows: Sequence[CountryRow], limit: int) -> list[TopRow]:
    """The first of what `overview.countries` found."""
    busy = [row for row in rows if row.sessions]
    return [TopRow(value=row.country.encode(), count=row.sessions) for row in busy[:limit]]


def _networks(connection: Connection, limit: int, part: PartOfDay | None) -> list[TopRow]:
    begin, besides = None, None
    if part is not None:
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


def _urls_ever(connection: Connection, limit: int) -> list[TopRow]:
    query = select(urls.c.url, urls.c.key, urls.c.sightings)
    rows = connection.execute(query.order_by(urls.c.sightings.desc(), urls.c.key).limit(limit))
    return [TopRow(value=row.url.encode(), second=row.key.encode(), count=row.sightings) for row in rows]


def _values(
    connection: Connection, keys: Mapping[TopKind, list[bytes]]
) -> dict[tuple[TopKind, bytes], tuple[bytes, bytes]]:
    queries = [
        select(tallies.c.what, tallies.c.key, tallies.c.value, tallies.c.second).where(
            tallies.c.what == kind, tallies.c.key.in_(mine), tallies.c.day == EVER
        )
        for kind, mine in keys.items()
        if mine
    ]
    if not queries:
        return {}
    rows = connection.execute(queries[0] if len(queries) == 1 else union_all(*queries))
    return {(row.what, row.key): (row.value, row.second) for row in rows}
