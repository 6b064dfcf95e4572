"""Figures that are kept while writing, so that pages read a few rows instead of counting events.

`hourly` and `daily` count what each sensor had. `tallies` counts values per day, and once more for all time under the
day EVER (`spans` sums the last days), `missing` programs that the machine does not have; `places` counts sessions per
day, country and network, and follows when an address is placed (again), as do the tallies of countries and networks.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from urltrap.store import spans, words
from urltrap.store.schema import addresses, daily, hourly, missing, places, program_runs, tallies
from urltrap.store.types import DAY, from_micros, to_micros
from urltrap.store.upsert import upsert_tuples

EVER = from_micros(0)
"""The "day" of what is counted over all time."""
NO_NETWORK = 0
"""The number that stands for an unknown network in `places`."""

_PART = 400
_TALLY = ("day", "what", "key", "value", "second", "n")
Tallies = Mapping[tuple[int, str, bytes], tuple[bytes, bytes, int]]
"""(day in microseconds, what, key) → value, second value, how often."""


def tally_key(value: bytes, second: bytes = b"") -> bytes:
    """The key of a value (or a pair of them) in `tallies`."""
    return hashlib.sha256(len(value).to_bytes(8, "big") + value + second).digest()


def value_key(value: bytes | None) -> int:
    """A number of 60 bits for a value of any length, to look rows up by; 0 for none. Compare the value besides."""
    return 0 if value is None else int.from_bytes(tally_key(value)[:8], "big") >> 4


def add_tallies(connection: Connection, counted: Tallies) -> None:
    """Add to the figures of days and of all time."""
    ever: dict[tuple[str, bytes], tuple[bytes, bytes, int]] = {}
    for (_, what, key), (value, second, n) in counted.items():
        before = ever.get((what, key))
        ever[what, key] = (value, second, n + before[2] if before else n)
    rows = [(*key, *counts) for key, counts in counted.items()]
    rows += [(0, *key, *counts) for key, counts in ever.items()]
    spans.add_late(connection, counted)
    words.add_late(connection, counted)
    upsert_tuples(connection, tallies, _TALLY, rows, add=["n"])


def add_counts(connection: Connection, counted: Mapping[tuple[int, str, str], int]) -> None:
    """Add what sensors had, by (hour in microseconds, sensor, what), to the figures of hours and of days."""
    days: Counter[tuple[int, str, str]] = Counter()
    for (hour, sensor, what), n in counted.items():
        days[hour // DAY * DAY, sensor, what] += n
    rows = [(*key, n) for key, n in counted.items()]
    upsert_tuples(connection, hourly, ("hour", "sensor", "what", "n"), rows, add=["n"])
    rows = [(*key, n) for key, n in days.items()]
    upsert_tuples(connection, daily, ("day", "sensor", "what", "n"), rows, add=["n"])


def count_missing(
    connection: Connection, ran: Mapping[str, int], missed: Mapping[tuple[str, bytes, str], int]
) -> None:
    """Add program runs by outcome, and those in vain by (outcome, name, session): to be called before they are rows."""
    met = _met(connection, missed)
    counted: dict[tuple[str, bytes], list[int]] = {}
    for (outcome, name, session), n in missed.items():
        entry = counted.setdefault((outcome, name), [0, 0])
        entry[0] += n
        entry[1] += (session, outcome, name) not in met
    rows = [(outcome, tally_key(b""), b"", n, 0) for outcome, n in ran.items()]
    rows += [(outcome, tally_key(name), name, n, new) for (outcome, name), (n, new) in counted.items()]
    upsert_tuples(
        connection, missing, ("outcome", "key", "name", "n", "sessions"), rows, add=["n", "sessions"]
    )


def _met(connection: Connection, missed: Mapping[tuple[str, bytes, str], int]) -> set[tuple[str, str, bytes]]:
    """(session, outcome, name) of earlier batches: such a session is counted already."""
    met: set[tuple[str, str, bytes]] = set()
    for part in _parts(sorted({session for _, _, session in missed})):
        rows = connection.execute(
            select(program_runs.c.session, program_runs.c.outcome, program_runs.c.name).where(
                program_runs.c.session.in_(part), program_runs.c.outcome.in_({key[0] for key in missed})
            )
        )
        met.update((row.session, row.outcome, bytes(row.name)) for row in rows)
    return met


def count_places(connection: Connection, sessions: Mapping[tuple[int, str], int]) -> None:
    """Add new sessions, counted by (day in microseconds, address), to the place that their address has now."""
    where = _places_of(connection, {address for _, address in sessions})
    _add_places(
        connection,
        ((day, *where.get(address, ("", NO_NETWORK)), n) for (day, address), n in sessions.items()),
    )


def place_addresses(connection: Connection, placed: Mapping[str, Mapping[str, Any]]) -> None:
    """Give addresses their places: columns of `addresses`, `country` and `asn` among them, the same for all.

    The figures of countries and networks move along, so nothing else may write these columns.
    """
    if not placed:
        return
    _follow(connection, placed)
    connection.execute(
        update(addresses).where(addresses.c.address == bindparam("b_address")),
        [{"b_address": address, **values} for address, values in placed.items()],
    )


def _follow(connection: Connection, placed: Mapping[str, Mapping[str, Any]]) -> None:
    new = {address: (values["country"], values["asn"] or NO_NETWORK) for address, values in placed.items()}
    old = _places_of(connection, set(new))
    moving = {
        tally_key(address.encode()): address
        for address in new
        if old.get(address, new[address]) != new[address]
    }
    changes: list[tuple[int, str, int, int]] = []
    for part in _parts(moving):
        rows = connection.execute(
            select(tallies.c.day, tallies.c.key, tallies.c.n).where(
                tallies.c.what == "address", tallies.c.key.in_(part), tallies.c.day > EVER
            )
        )
        for row in rows:
            address, day = moving[row.key], to_micros(row.day)
            changes += [(day, *old[address], -row.n), (day, *new[address], row.n)]
    _add_places(connection, changes)


def rename_addresses(connection: Connection, renamed: Mapping[str, str]) -> None:
    """Count under a new name what was counted for addresses; nothing names the old ones afterwards."""
    keys = {tally_key(old.encode()): new for old, new in renamed.items()}
    for part in _parts(keys):
        mine = (tallies.c.what == "address", tallies.c.key.in_(part))
        counted: Counter[tuple[int, str, bytes]] = Counter()
        values = {tally_key(new.encode()): new.encode() for new in renamed.values()}
        for row in connection.execute(select(tallies.c.day, tallies.c.key, tallies.c.n).where(*mine)):
            if row.day > EVER:
                counted[to_micros(row.day), "address", tally_key(keys[row.key].encode())] += row.n
        connection.execute(tallies.delete().where(*mine))
        spans.forget_keys(connection, "address", part)
        add_tallies(connection, {key: (values[key[2]], b"", n) for key, n in counted.items()})


def _places_of(connection: Connection, wanted: set[str]) -> dict[str, tuple[str, int]]:
    found: dict[str, tuple[str, int]] = {}
    for part in _parts(sorted(wanted)):
        rows = connection.execute(
            select(addresses.c.address, addresses.c.country, addresses.c.asn).where(
                addresses.c.address.in_(part)
            )
        )
        found.update((row.address, (row.country, row.asn or NO_NETWORK)) for row in rows)
    return found


def _add_places(connection: Connection, changes: Iterable[tuple[int, str, int, int]]) -> None:
    summed: Counter[tuple[int, str, int]] = Counter()
    for day, country, asn, n in changes:
        summed[day, country, asn] += n
        summed[0, country, asn] += n
    rows = [(*key, n) for key, n in summed.items() if n]
    upsert_tuples(connection, places, ("day", "country", "asn", "n"), rows, add=["n"])
    counted: Counter[tuple[int, str, bytes]] = Counter()
    for (day, country, asn), n in summed.items():
        if day:  # of all time is added by add_tallies itself
            counted[day, "country", country.encode()] += n
            if asn != NO_NETWORK:
                counted[day, "network", b"%d" % asn] += n
    add_tallies(
        connection,
        {(day, what, tally_key(value)): (value, b"", n) for (day, what, value), n in counted.items() if n},
    )


def _parts(values: Iterable[Any]) -> Iterable[list[Any]]:
    listed = list(values)
    return (listed[start : start + _PART] for start in range(0, len(listed), _PART))
