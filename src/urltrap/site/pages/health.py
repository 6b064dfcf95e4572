"""The health check: whether the store answers, and how old the newest event is."""

from __future__ import annotations

from datetime import datetime

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from urltrap.pipeline.line_state import LineState, line_state
from urltrap.site.context import site_of
from urltrap.site.pages.queries import get
from urltrap.store import StoreError
from urltrap.store.queries import overview

log = structlog.get_logger("site")
router = APIRouter()


@get(router, "/healthz")
def healthz(request: Request) -> JSONResponse:
    """JSON: pulse, age of the last event and of the synthetic attacker's last visit in seconds; status 503 where the
    store does not answer, or nothing of that visit came through for five minutes."""
    site = site_of(request)
    try:
        pulse = overview.pulse(site.store)
    except StoreError as error:
        # Not for everybody: it may hold the store's address.
        log.warning("the store does not answer", problem=str(error))
        told = "the store does not answer; the site's log says why"
        return JSONResponse({"ok": False, "error": told}, 503, headers={"Cache-Control": "no-store"})
    line = line_state(site.data) if site.data is not None else LineState()
    troubles = line.troubles(site.now(), site.started, stores=True)
    age = None if pulse.last_event is None else max(0.0, (site.now() - pulse.last_event).total_seconds())
    return JSONResponse(
        {
            "ok": not troubles,
            "events": pulse.events,
            "urls": pulse.urls,
            "last_event": pulse.last_event.isoformat() if pulse.last_event else None,
            "last_event_age_seconds": age,
            **_line(line, site.now()),
        },
        503 if troubles else 200,
        headers={"Cache-Control": "no-store"},
    )


def _line(line: LineState, now: datetime) -> dict[str, float | None]:
    """Ages at either end of the line; nothing where there is no synthetic attacker."""
    if line.visit is None:
        return {}
    return {
        name: None if moment is None else max(0.0, (now - moment).total_seconds())
        for name, moment in (
            ("canary_visited_age_seconds", line.visit.well_at),
            ("canary_stored_age_seconds", line.stored_at),
        )
    }
