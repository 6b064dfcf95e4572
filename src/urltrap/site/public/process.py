"""The site for everyone as a process: waits for the database, serves and exports, and ends in order."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import structlog
import uvicorn

from urltrap.egress.interfaces import own_addresses
from urltrap.model.settings import Settings
from urltrap.site.context import Clock, utc_now
from urltrap.site.process import QuietServer, address_of, keep_what_stays, listen_on, wait_for_store
from urltrap.site.public.app import create_public_app
from urltrap.site.public.export import Exported, ExportError, export, read_before
from urltrap.site.public.pages import Pages
from urltrap.site.public.snapshot import Source
from urltrap.store import Store, StoreError

log = structlog.get_logger("public")

_CLOSING_SECONDS = 3
_SWITCH_SECONDS = 0.0005
"""How long an answer waits for Python's lock while a thread reads the store; by default ten times as long."""


async def run_public(
    settings: Settings,
    data_dir: Path,
    *,
    ready: Callable[[list[str]], None],
    stop: asyncio.Event,
    secret: bytes,
) -> None:
    """Serve and export the site for everyone until `stop` is set, each where the settings ask for it.

    `ready` is called once, with the address listened on where there is one. Raises CannotListen, StoreCorrupt and
    StoreNewer, which waiting does not help.
    """
    store = await wait_for_store(settings.store.url or f"sqlite:///{data_dir}/urltrap.db", stop)
    if store is None:
        return
    own = own_names(data_dir)
    exporting = None
    if settings.public.export:
        exporting = asyncio.create_task(_keep_exporting(store, settings, secret, own, stop))
    try:
        if settings.public.enabled:
            await _serve(store, settings, secret, own, ready, stop)
        else:
            ready([])
            await stop.wait()
    finally:
        if exporting is not None:
            exporting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await exporting
        await asyncio.to_thread(store.close)


def export_site(
    store: Store,
    settings: Settings,
    secret: bytes,
    target: Path,
    own: frozenset[str],
    tell: Callable[[int, int], None] = lambda done, of: None,
    now: Clock = utc_now,
) -> Exported:
    """Export what everyone may see at this moment; `own`: as of `own_names`. Raises ExportError and StoreError."""
    before = read_before(target.absolute())
    known = (before.digest, before.made) if before.made is not None else None
    source = Source(store, settings, secret, now, own, known=known)
    return export(Pages(settings, live=False), source.snapshot(), target, tell)


def own_names(data_dir: Path) -> frozenset[str]:
    """Addresses and names of this machine and of the simulated one, which nothing that everyone sees may carry."""
    found = {str(address) for address in own_addresses()} | {socket.gethostname()}
    try:
        persona = json.loads((data_dir / "persona.json").read_bytes())
        found |= {str(persona["hostname"]), str(persona["domain"])}
    except (OSError, ValueError, KeyError) as error:
        log.warning("the persona's name is not known here and cannot be looked for", problem=str(error))
    return frozenset(found)


async def _keep_exporting(
    store: Store, settings: Settings, secret: bytes, own: frozenset[str], stop: asyncio.Event
) -> None:
    target = Path(settings.public.export)
    while True:
        try:
            done = await asyncio.to_thread(export_site, store, settings, secret, target, own)
            log.info("exported", folder=str(target), urls=done.urls, files=done.files, written=done.written)
        except (ExportError, StoreError) as error:
            log.error("not exported, trying again later", folder=str(target), problem=str(error))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(
                stop.wait(), timedelta(minutes=settings.public.export_minutes).total_seconds()
            )
            return


async def _serve(
    store: Store,
    settings: Settings,
    secret: bytes,
    own: frozenset[str],
    ready: Callable[[list[str]], None],
    stop: asyncio.Event,
) -> None:
    listener = listen_on(settings.public.listen, "public.listen")
    with contextlib.closing(listener):
        app = create_public_app(store, settings, secret=secret, own=own)
        keep_what_stays()
        sys.setswitchinterval(_SWITCH_SECONDS)
        config = uvicorn.Config(
            app, log_config=None, access_log=False, server_header=False, date_header=False, proxy_headers=False,
            ws="none", lifespan="on", timeout_graceful_shutdown=_CLOSING_SECONDS,
        )  # fmt: skip
        server = QuietServer(config, lambda: ready([address_of(listener)]))

        async def end() -> None:
            await stop.wait()
            server.should_exit = True

        ending = asyncio.create_task(end())
        try:
            await server.serve(sockets=[listener])
        finally:
            ending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ending
