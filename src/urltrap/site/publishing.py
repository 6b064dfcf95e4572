"""The feeds as the site serves them: made anew only when an entry changed, so that readers can ask "anything new?"."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from urltrap import feeds
from urltrap.model.views import FeedRow
from urltrap.store import Store
from urltrap.store.queries.feed import Published, published

KEPT = 10.0
"""Seconds for which the feeds are what they were: how much later readers see what was published or taken back."""


@dataclass(frozen=True, slots=True)
class Edition:
    """One format of a feed at one state of its entries. `made` has whole seconds, as HTTP's dates have."""

    body: bytes
    etag: str
    made: datetime
    entries: int


class Editions:
    """The newest edition of each format.

    Its date is the moment at which this process first saw these entries; the body carries the same date, so that the
    same entity tag always means the same bytes.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._digest = ""
        self._published: Published | None = None
        self._read_at = float("-inf")
        self._rows: list[FeedRow] | None = None
        self._made = now()
        self._editions: dict[str, Edition] = {}

    def entries(self, store: Store, min_confidence: int) -> list[FeedRow]:
        """The entries of the feeds as they are, or were KEPT seconds ago at most. The same list while none changes."""
        with self._lock:
            found, read_at = self._published, self._read_at
        if found is None or time.monotonic() - read_at >= KEPT:
            read_at = time.monotonic()
            found = published(store, self._now(), min_confidence, found)
            with self._lock:
                self._published, self._read_at = found, read_at
        return found.rows

    def edition(self, name: str, rows: list[FeedRow]) -> Edition:
        """The feed `name` with these entries. Raises feeds.FeedError for a format that there is not."""
        with self._lock:
            digest = self._digest if rows is self._rows else ""
        if not digest:
            digest = hashlib.sha256("\n".join(row.model_dump_json() for row in rows).encode()).hexdigest()
        with self._lock:
            self._rows = rows
            if digest != self._digest:
                self._digest = digest
                self._made = self._now().replace(microsecond=0)
                self._editions.clear()
            made = self._made
            found = self._editions.get(name)
        if found is None:
            body = feeds.render(name, rows, made)
            found = Edition(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"', made, len(rows))
            with self._lock:
                if self._digest == digest:
                    self._editions[name] = found
        return found
