"""Slowing down who guesses: after some failures, each further try is looked at only after a pause that doubles.

Kept in the store, so that all workers of the site agree, and a restart forgets nothing.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, and_, case, delete, literal, or_, select, update

from urltrap.store.engine import Store
from urltrap.store.schema_accounts import login_waits
from urltrap.store.types import Micros, from_micros
from urltrap.store.upsert import insert_new

FORGOTTEN = timedelta(hours=6)
"""Failures do not count any more when there was none for so long."""


class Rule(NamedTuple):
    """Tries that are free, and the longest pause between those that follow."""

    free: int
    longest: timedelta


RULES = {
    "address": Rule(10, timedelta(minutes=15)),
    "name": Rule(5, timedelta(seconds=30)),
    "login": Rule(5, timedelta(seconds=30)),
}
"""A name's pause holds for addresses that have failed themselves: whoever guesses must not be able to keep its owner
out, and of a crowd of addresses each gets one try beyond it."""

Subject = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class Try:
    """A try that was counted as failed before it is looked at.

    `pause`: how long the next one waits before it is looked at; then this one was not, and is not counted.
    `before`: of each subject, when it had failed last before this.
    """

    at: datetime
    pause: timedelta | None = None
    before: Mapping[Subject, datetime] = field(default_factory=dict)


def of_address(address: str) -> Subject:
    """The subject that an address is: of IPv6 its /64, of which one customer has all."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "address", _digest(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        mapped = parsed.ipv4_mapped
        address = str(mapped) if mapped else str(ipaddress.ip_network((parsed, 64), strict=False))
    return "address", _digest(address)


def of_name(name: str) -> Subject:
    """The subject that a name is, whether there is such a user or not."""
    return "name", _digest(name)


def of_login(token: str) -> Subject:
    """The subject that a log-in is, for what asks its user for the password once more."""
    return "login", _digest(token)


def begin_try(store: Store, subjects: Sequence[Subject], now: datetime) -> Try:
    """Count a try as failed before it is looked at (several at once all count). `succeeded` when it turns out right."""
    with store.begin() as connection:
        pause = _pause(_rows(connection, subjects), now)
        if pause is not None:
            return Try(now, pause)  # nothing is written for a try that is not looked at
        _make(connection, subjects)
        rows = _rows(connection, subjects, lock=True)
        pause = _pause(rows, now)
        if pause is not None:
            return Try(now, pause)
        for row in rows:
            failures = 1 if now - row.last > FORGOTTEN else row.failures + 1
            connection.execute(
                update(login_waits)
                .where(login_waits.c.kind == row.kind, login_waits.c.key == row.key)
                .values(failures=failures, last=now, until=now + pause_after(row.kind, failures))
            )
    return Try(now, None, {(row.kind, row.key): row.last for row in rows})


def _rows(connection: Connection, subjects: Sequence[Subject], *, lock: bool = False) -> Sequence[Row[Any]]:
    query = (
        select(login_waits)
        .where(or_(*(and_(login_waits.c.kind == kind, login_waits.c.key == key) for kind, key in subjects)))
        .order_by(login_waits.c.kind, login_waits.c.key)
    )
    return connection.execute(query.with_for_update() if lock else query).all()


def _pause(rows: Sequence[Row[Any]], now: datetime) -> timedelta | None:
    """What is left of the longest pause that holds; a name's only for an address that failed not long ago."""
    failed = any(row.kind == "address" and row.failures and now - row.last <= FORGOTTEN for row in rows)
    longest = max((row.until for row in rows if row.kind != "name" or failed), default=now)
    return longest - now if longest > now else None


def succeeded(store: Store, tried: Try) -> None:
    """A try was right: forget the failures of its name or log-in, and those of others that are long past.

    An address is only given back this one try. Its failures stay: who guesses at others' names must not be able to
    wipe them out by logging in to an account of his own in between.
    """
    with store.begin() as connection:
        for (kind, key), before in tried.before.items():
            mine = and_(login_waits.c.kind == kind, login_waits.c.key == key)
            if kind != "address":
                connection.execute(delete(login_waits).where(mine))
                continue
            # Of tries at the same time, the later ones have moved `last` and `until` on: then these stay.
            alone = login_waits.c.last == tried.at
            connection.execute(
                update(login_waits)
                .where(mine, login_waits.c.failures > 0)
                .values(
                    failures=login_waits.c.failures - 1,
                    until=case((alone, literal(tried.at, Micros)), else_=login_waits.c.until),
                    last=case((alone, literal(before, Micros)), else_=login_waits.c.last),
                )
            )
        connection.execute(delete(login_waits).where(login_waits.c.last < tried.at - 4 * FORGOTTEN))


def pause_after(kind: str, failures: int) -> timedelta:
    """How long the next try waits after so many failures."""
    rule = RULES[kind]
    if failures < rule.free:
        return timedelta(0)
    return min(rule.longest, timedelta(seconds=2.0 ** min(failures - rule.free, 20)))


def _make(connection: Connection, subjects: Sequence[Subject]) -> None:
    never = from_micros(0)
    insert_new(
        connection,
        login_waits,
        [
            {"kind": kind, "key": key, "failures": 0, "last": never, "until": never}
            for kind, key in sorted(subjects)
        ],
    )


def _digest(value: str) -> bytes:
    return hashlib.sha256(value.encode("utf-8", "replace")).digest()
