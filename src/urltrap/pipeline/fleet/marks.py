"""How far the store has each sensor's journals, in the sensor's own terms: rows beside those of our own writers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from urltrap.journal import Position
from urltrap.store import Store
from urltrap.store.schema import watermarks
from urltrap.store.types import from_micros
from urltrap.store.upsert import insert_new


@dataclass(frozen=True, slots=True)
class Mark:
    """One writer of a sensor: everything up to `position` is in the store; `newest` is the newest event of it."""

    sensor: str
    writer: str
    stream: str
    position: Position
    newest: datetime


def mark_name(sensor: str, stream: str, writer: str) -> str:
    """The name of a mark in the table of watermarks; no journal of our own can have it."""
    return f"{sensor}/{writer}/{stream}"


def committed(store: Store, name: str) -> Position | None:
    """How far the store has it; None where it has nothing. StoreError."""
    with store.connect() as connection:
        row = connection.execute(
            select(watermarks.c.segment, watermarks.c.offset).where(watermarks.c.writer == name)
        ).first()
    return Position(row.segment, row.offset) if row else None


def commit(store: Store, name: str, position: Position, newest: datetime | None) -> Position:
    """Move a mark forward, never back; where it stands afterwards. StoreError."""
    moment = newest or from_micros(0)
    with store.begin() as connection:
        # Its events are counted where the collector's own journal is.
        first = {
            "writer": name,
            "segment": position.segment,
            "offset": position.offset,
            "events": 0,
            "last_at": moment,
        }
        insert_new(connection, watermarks, [first])
        row = connection.execute(
            select(watermarks).where(watermarks.c.writer == name).with_for_update()
        ).one()
        best = max(position, Position(row.segment, row.offset))
        connection.execute(
            watermarks.update()
            .where(watermarks.c.writer == name)
            .values(segment=best.segment, offset=best.offset, last_at=max(moment, row.last_at))
        )
    return best


def list_marks(store: Store, sensor: str = "") -> list[Mark]:
    """All marks, or those of one sensor. StoreError."""
    with store.connect() as connection:
        rows = connection.execute(
            select(watermarks)
            .where(watermarks.c.writer.like(f"{sensor or '%'}/%"))
            .order_by(watermarks.c.writer)
        ).all()
    return [
        Mark(parts[0], parts[1], parts[2], Position(row.segment, row.offset), row.last_at)
        for row in rows
        if len(parts := row.writer.split("/")) == 3
    ]
