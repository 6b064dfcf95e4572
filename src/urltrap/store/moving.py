"""Moving a whole store into another database, and proving that nothing was lost on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, func, select

from urltrap.store.bulk import insert_rows
from urltrap.store.compare import checksum, tables_of
from urltrap.store.engine import Store
from urltrap.store.errors import StoreError

_ROWS = 2000


class MoveFailed(StoreError):
    """The copy is not what it was copied from; the source is untouched."""


@dataclass(frozen=True, slots=True)
class Moved:
    """One table after its move: rows, and the checksum that both sides have."""

    table: str
    rows: int
    checksum: str


def move(
    source: Store, target: Store, progress: Callable[[str, int], None] = lambda table, rows: None
) -> list[Moved]:
    """Copy every table of `source` into the empty store `target`, then compare rows and checksums.

    `source` is read as one snapshot and never changed. Raises MoveFailed where `target` is not empty or differs
    afterwards, StoreError where either is away; nothing is left half-way then: `target` is emptied again.
    """
    with target.connect() as connection:
        taken = [
            table.name
            for table in tables_of(connection)
            if connection.execute(select(func.count()).select_from(table)).scalar()
        ]
    if taken:
        raise MoveFailed(
            f"{target.label} is not empty (rows in {', '.join(taken[:5])}); nothing was changed. Name an empty "
            "database, or drop that one if it is the left-over of an earlier try."
        )
    moved: list[Moved] = []
    try:
        with source.connect() as reading:
            for table in tables_of(reading):
                rows = _copy(reading, target, table, progress)
                with target.connect() as written:
                    count = int(written.execute(select(func.count()).select_from(table)).scalar_one())
                    there = checksum(written, table)
                here = checksum(reading, table)
                if (count, there) != (rows, here):
                    raise MoveFailed(
                        f"{table.name}: {rows} rows ({here[:12]}) became {count} ({there[:12]}) in {target.label}. "
                        "The source is untouched: stay on it, and report this."
                    )
                moved.append(Moved(table.name, rows, here))
    except BaseException:
        with target.begin() as connection:
            for table in tables_of(connection):
                connection.execute(table.delete())
        raise
    return moved


def _copy(reading: Any, target: Store, table: Table, progress: Callable[[str, int], None]) -> int:
    rows = 0
    streamed = reading.execution_options(yield_per=_ROWS).execute(select(table)).mappings()
    for part in streamed.partitions(_ROWS):
        with target.begin() as connection:
            insert_rows(connection, table, part)
        rows += len(part)
        progress(table.name, rows)
    return rows
