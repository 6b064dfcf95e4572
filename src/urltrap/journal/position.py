"""A place in one writer's journal, and so the watermark of whoever reads it."""

from __future__ import annotations

from typing import NamedTuple


class Position(NamedTuple):
    """The place behind a record: segment number, and offset in bytes within the uncompressed segment.

    Positions of one writer compare in the order of its records; archiving a segment does not move them.
    """

    segment: int
    offset: int

    def __str__(self) -> str:
        return f"{self.segment}:{self.offset}"


BEGINNING = Position(0, 0)
"""Before every record."""
