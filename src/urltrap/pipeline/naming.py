"""Name: reverse names of attackers' addresses, asked of DNS beside the line and believed for a while."""

from __future__ import annotations

import ipaddress
from concurrent.futures import Future
from datetime import datetime, timedelta

from urltrap.intel.dns import Resolver
from urltrap.intel.enrich.names import ReverseName, reverse
from urltrap.intel.loop import Background
from urltrap.pipeline.enriching import label
from urltrap.pipeline.workshop import Workshop
from urltrap.store import names

_SLOTS = 24
_PER_MINUTE = 240
"""A flood must not become a flood of DNS questions; the newest addresses go first."""

_BELIEVED = timedelta(days=7)
_RETRY = timedelta(hours=6)
_POLL = timedelta(seconds=2)


class NameStage:
    """No jobs: addresses without a name that is still believed are found in the store."""

    name = "name"

    def __init__(self, background: Background | None = None) -> None:
        self._background = background
        self._asked: dict[str, Future[ReverseName]] = {}
        self._again: datetime | None = None
        self._minute: tuple[datetime, int] | None = None

    def run(self, workshop: Workshop) -> int:
        """Keep what DNS answered, ask for more; how many addresses."""
        if not workshop.settings.intel.online:
            return 0
        now = workshop.now()
        done = self._collect(workshop, now)
        if self._again is not None and self._again > now and not done:
            return 0
        free = min(_SLOTS - len(self._asked), self._left(now))
        if free <= 0:
            return done
        waiting = [
            address
            for address in names.nameless(workshop.store, now, free + len(self._asked))
            if address not in self._asked
        ][:free]
        self._again = None if waiting else now + _POLL
        local = [address for address in waiting if not is_public(workshop, address)]
        if local:
            with workshop.store.begin() as connection:
                rows = [names.NameRow(address, "", False, "") for address in local]
                names.keep_names(connection, rows, now, now + timedelta(days=3650))
        for address in waiting:
            if address not in local:
                self._begin(workshop, address)
        return done + len(waiting)

    def close(self) -> None:
        """Give up what is being asked."""
        if self._background is not None:
            self._background.close()
            self._background = None

    def waiting(self) -> list[Future[ReverseName]]:
        """What is being asked now."""
        return list(self._asked.values())

    def _left(self, now: datetime) -> int:
        minute = now.replace(second=0, microsecond=0)
        used = self._minute[1] if self._minute and self._minute[0] == minute else 0
        return _PER_MINUTE - used

    def _begin(self, workshop: Workshop, address: str) -> None:
        if self._background is None:
            self._background = Background()
        minute = workshop.now().replace(second=0, microsecond=0)
        used = self._minute[1] if self._minute and self._minute[0] == minute else 0
        self._minute = (minute, used + 1)
        resolver = Resolver(workshop.settings.intel.resolvers)
        future = self._background.submit(reverse(resolver, address))
        future.add_done_callback(lambda _: workshop.wake())
        self._asked[address] = future

    def _collect(self, workshop: Workshop, now: datetime) -> int:
        ended = {address: future for address, future in self._asked.items() if future.done()}
        if not ended:
            return 0
        found, failed = [], []
        for address, future in ended.items():
            del self._asked[address]
            if future.cancelled():
                continue
            if future.exception() is not None:
                failed.append(address)
            else:
                item = future.result()
                found.append(names.NameRow(address, item.name, item.confirmed, item.domain))
        with workshop.store.begin() as connection:
            names.keep_names(connection, found, now, now + _BELIEVED)
            names.try_later(connection, failed, now, now + _RETRY)
            # The lists are asked again, now about the confirmed name, too.
            label(workshop, connection, [row.address for row in found if row.confirmed], now)
        return len(ended)


def is_public(workshop: Workshop, address: str) -> bool:
    """Whether an address means somebody outside: nobody is asked about others."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return parsed.is_global or any(parsed in network for network in workshop.public_networks)
