"""What several queries need: cursors, searching in bytes, rows into models."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, RowMapping, func, literal
from sqlalchemy.types import LargeBinary

from urltrap.model.artifact import Analysis, Artifact
from urltrap.model.sighting import Recovered, Sighting
from urltrap.model.views import ArtifactRow, UrlRow
from urltrap.store.types import from_micros, to_micros

PAGE = 50
"""Rows of a page where the caller does not say."""
LARGEST_PAGE = 1000


class BadCursor(ValueError):
    """The cursor was not made by this query; begin again without one."""


def make_cursor(moment: Any, key: str) -> str:
    """A place between two rows ordered by (moment, key)."""
    return f"{to_micros(moment)}.{key}"


def read_cursor(cursor: str) -> tuple[Any, str]:
    """The (moment, key) of a cursor; BadCursor for anything else."""
    micros, _, key = cursor.partition(".")
    if not key or not micros.isascii() or not micros.isdigit() or len(micros) > 17:
        raise BadCursor("not a cursor of this list; begin again at its first page")
    return from_micros(int(micros)), key


def page_size(limit: int) -> int:
    """A page size within bounds."""
    return max(1, min(limit, LARGEST_PAGE))


def contains(dialect: str, column: Any, needle: bytes) -> ColumnElement[bool]:
    """Whether a `Blob` column contains these bytes, without patterns and with no meaning for any byte."""
    value: Any = literal(needle, LargeBinary())
    if dialect == "postgresql":
        return func.position(value.op("in")(column)) > 0
    return func.instr(column, value) > 0


def url_row(row: RowMapping) -> UrlRow:
    """A row of the table `urls`."""
    return UrlRow(
        id=row["key"], url=row["url"], scheme=row["scheme"], host=row["host"], port=row["port"],
        first_seen=row["first_seen"], last_seen=row["last_seen"], sightings=row["sightings"],
        sources=row["sources"], held=row["held"], flags=row["flags"], outcome=row["outcome"] or None,
        status=row["status"], captured_at=row["captured_at"], sha256=row["sha256"], kind=row["kind"],
        verdict=row["verdict"], confidence=row["confidence"], publish_after=row["publish_after"],
        published_at=row["published_at"], action=row["action"], role=row["role"], delivery=row["delivery"],
        target=row["target"], hosting=row["hosting"], lifecycle=row["lifecycle"], family=row["family"],
        campaign=row["campaign"],
    )  # fmt: skip


def artifact_row(row: RowMapping) -> ArtifactRow:
    """A row of the table `artifacts`."""
    return ArtifactRow(
        artifact=Artifact(
            sha256=row["sha256"], size=row["size"] or 0, md5=row["md5"], sha1=row["sha1"], complete=row["complete"]
        ),
        analysis=Analysis.model_validate(row["analysis"]) if row["kind"] else None,
        first_seen=row["first_seen"], last_seen=row["last_seen"], times=row["times"], via=row["via"],
    )  # fmt: skip


def sighting_of(row: RowMapping) -> Sighting:
    """A row of the table `sightings` joined with its URL."""
    return Sighting(
        event_id=f"{row['session']}/{row['seq']}",
        session=row["session"],
        at=row["at"],
        recovered=Recovered(
            url=row["url"], raw=row["raw"], span=(row["span_start"], row["span_end"]), method=row["method"],
            chain=row["chain"], client=row["client"], confidence=row["confidence"], flags=row["flags"],
        ),
        parent_sha256=row["parent_sha256"],
    )  # fmt: skip
