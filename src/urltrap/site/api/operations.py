"""How the trap itself is doing: sensors, the pipeline's queues, providers. For analysts."""

from __future__ import annotations

from fastapi import Request

from urltrap.site.api.routing import make_router
from urltrap.site.context import site_of
from urltrap.store.queries import intel as intel_queries
from urltrap.store.queries import operations as operation_queries

router = make_router("Operations", scope="analyst")


@router.get("/operations/sensors")
def sensors(request: Request) -> list[operation_queries.SensorRow]:
    """What each sensor counted in the hour that runs and in the last day."""
    site = site_of(request)
    return operation_queries.sensors(site.store, site.now())


@router.get("/operations/stages")
def stages(request: Request) -> list[operation_queries.StageRow]:
    """Stages of the pipeline with work that waits."""
    site = site_of(request)
    return operation_queries.stages(site.store, site.now())


@router.get("/operations/journals")
def journals(request: Request) -> list[operation_queries.WriterRow]:
    """How far the journal of each writing process is in the store."""
    return operation_queries.writers(site_of(request).store)


@router.get("/operations/providers")
def providers(request: Request) -> list[intel_queries.ProviderRow]:
    """Providers: what each allows, what is left of that, what waits, and why it is not asked now."""
    site = site_of(request)
    return intel_queries.quotas(site.store, site.now())
