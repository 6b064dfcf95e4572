"""The application for everyone: pages of a snapshot, a search over it, and a form for disputes."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import structlog
from anyio import to_thread
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, PlainTextResponse
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from urltrap.model.settings import Settings
from urltrap.site.auth.forms import form_of, token_of, with_cookie
from urltrap.site.auth.limits import KeyLimits
from urltrap.site.context import Clock, utc_now
from urltrap.site.public.pages import FIXED, Page, Pages
from urltrap.site.public.search import search
from urltrap.site.public.shield import Ready, Shelf, Shield, send_ready
from urltrap.site.public.snapshot import Snapshot, Source
from urltrap.site.security import Hosts
from urltrap.store import Store, StoreError, disputes

log = structlog.get_logger("public")

THREADS = 4
_PREPARED = 100
SEARCHES_A_MINUTE = 120
DISPUTES_A_MINUTE = 3
"""Both from one address (of IPv6: one /64); the store bounds how many disputes are taken a day."""


class Fields(NamedTuple):
    """What stands in the form of a dispute."""

    kind: str = "url"
    subject: str = ""
    text: str = ""
    contact: str = ""


def create_public_app(
    store: Store,
    settings: Settings,
    *,
    secret: bytes,
    now: Clock = utc_now,
    listen: str = "",
    own: frozenset[str] = frozenset(),
) -> FastAPI:
    """The site for everyone over an open store. `secret`: the installation's; `own`: addresses and names of this
    machine; `listen`: HOST:PORT that it is reached at, if it is not that of the settings. Raises AssetsMissing."""
    public = settings.public
    pages = Pages(settings, live=True)
    source = Source(store, settings, secret, now, own, kept=public.refresh_seconds)
    shelf = Shelf()
    limits = KeyLimits()
    static = _static(pages)

    def ready(path: str) -> Ready | None:
        if path in static:
            return static[path]
        return shelf.find(path, source.digest) if source.is_fresh else None

    def made(name: str, snapshot: Snapshot) -> Ready | None:
        page = pages.page(name, snapshot)
        return Ready.of(page, snapshot.made) if page is not None and page.status == 200 else None

    def prepare(snapshot: Snapshot) -> None:
        """Make what people look at before anybody can ask for it."""
        wanted = dict.fromkeys(("/", *(f"/{name}" for name in FIXED), *shelf.names()[-_PREPARED:]))
        for path in wanted:
            if (found := made(path[1:] or "index.html", snapshot)) is not None:
                shelf.put(path, snapshot.digest, found)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        to_thread.current_default_thread_limiter().total_tokens = THREADS
        await _look(source, prepare)  # before the first reader comes
        source.kept_up = True
        keeping = asyncio.create_task(_keep_up(source, prepare))
        yield
        keeping.cancel()
        source.kept_up = False
        with contextlib.suppress(asyncio.CancelledError):
            await keeping

    def told(code: int, heading: str, message: str) -> Response:
        body = pages.html("problem.html", source.empty(), code=code, heading=heading, message=message)
        return HTMLResponse(body, code)

    def failed() -> Response:
        return told(500, "This page failed", "The others are not affected.")

    async def away(request: Request, error: Exception) -> Response:
        answer = told(503, "Not at the moment", "The list cannot be read. Please come back in a minute.")
        answer.headers["Retry-After"] = "30"
        return answer

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return told(error.status_code, "Not possible", str(error.detail))

    names = [*public.names, *([host] if (host := urlsplit(public.address).hostname) else [])]
    hosts = Hosts(listen or public.listen, names)
    middleware = [Middleware(Shield, hosts=hosts, ready=ready, failed=failed)]
    if public.trusted_proxies:
        middleware.append(Middleware(ProxyHeadersMiddleware, trusted_hosts=public.trusted_proxies))
    app = FastAPI(
        title=public.title, lifespan=lifespan, redirect_slashes=False, docs_url=None, redoc_url=None, openapi_url=None,
        middleware=middleware, exception_handlers={StoreError: away, HTTPException: refused},
    )  # fmt: skip
    app.state.source, app.state.pages = source, pages

    @app.api_route("/healthz", methods=["GET", "HEAD"])
    def healthz() -> Response:
        source.snapshot()
        return PlainTextResponse("ok\n")

    @app.api_route("/search", methods=["GET", "HEAD"])
    def searched(request: Request, q: str = "") -> Response:
        seconds = limits.wait(f"search {_sender(request)}", SEARCHES_A_MINUTE)
        if seconds:
            answer = told(
                429, "That was quick", f"Please search again in {seconds} s; the feeds have everything."
            )
            answer.headers["Retry-After"] = str(seconds)
            return answer
        query = q[:2000].strip()
        snapshot = source.snapshot()
        rows, total = search(snapshot, query)
        return HTMLResponse(pages.html("search.html", snapshot, query=query, rows=rows, total=total))

    def form(request: Request, status: int = 200, problem: str = "", fields: Fields = Fields()) -> Response:
        body = pages.html(
            "form.html", source.empty(), token=token_of(request), problem=problem, fields=fields
        )
        return with_cookie(request, HTMLResponse(body, status))

    @app.api_route("/dispute", methods=["GET", "HEAD"])
    def dispute(request: Request) -> Response:
        return form(request)

    @app.post("/dispute")
    async def disputed(request: Request) -> Response:
        given = await form_of(request)
        return await to_thread.run_sync(lambda: take(request, given))

    def take(request: Request, given: Any) -> Response:
        fields = Fields(*(given.get(name, "").strip() for name in Fields._fields))
        kind = next((kind for kind in disputes.KINDS if kind == fields.kind), None)
        if kind is None or not fields.subject or not fields.text:
            return form(request, 422, "Say what it is about and why it is wrong.", fields)
        seconds = limits.wait(_sender(request), DISPUTES_A_MINUTE)
        if seconds:
            answer = form(request, 429, f"That was quick. Please send it again in {seconds} s.", fields)
            answer.headers["Retry-After"] = str(seconds)
            return answer
        if given.get(
            "website"
        ):  # only a program fills in what nobody sees; it need not know that it was seen
            return HTMLResponse(pages.html("thanks.html", source.empty(), id="0" * 26))
        try:
            id_ = disputes.file(store, now(), kind, fields.subject, fields.contact, fields.text)
        except disputes.TooMany:
            more = (
                f" You can write to {public.contact.removeprefix('mailto:')} instead."
                if public.contact
                else ""
            )
            return form(
                request, 503, f"Too many disputes came in today. Please come back tomorrow.{more}", fields
            )
        return HTMLResponse(pages.html("thanks.html", source.empty(), id=id_))

    @app.api_route("/{path:path}", methods=["GET", "HEAD"])
    def any_page(request: Request, path: str) -> Response:
        snapshot = source.snapshot()
        name = path or "index.html"
        found = shelf.find(f"/{path}", snapshot.digest)
        if found is None:
            with shelf.making:
                found = shelf.find(f"/{path}", snapshot.digest) or made(name, snapshot)
                if found is not None:
                    shelf.put(f"/{path}", snapshot.digest, found)
        if found is not None:
            return _Sent(found)
        missing = pages.page("404.html", snapshot)
        assert missing is not None
        return HTMLResponse(missing.body, 404)

    return app


async def _keep_up(source: Source, prepare: Callable[[Snapshot], None]) -> None:
    """Read the store now and then, so that no reader waits for it."""
    while True:
        await asyncio.sleep(source.kept)
        await _look(source, prepare)


async def _look(source: Source, prepare: Callable[[Snapshot], None]) -> None:
    try:
        await to_thread.run_sync(source.snapshot, prepare)
    except StoreError as error:
        log.warning("the store does not answer", problem=str(error))


class _Sent(Response):
    """An answer that was just made ready."""

    def __init__(self, found: Ready) -> None:
        super().__init__()
        self._found = found

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send_ready(self._found, scope["method"], Headers(scope=scope), send)


def _static(pages: Pages) -> dict[str, Ready]:
    """Styles and icon: their names carry a hash of their content, so that a browser never needs to ask again."""
    found = {}
    for name, media_type in pages.static_files():
        page = Page(name, pages.static_file(name), media_type, False, "")
        found[f"/{name}"] = Ready.for_ever(page)
    return found


def _sender(request: Request) -> str:
    """Who sent a form, for the limit: an address, or the /64 that one customer of IPv6 has."""
    text = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    return text if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))
