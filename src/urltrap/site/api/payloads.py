"""Artifacts: what is known of each payload. The payload itself is never served."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query, Request

from urltrap.model.views import ArtifactDetail, ArtifactPage
from urltrap.site.api.routing import CURSOR, MISSING, ROWS, Cursor, Limit, make_router
from urltrap.site.context import site_of
from urltrap.site.pages.artifacts import ArtifactsQuery
from urltrap.site.pages.errors import Missing
from urltrap.store.queries import artifacts as artifact_queries

router = make_router("Artifacts")


class ArtifactList(ArtifactsQuery):
    """The filters of the page's list, and how many rows."""

    limit: Limit = ROWS
    cursor: Cursor = None


@router.get("/artifacts", responses=CURSOR)
def artifacts(request: Request, query: Annotated[ArtifactList, Query()]) -> ArtifactPage:
    """Payloads, most recently seen first."""
    return artifact_queries.page(site_of(request).store, query.kind, query.cursor, query.limit)


@router.get("/artifacts/{sha256}", responses=MISSING)
def artifact(
    request: Request, sha256: Annotated[str, Path(pattern=r"^[0-9a-fA-F]{8,64}$")]
) -> ArtifactDetail:
    """One payload: hashes, analysis, the URLs that served it, the sessions that brought it."""
    detail = artifact_queries.detail(site_of(request).store, sha256.lower())
    if detail is None:
        raise Missing("artifact", "/artifacts")
    return detail
