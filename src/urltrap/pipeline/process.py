"""The pipeline's process: puts the parts together for a data folder and runs the line in a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from urltrap.egress.client import BlockingFetcherClient
from urltrap.egress.interfaces import own_addresses
from urltrap.egress.switch import KillSwitch
from urltrap.intel.places import Places, default_folder
from urltrap.journal import JournalReader
from urltrap.journal.shipping.chunk import COLLECTED
from urltrap.model.settings import Settings
from urltrap.pipeline.freshening import keep_fresh, open_dumps, open_lists
from urltrap.pipeline.laboratory import Laboratory
from urltrap.pipeline.laboratory.upx import UNCONFINED, Upx
from urltrap.pipeline.line import Line
from urltrap.pipeline.stages import stages
from urltrap.pipeline.workshop import Workshop
from urltrap.quarantine import Quarantine
from urltrap.store import Store, StoreError, StoreTaken, open_store, owner

_OWNER_SECONDS = 20.0

log = structlog.get_logger("urltrap.pipeline")


async def run_pipeline(
    settings: Settings, data: Path, ready: Callable[[], None], stop: asyncio.Event, *, installation: str
) -> None:
    """Run the pipeline of a data folder until `stop`; `ready` is called once everything that was waiting is done.

    `installation`: which one it is, to whom the store belongs alone. Raises StoreError where the store cannot be
    opened or is (or becomes) another installation's; a store that goes away later is waited for.
    """
    store = await asyncio.to_thread(open_store, settings.store.url or f"sqlite:///{data / 'urltrap.db'}")
    stopping = threading.Event()
    loop = asyncio.get_running_loop()

    def tell() -> None:
        loop.call_soon_threadsafe(ready)

    try:
        await asyncio.to_thread(owner.own, store, installation)
        task = asyncio.create_task(asyncio.to_thread(_work, settings, data, store, tell, stopping))
        waiting = asyncio.create_task(stop.wait())
        owning = asyncio.create_task(_stay_owner(store, installation))
        await asyncio.wait({task, waiting, owning}, return_when=asyncio.FIRST_COMPLETED)
        stopping.set()
        waiting.cancel()
        await task
        if owning.done():
            await owning
        owning.cancel()
    finally:
        stopping.set()
        store.close()


async def _stay_owner(store: Store, installation: str) -> None:
    """Never ends but with StoreTaken, when somebody has given the store to another installation."""
    while True:
        await asyncio.sleep(_OWNER_SECONDS)
        try:
            await asyncio.to_thread(owner.check, store, installation)
        except StoreTaken:
            raise
        except StoreError:
            continue  # it is away, which the line tells and waits for


def make_workshop(settings: Settings, data: Path, store: Store) -> Workshop:
    """The workshop of a data folder."""
    folder = Path(settings.intel.geo_dir) if settings.intel.geo_dir else default_folder()
    places = Places(folder)
    if not places.version:
        log.warning(
            "places.missing", folder=str(folder), do="`make geo` installs them; countries stay unknown"
        )
    lists = open_lists(settings.intel, data)
    return Workshop(
        settings=settings,
        store=store,
        quarantine=Quarantine(data / "quarantine"),
        fetcher=BlockingFetcherClient(data / "run" / "fetcher.sock"),
        places=places,
        providers=open_dumps(settings.intel, data),
        known_hosts=lists,
        laboratory=Laboratory(data / "yara.d", settings.analysis.memory_bytes, settings.analysis.seconds),
        upx=_unpacker(data / "quarantine" / "unpacking"),
        own_addresses=frozenset(str(address) for address in own_addresses()),
        lists=lists,
        shut=KillSwitch.of(data).thrown,
    )


def _unpacker(scratch: Path) -> Upx | None:
    """UPX, where it is installed and this kernel holds it back."""
    found = Upx.installed(scratch)
    if found is None:
        return None
    if (left := found.sweep()) > 0:
        log.info("upx.swept", folders=left)
    if not found.confined():
        log.error("upx.unconfined", program=str(found.program), why=UNCONFINED)
        return None
    return found


def _work(
    settings: Settings, data: Path, store: Store, ready: Callable[[], None], stop: threading.Event
) -> None:
    workshop = make_workshop(settings, data, store)
    # What sensors elsewhere sent, the collector itself takes in: one reader per journal.
    with JournalReader(data / "journal", lambda writer: not writer.startswith(COLLECTED)) as reader:
        line = Line(workshop, reader, stages(apart=True))
        fresh = (settings.intel, data, workshop, stop)
        threading.Thread(target=keep_fresh, args=fresh, name="fresh", daemon=True).start()
        try:
            line.run(stop, ready)
        finally:
            line.close()
            workshop.laboratory.close()
