"""Operations: whether the trap does its work, and what waits."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Query as FromQuery
from fastapi.responses import HTMLResponse

from urltrap.intel.reputation import registry
from urltrap.site import operations as house
from urltrap.site.context import render, site_of
from urltrap.site.pages.groups import NothingAsked
from urltrap.site.pages.queries import get
from urltrap.store.queries import intel as intel_queries
from urltrap.store.queries import operations as operation_queries
from urltrap.store.queries import overview as overview_queries

router = APIRouter()


@get(router, "/operations")
def operations(request: Request, query: Annotated[NothingAsked, FromQuery()]) -> HTMLResponse:
    """Sensors, processes, intake, queues, providers, backups, disk."""
    site = site_of(request)
    now, settings, data = site.now(), site.settings, site.data
    why = {provider.name: provider.usable(settings.intel) for provider in registry.asked()}
    backup = house.backups(data) if data else None
    known = operation_queries.writers(site.store)
    return render(
        request,
        "operations.html",
        counters=overview_queries.counters(site.store, now),
        sensors_now=operation_queries.sensors(site.store, now),
        processes=house.processes(data) if data else [],
        journals=house.journals(data, known) if data else [],
        stages=operation_queries.stages(site.store, now),
        providers=intel_queries.quotas(site.store, now),
        absent={name: reason for name, reason in why.items() if reason},
        online=settings.intel.online,
        backup=backup,
        overdue=backup.overdue(settings.backup, now, site.started) if backup else [],
        backup_settings=settings.backup,
        disk=house.disk(data) if data else None,
        line=house.line(data) if data else None,
        line_troubles=house.line(data).troubles(now, site.started) if data else [],
        door=house.door_open(data) if data else None,
        mode=settings.egress.mode,
    )
