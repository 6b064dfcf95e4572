"""The collector's process: puts the parts together for a data folder."""

from __future__ import annotations

import asyncio
import contextlib
import resource
from collections.abc import Callable
from pathlib import Path

from urltrap.journal.shipping.broker import BrokerKey
from urltrap.model.settings import Settings
from urltrap.pipeline.fleet.accounts import Accounts
from urltrap.pipeline.fleet.beats import Beats
from urltrap.pipeline.fleet.certificate import server_context
from urltrap.pipeline.fleet.collecting import Collector
from urltrap.pipeline.fleet.https_server import HttpsServer, bound, shown
from urltrap.pipeline.fleet.nats_consumer import NatsConsumer
from urltrap.pipeline.fleet.receiving import Receiving
from urltrap.quarantine import Quarantine
from urltrap.store import open_store


def beats_folder(data: Path) -> Path:
    """Where the newest word of each sensor is."""
    return data / "run" / "fleet"


def collector_key(secret: bytes) -> BrokerKey:
    """The key of this installation's collectors at a broker, from its secret."""
    return BrokerKey(b"collector\0" + secret)


def raise_descriptor_limit() -> None:
    """As many open connections as this process may have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


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
    listening, tls = None, None
    if settings.fleet.listen:
        tls, listening = server_context(settings.fleet, accounts.folder), bound(settings.fleet.listen)
    raise_descriptor_limit()
    drop()
    store = await asyncio.to_thread(open_store, settings.store.url or f"sqlite:///{data / 'urltrap.db'}")
    collector = Collector(data / "journal", index, settings.fleet.processes, store, settings.journal)
    quarantine = await asyncio.to_thread(Quarantine, data / "quarantine")
    beats = Beats(beats_folder(data))
    # Payloads go to the machine that examines them, and there to one process.
    receiving = Receiving(quarantine) if index == 0 and not settings.fleet.only else None
    server = HttpsServer(collector, accounts, beats, quarantine)
    consuming: asyncio.Task[None] | None = None
    doors: list[str] = []
    try:
        if listening is not None and tls is not None:
            await server.start(listening, tls)
            doors.append(f"https {shown(listening)}")
        if settings.fleet.nats:
            key, ca = collector_key(secret), settings.fleet.nats_ca
            consumer = NatsConsumer(settings.fleet.nats, key, collector, beats, receiving, ca)
            # Not waited for: a broker that is away is no reason not to be there for those who come by HTTPS.
            consuming = asyncio.create_task(consumer.run())
        ready(doors)
        await stop.wait()
    finally:
        if consuming is not None:
            consuming.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await consuming
        await server.close()
        if receiving is not None:
            receiving.close()
        await collector.close()
        store.close()
        accounts.close()
