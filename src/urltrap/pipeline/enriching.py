"""Enrich: place, network and list labels of attackers' addresses."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from urltrap.pipeline.workshop import Workshop
from urltrap.store import names
from urltrap.store.rollups import place_addresses
from urltrap.store.schema import addresses

_BATCH = 500
_SHIPPED_HOLDS = timedelta(days=30)


class EnrichStage:
    """No jobs: what was not looked up in the present files and lists is found by their version."""

    name = "enrich"

    def run(self, workshop: Workshop) -> int:
        """Place and label a batch of addresses."""
        version = _version(workshop)
        if not version:
            return 0  # no files: unknown stays unknown
        with workshop.store.connect() as connection:
            waiting = list(
                connection.execute(
                    select(addresses.c.address).where(addresses.c.place_version != version).limit(_BATCH)
                ).scalars()
            )
        if not waiting:
            return 0
        rows = {}
        for address in waiting:
            place = workshop.places.find(address)
            rows[address] = {
                "country": place.country, "city": place.city, "latitude": place.latitude,
                "longitude": place.longitude, "asn": place.asn, "network": place.network,
                "place_sources": place.sources, "place_version": version,
            }  # fmt: skip
        with workshop.store.begin() as connection:
            place_addresses(connection, rows)
            label(workshop, connection, waiting, workshop.now())
        return len(waiting)


def label(workshop: Workshop, connection: Connection, wanted: Sequence[str], now: datetime) -> None:
    """Replace the labels of addresses: those of lists that name the address, and of lists of names where its reverse
    name is forward-confirmed (anybody can write `scanner.example` into a PTR)."""
    if workshop.lists is None or not wanted:
        return
    index = workshop.lists.index
    confirmed = names.confirmed_names(connection, wanted)
    rows = []
    for address in wanted:
        found = index.of_address(address)
        if name := confirmed.get(address):
            # Of names only what says who it is; that a provider's customers are below a popular domain does not.
            found = found + [item for item in index.of_host(name) if item.kind == "research-scanner"]
        rows += [
            names.LabelRow(address, item.kind, item.list, item.version, item.expires or now + _SHIPPED_HOLDS)
            for item in found
        ]
    names.keep_labels(connection, wanted, rows, now)


def _version(workshop: Workshop) -> str:
    """Version of files and lists together; that of the files alone where there are no lists."""
    lists = workshop.lists.version if workshop.lists is not None else ""
    if not lists:
        return workshop.places.version
    return hashlib.sha256(f"{workshop.places.version}\0{lists}".encode()).hexdigest()[:24]
