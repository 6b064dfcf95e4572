"""Who may connect, decided before a byte is read or a key is made: rates and places per source, network and in total.

What is shed is counted per source and minute and journalled, so that accepted = served + shed. The tables are of fixed
or bounded size. Those who are not logged in yet are the crowd that a flood is made of. Where it is too large,
sources that are in it already are dropped at random, as sshd does it (MaxStartups, sshd_config(5)), and one that is
not gets the place of the oldest of the network that holds most. So newcomers get in however many hold connections open.
"""

from __future__ import annotations

import ipaddress
import os
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime

from urltrap.model.admission_settings import AdmissionSettings
from urltrap.model.event import FloodCounted
from urltrap.model.ids import new_ulid
from urltrap.sensors.buckets import Buckets
from urltrap.sensors.ports import Journal
from urltrap.sensors.session import Endpoints

MAX_SOURCES = 4096
"""Sources whose shed connections are counted one by one within a minute; the rest are counted together."""
OTHERS = "*"
"""The source of those that are counted together."""
PERIOD = 60.0
MADE_ROOM = "made room for a newcomer"
"""Why a connection ended that was dropped for another."""


def network_of(source: str) -> tuple[str, str]:
    """What counts as one source, and its network: an address and its /24, or an IPv6 /64 and its /48."""
    if ":" not in source:
        return source, source.rpartition(".")[0]
    packed = ipaddress.IPv6Address(source.partition("%")[0]).packed
    return packed[:8].hex(), packed[:6].hex()


class Ticket:
    """One connection that was let in. `leave` it once; tell when it is `logged_in`."""

    __slots__ = ("_door", "drop", "endpoints", "key", "left", "network", "waiting")

    def __init__(self, door: Admission, key: str, network: str) -> None:
        self._door = door
        self.key = key
        self.network = network
        self.waiting = True
        self.left = False
        self.drop: Callable[[], None] | None = None
        """Ends the connection to make room for another; set by who serves it."""
        self.endpoints = Endpoints("", 0, "", 0)
        """Its addresses; set by who accepted it."""

    def logged_in(self) -> None:
        """It is no longer one of the crowd at the door."""
        if self.waiting:
            self.waiting = False
            self._door.crowd.remove(self)

    def leave(self) -> None:
        """The connection has ended."""
        if not self.left:
            self.left = True
            self.logged_in()
            self._door.left(self)


class Crowd:
    """Connections that are not logged in, by network, those with most of them found at once."""

    def __init__(self) -> None:
        self.size = 0
        self._networks: dict[str, dict[Ticket, None]] = {}
        self._by_size: list[dict[str, None]] = [{}]  # at n: the networks that have n, oldest there first

    def of(self, network: str) -> int:
        """How many a network has."""
        return len(self._networks.get(network, ()))

    def add(self, ticket: Ticket) -> None:
        """One more."""
        tickets = self._networks.setdefault(ticket.network, {})
        self._move(ticket.network, len(tickets), len(tickets) + 1)
        tickets[ticket] = None
        self.size += 1

    def remove(self, ticket: Ticket) -> None:
        """One less."""
        tickets = self._networks.get(ticket.network, {})
        if ticket not in tickets:
            return
        del tickets[ticket]
        self._move(ticket.network, len(tickets) + 1, len(tickets))
        if not tickets:
            del self._networks[ticket.network]
        self.size -= 1

    def oldest_of_heaviest(self) -> Ticket | None:
        """The oldest connection of the network that has most."""
        if not self.size:
            return None
        return next(iter(self._networks[next(iter(self._by_size[-1]))]))

    def _move(self, network: str, before: int, now: int) -> None:
        levels = self._by_size
        if before:
            del levels[before][network]
        if now:
            if now == len(levels):
                levels.append({})
            levels[now][network] = None
        while len(levels) > 1 and not levels[-1]:
            levels.pop()


