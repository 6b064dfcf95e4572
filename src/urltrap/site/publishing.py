"""The feeds as the site serves them: made anew only when an entry changed, so that readers can ask "anything new?"."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from urltrap import feeds
from urltrap.model.views import FeedRow


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
        self._made = now()
        self._editions: dict[str, Edition] = {}

    def edition(self, name: str, rows: list[FeedRow]) -> Edition:
        """The feed `name` with these entries. Raises feeds.FeedError for a format that there is not."""
        digest = hashlib.sha256("\n".join(row.model_dump_json() for row in rows).encode()).hexdigest()
        with self._lock:
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
