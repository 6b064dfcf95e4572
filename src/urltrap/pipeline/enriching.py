"""Enrich: place and network of attackers' addresses."""

from __future__ import annotations

from sqlalchemy import bindparam, select, update

from urltrap.pipeline.workshop import Workshop
from urltrap.store.schema import addresses

_BATCH = 500


class EnrichStage:
    """No jobs: what was not placed by the present files is found by their version."""

    name = "enrich"

    def run(self, workshop: Workshop) -> int:
        """Place a batch of addresses."""
        version = workshop.places.version
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
        rows = []
        for address in waiting:
            place = workshop.places.find(address)
            rows.append(
                {"b_address": address, "country": place.country, "city": place.city, "latitude": place.latitude,
                 "longitude": place.longitude, "asn": place.asn, "network": place.network,
                 "place_sources": place.sources, "place_version": version}
            )  # fmt: skip
        with workshop.store.begin() as connection:
            connection.execute(update(addresses).where(addresses.c.address == bindparam("b_address")), rows)
        return len(waiting)
