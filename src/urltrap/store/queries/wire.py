"""What boxes asked for on the network that no text had shown: where recovery has to improve."""

from __future__ import annotations

from sqlalchemy import func, select

from urltrap.model.event import WireSeen, decode_event
from urltrap.model.views import WireGap, WireGaps
from urltrap.store.engine import Store
from urltrap.store.schema import commands, events, sightings, urls

_TEXT = ("word", "regex", "program")
_LONGEST = 400


def wire_gaps(store: Store, limit: int) -> WireGaps:
    """URLs seen on the wire, how many of them were recovered from text too, and the newest `limit` that were not."""
    wire = sightings.alias()
    told = select(sightings.c.url_key).where(
        sightings.c.url_key == wire.c.url_key, sightings.c.method.in_(_TEXT)
    )
    seen = select(func.count(wire.c.url_key.distinct())).where(wire.c.method == "wire")
    missed = (
        select(wire.c.url_key, func.max(wire.c.at).label("newest"), func.count().label("times"))
        .where(wire.c.method == "wire", ~told.exists())
        .group_by(wire.c.url_key)
        .order_by(func.max(wire.c.at).desc(), wire.c.url_key)
        .limit(limit)
    )
    with store.connect() as connection:
        total = int(connection.execute(seen).scalar_one())
        recovered = int(connection.execute(seen.where(told.exists())).scalar_one())
        rows = []
        for row in connection.execute(missed).all():
            found = connection.execute(
                select(urls.c.url, events.c.body)
                .select_from(wire)
                .join(urls, urls.c.key == wire.c.url_key)
                .join(events, (events.c.session == wire.c.session) & (events.c.seq == wire.c.seq))
                .where(wire.c.url_key == row.url_key, wire.c.method == "wire", wire.c.at == row.newest)
                .limit(1)
            ).first()
            event = None if found is None else decode_event(found.body)
            if found is None or not isinstance(event, WireSeen):
                continue  # its event has aged
            typed = connection.execute(
                select(commands.c.text)
                .where(commands.c.session == event.for_session, commands.c.at <= row.newest)
                .order_by(commands.c.seq.desc())
                .limit(1)
            ).scalar()
            rows.append(
                WireGap(
                    url=found.url, at=event.at, times=row.times, session=event.for_session, argv=event.argv,
                    command=(typed or b"")[:_LONGEST],
                )
            )  # fmt: skip
    return WireGaps(urls=total, recovered=recovered, rows=rows)
