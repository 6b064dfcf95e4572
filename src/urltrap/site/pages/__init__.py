"""The pages, one module per subject, each with a router."""

from __future__ import annotations

from fastapi import APIRouter

from urltrap.site.pages import (
    artifacts,
    disputes,
    feeds,
    groups,
    health,
    logins,
    operations,
    overview,
    places,
    review,
    sessions,
    urls,
)

ROUTERS: tuple[APIRouter, ...] = (
    overview.router,
    sessions.router,
    logins.router,
    urls.router,
    artifacts.router,
    groups.router,
    places.router,
    review.router,
    disputes.router,
    operations.router,
    feeds.router,
    health.router,
)
