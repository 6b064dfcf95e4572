"""The events themselves, for those who take them elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection, and_, or_, select

from urltrap.model.event import Event, decode_event
from urltrap.store.engine import Store
from urltrap.store.intake import in_parts
from urltrap.store.schema import events, sessions

_SESSIONS = 200


def events_between(store: Store, since: datetime, until: datetime) -> Iterator[Event]:
    """Every event of the sessions that began from `since` on and before `until`, oldest session first.

    Terminal frames are not among them: the table `recordings` keeps those. Read in parts, in memory for a few hundred
    sessions at once.
    """
    after: tuple[datetime, str] | None = None
    while True:
        with store.connect() as connection:
            query = select(sessions.c.id, sessions.c.started).where(
                sessions.c.started >= since, sessions.c.started < until
            )
            if after is not None:
                start, last = after
                query = query.where(
                    or_(sessions.c.started > start, and_(sessions.c.started == start, sessions.c.id > last))
                )
            rows = connection.execute(
                query.order_by(sessions.c.started, sessions.c.id).limit(_SESSIONS)
            ).all()
            if not rows:
                return
            after = (rows[-1].started, rows[-1].id)
            ids = [row.id for row in rows]
            found = _bodies(connection, ids)
        for session in ids:
            for body in found.get(session, []):
                yield decode_event(body)


def _bodies(connection: Connection, ids: list[str]) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {}
    for part in in_parts(ids):
        rows = connection.execute(
            select(events.c.session, events.c.body)
            .where(events.c.session.in_(part), events.c.kind != "terminal.frames")
            .order_by(events.c.session, events.c.seq)
        )
        for row in rows:
            found.setdefault(row.session, []).append(row.body)
    return found
