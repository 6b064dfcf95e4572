"""Few or many: lists begin at the newest row, which is quick where what is wanted is frequent, and slow where not.

What is rare is found the other way round: from the figures that are kept while writing to the few rows themselves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, select

from urltrap.model.views import SessionFilter
from urltrap.store import words
from urltrap.store.intake import in_parts
from urltrap.store.queries.shared import contains
from urltrap.store.rollups import EVER, tally_key
from urltrap.store.schema import addresses, commands, sessions, tallies

FEW = 2000
"""Rows that are read and sorted here; of more than these among a million, the newest are found soon enough."""


def few_sessions(connection: Connection, wanted: SessionFilter) -> list[str] | None:
    """Ids of all sessions that can match, where they are few; None where they may be many."""
    found: list[set[str]] = []
    if wanted.country or wanted.asn is not None:
        sources = _few_addresses(connection, wanted)
        if sources is not None:
            found.append(_ids(connection, sessions.c.id, sessions.c.src_ip, sources))
    if wanted.text:
        texts = few_values(connection, "command", wanted.text.encode("utf-8", "surrogateescape"))
        if texts is not None:
            hashes = [hashlib.sha256(text).hexdigest() for text in texts]
            found.append(_ids(connection, commands.c.session, commands.c.text_sha256, hashes))
    return sorted(set.intersection(*found)) if found else None


def few_values(connection: Connection, what: str, part: bytes) -> list[bytes] | None:
    """All values of a kind in `tallies` that contain `part`, where they were seen FEW times at most; else None."""
    dialect = connection.dialect.name
    query = select(tallies.c.value, tallies.c.n).where(tallies.c.what == what, tallies.c.day == EVER)
    keys = words.matching(connection, what, lambda column: contains(dialect, column, part), FEW + 1)
    if keys is None:
        return _few(connection.execute(query.where(contains(dialect, tallies.c.value, part)).limit(FEW + 1)))
    if len(keys) > FEW:
        return None
    rows = [
        row for some in in_parts(keys) for row in connection.execute(query.where(tallies.c.key.in_(some)))
    ]
    return _few(rows)


def how_often(connection: Connection, what: str, value: bytes) -> int:
    """How often a value of a kind was seen."""
    query = select(tallies.c.n).where(
        tallies.c.day == EVER, tallies.c.what == what, tallies.c.key == tally_key(value)
    )
    return int(connection.execute(query).scalar() or 0)


def _few_addresses(connection: Connection, wanted: SessionFilter) -> list[str] | None:
    query = select(addresses.c.address, addresses.c.sessions)
    if wanted.country:
        query = query.where(addresses.c.country == wanted.country)
    if wanted.asn is not None:
        query = query.where(addresses.c.asn == wanted.asn)
    return _few(connection.execute(query.limit(FEW + 1)))


def _few(rows: Iterable[Any]) -> list[Any] | None:
    values, total = [], 0
    for value, n in rows:
        values.append(value)
        total += max(1, n)
        if total > FEW:
            return None
    return values


def _ids(connection: Connection, wanted: Any, column: Any, values: list[Any]) -> set[str]:
    found: set[str] = set()
    for part in in_parts(values):
        found.update(connection.execute(select(wanted).where(column.in_(part))).scalars())
    return found
