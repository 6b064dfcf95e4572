"""What ages out, everywhere it is kept: the store, the journal's archives, and the backups."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import structlog

from urltrap.journal import Rewritten, rewrite
from urltrap.journal.folder import list_writers
from urltrap.model.settings import RetentionSettings, Settings
from urltrap.ops.backup.manifest import list_manifests
from urltrap.ops.backup.vault import Vault
from urltrap.ops.data_folder import DataFolder
from urltrap.store import Store, open_store
from urltrap.store.forgetting import ChangeAddress, changed_event, coarse, coarsen, expire

log = structlog.get_logger("urltrap.retention")


def age_out(folder: DataFolder, settings: Settings, vault: Vault | None, now: datetime) -> None:
    """Let age out what the retention settings say, in store and archives; in backups where any is old enough.

    Raises StoreError, BackupError or JournalError; repeating it does what is left.
    """
    store = open_store(folder.store_url(settings.store.url))
    try:
        _age(folder, store, settings.retention, now)
    finally:
        store.close()
    if vault is None:
        return
    before = now - timedelta(days=settings.retention.addresses_days)
    manifests, _ = list_manifests(vault.local)
    # A backup shows addresses that have aged since it was made; once a week is often enough to open them all.
    oldest = _oldest_whole_address(vault)
    if manifests and manifests[0].made < before and (oldest is None or now - oldest > timedelta(days=7)):
        changed, closed = vault.rework(lambda data, inside: _age(data, inside, settings.retention, now))
        _note_rework(vault, now)
        log.info("retention.backups", changed=changed, not_opened=closed)


def _age(folder: DataFolder, store: Store, retention: RetentionSettings, now: datetime) -> None:
    gone = expire(
        store, now - timedelta(days=retention.events_days), now - timedelta(days=retention.sessions_days)
    )
    before = now - timedelta(days=retention.addresses_days)
    sessions = coarsen(store, before)
    archived = rewrite_archives(folder, coarse, before)
    if gone or sessions or archived.events:
        log.info("retention.store", deleted=gone, sessions=sessions, archived_events=archived.events)


def rewrite_archives(folder: DataFolder, change: ChangeAddress, before: datetime | None = None) -> Rewritten:
    """Change addresses in all writers' archives (`before`: only in those that old)."""
    events = 0
    left: tuple[int, ...] = ()
    for writer in list_writers(folder.journal):
        done = rewrite(folder.journal, writer, lambda event: changed_event(event, change), before)
        events += done.events
        left += done.left
    return Rewritten(events, left)


def _oldest_whole_address(vault: Vault) -> datetime | None:
    path = vault.folder.run / "backups-aged"
    try:
        return datetime.fromisoformat(path.read_text()).astimezone(UTC)
    except (FileNotFoundError, ValueError):
        return None


def _note_rework(vault: Vault, now: datetime) -> None:
    (vault.folder.run / "backups-aged").write_text(now.isoformat())
