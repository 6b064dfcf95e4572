"""The application: routes, guards, and pages for everything that can go wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from anyio import to_thread
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.staticfiles import StaticFiles
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from urltrap.model.settings import Settings
from urltrap.site.api import PREFIX, create_api, manual, problems
from urltrap.site.assets import BUILD, STATIC, Assets
from urltrap.site.auth import pages as account_pages
from urltrap.site.auth.gate import Gate, House
from urltrap.site.auth.identity import Identity
from urltrap.site.auth.limits import KeyLimits
from urltrap.site.auth.onetime import Sealer
from urltrap.site.auth.rules import flat
from urltrap.site.context import Clock, Site, make_templates, utc_now
from urltrap.site.desk import Desk
from urltrap.site.kept import KeptFiles
from urltrap.site.live import LiveUpdates
from urltrap.site.pages import ROUTERS, errors
from urltrap.site.publishing import Editions
from urltrap.site.security import Guard, Hosts
from urltrap.store import Store
from urltrap.store.queries import overview

THREADS = 6
"""Store calls at once. A page may hold two connections; twice this stays below the pools of all databases."""


def create_app(
    store: Store,
    settings: Settings,
    *,
    now: Clock = utc_now,
    listen: str = "",
    data: Path | None = None,
    secret: bytes | None = None,
) -> FastAPI:
    """The site over an open store. `listen`: HOST:PORT that it is reached at, where it is not that of the settings.

    `data`: the data folder, where it is on this machine; the operations page reads what the other processes say there,
    and people's decisions are written there.
    `secret`: that of the installation, with which the secrets of one-time codes are kept.
    Raises AssetsMissing where the front-end was not built.
    """
    templates = make_templates(Assets(), settings)
    desk = Desk(data, settings.journal, now)
    live = LiveUpdates(lambda: overview.pulse(store))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        to_thread.current_default_thread_limiter().total_tokens = THREADS
        yield
        await live.close()
        await to_thread.run_sync(desk.close)

    def failed() -> Response:
        return HTMLResponse(
            templates.get_template("error.html").render(
                now=now(), path="", who=Identity(), form_token=lambda: "", **errors.FAILED
            ),
            500,
        )

    async def refused(request: Request, error: Exception) -> Response:
        # An address with a line end in it belongs to no application that is mounted.
        room = problems if request.url.path.startswith(f"{PREFIX}/") else errors
        answer: Response = await room.HANDLERS[HTTPException](request, error)
        return answer

    routes: tuple[BaseRoute, ...] = ()
    address = listen or settings.site.listen
    house = House(store, settings.site, address, now, KeyLimits(), errors.refused, errors.away)
    middleware = [Middleware(Guard, hosts=Hosts(address, settings.site.names), failed=failed)]
    if settings.site.trusted_proxies:
        middleware.append(Middleware(ProxyHeadersMiddleware, trusted_hosts=settings.site.trusted_proxies))
    middleware.append(Middleware(Gate, house=house, routes=lambda: routes))
    app = FastAPI(
        title="urltrap",
        lifespan=lifespan,
        redirect_slashes=False,  # "/sessions//" is not there; nothing of an address comes back as one
        docs_url=None,  # the ready-made ones load scripts from elsewhere
        redoc_url=None,
        openapi_url=None,
        middleware=middleware,
        exception_handlers={**errors.HANDLERS, HTTPException: refused},
    )
    sealer = Sealer(secret) if secret else None
    site = Site(store, settings, now, templates, live, Editions(now), data, now(), desk, KeyLimits(), sealer)
    app.state.site = site
    app.mount(PREFIX, create_api(site))
    app.mount("/static/build", KeptFiles(BUILD))
    app.mount("/static", StaticFiles(directory=STATIC))
    for router in (*ROUTERS, manual.router, account_pages.router):
        app.include_router(router)
    routes = tuple(flat(app.routes))
    return app
