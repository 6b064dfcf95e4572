"""Where people's decisions are written down: events of a journal of the site's own, which the pipeline reads."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from urltrap.journal import JournalError, JournalWriter
from urltrap.model.decisions import WRITER, ListDecision, UrlDecision
from urltrap.model.event import Decided
from urltrap.model.ids import new_ulid
from urltrap.model.settings import JournalSettings
from urltrap.store.types import to_micros

_DURABLE_SECONDS = 15.0
_PENDING = timedelta(seconds=30)
_MOST_PENDING = 1000


class CannotDecide(Exception):
    """A decision could not be written down; the message says why and what to do."""


class Desk:
    """The journal of decisions. It is opened at the first one, so that a site which only shows needs none.

    `data`: the data folder; None where it is on another machine: there people decide.
    """

    def __init__(self, data: Path | None, settings: JournalSettings, now: Callable[[], datetime]) -> None:
        self._data = data
        self._settings = settings
        self._now = now
        self._writer: JournalWriter | None = None
        self._lock = threading.Lock()
        self._last = datetime.min.replace(tzinfo=UTC)
        self._pending: OrderedDict[str, tuple[str, datetime]] = OrderedDict()

    @property
    def usable(self) -> bool:
        """Whether decisions can be made here at all."""
        return self._data is not None

    def decide(self, subject: str, decision: UrlDecision | ListDecision, by: str, reason: str) -> None:
        """Write a decision down; it is on the disk when this returns, and counts when the pipeline has read it.

        Raises CannotDecide.
        """
        if self._data is None:
            raise CannotDecide(
                "this site has no data folder: decide on the site of the machine that the pipeline runs on"
            )
        with self._lock:
            # Of two decisions about the same thing the later one counts, whatever the clock does.
            at = self._last = max(self._now(), self._last + timedelta(microseconds=1))
        session = new_ulid(to_micros(at) // 1000, os.urandom(10))
        event = Decided(
            session=session, seq=0, at=at, by=by, subject=subject, decision=decision, reason=reason
        )
        with self._lock:
            try:
                if self._writer is None:
                    self._writer = JournalWriter(self._data / "journal", WRITER, self._settings)
                place = self._writer.append(event)
                self._writer.wait_durable(place, _DURABLE_SECONDS)
            except JournalError as error:
                raise CannotDecide(f"the decision could not be written to the journal: {error}") from error
            self._pending[subject] = (decision, at)
            while len(self._pending) > _MOST_PENDING:
                self._pending.popitem(last=False)

    def pending(self, subject: str) -> str:
        """What was decided about this a moment ago, which the store may not have yet; empty for nothing."""
        found = self._pending.get(subject)
        return found[0] if found is not None and self._now() - found[1] < _PENDING else ""

    def close(self) -> None:
        """Free the journal's folder."""
        with self._lock:
            writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
