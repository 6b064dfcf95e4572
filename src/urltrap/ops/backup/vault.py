"""The backups of one data folder: every operation on them, under one lock, with their state written down."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from urltrap.model.backup import BackupState
from urltrap.model.settings import Settings
from urltrap.ops.backup import keeping, pieces, taking, verifying
from urltrap.ops.backup.errors import BackupError, DamagedError, KeyNeededError
from urltrap.ops.backup.manifest import Kind, Manifest, list_manifests
from urltrap.ops.backup.restoring import extract
from urltrap.ops.backup.sealing import Recipient, read_identities
from urltrap.ops.backup.target import Target
from urltrap.ops.data_folder import DataFolder
from urltrap.store import Store, open_store
from urltrap.store.backups import backup_state, update_backup_state

Step = Callable[[str], None]

log = structlog.get_logger("urltrap.backup")


class Vault:
    """The local folder of backups and its further targets."""

    def __init__(self, folder: DataFolder, settings: Settings) -> None:
        self.folder = folder
        self.settings = settings.backup
        self.store_url = folder.store_url(settings.store.url)
        place = Path(self.settings.folder) if self.settings.folder else folder.backups
        self.local = Target(str(place if place.is_absolute() else folder.root / place))
        self.recipient = Recipient(self.settings.age_recipient) if self.settings.age_recipient else None
        self.lock = Path(self.local.url) / "lock"

    def targets(self) -> list[Target]:
        """All places, the local one first. TargetError for one whose address cannot be used."""
        return [self.local, *(Target(url, self.settings.target_options) for url in self.settings.targets)]

    def identities(self) -> list[Any]:
        """The secret keys on this machine; none where no file is set."""
        return (
            read_identities(Path(self.settings.age_identity_file)) if self.settings.age_identity_file else []
        )

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """One operation at a time. BackupError where another one is under way."""
        Path(self.local.url).mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(self.lock, "a+b") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise BackupError(
                    "another backup or verification is under way; try again when it is done"
                ) from None
            taking.sweep_spool(Path(self.local.url))
            yield

    def back_up(
        self, kind: Kind | None = None, fresh: bool = False, step: Step = lambda what: None
    ) -> Manifest:
        """Take a backup, copy it to every target, verify it and prune; the manifest.

        `kind` None: daily for the first of a day (UTC), else hourly. `fresh`: keep every file anew, also those that
        earlier backups have, as is done anyway where what those have turns out to be damaged. A target that is away is
        reported in the state and does not hold up the others.
        """
        with self.locked():
            manifests, damaged = list_manifests(self.local)
            for what in damaged:
                log.error("backup.manifest_damaged", what=what)
            now = datetime.now(UTC)
            if kind is None:
                kind = "hourly" if any(m.made.date() == now.date() for m in manifests) else "daily"
            manifest = self._take([] if fresh else manifests, now, kind, step)
            try:
                self._verify(manifest, whole=kind != "hourly", step=step)
            except DamagedError as error:
                if fresh:
                    raise
                # It leans on what earlier ones hold. The same again under the same name, leaning on nothing.
                log.error("backup.objects_damaged", what=str(error), now="every file is kept anew")
                manifest = self._take([], now, kind, step)
                self._verify(manifest, whole=kind != "hourly", step=step)
            self._spread(manifest, step)
        return manifest

    def _take(self, known: list[Manifest], now: datetime, kind: Kind, step: Step) -> Manifest:
        store = open_store(self.store_url)
        try:
            manifest = taking.take(self.folder, store, self.local, known, now, kind, self.recipient, step)
        finally:
            store.close()
        self._note(last=manifest.name, last_at=manifest.made)
        step("verifying")
        return manifest

    def verify(
        self, manifest: Manifest, whole: bool = True, step: Step = lambda what: None
    ) -> verifying.Verified:
        """Verify one backup of the local folder. BackupError kinds name what is wrong with it."""
        with self.locked():
            return self._verify(manifest, whole, step)

    def _verify(self, manifest: Manifest, whole: bool, step: Step) -> verifying.Verified:
        done = verifying.verify_hashes(self.local, manifest, step)
        now = datetime.now(UTC)
        identities = self.identities()
        sealed = bool(manifest.encrypted_to) and not identities
        self._note(verified=manifest.name, verified_at=now, problem="", sealed=sealed)
        if not whole:
            return done
        if sealed:
            log.warning(
                "backup.hashes_only", why="the secret key is not on this machine (backup.age_identity_file)"
            )
            return done
        done = verifying.verify_whole(
            self.local, manifest, Path(self.local.url), identities, self.store_url, step
        )
        self._note(verified_whole=manifest.name, verified_whole_at=datetime.now(UTC))
        return done

    def _spread(self, manifest: Manifest, step: Step) -> None:
        states: dict[str, str] = {}
        keeping.prune(self.local, self.settings, manifest.name)
        pieces.drop_covered(self.local, manifest)
        for url in self.settings.targets:
            try:
                target = Target(url, self.settings.target_options)
                step(f"copying to {target.label}")
                keeping.mirror(self.local, target)
                keeping.prune(target, self.settings, manifest.name)
                pieces.drop_covered(target, manifest)
                states[target.label] = f"ok {datetime.now(UTC).isoformat(timespec='seconds')}"
            except BackupError as error:
                log.error("backup.target_failed", target=url.rpartition("@")[2], error=str(error))
                states[url.rpartition("@")[2]] = str(error)
        self._note(targets=states)

    def newest_database(self, into: Path) -> tuple[Manifest, Path] | None:
        """The newest backup whose database is an SQLite file that can be read here, and that file, below `into`."""
        for manifest in reversed(list_manifests(self.local)[0]):
            if manifest.database.dump != "sqlite":
                continue
            its = tuple(entry for entry in manifest.files if entry.path == manifest.database.path)
            try:
                extract(self.local, manifest.model_copy(update={"files": its}), into, self.identities())
            except BackupError as error:
                log.warning("backup.not_read", name=manifest.name, why=str(error))
                continue
            return manifest, into / manifest.database.path
        return None

    def rework(
        self, change: Callable[[DataFolder, Store], None], step: Step = lambda what: None
    ) -> tuple[int, int]:
        """Apply `change` to the content of every backup: how many were changed, and how many could not be opened.

        Each is restored into a scratch folder, changed, and kept again under its own time. One that cannot be opened
        (its key is not here, or it is damaged) stays as it is: a backup is never lost to a change of its content.
        Whoever asked for the change says what is left to do.
        """
        changed = closed = 0
        with self.locked():
            manifests, damaged = list_manifests(self.local)
            replaced: list[str] = []
            kept: list[Manifest] = []
            for manifest in manifests:
                step(manifest.name)
                with tempfile.TemporaryDirectory(prefix="urltrap-rework-", dir=self.local.url) as name:
                    try:
                        kept.append(self._reworked(manifest, Path(name), kept, change))
                        replaced.append(manifest.name)
                        changed += 1
                    except (BackupError, KeyNeededError) as error:
                        log.error("backup.not_changed", name=manifest.name, why=str(error))
                        closed += 1
            # A changed backup has the name that it had; only the objects that no backup needs any more go.
            for target in self.targets():
                if target is not self.local:
                    keeping.mirror(self.local, target, again=replaced)
                    keeping.remove(target, [], sweep=not list_manifests(target)[1])
            keeping.remove(self.local, [], sweep=not damaged)
        return changed, closed

    def copy_again(self) -> list[str]:
        """Make the journal's continuous copy anew at every target, its records having been changed; what is left."""
        with self.locked():
            return [
                name
                for target in self.targets()
                for name in pieces.copy_again(target, self.folder.journal, self.recipient)
            ]

    def _reworked(
        self,
        manifest: Manifest,
        scratch: Path,
        kept: list[Manifest],
        change: Callable[[DataFolder, Store], None],
    ) -> Manifest:
        from urltrap.ops.backup import database

        folder = DataFolder(scratch / "data")
        extract(self.local, manifest, folder.root, self.identities())
        with database.scratch(manifest.database, scratch, self.store_url) as url:
            database.load(manifest.database, folder.root, url)
            shutil.rmtree(folder.root / "database")
            store = open_store(url)
            try:
                change(folder, store)
                return taking.take(
                    folder, store, self.local, kept, manifest.made, manifest.kind, self.recipient
                )
            finally:
                store.close()

    def _note(self, **values: Any) -> None:
        update_backup_state(self.folder.root, **values)

    def note_problem(self, problem: str) -> None:
        """Write down what went wrong, for everybody who looks at the state."""
        self._note(problem=problem)

    def note_copied(self) -> None:
        """Write down that the journal's copy is up to date."""
        self._note(copied_at=datetime.now(UTC))

    def state(self) -> BackupState:
        """What is known."""
        return backup_state(self.folder.root)
