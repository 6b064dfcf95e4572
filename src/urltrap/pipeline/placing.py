"""Place: ask ip-api.com for addresses that the files do not know. Off unless `intel.ip_api` is set."""

from __future__ import annotations

from concurrent.futures import Future

import structlog
from sqlalchemy import select

from urltrap.intel.enrich import ip_api
from urltrap.intel.errors import Limited, ProviderError
from urltrap.intel.loop import Background
from urltrap.model.verdict import Place
from urltrap.pipeline.workshop import Workshop
from urltrap.store import breakers, windows
from urltrap.store.rollups import place_addresses
from urltrap.store.schema import addresses

_ASKED = [ip_api.NAME]

log = structlog.get_logger("urltrap.pipeline")


class PlaceStage:
    """No jobs: addresses without country that were not asked about. One batch at a time, within its 15 a minute."""

    name = "place"

    def __init__(self, background: Background | None = None, base: str = "http://ip-api.com") -> None:
        self._background = background
        self._base = base
        self._asking: Future[dict[str, Place]] | None = None
        self._asked: list[str] = []

    def run(self, workshop: Workshop) -> int:
        """Keep what came, ask for the next hundred."""
        intel = workshop.settings.intel
        if not (intel.online and intel.ip_api):
            return 0
        done = self._collect(workshop)
        if self._asking is not None:
            return done
        with workshop.store.connect() as connection:
            waiting = list(
                connection.execute(
                    select(addresses.c.address)
                    .where(addresses.c.country == "", addresses.c.place_version != "")
                    .where(addresses.c.place_sources == [])
                    .limit(ip_api.BATCH)
                ).scalars()
            )
        if not waiting:
            return done
        now = workshop.now()
        with workshop.store.begin() as connection:
            windows.declare(connection, ip_api.NAME, {"minute": ip_api.BATCHES_PER_MINUTE})
            if breakers.read(connection, ip_api.NAME).refuses(now):
                return done
            granted, _ = windows.take(connection, ip_api.NAME, now, 1)
        if not granted:
            return done
        if self._background is None:
            self._background = Background(intel.contact)
        client = ip_api.IpApi(self._background.http, self._base)
        self._asked = waiting
        self._asking = self._background.submit(client.many(waiting))
        self._asking.add_done_callback(lambda _: workshop.wake())
        return done + len(waiting)

    def close(self) -> None:
        """Give up what is being asked."""
        if self._background is not None:
            self._background.close()
            self._background = None

    def waiting(self) -> list[Future[dict[str, Place]]]:
        """What is being asked now."""
        return [self._asking] if self._asking is not None else []

    def _collect(self, workshop: Workshop) -> int:
        if self._asking is None or not self._asking.done():
            return 0
        future, self._asking = self._asking, None
        if future.cancelled():
            return 0
        now = workshop.now()
        error = future.exception()
        with workshop.store.begin() as connection:
            if error is None:
                breakers.succeeded(connection, ip_api.NAME, now)
                place_addresses(
                    connection,
                    {
                        address: {
                            "country": place.country, "city": place.city, "latitude": place.latitude,
                            "longitude": place.longitude, "asn": place.asn, "network": place.network,
                            "place_sources": _ASKED,
                        }
                        for address, place in future.result().items()
                    },
                )  # fmt: skip
                return len(self._asked)
            words = str(error) if isinstance(error, ProviderError) else f"unforeseen: {type(error).__name__}"
            if isinstance(error, Limited):
                breakers.limited(connection, ip_api.NAME, now, error.until, words)
            else:
                breakers.failed(connection, ip_api.NAME, now, words)
        log.warning("place.failed", provider=ip_api.NAME, error=words)
        return 0
