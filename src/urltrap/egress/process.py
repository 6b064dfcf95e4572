"""The fetcher as a process: the door, the cache and the socket put together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from urltrap.egress.address import AddressPolicy
from urltrap.egress.door import Door
from urltrap.egress.fetcher import CANARY_HOST, Fetcher
from urltrap.egress.resolver import DnsResolver, Resolver
from urltrap.egress.server import FetcherServer
from urltrap.egress.switch import SOCKET_FILE, KillSwitch
from urltrap.egress.window import WINDOW_FILE, Window
from urltrap.model.capture import Capture
from urltrap.model.settings import Settings
from urltrap.quarantine import Quarantine


async def run_fetcher(
    settings: Settings,
    data_dir: Path,
    quarantine: Quarantine,
    on_capture: Callable[[Capture], None],
    ready: Callable[[], None] = lambda: None,
    *,
    resolver: Resolver | None = None,
    canary_host: str = CANARY_HOST,
    socket_mode: int = 0o600,
) -> None:
    """Serve ``DATA/run/fetcher.sock`` until cancelled; `ready` is called once it listens.

    `on_capture` records a capture (in the journal) before its asker hears of it. EgressError where the socket cannot be
    had, ValueError where a network in the settings cannot be parsed.
    """
    policy = AddressPolicy(
        public_networks=settings.testing.public_networks, refused_networks=settings.egress.refuse_networks
    )
    switch = KillSwitch.of(data_dir)
    door = Door(settings.egress, quarantine, resolver or DnsResolver(), policy, switch)
    window = Window(data_dir / WINDOW_FILE)
    fetcher = Fetcher(
        settings.egress, door, quarantine, switch, on_capture, canary_host=canary_host, window=window
    )
    try:
        async with FetcherServer(data_dir / SOCKET_FILE, fetcher.fetch, mode=socket_mode):
            ready()
            await asyncio.get_running_loop().create_future()  # until cancelled
    finally:
        await fetcher.close()
        window.close()
