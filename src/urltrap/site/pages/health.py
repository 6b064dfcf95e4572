"""The health check: whether the store answers, and how old the newest event is."""

from __future__ import annotations

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from urltrap.site.context import site_of
from urltrap.site.pages.queries import get
from urltrap.store import StoreError
from urltrap.store.queries import overview

log = structlog.get_logger("site")
router = APIRouter()


@get(router, "/healthz")
def healthz(request: Request) -> JSONResponse:
    """JSON: pulse and age of the last event in seconds; status 503 where the store does not answer."""
    site = site_of(request)
    try:
        pulse = overview.pulse(site.store)
    except StoreError as error:
        # Not for everybody: it may hold the store's address.
        log.warning("the store does not answer", problem=str(error))
        told = "the store does not answer; the site's log says why"
        return JSONResponse({"ok": False, "error": told}, 503, headers={"Cache-Control": "no-store"})
    age = None if pulse.last_event is None else max(0.0, (site.now() - pulse.last_event).total_seconds())
    return JSONResponse(
        {
            "ok": True,
            "events": pulse.events,
            "urls": pulse.urls,
            "last_event": pulse.last_event.isoformat() if pulse.last_event else None,
            "last_event_age_seconds": age,
        },
        headers={"Cache-Control": "no-store"},
    )
