"""The pages, one module per subject, each with a router."""

from __future__ import annotations

from fastapi import APIRouter

from urltrap.site.pages import (
    artifacts,
    feeds,
    groups,
    health,
    logins,
    operations,
    overview,
    places,
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
    operations.router,
    feeds.router,
    health.router,
)
