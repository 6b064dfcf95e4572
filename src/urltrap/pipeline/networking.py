"""Network: ask Team Cymru which network announces the addresses for which no file does. Off while it is skipped."""

from __future__ import annotations

from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Text, select, type_coerce

from urltrap.intel.dns import Resolver
from urltrap.intel.enrich import cymru_asn
from urltrap.intel.errors import ProviderError
from urltrap.intel.loop import Background
from urltrap.intel.reputation.cymru import Cymru
from urltrap.model.verdict import Place
from urltrap.pipeline.naming import is_public
from urltrap.pipeline.workshop import Workshop
from urltrap.store import breakers, windows
from urltrap.store.rollups import place_addresses
from urltrap.store.schema import addresses
from urltrap.store.windows import Span

_SLOTS = 8
_RETRY = timedelta(hours=6)
_LIMITS: dict[Span, int] = {"minute": 60, "day": 20_000}

log = structlog.get_logger("urltrap.pipeline")


class NetworkStage:
    """No jobs: addresses without a network that it was not asked about, within its own share of questions a minute."""

    name = "network"

    def __init__(self, background: Background | None = None, zone: str = cymru_asn.ZONE) -> None:
        self._background = background
        self._zone = zone
        self._asked: dict[str, Future[Place]] = {}
        self._failed: dict[str, datetime] = {}

    def run(self, workshop: Workshop) -> int:
        """Keep what came, ask for more; how many addresses."""
        intel = workshop.settings.intel
        if not intel.online or Cymru.name in intel.skip:
            return 0
        done = self._collect(workshop)
        wanted = self._unknown(workshop, _SLOTS - len(self._asked))
        local = [address for address in wanted if not is_public(workshop, address)]
        foreign = [address for address in wanted if address not in local]
        with workshop.store.begin() as connection:
            # Nobody announces it, and nobody outside is told of it.
            self._keep(workshop, connection, dict.fromkeys(local, Place()))
            windows.declare(connection, cymru_asn.NAME, _LIMITS)
            granted = 0
            if foreign and not breakers.read(connection, cymru_asn.NAME).refuses(workshop.now()):
                granted, _ = windows.take(connection, cymru_asn.NAME, workshop.now(), len(foreign))
        if granted and self._background is None:
            self._background = Background(intel.contact)
        for address in foreign[:granted]:
            assert self._background is not None
            question = cymru_asn.network(Resolver(intel.resolvers), address, self._zone)
            self._asked[address] = self._background.submit(question)
            self._asked[address].add_done_callback(lambda _: workshop.wake())
        return done + len(local) + granted

    def close(self) -> None:
        """Give up what is being asked."""
        if self._background is not None:
            self._background.close()
            self._background = None

    def waiting(self) -> list[Future[Place]]:
        """What is being asked now."""
        return list(self._asked.values())

    def _unknown(self, workshop: Workshop, most: int) -> list[str]:
        if most <= 0:
            return []
        now = workshop.now()
        self._failed = {address: until for address, until in self._failed.items() if until > now}
        with workshop.store.connect() as connection:
            found = connection.execute(
                select(addresses.c.address)
                .where(addresses.c.asn.is_(None), addresses.c.place_version != "")
                .where(type_coerce(addresses.c.place_sources, Text).not_like(f'%"{cymru_asn.NAME}"%'))
                .limit(most + len(self._asked) + len(self._failed))
            ).scalars()
            return [
                address for address in found if address not in self._asked and address not in self._failed
            ][:most]

    def _collect(self, workshop: Workshop) -> int:
        ended = {address: future for address, future in self._asked.items() if future.done()}
        now, places = workshop.now(), {}
        if not ended:
            return 0
        with workshop.store.begin() as connection:
            for address, future in ended.items():
                del self._asked[address]
                if future.cancelled():
                    continue
                error = future.exception()
                if error is None:
                    places[address] = future.result()
                    continue
                words = (
                    str(error) if isinstance(error, ProviderError) else f"unforeseen: {type(error).__name__}"
                )
                breakers.failed(connection, cymru_asn.NAME, now, words)
                self._failed[address] = now + _RETRY
                log.warning("network.failed", provider=cymru_asn.NAME, error=words)
            if places:
                breakers.succeeded(connection, cymru_asn.NAME, now)
            self._keep(workshop, connection, places)
        return len(ended)

    def _keep(self, workshop: Workshop, connection: Any, places: dict[str, Place]) -> None:
        """The network, and the country where no other source has one, beside what is known of the address."""
        if not places:
            return
        rows = connection.execute(
            select(addresses.c.address, addresses.c.country, addresses.c.place_sources).where(
                addresses.c.address.in_(places)
            )
        ).all()
        place_addresses(
            connection,
            {
                row.address: {
                    "country": row.country or places[row.address].country, "asn": places[row.address].asn,
                    "network": places[row.address].network, "place_sources": [*row.place_sources, cymru_asn.NAME],
                }
                for row in rows
            },
        )  # fmt: skip
