"""The site for everyone as a process: waits for the database, listens, answers, and ends in order."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import uvicorn

from urltrap.egress.interfaces import own_addresses
from urltrap.model.settings import Settings
from urltrap.site.process import QuietServer, address_of, keep_what_stays, listen_on, wait_for_store
from urltrap.site.public.app import create_public_app

_CLOSING_SECONDS = 3


async def run_public(
    settings: Settings,
    data_dir: Path,
    *,
    ready: Callable[[list[str]], None],
    stop: asyncio.Event,
    secret: bytes,
) -> None:
    """Serve the site for everyone until `stop` is set; `ready` is called once with the address listened on.

    Raises CannotListen, StoreCorrupt and StoreNewer, which waiting does not help.
    """
    store = await wait_for_store(settings.store.url or f"sqlite:///{data_dir}/urltrap.db", stop)
    if store is None:
        return
    try:
        listener = listen_on(settings.public.listen, "public.listen")
        with contextlib.closing(listener):
            app = create_public_app(store, settings, secret=secret, own=own_names())
            keep_what_stays()
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
    finally:
        await asyncio.to_thread(store.close)


def own_names() -> frozenset[str]:
    """The addresses of this machine, which nothing that everyone sees may carry."""
    return frozenset(str(address) for address in own_addresses())
