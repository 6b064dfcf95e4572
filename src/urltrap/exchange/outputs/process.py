"""The outputs' process: one thread for each, so that a slow receiver holds up nobody else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from urltrap.exchange.outputs.cowrie_log import CowrieLog
from urltrap.exchange.outputs.delivery import Delivery
from urltrap.exchange.outputs.hpfeeds import Hpfeeds
from urltrap.exchange.outputs.output import Output, OutputError
from urltrap.exchange.outputs.syslog import Syslog
from urltrap.exchange.outputs.webhook import Webhook
from urltrap.journal import JournalReader
from urltrap.model.output_settings import OutputSettings

_IDLE_SECONDS = 0.5
_FIRST_RETRY_SECONDS = 1.0
_LAST_RETRY_SECONDS = 300.0

log = structlog.get_logger("urltrap.outputs")


def make_outputs(settings: OutputSettings) -> list[Output]:
    """The outputs that are set. ValueError with what to write for a setting that names no receiver."""
    made: list[Output] = []
    if settings.cowrie_log:
        made.append(CowrieLog(Path(settings.cowrie_log)))
    if settings.syslog:
        made.append(Syslog(settings.syslog))
    if settings.webhook.get_secret_value():
        made.append(Webhook(settings.webhook.get_secret_value(), settings.webhook_secret.get_secret_value()))
    if settings.hpfeeds:
        made.append(
            Hpfeeds(
                settings.hpfeeds, settings.hpfeeds_ident, settings.hpfeeds_secret.get_secret_value(),
                settings.hpfeeds_channel,
            )
        )  # fmt: skip
    return made


async def run_outputs(
    settings: OutputSettings, journal: Path, states: Path, ready: Callable[[], None], stop: asyncio.Event
) -> None:
    """Deliver until `stop`; where each output stands is kept below `states`."""
    await asyncio.to_thread(states.mkdir, 0o700, exist_ok=True)
    stopping = threading.Event()
    threads = [
        threading.Thread(
            target=_deliver, args=(output, journal, states, stopping), name=output.name, daemon=True
        )
        for output in make_outputs(settings)
    ]
    for thread in threads:
        thread.start()
    ready()
    await stop.wait()
    stopping.set()
    for thread in threads:
        await asyncio.to_thread(thread.join, 5)


def _deliver(output: Output, journal: Path, states: Path, stop: threading.Event) -> None:
    retry = _FIRST_RETRY_SECONDS
    delivery: Delivery | None = None
    with JournalReader(journal) as reader:
        while not stop.is_set():
            try:
                if delivery is None:
                    delivery = Delivery(reader, output, states / f"{output.name}.json")
                delivered = delivery.step()
            except (OutputError, OSError) as error:
                if retry == _FIRST_RETRY_SECONDS:
                    log.warning(
                        "outputs.away", output=output.name, why=str(error), what="waits and tries again"
                    )
                stop.wait(retry)
                retry = min(retry * 2, _LAST_RETRY_SECONDS)
                continue
            if retry != _FIRST_RETRY_SECONDS:
                log.info("outputs.back", output=output.name)
                retry = _FIRST_RETRY_SECONDS
            if not delivered:
                stop.wait(_IDLE_SECONDS)
    output.close()
