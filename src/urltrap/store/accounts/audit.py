"""The log of what was done: who, what, when, from where."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, delete, insert, or_, select

from urltrap.model.ids import new_ulid
from urltrap.store.engine import Store
from urltrap.store.queries.shared import make_cursor, read_cursor
from urltrap.store.schema_accounts import audit
from urltrap.store.types import to_micros

KEPT = timedelta(days=400)
PAGE = 100


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, and from which address (empty: at the machine itself)."""

    name: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log."""

    at: datetime
    who: str
    address: str
    action: str
    subject: str
    detail: str


def note(
    connection: Connection, now: datetime, actor: Actor, action: str, subject: str = "", detail: str = ""
) -> None:
    """Write one line, within the transaction that does what it says."""
    connection.execute(
        insert(audit).values(
            id=new_ulid(to_micros(now) // 1000, os.urandom(10)), at=now, who=actor.name[:120],
            address=actor.address[:45], action=action, subject=subject[:1000], detail=detail[:1000],
        )
    )  # fmt: skip


def prune(connection: Connection, now: datetime) -> None:
    """Take away what is older than KEPT."""
    connection.execute(delete(audit).where(audit.c.at < now - KEPT))


def page(store: Store, cursor: str | None = None, limit: int = PAGE) -> tuple[list[Entry], str | None]:
    """Lines, newest first, and the cursor of those that follow. Raises shared.BadCursor."""
    query = select(audit).order_by(audit.c.at.desc(), audit.c.id.desc()).limit(limit + 1)
    if cursor:
        at, id_ = read_cursor(cursor)
        query = query.where(or_(audit.c.at < at, and_(audit.c.at == at, audit.c.id < id_)))
    with store.connect() as connection:
        rows = connection.execute(query).all()
    found = [Entry(row.at, row.who, row.address, row.action, row.subject, row.detail) for row in rows[:limit]]
    last = rows[limit - 1] if len(rows) > limit else None
    return found, make_cursor(last.at, last.id) if last else None
