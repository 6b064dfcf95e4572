"""The collector's process: puts the parts together for a data folder."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from urltrap.model.settings import Settings
from urltrap.pipeline.fleet.accounts import Accounts
from urltrap.pipeline.fleet.beats import Beats
from urltrap.pipeline.fleet.certificate import server_context
from urltrap.pipeline.fleet.collecting import Collector, collector_writer
from urltrap.pipeline.fleet.https_server import HttpsServer
from urltrap.quarantine import Quarantine
from urltrap.store import open_store


def beats_folder(data: Path) -> Path:
    """Where the newest word of each sensor is."""
    return data / "run" / "fleet"


async def run_collector(
    settings: Settings,
    data: Path,
    index: int,
    ready: Callable[[list[str]], None],
    stop: asyncio.Event,
    drop: Callable[[], None] = lambda: None,
) -> None:
    """Collect until `stop`. `drop` gives up root; what only root may read is read before.

    Raises CertificateError, AccountError, JournalError, StoreError or OSError where it cannot begin.
    """
    secret = await asyncio.to_thread((data / "keys" / "secret").read_bytes)
    accounts = Accounts(data)
    tls = server_context(settings.fleet, accounts.folder)
    drop()
    store = await asyncio.to_thread(open_store, settings.store.url or f"sqlite:///{data / 'urltrap.db'}")
    collector = Collector(data / "journal", collector_writer(secret, index), store, settings.journal)
    quarantine = await asyncio.to_thread(Quarantine, data / "quarantine")
    server = HttpsServer(collector, accounts, Beats(beats_folder(data)), quarantine)
    try:
        host, _, port = settings.fleet.listen.rpartition(":")
        listening = await server.start(host.strip("[]"), int(port), tls)
        ready([f"https {listening}"])
        await stop.wait()
    finally:
        await server.close()
        await collector.close()
        store.close()
        accounts.close()
