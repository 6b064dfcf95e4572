"""Recover: URLs out of events and out of the scripts that came with them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, select

from urltrap import recover
from urltrap.model.event import Captured, CommandEntered, DownloadAsked, Event, decode_event
from urltrap.model.sighting import Recovered
from urltrap.pipeline.stage import each
from urltrap.pipeline.workshop import Workshop
from urltrap.store import work
from urltrap.store.rows import url_key
from urltrap.store.schema import events, sessions, urls
from urltrap.store.sightings import DEEPEST, Seen, captured_since, save_sightings

SETTLE = timedelta(milliseconds=500)
"""A named URL waits this long before the pipeline asks for it: mostly the attacker's own program does, with the same
bytes for both, and then there is nothing left to ask."""

_LARGEST_SCRIPT = 1_000_000
_LEAST_CERTAIN = 60


class RecoverStage:
    """Jobs: "SESSION/SEQ" (the event's text) and "SESSION/SEQ/SHA256" (an artifact that is a script)."""

    name = "recover"

    def run(self, workshop: Workshop) -> int:
        """Recover a batch."""
        return each(workshop, self.name, lambda connection, job: _recover(workshop, connection, job))


def _recover(workshop: Workshop, connection: Connection, job: work.Job) -> None:
    session_id, seq, *artifact = job.subject.split("/")
    body = connection.execute(
        select(events.c.body).where(events.c.session == session_id, events.c.seq == int(seq))
    ).scalar()
    if body is None:
        return
    event = decode_event(body)
    session = _session_of(connection, event)
    if artifact:
        seen = _from_artifact(workshop, connection, event, session, artifact[0])
    else:
        seen = _from_event(workshop, event, session)
    if seen is None or not seen.recovered:
        return
    held = save_sightings(connection, [seen])
    _make_due(workshop, connection, seen, held)


def _session_of(connection: Connection, event: Event) -> dict[str, Any]:
    # A capture is the fetcher's own event; it belongs to the session that it was made for.
    id_ = event.capture.for_session if isinstance(event, Captured) else event.session
    row = connection.execute(
        select(sessions.c.src_ip, sessions.c.dst_ip, sessions.c.sensor).where(sessions.c.id == id_)
    ).mappings().first()  # fmt: skip
    return dict(row) if row else {"src_ip": "", "dst_ip": "", "sensor": ""}


def _from_event(workshop: Workshop, event: Event, session: dict[str, Any]) -> Seen | None:
    if isinstance(event, CommandEntered):
        context = workshop.context(session["dst_ip"], cut=event.truncated_from is not None)
        found = recover.urls(event.text, context)
    elif isinstance(event, DownloadAsked):
        asked = recover.asked(event.url, event.client, workshop.context(session["dst_ip"]))
        found = [asked] if asked else []
    else:
        return None
    return Seen(event.session, event.seq, event.at, session["sensor"], session["src_ip"], found)


def _from_artifact(
    workshop: Workshop, connection: Connection, event: Event, session: dict[str, Any], sha256: str
) -> Seen | None:
    text = workshop.quarantine.read(sha256, 0, _LARGEST_SCRIPT + 1)
    context = workshop.context(session["dst_ip"], cut=len(text) > _LARGEST_SCRIPT)
    found = recover.urls(text[:_LARGEST_SCRIPT], context)
    depth = 0
    if isinstance(event, Captured):
        own = url_key(event.capture.url)
        parent = connection.execute(select(urls.c.depth).where(urls.c.key == own)).scalar()
        depth = min((parent or 0) + 1, DEEPEST + 1)
        # A script that names the URL it came from is not found there a second time.
        found = [item for item in found if item.url != event.capture.url]
    return Seen(
        event.session, event.seq, event.at, session["sensor"], session["src_ip"], found, depth=depth,
        parent_sha256=sha256,
    )  # fmt: skip


def _make_due(workshop: Workshop, connection: Connection, seen: Seen, held: dict[str, bool]) -> None:
    now = workshop.now()
    work.put(connection, "lookup", [key for key, is_held in held.items() if not is_held], now)
    work.put(connection, "judge", held, now)
    if seen.depth > DEEPEST:
        return
    wanted = [key for key in (_worth(item) for item in seen.recovered) if key and not held.get(key, True)]
    window = timedelta(seconds=workshop.settings.egress.window_seconds)
    fresh = captured_since(connection, wanted, max(seen.at - window, now - window))
    work.put(connection, "capture", [key for key in wanted if key not in fresh], now + SETTLE)


def _worth(item: Recovered) -> str | None:
    return url_key(item.url) if item.confidence >= _LEAST_CERTAIN and not item.flags else None
