"""The site as a process: waits for the database, listens, answers, and ends in order."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import structlog
import uvicorn
from sqlalchemy import make_url

from urltrap.model.settings import Settings, SiteSettings
from urltrap.site.app import create_app
from urltrap.site.context import Site
from urltrap.site.security import is_loopback
from urltrap.store import Store, StoreCorrupt, StoreError, StoreNewer, open_store
from urltrap.store.accounts import users

log = structlog.get_logger()

_FIRST_WAIT = 0.1
_LONGEST_WAIT = 2.0
_CLOSING_SECONDS = 3


class CannotListen(Exception):
    """The address of the site cannot be listened on; the message says why and what to change."""


class NoAccount(Exception):
    """The site would be open to others than this machine, and nobody has an account; the message says what to do."""


async def run_site(
    settings: Settings,
    data_dir: Path,
    *,
    ready: Callable[[list[str]], None],
    stop: asyncio.Event,
    secret: bytes | None = None,
) -> None:
    """Serve the site until `stop` is set. `secret`: as of `create_app`.

    The pipeline makes and updates the database; until it has, the site waits. `ready` is called once with the address
    listened on. Raises CannotListen, NoAccount, StoreCorrupt and StoreNewer, which waiting does not help.
    """
    store = await wait_for_store(settings.store.url or f"sqlite:///{data_dir}/urltrap.db", stop)
    if store is None:
        return
    try:
        await asyncio.to_thread(_need_account, store, settings.site)
        listener = listen_on(settings.site.listen)
        with contextlib.closing(listener):
            await _serve(store, settings, data_dir, secret, listener, ready, stop)
    finally:
        await asyncio.to_thread(store.close)


async def _serve(
    store: Store,
    settings: Settings,
    data_dir: Path,
    secret: bytes | None,
    listener: socket.socket,
    ready: Callable[[list[str]], None],
    stop: asyncio.Event,
) -> None:
    app = create_app(store, settings, data=data_dir, secret=secret)
    site: Site = app.state.site
    keep_what_stays()
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="on",
        timeout_graceful_shutdown=_CLOSING_SECONDS,
    )
    server = QuietServer(config, lambda: ready([address_of(listener)]))

    async def end() -> None:
        await stop.wait()
        await site.live.close()  # open event streams would hold the server until its time is up
        server.should_exit = True

    ending = asyncio.create_task(end())
    try:
        await server.serve(sockets=[listener])
    finally:
        ending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ending


def _need_account(store: Store, settings: SiteSettings) -> None:
    if is_loopback(settings.listen) and not settings.trusted_proxies:
        return
    if not users.any_user(store):
        reached = (
            f"listens on {settings.listen}" if not is_loopback(settings.listen) else "stands behind a proxy"
        )
        raise NoAccount(
            f"the site {reached}, where others reach it, and nobody has an account: make one with "
            '`urltrap user add NAME --role admin`, or set site.listen = "127.0.0.1:8080" without site.trusted_proxies'
        )


def keep_what_stays() -> None:
    """Let Python's collector of cycles leave alone what lives as long as the process, modules and routes.

    Looking through it takes a tenth of a second in the middle of some page, every few hundred pages.
    """
    gc.collect()
    gc.freeze()


class QuietServer(uvicorn.Server):
    """uvicorn without signal handlers of its own: the process that embeds it has them."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._tell = started

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        if self.started:
            self._tell()


async def wait_for_store(url: str, stop: asyncio.Event) -> Store | None:
    """The store, once the pipeline has made it; None where `stop` comes first."""
    wait, said = _FIRST_WAIT, False
    while not stop.is_set():
        try:
            if _exists(url):
                return await asyncio.to_thread(open_store, url, migrate=False)
            reason = "the database is not there yet"
        except (StoreCorrupt, StoreNewer):
            raise
        except StoreError as error:
            reason = str(error)
        if not said:
            log.info("waiting for the pipeline to make the database", reason=reason)
            said = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), wait)
        wait = min(_LONGEST_WAIT, wait * 1.5)
    return None


def _exists(url: str) -> bool:
    """False for an SQLite file that is not there: opening it would make an empty one in the pipeline's place."""
    parsed = make_url(url if "://" in url else f"sqlite:///{url}")
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return True
    return Path(parsed.database).is_file()


def listen_on(address: str, setting: str = "site.listen") -> socket.socket:
    """A socket that listens on HOST:PORT. Raises CannotListen, which names the setting."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    try:
        found = socket.getaddrinfo(host or None, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _kind, _protocol, _name, where = found[0]
        return socket.create_server(where[:2], family=family, backlog=256)
    except OSError as error:
        advice = f"set {setting} in urltrap.toml to another port"
        if error.errno == errno.EADDRINUSE:
            raise CannotListen(
                f"the site cannot listen on {address}: another program does; {advice}"
            ) from error
        raise CannotListen(f"the site cannot listen on {address}: {error}; {advice} or address") from error


def address_of(listener: socket.socket) -> str:
    """HOST:PORT that a socket listens on."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
