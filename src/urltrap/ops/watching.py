"""The process that watches: serves figures, and tells the operator when something is wrong.

It is apart from what it watches, so that it is still there when that is not.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog

from urltrap.model.canary import Canary
from urltrap.model.settings import Settings
from urltrap.ops import metrics
from urltrap.ops.alerts import Alerts, sender
from urltrap.ops.canary import run_canary
from urltrap.ops.data_folder import DataFolder
from urltrap.pipeline.line_state import line_state
from urltrap.store.backups import backup_state

_EVERY = 60.0

log = structlog.get_logger("urltrap.watch")


async def run_watch(
    settings: Settings,
    folder: DataFolder,
    ready: Callable[[list[str]], None],
    stop: asyncio.Event,
    canary: Canary | None = None,
) -> None:
    """Watch a data folder until `stop`; `canary` is what the synthetic attacker comes with, None where none comes."""
    server = None
    listen: list[str] = []
    if settings.metrics.enabled:
        try:
            server, address = metrics.serve(settings.metrics.listen, metrics.registry(folder, settings))
            listen.append(f"metrics {address}")
        except OSError as error:
            # Alerts matter more than figures.
            log.error(
                "metrics.not_served", listen=settings.metrics.listen, error=error.strerror or str(error),
                do="stop what uses the address, or set metrics.listen",
            )  # fmt: skip
    alerts = Alerts(
        folder.run / "alerts.json", sender(settings.alerts), timedelta(hours=settings.alerts.repeat_hours)
    )
    since = datetime.now(UTC)
    visits: asyncio.Task[None] | None = None
    if canary is not None and settings.canary.enabled and settings.sensors.ssh.enabled:
        fetches = settings.machine.kind != "sandbox"
        visits = asyncio.ensure_future(
            run_canary(settings.canary, canary, folder.root, folder.status, stop, fetches=fetches)
        )
    ready(listen)
    try:
        while not stop.is_set():
            now = datetime.now(UTC)
            troubles = backup_state(folder.root).overdue(settings.backup, now, since)
            found = {"the backups": troubles}
            if visits is not None:
                if visits.done() and not stop.is_set():
                    visits.result()  # an error of ours ends this process, which is started again
                stores = not settings.journal.ship
                found["the visits of the synthetic attacker"] = line_state(folder.root).troubles(
                    now, since, stores=stores
                )
            await asyncio.to_thread(alerts.look, found, now)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _EVERY)
    finally:
        if visits is not None:
            visits.cancel()
        if server is not None:
            server.shutdown()
            server.server_close()
