"""Exactly-once intake: a batch of events and the writer's new watermark in one transaction."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, and_, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from urltrap.model.event import EventBase
from urltrap.store.bulk import insert_rows
from urltrap.store.engine import Store
from urltrap.store.errors import StoreLocked
from urltrap.store.keys import is_among
from urltrap.store.rollups import add_counts, add_tallies, count_missing, count_places
from urltrap.store.rows import SESSIONLESS, Batch, classify, client_key, name_number
from urltrap.store.schema import (
    addresses,
    artifacts,
    dead_letters,
    events,
    jobs,
    metadata,
    sessions,
    watermarks,
)
from urltrap.store.schema_cowrie import client_names, sensor_names
from urltrap.store.types import from_micros
from urltrap.store.upsert import insert_new, upsert

BURST = 30
"""A session without a log-in try is `flood` where its address opened more than this many in the same minute."""

_PARTS = 400
_TRIES = 5
_T = TypeVar("_T")


class Mark(NamedTuple):
    """How far a writer's journal is committed: everything up to this position is in the store."""

    segment: int
    offset: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that is no event this version knows; kept with its position so that it can be read again later."""

    segment: int
    offset: int
    kind: str
    error: str
    record: bytes
    at: datetime


@dataclass(frozen=True, slots=True)
class Ingested:
    """What one batch did: events that were new, and events the store already had; whether the writer's watermark
    stood behind this batch already, which it can only where somebody else moves it."""

    new: int
    repeated: int
    ahead: bool = False


def ingest(
    store: Store,
    writer: str,
    batch: Sequence[EventBase],
    position: tuple[int, int],
    dead: Sequence[DeadLetter] = (),
) -> Ingested:
    """Insert what is new of `batch` and set the writer's watermark to `position`, all or nothing.

    Idempotent by event id: repeating a batch, or any part of it, changes nothing. Raises StoreError.
    """
    for attempt in range(_TRIES):
        try:
            return _ingest(store, writer, batch, position, dead)
        except (IntegrityError, StoreLocked):
            # Another collector wrote some of the same events in between: they are seen the next time.
            if attempt == _TRIES - 1:
                raise
    raise AssertionError("unreachable")


def _ingest(
    store: Store,
    writer: str,
    batch: Sequence[EventBase],
    position: tuple[int, int],
    dead: Sequence[DeadLetter],
) -> Ingested:
    with store.begin() as connection:
        known = _sessions(connection, batch)
        fresh = _fresh(connection, batch, known)
        collected = Batch(sessions=known)
        for event in fresh:
            collected.add(event)
        _write(connection, collected)
        _mark_bursts(connection, collected)
        insert_new(
            connection,
            dead_letters,
            [
                {"writer": writer, "segment": letter.segment, "offset": letter.offset, "kind": letter.kind[:80],
                 "error": letter.error, "record": letter.record, "at": letter.at}
                for letter in dead
            ],
        )  # fmt: skip
        ahead = _advance(connection, writer, position, fresh)
        return Ingested(len(fresh), len(batch) - len(fresh), ahead)


def watermark(store: Store, writer: str) -> Mark | None:
    """How far this writer's journal is committed; None where nothing of it is."""
    with store.connect() as connection:
        row = connection.execute(
            select(watermarks.c.segment, watermarks.c.offset).where(watermarks.c.writer == writer)
        ).first()
    return Mark(row.segment, row.offset) if row else None


def rewind(store: Store, writer: str) -> None:
    """Let a writer's journal be read from its beginning: what the store has of it is not taken twice. StoreError."""
    with store.begin() as connection:
        connection.execute(
            update(watermarks).where(watermarks.c.writer == writer).values(segment=0, offset=0)
        )


def in_parts(values: Iterable[_T], size: int = _PARTS) -> Iterable[list[_T]]:
    """Lists of at most `size`, so that a statement stays below every driver's number of parameters."""
    part: list[_T] = []
    for value in values:
        part.append(value)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part


def _fresh(
    connection: Connection, batch: Sequence[EventBase], sessions_known: Container[str]
) -> list[EventBase]:
    """Events that the store does not have. One of a session that it has no row of is new without asking."""
    doubtful = dict.fromkeys(
        (event.session, event.seq)
        for event in batch
        if event.session in sessions_known or event.kind in SESSIONLESS  # type: ignore[attr-defined]
    )
    known: set[tuple[str, int]] = set()
    for part in in_parts(doubtful):
        found = connection.execute(
            select(events.c.session, events.c.seq).where(
                is_among(connection.dialect.name, (events.c.session, events.c.seq), part)
            )
        )
        known.update((row.session, row.seq) for row in found)
    fresh = []
    for event in batch:
        if (event.session, event.seq) not in known:
            known.add((event.session, event.seq))
            fresh.append(event)
    return fresh


