"""Who may connect: limits per address and in total, in tables of bounded size; what is shed is counted, not lost."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime

from urltrap.model.event import FloodCounted
from urltrap.model.ids import new_ulid
from urltrap.sensors.ports import Journal

MAX_SOURCES = 4096
"""Sources whose shed connections are counted one by one within a minute; the rest are counted together."""
OTHERS = "*"
"""The source of those that are counted together."""
PERIOD = 60.0


class Admission:
    """The door of one sensor. `enter` and `leave` are called once per connection that was let in."""

    def __init__(
        self,
        sensor: str,
        journal: Journal,
        *,
        total: int,
        per_address: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._sensor = sensor
        self._journal = journal
        self._total = total
        self._per_address = per_address
        self._clock = clock
        self._inside: dict[str, int] = {}
        self._count = 0
        self._shed: dict[str, int] = {}
        self._since = clock()
        self._id = new_ulid(int(self._since * 1000), os.urandom(10))
        self._seq = 0

    @property
    def inside(self) -> int:
        """Connections that are open."""
        return self._count

    def enter(self, source: str) -> bool:
        """Let a connection in, or count it as shed."""
        if self._count >= self._total or self._inside.get(source, 0) >= self._per_address:
            if self._clock() - self._since >= PERIOD:
                self.flush()
            key = source if source in self._shed or len(self._shed) < MAX_SOURCES else OTHERS
            self._shed[key] = self._shed.get(key, 0) + 1
            return False
        self._count += 1
        self._inside[source] = self._inside.get(source, 0) + 1
        return True

    def leave(self, source: str) -> None:
        """A connection that was let in has ended."""
        self._count -= 1
        left = self._inside.get(source, 1) - 1
        if left > 0:
            self._inside[source] = left
        else:
            self._inside.pop(source, None)

    def flush(self) -> None:
        """Journal what was shed since the last time; called once a minute and at the end."""
        shed, self._shed = self._shed, {}
        since, self._since = self._since, self._clock()
        for source, count in shed.items():
            self._journal.append(
                FloodCounted(
                    session=self._id,
                    seq=self._seq,
                    at=datetime.fromtimestamp(self._since, UTC),
                    sensor=self._sensor,
                    src_ip=source,
                    since=datetime.fromtimestamp(since, UTC),
                    count=count,
                )
            )
            self._seq += 1
