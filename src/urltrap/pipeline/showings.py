"""Which networks showed a URL, and when: what the publication gate goes by."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from urltrap.pipeline.workshop import Workshop
from urltrap.store.among import MANY, among
from urltrap.store.intake import in_parts
from urltrap.store.schema import sightings

_LOOKED_AT = 200
"""Sightings from either end: networks that came only in between, among very many, are not needed to say when."""


@dataclass(frozen=True, slots=True)
class Showings:
    """When each network that showed a URL did so first, and how many did on each of the newest days."""

    first: tuple[datetime, ...] = ()
    days: tuple[tuple[datetime, int], ...] = ()


def load_showings(workshop: Workshop, connection: Connection, rows: Mapping[str, Any]) -> dict[str, Showings]:
    """The networks of each URL of `rows` (rows of the table `urls` by key); the operator's own do not count."""
    found = {key: Showings((row.first_seen,)) for key, row in rows.items()}
    several = [key for key, row in rows.items() if row.sources > 1]
    networks: dict[str, str] = {}
    begun: dict[str, dict[str, datetime]] = {}
    days: dict[str, dict[datetime, set[str]]] = {}
    for key, network, at in _ends(workshop, connection, several, networks, newest=False):
        begun.setdefault(key, {}).setdefault(network, at)
    for key, network, at in _ends(workshop, connection, several, networks, newest=True):
        day = at.replace(hour=0, minute=0, second=0, microsecond=0)
        days.setdefault(key, {}).setdefault(day, set()).add(network)
    for key in several:
        counted = tuple((day, len(shown)) for day, shown in days.get(key, {}).items())
        found[key] = Showings(tuple(begun.get(key, {}).values()), counted)
    return found


def network_of(workshop: Workshop, address: str) -> str:
    """What stands for whoever an address belongs to: its network's number, else its /24 (of IPv6: /48)."""
    asn = workshop.places.find(address).asn
    if asn is not None:
        return f"AS{asn}"
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((parsed, 24 if parsed.version == 4 else 48), strict=False))


def _ends(
    workshop: Workshop, connection: Connection, keys: Iterable[str], networks: dict[str, str], *, newest: bool
) -> Iterator[tuple[str, str, datetime]]:
    """(URL, network, moment) of the sightings at that end, from the end on. `networks` remembers those of addresses."""
    moment = sightings.c.at.desc() if newest else sightings.c.at
    place = func.row_number().over(
        partition_by=sightings.c.url_key, order_by=(moment, sightings.c.session, sightings.c.seq)
    )
    for part in in_parts(keys, MANY):
        numbered = (
            select(sightings.c.url_key, sightings.c.src_ip, sightings.c.at, place.label("place"))
            .where(among(connection, sightings.c.url_key, part))
            .subquery()
        )
        query = select(numbered).where(numbered.c.place <= _LOOKED_AT)
        for row in connection.execute(query.order_by(numbered.c.url_key, numbered.c.place)).all():
            if workshop.is_operator(row.src_ip):
                continue
            if row.src_ip not in networks:
                networks[row.src_ip] = network_of(workshop, row.src_ip)
            yield row.url_key, networks[row.src_ip], row.at
