"""Circuit breakers of providers, kept in the store so that a restart does not ask a provider that said no.

Closed: it is asked. Open: not before `until`; without `until`, not before the configuration changes (a refused key).
After `until` one single question is let through (probing); its answer closes the breaker, its failure opens it for
twice as long, from one minute to an hour.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from sqlalchemy import Connection, bindparam, select

from urltrap.store.schema_intel import provider_breakers
from urltrap.store.upsert import upsert

FAILURES = 5
"""Failures in a row that open a breaker."""

_LONGEST = timedelta(hours=1)
_COLUMNS = ["state", "failures", "trips", "until", "reason", "config", "changed"]
_SEEN = select(provider_breakers).where(provider_breakers.c.provider == bindparam("p"))
_OF_PROVIDER = _SEEN.with_for_update()


@dataclass(frozen=True, slots=True)
class Breaker:
    """The breaker of one provider."""

    provider: str
    state: Literal["closed", "open", "probing"] = "closed"
    failures: int = 0
    trips: int = 0
    until: datetime | None = None
    reason: str = ""
    config: str = ""

    def refuses(self, now: datetime) -> bool:
        """Whether the provider must not be asked at `now`."""
        return self.state != "closed" and (self.until is None or self.until > now)


def read(connection: Connection, provider: str) -> Breaker:
    """The breaker, locked until the transaction ends (where rows can be locked)."""
    return _breaker(provider, connection.execute(_OF_PROVIDER, {"p": provider}).first())


def seen(connection: Connection, provider: str) -> Breaker:
    """The breaker, for looking only: nothing is locked."""
    return _breaker(provider, connection.execute(_SEEN, {"p": provider}).first())


def _breaker(provider: str, row: Any) -> Breaker:
    if row is None:
        return Breaker(provider)
    state = cast(Literal["closed", "open", "probing"], row.state)
    return Breaker(provider, state, row.failures, row.trips, row.until, row.reason, row.config)


def probe(connection: Connection, breaker: Breaker, now: datetime, lease: timedelta) -> None:
    """Let one question through; others wait until its lease ends."""
    _write(connection, breaker, now, state="probing", until=now + lease)


def succeeded(connection: Connection, provider: str, now: datetime) -> None:
    """The provider answered (listed or not): closed. One that opened while this question was under way stays open."""
    breaker = read(connection, provider)
    if breaker.state == "probing" or (breaker.state == "closed" and (breaker.failures or breaker.trips)):
        _write(connection, Breaker(provider), now)


def failed(connection: Connection, provider: str, now: datetime, reason: str) -> datetime | None:
    """The provider failed; until when it is left alone now, None where it may still be asked."""
    breaker = read(connection, provider)
    failures = breaker.failures + 1
    if failures < FAILURES and breaker.state == "closed":
        _write(connection, breaker, now, failures=failures, reason=reason)
        return None
    return _open(connection, breaker, now, failures, reason)


def limited(
    connection: Connection, provider: str, now: datetime, until: datetime | None, reason: str
) -> datetime:
    """The provider said "too many". Without its own `until`: to the next full minute, then 2, 4 … 60 minutes."""
    breaker = read(connection, provider)
    if until is None:
        full = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
        until = full if not breaker.trips else max(full, now + _pause(breaker.trips))
    _write(connection, breaker, now, state="open", trips=breaker.trips + 1, until=until, reason=reason)
    return until


def refused(connection: Connection, provider: str, now: datetime, reason: str, config: str) -> None:
    """The key is wrong or missing: open until the configuration, whose fingerprint is `config`, changes."""
    _write(
        connection, read(connection, provider), now, state="open", until=None, reason=reason, config=config
    )


def configured(connection: Connection, provider: str, now: datetime, config: str) -> None:
    """Close a breaker that a refused configuration opened, where this one is another."""
    breaker = read(connection, provider)
    if breaker.state == "open" and breaker.until is None and breaker.config != config:
        _write(connection, Breaker(provider), now)


def _pause(trips: int) -> timedelta:
    return min(timedelta(minutes=1 << min(trips, 6)), _LONGEST)


def _open(connection: Connection, breaker: Breaker, now: datetime, failures: int, reason: str) -> datetime:
    until = now + _pause(breaker.trips)
    _write(
        connection, breaker, now, state="open", failures=failures, trips=breaker.trips + 1, until=until,
        reason=reason,
    )  # fmt: skip
    return until


def _write(connection: Connection, breaker: Breaker, now: datetime, **changes: object) -> None:
    row: dict[str, object] = {
        "provider": breaker.provider, "state": breaker.state, "failures": breaker.failures, "trips": breaker.trips,
        "until": breaker.until, "reason": breaker.reason, "config": breaker.config, "changed": now, **changes,
    }  # fmt: skip
    upsert(connection, provider_breakers, [row], replace=_COLUMNS)
