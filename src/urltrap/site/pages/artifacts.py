"""Artifacts: what is known of each payload. The payload itself is served to nobody but as an encrypted zip."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi import Query as FromQuery
from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.exceptions import HTTPException

from urltrap.quarantine import Quarantine
from urltrap.site.auth.forms import form_of
from urltrap.site.auth.identity import identity_of
from urltrap.site.context import render, site_of
from urltrap.site.pages.errors import Missing
from urltrap.site.pages.queries import Cursor, Query, Short, get
from urltrap.site.parcels import LARGEST, NoParcel, chunks, parcel
from urltrap.store.accounts import audit
from urltrap.store.queries import artifacts as artifact_queries

router = APIRouter()

Form = Annotated[Mapping[str, str], Depends(form_of)]
_PER_MINUTE = 20


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
        packable="payloads" in identity_of(request).rights
        and site_of(request).data is not None
        and detail.row.artifact.size <= LARGEST,
    )


@get(router, "/artifacts/{sha256}/payload")
def payload_page(request: Request, sha256: str) -> Response:
    """The form for it stands on the artifact's own page."""
    return RedirectResponse(f"/artifacts/{sha256 if sha256.isalnum() else ''}", 303)


@router.post("/artifacts/{sha256}/payload")
def payload(request: Request, sha256: str, form: Form) -> Response:
    """The payload in an encrypted zip, for who has the right; written down before it leaves."""
    site, who = site_of(request), identity_of(request)
    detail = artifact_queries.detail(site.store, sha256.lower())
    if detail is None:
        raise Missing("artifact", "/artifacts")
    if site.data is None:
        raise HTTPException(
            503, "This site has no data folder: ask the site of the machine that has the quarantine."
        )
    seconds = site.downloads.wait(who.name, _PER_MINUTE)
    if seconds:
        raise HTTPException(
            429, f"No more than {_PER_MINUTE} payloads a minute. Ask again in {seconds} s.",
            {"Retry-After": str(seconds)},
        )  # fmt: skip
    artifact = detail.row.artifact
    try:
        packed = parcel(Quarantine(site.data / "quarantine"), artifact.sha256)
    except NoParcel as error:
        raise HTTPException(error.status, str(error)) from error
    try:
        with site.store.begin() as connection:
            audit.note(
                connection,
                site.now(),
                who.actor,
                "payload.downloaded",
                artifact.sha256,
                f"{artifact.size} bytes",
            )
    except BaseException:
        packed.close()
        raise
    return StreamingResponse(
        chunks(packed),
        media_type="application/zip",
        headers={
            "Content-Disposition": f'attachment; filename="{artifact.sha256}.zip"',
            "Cache-Control": "no-store",
        },
    )


def _distinct(values: Iterable[str]) -> list[str]:
    return [value for value in dict.fromkeys(values) if value]
