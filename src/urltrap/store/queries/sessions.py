"""Sessions: lists, one session with its events, its recording."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import zstandard
from sqlalchemy import Select, and_, exists, func, literal_column, or_, select

from urltrap.model.event import EventBase, TerminalFrames, TerminalRequested, decode_event
from urltrap.model.session import SessionSummary
from urltrap.model.views import Recording, SessionDetail, SessionFilter, SessionPage
from urltrap.store.engine import Store
from urltrap.store.intake import in_parts
from urltrap.store.keys import is_among
from urltrap.store.queries.narrowing import few_sessions
from urltrap.store.queries.shared import PAGE, contains, make_cursor, page_size, read_cursor, sighting_of
from urltrap.store.rows import client_key
from urltrap.store.schema import addresses, commands, events, recordings, sessions, sightings, urls

EVENTS = 2000
"""Events of one session that a call returns at most; a session of a bot may have ten thousands."""

_LARGEST_FRAMES = 64_000_000


def page(
    store: Store, wanted: SessionFilter | None = None, cursor: str | None = None, limit: int = PAGE
) -> SessionPage:
    """Sessions, newest first. Raises shared.BadCursor for a cursor that is none."""
    wanted = wanted or SessionFilter()
    limit = page_size(limit)
    query = _listed().where(*_conditions(store, wanted))
    if cursor:
        started, id_ = read_cursor(cursor)
        query = query.where(
            or_(sessions.c.started < started, and_(sessions.c.started == started, sessions.c.id < id_))
        )
    with store.connect() as connection:
        few = few_sessions(connection, wanted)
        if few is None:
            newest = query.order_by(sessions.c.started.desc(), sessions.c.id.desc()).limit(limit + 1)
            found = list(connection.execute(newest).mappings())
        else:
            found = []
            for part in in_parts(few):
                found += connection.execute(query.where(sessions.c.id.in_(part))).mappings()
            found.sort(key=lambda row: (row["started"], row["id"]), reverse=True)
    rows = [_summary(row) for row in found[:limit]]
    return SessionPage(
        rows=rows, next=make_cursor(rows[-1].started, rows[-1].id) if len(found) > limit else None
    )


def detail(store: Store, session: str, after: int = -1, limit: int = EVENTS) -> SessionDetail | None:
    """One session with its events after sequence number `after`, in order; None where there is no such session."""
    with store.connect() as connection:
        row = connection.execute(_listed().where(sessions.c.id == session)).mappings().first()
        if row is None:
            return None
        found = connection.execute(
            select(events.c.body)
            .where(events.c.session == session, events.c.seq > after, events.c.kind != "terminal.frames")
            .order_by(events.c.seq)
            .limit(limit + 1)
        ).scalars()
        bodies = list(found)
        seen = connection.execute(
            select(sightings, urls.c.url)
            .join(urls, urls.c.key == sightings.c.url_key)
            .where(sightings.c.session == session)
            .order_by(sightings.c.seq, sightings.c.n)
            .limit(EVENTS)
        ).mappings()
        seen_rows = [sighting_of(sighting) for sighting in seen]
        recorded = connection.execute(select(exists().where(recordings.c.session == session))).scalar()
    return SessionDetail(
        summary=_summary(row), persona=row["persona"], hassh_algorithms=row["hassh_algorithms"],
        bytes_in=row["bytes_in"], bytes_out=row["bytes_out"],
        events=[decode_event(body) for body in bodies[:limit]], sightings=seen_rows,
        more_events=len(bodies) > limit, recorded=bool(recorded),
    )  # fmt: skip


def events_at(store: Store, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], EventBase]:
    """Single events of any sessions, by session and sequence number; what is not there (any more) is left out."""
    query = select(events.c.session, events.c.seq, events.c.body).where(events.c.kind != "terminal.frames")
    found: dict[tuple[str, int], EventBase] = {}
    with store.connect() as connection:
        for part in in_parts(dict.fromkeys(places)):
            # Not joined: SQLite would then read all sessions.
            mine = select(sessions.c.id).where(
                sessions.c.id.in_({session for session, _ in part}), sessions.c.connected
            )
            there = set(connection.execute(mine).scalars())
            rows = connection.execute(
                query.where(is_among(store.dialect, (events.c.session, events.c.seq), part))
            )
            found.update(
                {(row.session, row.seq): decode_event(row.body) for row in rows if row.session in there}
            )
    return found


def recording(store: Store, session: str, channel: int | None = None) -> Recording | None:
    """The terminal stream of a channel (None: the first that has one); None where nothing was recorded."""
    with store.connect() as connection:
        channels = list(
            connection.execute(
                select(recordings.c.channel)
                .where(recordings.c.session == session)
                .distinct()
                .order_by(recordings.c.channel)
            ).scalars()
        )
        if not channels or (channel is not None and channel not in channels):
            return None
        chosen = channels[0] if channel is None else channel
        pieces = connection.execute(
            select(recordings.c.frames)
            .where(recordings.c.session == session, recordings.c.channel == chosen)
            .order_by(recordings.c.seq)
        ).scalars()
        frames: list[Any] = []
        for piece in pieces:
            event = decode_event(zstandard.decompress(piece, max_output_size=_LARGEST_FRAMES))
            if isinstance(event, TerminalFrames):
                frames += event.frames
        columns, rows = 80, 24
        sizes = connection.execute(
            select(events.c.body)
            .where(events.c.session == session, events.c.kind == "terminal.requested")
            .order_by(events.c.seq)
        ).scalars()
        for body in sizes:
            size = decode_event(body)
            if isinstance(size, TerminalRequested) and size.channel == chosen and size.columns and size.rows:
                columns, rows = size.columns, size.rows
                break
    return Recording(
        session=session, channel=chosen, channels=channels, columns=columns, rows=rows,
        frames=sorted(frames, key=lambda frame: frame[0]),
    )  # fmt: skip


def _listed() -> Select[Any]:
    return (
        select(sessions, addresses.c.country, addresses.c.asn, addresses.c.network)
        .select_from(sessions.outerjoin(addresses, addresses.c.address == sessions.c.src_ip))
        .where(sessions.c.connected)
    )


def _conditions(store: Store, wanted: SessionFilter) -> list[Any]:
    conditions: list[Any] = []
    for name in ("sensor", "protocol", "classed", "src_ip", "hassh"):
        value = getattr(wanted, name)
        if value is not None:
            conditions.append(sessions.c[name] == value)
    if wanted.client is not None:
        key = client_key(wanted.client.encode("utf-8", "surrogateescape"))
        conditions.append(sessions.c.client_key == key)
    if wanted.country is not None:
        conditions.append(func.coalesce(addresses.c.country, literal_column("''")) == wanted.country)
    if wanted.asn is not None:
        conditions.append(addresses.c.asn == wanted.asn)
    if wanted.since is not None:
        conditions.append(sessions.c.started >= wanted.since)
    if wanted.until is not None:
        conditions.append(sessions.c.started < wanted.until)
    if wanted.text:
        found = contains(store.dialect, commands.c.text, wanted.text.encode("utf-8", "surrogateescape"))
        conditions.append(exists().where(commands.c.session == sessions.c.id, found))
    return conditions


def _summary(row: Any) -> SessionSummary:
    return SessionSummary(
        id=row["id"], sensor=row["sensor"], protocol=row["protocol"], src_ip=row["src_ip"],
        src_port=row["src_port"], started=row["started"], ended=row["ended"], duration_ms=row["duration_ms"],
        classed=row["classed"], client=row["client"], hassh=row["hassh"], username=row["username"],
        password=row["password"], login_tries=row["login_tries"], commands=row["commands"], urls=row["urls"],
        artifacts=row["artifacts"], country=row["country"] or "", asn=row["asn"], network=row["network"] or "",
        close_reason=row["close_reason"],
    )  # fmt: skip