class Places:
    """The connections that a process can hold, shared by all its doors."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.taken = 0
        self.strained = False
        """Set where the process holds more memory than it may: then as if all places were taken."""

    @property
    def full(self) -> bool:
        """No place is free."""
        return self.strained or self.taken >= self.total


class Admission:
    """The door of one sensor. `enter` is called once per connection, and the ticket that it gives is left once."""

    def __init__(
        self,
        sensor: str,
        journal: Journal,
        *,
        places: Places,
        settings: AdmissionSettings,
        per_source: int,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._sensor = sensor
        self._journal = journal
        self._places = places
        self._settings = settings
        self._per_source = per_source
        self._clock = clock
        self._chance = chance
        self.crowd = Crowd()
        self._sources = Buckets(settings.per_second, settings.burst)
        wider = settings.network_factor
        self._networks = Buckets(settings.per_second * wider, settings.burst * wider)
        self._inside: dict[str, int] = {}
        self._count = 0
        self._counts: dict[str, int] = {}
        self.let_in = self.turned_away = 0
        """How many so far."""
        self._since = clock()
        self._id = new_ulid(int(self._since * 1000), os.urandom(10))
        self._seq = 0
        self._latest = 0.0

    @property
    def inside(self) -> int:
        """Connections that are open."""
        return self._count

    def enter(self, source: str) -> Ticket | None:
        """Let a connection in, or count it as shed."""
        key, network = network_of(source)
        # A clock that is set back must not make buckets wait for what it has counted already.
        self._latest = now = max(self._latest, self._clock())
        if not (
            self._sources.take(key, now)
            and self._networks.take(network, now)
            and self._inside.get(key, 0) < self._per_source
            and self._finds_room(network)
        ):
            self.shed(source)
            return None
        ticket = Ticket(self, key, network)
        self._count += 1
        self.let_in += 1
        self._places.taken += 1
        self._inside[key] = self._inside.get(key, 0) + 1
        self.crowd.add(ticket)
        return ticket

    def left(self, ticket: Ticket) -> None:
        """A connection that was let in has ended."""
        self._count -= 1
        self._places.taken -= 1
        left = self._inside[ticket.key] - 1
        if left:
            self._inside[ticket.key] = left
        else:
            del self._inside[ticket.key]

    def _finds_room(self, network: str) -> bool:
        begin, percent, full = self._settings.startups
        waiting = self.crowd.size
        is_new = not self.crowd.of(network)
        if waiting >= begin and not is_new:
            # sshd's should_drop_connection: from `percent` at `begin` in a straight line to everybody at `full`.
            if waiting >= full:
                return False
            rate = percent + (100 - percent) * (waiting - begin) / (full - begin)
            if self._chance() * 100 < rate:
                return False
        if waiting < full and not self._places.full:
            return True
        return is_new and self._drop_one()

    def _drop_one(self) -> bool:
        """Make room at the cost of the network that has most; False where nobody can be dropped."""
        victim = self.crowd.oldest_of_heaviest()
        if victim is None:
            return False
        victim.logged_in()  # it is dropped once
        if victim.drop is not None:
            victim.drop()
        return True

    def shed(self, source: str) -> None:
        """Count a connection that nobody serves."""
        self.turned_away += 1
        key = source if source in self._counts or len(self._counts) < MAX_SOURCES else OTHERS
        self._counts[key] = self._counts.get(key, 0) + 1

    def tell(self) -> None:
        """Journal what was shed, where a minute has passed since the last time; called every few seconds."""
        if self._clock() - self._since >= PERIOD:
            self.flush()

    def flush(self) -> None:
        """Journal what was shed since the last time. What the journal does not take stays for the next time."""
        now = self._clock()
        while self._counts:
            source, count = next(iter(self._counts.items()))
            self._journal.append(
                FloodCounted(
                    session=self._id,
                    seq=self._seq,
                    at=datetime.fromtimestamp(now, UTC),
                    sensor=self._sensor,
                    src_ip=source,
                    since=datetime.fromtimestamp(self._since, UTC),
                    count=count,
                )
            )
            self._seq += 1
            del self._counts[source]
        self._since = now
