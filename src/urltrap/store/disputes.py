"""Disputes of what was published: filed by anybody, decided by whoever runs the installation.

Who filed one is not kept: there is what they wrote, and no address.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from sqlalchemy import and_, func, insert, or_, select, update

from urltrap.model.ids import new_ulid
from urltrap.store.engine import Store
from urltrap.store.queries.shared import make_cursor, read_cursor
from urltrap.store.schema_public import disputes
from urltrap.store.types import to_micros

Kind = Literal["url", "host", "payload", "other"]
KINDS: tuple[Kind, ...] = get_args(Kind)
State = Literal["open", "upheld", "refused"]
STATES: tuple[State, ...] = get_args(State)

PAGE = 50
MOST_A_DAY = 200
"""More are not taken within 24 hours, from whomever they come: people read them."""
LONGEST_SUBJECT, LONGEST_CONTACT, LONGEST_TEXT = 2000, 200, 4000


class TooMany(Exception):
    """There were so many disputes lately that no more is taken today."""


@dataclass(frozen=True, slots=True)
class Dispute:
    """One dispute. `subject`, `contact` and `text` are a stranger's words."""

    id: str
    at: datetime
    kind: Kind
    subject: str
    contact: str
    text: str
    state: State
    decided_at: datetime | None
    decided_by: str
    answer: str


def file(store: Store, now: datetime, kind: Kind, subject: str, contact: str, text: str) -> str:
    """Keep a dispute, its fields cut to the lengths above; its id. Raises TooMany."""
    id_ = new_ulid(to_micros(now) // 1000, os.urandom(10))
    recent = select(func.count()).where(disputes.c.at >= now - timedelta(days=1))
    with store.begin() as connection:
        if connection.execute(recent).scalar_one() >= MOST_A_DAY:
            raise TooMany
        connection.execute(
            insert(disputes).values(
                id=id_, at=now, kind=kind, subject=_clean(subject)[:LONGEST_SUBJECT],
                contact=_clean(contact)[:LONGEST_CONTACT], text=_clean(text)[:LONGEST_TEXT], state="open",
                decided_at=None, decided_by="", answer="",
            )
        )  # fmt: skip
    return id_


def page(
    store: Store, state: State | None = None, cursor: str | None = None, limit: int = PAGE
) -> tuple[list[Dispute], str | None]:
    """Disputes, newest first, and the cursor of those that follow. Raises shared.BadCursor."""
    query = select(disputes).order_by(disputes.c.at.desc(), disputes.c.id.desc()).limit(limit + 1)
    if state is not None:
        query = query.where(disputes.c.state == state)
    if cursor:
        at, id_ = read_cursor(cursor)
        query = query.where(or_(disputes.c.at < at, and_(disputes.c.at == at, disputes.c.id < id_)))
    with store.connect() as connection:
        rows = connection.execute(query).all()
    found = [_dispute(row) for row in rows[:limit]]
    return found, make_cursor(found[-1].at, found[-1].id) if len(rows) > limit else None


def find(store: Store, id_: str) -> Dispute | None:
    """One dispute; None for an id that there is not."""
    with store.connect() as connection:
        row = connection.execute(select(disputes).where(disputes.c.id == id_)).first()
    return _dispute(row) if row else None


def decide(store: Store, id_: str, state: State, by: str, answer: str, now: datetime) -> bool:
    """Set how a dispute was decided (`open`: it is open again); False for an id that there is not."""
    decided = state != "open"
    with store.begin() as connection:
        changed = connection.execute(
            update(disputes)
            .where(disputes.c.id == id_)
            .values(
                state=state,
                decided_at=now if decided else None,
                decided_by=by[:120] if decided else "",
                answer=_clean(answer)[:LONGEST_TEXT],
            )
        )
    return changed.rowcount > 0


def count_open(store: Store) -> int:
    """How many wait to be decided."""
    with store.connect() as connection:
        return connection.execute(select(func.count()).where(disputes.c.state == "open")).scalar_one()


def _clean(text: str) -> str:
    """Without NUL, which PostgreSQL refuses, and without halves of characters."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _dispute(row: Any) -> Dispute:
    return Dispute(
        row.id, row.at, row.kind, row.subject, row.contact, row.text, row.state, row.decided_at, row.decided_by,
        row.answer,
    )  # fmt: skip
