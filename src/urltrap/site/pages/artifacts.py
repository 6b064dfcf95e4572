"""Artifacts: what is known of each payload. The payload itself is never served."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Query as FromQuery
from fastapi.responses import HTMLResponse

from urltrap.site.context import render, site_of
from urltrap.site.pages.errors import Missing
from urltrap.site.pages.queries import Cursor, Query, Short, get
from urltrap.store.queries import artifacts as artifact_queries

router = APIRouter()


class ArtifactsQuery(Query):
    """The filters of the list."""

    kind: Short = None
    cursor: Cursor = None


@get(router, "/artifacts")
def artifacts(request: Request, query: Annotated[ArtifactsQuery, FromQuery()]) -> HTMLResponse:
    """The list, most recently seen first."""
    page = artifact_queries.page(site_of(request).store, query.kind, query.cursor)
    return render(request, "artifacts.html", page=page, query=query, filters=query.filters())


@get(router, "/artifacts/{sha256}")
def artifact(request: Request, sha256: str) -> HTMLResponse:
    """One payload: hashes, type, the URLs that served it and the sessions that brought it."""
    detail = artifact_queries.detail(site_of(request).store, sha256.lower())
    if detail is None:
        raise Missing("artifact", "/artifacts")
    return render(
        request,
        "artifact.html",
        detail=detail,
        row=detail.row,
        artifact=detail.row.artifact,
        families=_distinct(row.family for row in detail.urls),
        campaigns=_distinct(row.campaign for row in detail.urls),
        hosts=_distinct(row.host for row in detail.urls),
    )


def _distinct(values: Iterable[str]) -> list[str]:
    return [value for value in dict.fromkeys(values) if value]
