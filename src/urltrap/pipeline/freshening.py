"""Keeps lists and dumps fresh beside the line: downloads what is due, indexes what changed, swaps it in."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from urltrap.intel import dumps
from urltrap.intel.lists import folder as lists
from urltrap.intel.reputation.dump import Dump
from urltrap.intel.reputation.provider import Provider
from urltrap.model.intel_settings import IntelSettings
from urltrap.pipeline.workshop import Workshop

EVERY_SECONDS = 60.0

log = structlog.get_logger("urltrap.pipeline")


def list_folder(data: Path) -> Path:
    """Where downloaded lists lie."""
    return data / "intel" / "lists"


def dump_folder(data: Path) -> Path:
    """Where downloaded dumps and their indexes lie."""
    return data / "intel" / "dumps"


def open_lists(settings: IntelSettings, data: Path) -> lists.Context:
    """The context lists of a data folder; the shipped one alone where none was downloaded."""
    context = lists.Context(list_folder(data), timedelta(days=settings.lists.expire_days))
    context.refresh(datetime.now(UTC))
    return context


def open_dumps(settings: IntelSettings, data: Path) -> list[Provider]:
    """The dumps of a data folder, indexed."""
    found = dumps.dumps(settings, dump_folder(data))
    for dump in found:
        dumps.refresh(dump)
    return list(found)


def keep_fresh(settings: IntelSettings, data: Path, workshop: Workshop, stop: threading.Event) -> None:
    """Run until `stop`: the line goes on with what it has meanwhile. Downloads only where `intel.online` is set."""
    while True:
        try:
            freshen(settings, data, workshop)
        except Exception as error:
            # The line must go on without fresh lists; the next round tries again. No text: it may hold an address.
            log.error("freshen.failed", error=type(error).__name__, do="it is tried again in a minute")
        if stop.wait(EVERY_SECONDS):
            return


def freshen(settings: IntelSettings, data: Path, workshop: Workshop) -> None:
    """One round."""
    now = datetime.now(UTC)
    if settings.online:
        asyncio.run(_download(settings, data, now))
    if workshop.lists is not None:
        workshop.lists.refresh(now)
    current = {dump.name: dump for dump in workshop.providers if isinstance(dump, Dump)}
    present = dumps.dumps(settings, dump_folder(data))
    for dump in present:
        # Its own object: an index belongs to one thread.
        dumps.refresh(dump)
        dump.close()
    if {dump.name: dump.files for dump in present} != {name: dump.files for name, dump in current.items()}:
        workshop.providers = [
            *(provider for provider in workshop.providers if not isinstance(provider, Dump)),
            *(dump.again() for dump in present),
        ]


async def _download(settings: IntelSettings, data: Path, now: datetime) -> None:
    await lists.update(settings, list_folder(data), now)
    await dumps.update(settings, dump_folder(data), now)
