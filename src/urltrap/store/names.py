"""Reverse names and labels of attackers' addresses, and how long each is believed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select, update

from urltrap.store.engine import Store
from urltrap.store.intake import in_parts
from urltrap.store.schema import addresses
from urltrap.store.schema_intel import address_labels, names
from urltrap.store.upsert import insert_new, upsert


@dataclass(frozen=True, slots=True)
class NameRow:
    """The reverse name of an address; `name` empty where it has none."""

    address: str
    name: str
    confirmed: bool
    domain: str


@dataclass(frozen=True, slots=True)
class LabelRow:
    """One list's label of an address."""

    address: str
    kind: str
    list: str
    version: str
    expires: datetime


def nameless(store: Store, now: datetime, limit: int) -> list[str]:
    """Addresses whose reverse name is not known or no longer believed, most recently seen first."""
    with store.connect() as connection:
        fresh = list(
            connection.execute(
                select(addresses.c.address)
                .outerjoin(names, names.c.address == addresses.c.address)
                .where(names.c.address.is_(None))
                .order_by(addresses.c.last_seen.desc())
                .limit(limit)
            ).scalars()
        )
        if len(fresh) < limit:
            fresh += connection.execute(
                select(names.c.address)
                .where(names.c.expires <= now)
                .order_by(names.c.expires)
                .limit(limit - len(fresh))
            ).scalars()
    return fresh


def keep_names(connection: Connection, rows: Iterable[NameRow], at: datetime, expires: datetime) -> None:
    """Keep what was found, believed until `expires`."""
    upsert(
        connection,
        names,
        [
            {"address": row.address, "name": row.name[:255], "confirmed": row.confirmed,
             "domain": row.domain[:255], "at": at, "expires": expires}
            for row in rows
        ],
        replace=["name", "confirmed", "domain", "at", "expires"],
    )  # fmt: skip


def try_later(connection: Connection, failed: Sequence[str], at: datetime, expires: datetime) -> None:
    """DNS gave no answer: what was known before stays, and is looked up again after `expires`."""
    insert_new(
        connection,
        names,
        [
            {"address": address, "name": "", "confirmed": False, "domain": "", "at": at, "expires": expires}
            for address in failed
        ],
    )
    for part in in_parts(failed):
        connection.execute(update(names).where(names.c.address.in_(part)).values(expires=expires))


def keep_labels(
    connection: Connection, looked_up: Sequence[str], rows: Iterable[LabelRow], at: datetime
) -> None:
    """Replace the labels of the addresses that were looked up."""
    for part in in_parts(looked_up):
        connection.execute(delete(address_labels).where(address_labels.c.address.in_(part)))
    insert_new(
        connection,
        address_labels,
        [
            {"address": row.address, "kind": row.kind[:24], "list": row.list[:80], "version": row.version[:64],
             "at": at, "expires": row.expires}
            for row in rows
        ],
    )  # fmt: skip


def confirmed_names(connection: Connection, wanted: Sequence[str]) -> dict[str, str]:
    """Forward-confirmed names of addresses."""
    found: dict[str, str] = {}
    for part in in_parts(wanted):
        rows = connection.execute(
            select(names.c.address, names.c.name).where(names.c.address.in_(part), names.c.confirmed)
        )
        found.update((row.address, row.name) for row in rows)
    return found
