"""What boxes asked for, journalled: one stream per run of the process, bounded per box."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog

from urltrap.journal import JournalWriter
from urltrap.journal.errors import JournalError
from urltrap.model.event import WireProtocol, WireScanned, WireSeen
from urltrap.model.ids import new_ulid

log = structlog.get_logger("uplink")

MAX_EVENTS = 2000
"""Events of one box; what comes after is answered and not recorded."""
KEPT_BYTES = 512
"""First bytes that are kept of what is no request of a known protocol."""
MAX_URL = 8192


class Recorder:
    """Appends to the journal; an error of the disk is logged and costs the event, never the attacker's answer."""

    def __init__(self, writer: JournalWriter) -> None:
        self._writer = writer
        self._stream = new_ulid(time.time_ns() // 1_000_000, os.urandom(10))
        self._seq = 0

    def append(self, event: type[WireSeen] | type[WireScanned], **fields: Any) -> None:
        """Journal one event of a box."""
        made = event(session=self._stream, seq=self._seq, at=datetime.now(UTC), **fields)
        self._seq += 1
        try:
            self._writer.append(made)
        except JournalError as error:
            log.error("what a box asked for is not recorded", reason=str(error))


@dataclass(slots=True)
class BoxRecord:
    """The record of one box. `address`: its attacker's, for the log."""

    recorder: Recorder
    address: str
    _events: int = 0
    _asked: set[tuple[str, str]] = field(default_factory=set)

    def seen(self, protocol: WireProtocol, url: bytes, session: str, **fields: Any) -> None:
        """Something was asked for."""
        if not self._full():
            self.recorder.append(
                WireSeen,
                for_session=session,
                protocol=protocol,
                url=url[:MAX_URL],
                **fields,
            )

    def would_be_new(self, name: str, kind: str) -> bool:
        """What `is_new` would say."""
        return (name, kind) not in self._asked

    def is_new(self, name: str, kind: str) -> bool:
        """Whether this is the first time that this name is asked for: names are recorded once."""
        known = (name, kind) in self._asked
        if not known and len(self._asked) < MAX_EVENTS:
            self._asked.add((name, kind))
        return not known

    def scanned(
        self, session: str, since: datetime, count: int, ports: list[int], addresses: list[str]
    ) -> None:
        """Connections were tried that nobody answered."""
        if not self._full():
            self.recorder.append(
                WireScanned, for_session=session, since=since, count=count, ports=ports,
                addresses=addresses,
            )  # fmt: skip

    def _full(self) -> bool:
        self._events += 1
        if self._events == MAX_EVENTS + 1:
            log.warning("a box asks for so much that no more of it is recorded", address=self.address)
        return self._events > MAX_EVENTS
