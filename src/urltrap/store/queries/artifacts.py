"""Artifacts: lists, and one payload with where it came from."""

from __future__ import annotations

import re

from sqlalchemy import and_, or_, select

from urltrap.model.views import ArtifactDetail, ArtifactPage
from urltrap.store.engine import Store
from urltrap.store.queries.shared import PAGE, artifact_row, make_cursor, page_size, read_cursor, url_row
from urltrap.store.schema import artifacts, captures, files, urls

_SHA = re.compile(r"[0-9a-f]{8,64}")
_SHOWN = 200


def page(store: Store, kind: str | None = None, cursor: str | None = None, limit: int = PAGE) -> ArtifactPage:
    """Artifacts, most recently seen first. Raises shared.BadCursor for a cursor that is none."""
    limit = page_size(limit)
    query = select(artifacts)
    if kind is not None:
        query = query.where(artifacts.c.kind == kind)
    if cursor:
        seen, sha = read_cursor(cursor)
        query = query.where(
            or_(artifacts.c.last_seen < seen, and_(artifacts.c.last_seen == seen, artifacts.c.sha256 < sha))
        )
    query = query.order_by(artifacts.c.last_seen.desc(), artifacts.c.sha256.desc()).limit(limit + 1)
    with store.connect() as connection:
        found = connection.execute(query).mappings().all()
    rows = [artifact_row(row) for row in found[:limit]]
    following = make_cursor(rows[-1].last_seen, rows[-1].artifact.sha256) if len(found) > limit else None
    return ArtifactPage(rows=rows, next=following)


def detail(store: Store, sha256: str) -> ArtifactDetail | None:
    """One payload by its SHA-256 or the beginning of it (8 characters or more, if unique)."""
    if not _SHA.fullmatch(sha256):
        return None
    with store.connect() as connection:
        found = connection.execute(
            select(artifacts).where(artifacts.c.sha256.like(f"{sha256}%")).limit(2)
        ).mappings().all()  # fmt: skip
        if len(found) != 1:
            return None
        row = found[0]
        served = connection.execute(
            select(urls)
            .where(urls.c.key.in_(select(captures.c.url_key).where(captures.c.sha256 == row["sha256"])))
            .order_by(urls.c.first_seen)
            .limit(_SHOWN)
        ).mappings()
        url_rows = [url_row(found) for found in served]
        senders = connection.execute(
            select(files.c.session).where(files.c.sha256 == row["sha256"]).distinct().limit(_SHOWN)
        ).scalars()
        return ArtifactDetail(row=artifact_row(row), urls=url_rows, sessions=list(senders))
