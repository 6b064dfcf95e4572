"""A session's events: numbered, stamped, journalled; the last one exactly once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog

from urltrap.model.canary import canary_session
from urltrap.model.event import (
    BudgetSpent,
    CloseReason,
    Connected,
    Disconnected,
    EventBase,
    Malformed,
    Protocol,
)
from urltrap.model.ids import new_ulid
from urltrap.sensors.ports import Journal

_log = structlog.get_logger("sensors")

KEEP_MALFORMED = 1024
"""Bytes of malformed input that are kept verbatim."""
MAX_MALFORMED = 20
"""Malformed events of one session; what comes after is not worth a record."""
MAX_EVENTS = 20_000
"""Events of one session; then one `BudgetSpent`, and only its end is recorded."""


@dataclass(slots=True)
class ErrorLog:
    """Logs each kind of error once a minute with the number of those that it left out: no flood of tracebacks."""

    clock: Callable[[], float] = time.monotonic
    _seen: dict[str, tuple[float, int]] = field(default_factory=dict)

    def report(self, where: str, error: BaseException) -> None:
        """Log `error` unless one of its kind was logged within the last minute."""
        left_out = self._due(f"{where}:{type(error).__name__}")
        if left_out is not None:
            _log.error(
                "an error of our own in a session",
                where=where,
                error=type(error).__name__,
                text=ascii(str(error))[:300],
                left_out=left_out,
                exc_info=error,
            )

    def crashed(self, program: str, traceback: str) -> None:
        """Log a program of the machine that failed, each name once a minute."""
        left_out = self._due(f"program:{program}")
        if left_out is not None:
            _log.error(
                "a program of the machine failed",
                program=ascii(program)[:100],
                traceback=ascii(traceback)[-2000:],
                left_out=left_out,
            )

    def _due(self, kind: str) -> int | None:
        """How many of this kind were left out since the last one, None where this one is to be left out."""
        now = self.clock()
        last, suppressed = self._seen.get(kind, (-1e9, 0))
        if now - last < 60:
            self._seen[kind] = (last, suppressed + 1)
            return None
        if len(self._seen) > 500:
            self._seen.clear()
        self._seen[kind] = (now, 0)
        return suppressed


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The addresses of a connection."""

    src_ip: str
    src_port: int
    dst_ip: str
    dst_port: int


class Session:
    """One connection's record. `record` journals an event of a kind with its fields; `close` ends it, once."""

    def __init__(
        self,
        journal: Journal,
        sensor: str,
        protocol: Protocol,
        endpoints: Endpoints,
        persona: str = "",
        *,
        canary: bool = False,
    ) -> None:
        self.started = time.time()
        self.id = new_ulid(int(self.started * 1000), os.urandom(10))
        if canary:
            self.id = canary_session(self.id)
        self.endpoints = endpoints
        self.bytes_in = 0
        self.bytes_out = 0
        self._journal = journal
        self._seq = 0
        self._closed = False
        self._failure = ""
        self._spent: set[str] = set()
        self._malformed = 0
        self.record(
            Connected,
            sensor=sensor,
            protocol=protocol,
            src_ip=endpoints.src_ip,
            src_port=endpoints.src_port,
            dst_ip=endpoints.dst_ip,
            dst_port=endpoints.dst_port,
            persona=persona,
        )

    @property
    def closed(self) -> bool:
        """True after `close`."""
        return self._closed

    @property
    def elapsed_ms(self) -> int:
        """Milliseconds since the connection."""
        return max(0, int((time.time() - self.started) * 1000))

    def record(self, event: type[EventBase], **fields: Any) -> None:
        """Journal one event; after `close` nothing is recorded any more."""
        if self._closed:
            return
        if self._seq >= MAX_EVENTS and event not in (BudgetSpent, Disconnected):
            self.spent("events", MAX_EVENTS)
            return
        made = event(session=self.id, seq=self._seq, at=datetime.now(UTC), **fields)
        self._seq += 1
        self._journal.append(made)

    def failed(self, detail: str) -> None:
        """An error of our own happened in this session: its end will say so."""
        self._failure = self._failure or detail

    def spent(self, what: str, limit: float, channel: int = 0) -> None:
        """Journal that a budget was met; the same one of a session is journalled once."""
        if what not in self._spent:
            self._spent.add(what)
            self.record(BudgetSpent, channel=channel, what=what, limit=int(limit))

    def malformed(self, what: str, data: bytes = b"") -> None:
        """Journal input that the protocol does not allow, its beginning verbatim."""
        if self._malformed < MAX_MALFORMED:
            self._malformed += 1
            self.record(Malformed, what=what, data=bytes(data[:KEEP_MALFORMED]))

    def close(self, reason: CloseReason, detail: str = "", duration_ms: int | None = None) -> None:
        """Journal the end; only the first call counts. The connection lasted until now, or `duration_ms`."""
        if self._closed:
            return
        if self._failure:
            reason, detail = "error", self._failure
        self.record(
            Disconnected,
            reason=reason,
            duration_ms=self.elapsed_ms if duration_ms is None else duration_ms,
            bytes_in=self.bytes_in,
            bytes_out=self.bytes_out,
            detail=detail[:500],
        )
        self._closed = True
