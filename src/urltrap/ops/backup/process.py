"""The backup process: a backup every hour, the journal's copy every few seconds, and what ages out once a day."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog

from urltrap.model.settings import Settings
from urltrap.ops.backup.aging import age_out
from urltrap.ops.backup.errors import BackupError, DamagedError
from urltrap.ops.backup.manifest import Manifest, list_manifests
from urltrap.ops.backup.pieces import JournalCopy
from urltrap.ops.backup.target import Target
from urltrap.ops.backup.vault import Vault
from urltrap.ops.data_folder import DataFolder
from urltrap.store import StoreError

_RETRY = timedelta(minutes=5)

log = structlog.get_logger("urltrap.backup")


async def run_backups(
    settings: Settings, folder: DataFolder, ready: Callable[[], None], stop: asyncio.Event
) -> None:
    """Make backups of a data folder until `stop`. A backup under way is given up then; it leaves no half one."""
    vault = Vault(folder, settings)
    stopping = threading.Event()
    threads = [
        threading.Thread(target=_back_up, args=(vault, settings, stopping), name="backups", daemon=True),
        threading.Thread(target=_copy, args=(vault, stopping), name="journal-copy", daemon=True),
    ]
    for thread in threads:
        thread.start()
    ready()
    await stop.wait()
    stopping.set()
    # The copy is waited for: it has the newest events in its hands. A backup in the middle is simply not finished.
    await asyncio.to_thread(threads[1].join, 5)


def _back_up(vault: Vault, settings: Settings, stop: threading.Event) -> None:
    every = timedelta(minutes=vault.settings.every_minutes)
    due = _first_due(vault, every)
    fresh = False
    aged: datetime | None = None
    while not stop.wait(max(0.0, min(60.0, (due - datetime.now(UTC)).total_seconds()))):
        now = datetime.now(UTC)
        if now < due:
            continue
        try:
            manifest = vault.back_up(fresh=fresh)
            fresh = False
            due = now + every
            log.info("backup.made", name=manifest.name, files=len(manifest.files), bytes=manifest.size)
            if aged is None or now - aged >= timedelta(days=1):
                aged = now
                age_out(vault.folder, settings, vault, now)
        except (BackupError, StoreError) as error:
            # What is damaged is kept anew the next time, rather than referred to again.
            fresh = isinstance(error, DamagedError)
            due = now + min(_RETRY, every)
            vault.note_problem(str(error))
            log.error("backup.failed", error=str(error), next_try=due.isoformat(timespec="seconds"))
        except Exception as error:
            due = now + min(_RETRY, every)
            vault.note_problem(f"{type(error).__name__}: {error}")
            log.exception("backup.failed", next_try=due.isoformat(timespec="seconds"))


def _first_due(vault: Vault, every: timedelta) -> datetime:
    manifests, _ = list_manifests(vault.local)
    return manifests[-1].made + every if manifests else datetime.now(UTC)


def _copy(vault: Vault, stop: threading.Event) -> None:
    copies: dict[str, JournalCopy] = {}
    complained: dict[str, str] = {}
    while True:
        last = stop.wait(vault.settings.journal_seconds)
        for url in (vault.local.url, *vault.settings.targets):
            try:
                if url not in copies:
                    target = (
                        vault.local if url == vault.local.url else Target(url, vault.settings.target_options)
                    )
                    copies[url] = JournalCopy(vault.folder.journal, target, vault.recipient)
                copy = copies[url]
                if not copy.started and (newest := _newest(copy)) is not None:
                    copy.start_from(newest)
                if copy.step():
                    vault.note_copied()
                complained.pop(url, None)
            except (BackupError, OSError) as error:
                if complained.get(url) != str(error):
                    complained[url] = str(error)
                    log.error("journal_copy.failed", target=url.rpartition("@")[2], error=str(error))
        if last:
            return


def _newest(copy: JournalCopy) -> Manifest | None:
    manifests, _ = list_manifests(copy.target)
    return manifests[-1] if manifests else None
