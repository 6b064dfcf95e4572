"""The events themselves, for those who take them elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import zstandard
from sqlalchemy import Connection, and_, or_, select

from urltrap.model.event import Event, decode_event
from urltrap.store.engine import Store
from urltrap.store.intake import in_parts
from urltrap.store.schema import events, recordings, sessions

_SESSIONS = 200
_LONGEST = 64_000_000


def events_between(store: Store, since: datetime, until: datetime) -> Iterator[Event]:
    """Every event of the sessions that began from `since` on and before `until`, oldest session first.

    Terminal frames are among them. Read in parts, in memory for a few hundred sessions at once.
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
    frames: dict[tuple[str, int], bytes] = {}
    found: dict[str, list[bytes]] = {}
    unpacker = zstandard.ZstdDecompressor()
    for part in in_parts(ids):
        kept = connection.execute(
            select(recordings.c.session, recordings.c.seq, recordings.c.frames).where(
                recordings.c.session.in_(part)
            )
        )
        frames |= {
            (row.session, row.seq): unpacker.decompress(row.frames, max_output_size=_LONGEST) for row in kept
        }
        rows = connection.execute(
            select(events.c.session, events.c.seq, events.c.kind, events.c.body)
            .where(events.c.session.in_(part))
            .order_by(events.c.session, events.c.seq)
        )
        for row in rows:
            body = frames.get((row.session, row.seq)) if row.kind == "terminal.frames" else row.body
            if body:
                found.setdefault(row.session, []).append(body)
    return found
