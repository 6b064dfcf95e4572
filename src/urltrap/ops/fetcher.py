"""The fetcher process: egress, with its captures written into the journal."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime

from urltrap.egress.process import run_fetcher
from urltrap.journal import JournalWriter
from urltrap.model.capture import Capture
from urltrap.model.event import Captured
from urltrap.model.ids import new_ulid
from urltrap.model.settings import Settings
from urltrap.ops.data_folder import DataFolder
from urltrap.quarantine import Quarantine


class CaptureRecorder:
    """Journals captures as events of a stream of its own: one ULID per run of the process, numbered from 0."""

    def __init__(self, writer: JournalWriter) -> None:
        self._writer = writer
        self._stream = new_ulid(time.time_ns() // 1_000_000, os.urandom(10))
        self._seq = 0

    def __call__(self, capture: Capture) -> None:
        """Append one capture."""
        event = Captured(session=self._stream, seq=self._seq, at=datetime.now(UTC), capture=capture)
        self._seq += 1
        self._writer.append(event)


async def run(
    settings: Settings, folder: DataFolder, canary: str, stop: asyncio.Event, ready: Callable[[], None]
) -> None:
    """Run the fetcher until `stop`; `canary` is the name that it answers itself."""
    quarantine = Quarantine(folder.quarantine, settings.journal.free_bytes_reserve // 2)
    quarantine.sweep(time.time())
    writer = JournalWriter(folder.journal, "fetcher", settings.journal)
    try:
        task = asyncio.ensure_future(
            run_fetcher(settings, folder.root, quarantine, CaptureRecorder(writer), ready, canary_host=canary)
        )
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not task.done():
            task.cancel()
        await asyncio.gather(task, return_exceptions=stop.is_set())
    finally:
        writer.close()
