"""What is left out of the journal as its disk fills: what is worth least first, and how many it were is journalled."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

import structlog

from urltrap.model.event import Connected, Disconnected, EventBase, LeftOutClass, RecordsLeftOut
from urltrap.model.ids import new_ulid

log = structlog.get_logger("trap")

LEVELS: tuple[LeftOutClass, ...] = ("keystrokes", "connections", "commands")
"""Classes in the order in which they are left out; URLs, credentials and payloads are never among them."""
_CLASS: dict[str, LeftOutClass] = {
    "terminal.frames": "keystrokes",
    "client.identified": "connections",
    "client.malformed": "connections",
    "terminal.requested": "connections",
    "program.run": "connections",
    "command.entered": "commands",
    "budget.spent": "commands",
    "forward.asked": "commands",
}
MAX_HELD = 10_000
"""Sessions of which nothing is written until they show something; those beyond are written at once."""
PERIOD = 60.0


class PressedJournal(Protocol):
    """A journal that knows how near its disk is to being full."""

    @property
    def pressure(self) -> int:
        """0: plenty of room; up to 3: so many classes are to be left out."""
        ...

    def append(self, event: EventBase) -> object: ...
    def append_all(self, events: Sequence[EventBase]) -> object: ...


class SparingJournal:
    """A journal for sensors that leaves out, while the disk fills, what is worth least.

    Where connections are left out, one is written with the first thing that it shows (a log-in, a URL, a payload), so
    that nothing of worth is without its address; one that shows nothing is only counted.
    """

    def __init__(self, journal: PressedJournal, clock: Callable[[], float] = time.time) -> None:
        self._journal = journal
        self._clock = clock
        self._held: dict[str, Connected] = {}
        self._left_out: dict[LeftOutClass, int] = {}
        self._since = clock()
        self._id = new_ulid(int(self._since * 1000), os.urandom(10))
        self._seq = 0
        self._level = 0
        self.left_out: dict[str, int] = dict.fromkeys(LEVELS, 0)
        """Records left out so far, by class."""

    @property
    def pressure(self) -> int:
        """How many classes are left out now."""
        return self._journal.pressure

    def append(self, event: EventBase) -> None:
        """Journal an event, or count it; raises what the journal raises."""
        level = self._journal.pressure
        if level == self._level == 0 and not self._held:
            self._journal.append(event)
            return
        if level != self._level:
            self._tell(level)
        kind = _CLASS.get(getattr(event, "kind", ""))
        if kind is not None and LEVELS.index(kind) < level:
            self._leave_out(kind, 1)
        elif isinstance(event, Connected) and level > 1 and len(self._held) < MAX_HELD:
            self._held[event.session] = event
        elif (connected := self._held.pop(event.session, None)) is None:
            self._journal.append(event)
        elif isinstance(event, Disconnected) and level > 1:
            self._leave_out("connections", 2)
        else:
            self._journal.append_all([connected, event])

    def tell(self) -> None:
        """Journal how many were left out, where a minute has passed since the last time."""
        if self._clock() - self._since >= PERIOD:
            self.flush()

    def flush(self) -> None:
        """Journal how many were left out since the last time. What the journal does not take stays for the next."""
        now = self._clock()
        for what, count in list(self._left_out.items()):
            self._journal.append(
                RecordsLeftOut(
                    session=self._id,
                    seq=self._seq,
                    at=datetime.fromtimestamp(now, UTC),
                    since=datetime.fromtimestamp(self._since, UTC),
                    what=what,
                    count=count,
                )
            )
            self._seq += 1
            del self._left_out[what]
        self._since = now

    def _leave_out(self, what: LeftOutClass, count: int) -> None:
        self._left_out[what] = self._left_out.get(what, 0) + count
        self.left_out[what] += count

    def _tell(self, level: int) -> None:
        if level > self._level:
            log.error(
                "the disk fills: less is recorded",
                left_out=", ".join(LEVELS[:level]),
                do="free some room, or lower journal.free_bytes_reserve",
            )
        elif level == 0:
            log.warning("the disk has room again: everything is recorded")
        if self._level == 0:
            self._since = self._clock()
        self._level = level
