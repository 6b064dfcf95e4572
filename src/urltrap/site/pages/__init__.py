"""The pages, one module per subject, each with a router."""

from __future__ import annotations

from fastapi import APIRouter

from urltrap.site.pages import artifacts, feeds, health, logins, overview, sessions, urls

ROUTERS: tuple[APIRouter, ...] = (
    overview.router,
    sessions.router,
    logins.router,
    urls.router,
    artifacts.router,
    feeds.router,
    health.router,
)