def _sessions(connection: Connection, batch: Sequence[EventBase]) -> dict[str, dict[str, Any]]:
    wanted = dict.fromkeys(event.session for event in batch if event.kind not in SESSIONLESS)  # type: ignore[attr-defined]
    loaded: dict[str, dict[str, Any]] = {}
    for part in in_parts(wanted):
        there: Sequence[str] = part
        if connection.dialect.name != "sqlite":
            # Only rows that exist are locked: a lock on what is missing would stop others from adding theirs.
            there = connection.execute(select(sessions.c.id).where(sessions.c.id.in_(part))).scalars().all()
        # They are written back whole, so nobody else (another collector, a stage) may change them in between.
        query = select(sessions).where(sessions.c.id.in_(there)).order_by(sessions.c.id).with_for_update()
        for row in connection.execute(query).mappings() if there else ():
            loaded[row["id"]] = dict(row)
    return loaded


def _write(connection: Connection, batch: Batch) -> None:
    for session in batch.sessions.values():
        if session["classed"] != "flood" or classify(session) not in ("probe",):
            session["classed"] = classify(session)
    upsert(
        connection,
        sessions,
        list(batch.sessions.values()),
        replace=[column.name for column in sessions.c if column.name != "id"],
    )
    count_missing(connection, batch.ran, batch.missed)
    for name, rows in batch.tables.items():
        insert_rows(connection, metadata.tables[name], rows)
    _name(connection, batch)
    add_tallies(connection, {key: (value, second, n) for key, (value, second, n) in batch.tallies.items()})
    add_counts(connection, batch.hourly)
    upsert(
        connection,
        addresses,
        [
            {**row, "country": "", "city": "", "network": "", "place_sources": [], "place_version": ""}
            for row in batch.addresses.values()
        ],
        add=["sessions", "shed"],
        lowest=["first_seen"],
        highest=["last_seen"],
    )
    count_places(
        connection,
        {
            (day, value.decode()): n
            for (day, what, _), (value, _, n) in batch.tallies.items()
            if what == "address"
        },
    )
    upsert(
        connection,
        artifacts,
        [
            {**row, "md5": "", "sha1": "", "mime": "", "description": "", "kind": "", "architecture": "",
             "analysis": {}}
            for row in batch.artifacts.values()
        ],
        add=["times"],
        lowest=["first_seen"],
        highest=["last_seen"],
    )  # fmt: skip
    upsert(
        connection,
        jobs,
        [
            {"stage": stage, "subject": subject, "due": due, "attempts": 0, "error": ""}
            for (stage, subject), due in batch.jobs.items()
        ],
        lowest=["due"],  # what waits for a later try is tried now that there is news
    )
    # "limited" means that nothing was sent: that capture is still to be made.
    done = [key for key, outcome in batch.captured.items() if outcome != "limited"]
    for part in in_parts(done):
        connection.execute(delete(jobs).where(jobs.c.stage == "capture", jobs.c.subject.in_(part)))


def _name(connection: Connection, batch: Batch) -> None:
    """Keep the names of sensors and clients with their numbers."""
    insert_new(
        connection,
        sensor_names,
        [{"sensor": sensor, "number": name_number(sensor.encode())} for sensor in batch.sensors],
    )
    insert_new(
        connection,
        client_names,
        [
            {"client_key": client_key(version), "number": name_number(version), "version": version}
            for version in batch.clients
        ],
    )


def _mark_bursts(connection: Connection, batch: Batch) -> None:
    minutes = {
        (session["src_ip"], session["started"].replace(second=0, microsecond=0))
        for session in batch.sessions.values()
        if session["classed"] == "probe" and session["connected"]
    }
    for part in in_parts(minutes, 100):
        spans = [
            and_(
                sessions.c.src_ip == address,
                sessions.c.started >= minute,
                sessions.c.started < minute + timedelta(minutes=1),
            )
            for address, minute in part
        ]
        # One statement per part finds the few addresses worth a second look.
        crowded = connection.execute(
            select(sessions.c.src_ip)
            .where(or_(*spans))
            .group_by(sessions.c.src_ip)
            .having(func.count() > BURST)
        ).scalars()
        suspects = set(crowded)
        for (address, _minute), span in zip(part, spans, strict=True):
            if address not in suspects:
                continue
            if (connection.execute(select(func.count()).where(span)).scalar() or 0) > BURST:
                connection.execute(
                    update(sessions).where(span, sessions.c.classed == "probe").values(classed="flood")
                )


def _advance(
    connection: Connection, writer: str, position: tuple[int, int], fresh: Sequence[EventBase]
) -> bool:
    """Whether it stood behind `position` already."""
    row = connection.execute(select(watermarks).where(watermarks.c.writer == writer)).first()
    newest = max((event.at for event in fresh), default=from_micros(0))
    if row is None:
        connection.execute(
            watermarks.insert().values(
                writer=writer, segment=position[0], offset=position[1], events=len(fresh), last_at=newest
            )
        )
        return False
    # Never backwards: a repeated batch must not make the journal be read again from its place.
    segment, offset = max(tuple(position), (row.segment, row.offset))
    connection.execute(
        update(watermarks)
        .where(watermarks.c.writer == writer)
        .values(
            segment=segment, offset=offset, events=row.events + len(fresh), last_at=max(row.last_at, newest)
        )
    )
    return (row.segment, row.offset) > tuple(position)
