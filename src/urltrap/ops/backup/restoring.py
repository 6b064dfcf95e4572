"""Restoring: everything into a new folder beside the wanted one, compared, and only then put in its place."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from urltrap.ops.backup import database, pieces
from urltrap.ops.backup.errors import BackupError, DamagedError, RestoreRefusedError
from urltrap.ops.backup.manifest import FileEntry, Manifest
from urltrap.ops.backup.sealing import free_bytes, object_name, unseal
from urltrap.ops.backup.target import Target
from urltrap.ops.data_folder import DataFolder
from urltrap.store import cowrie_views
from urltrap.store.engine import explained

Step = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back: the backup used, rows per table, bytes of the journal's continuous copy, what was moved aside."""

    manifest: Manifest
    counts: dict[str, int]
    newer_bytes: int
    aside: Path | None


def extract(
    target: Target, manifest: Manifest, into: Path, identities: Sequence[Any], step: Step = lambda what: None
) -> None:
    """Unpack every file of a backup below `into` and check it against the manifest.

    Raises DamagedError, KeyNeededError or TargetError; the backup itself is never changed.
    """
    into.mkdir(mode=0o700, parents=True, exist_ok=True)
    if free_bytes(into) < manifest.size * 1.05:
        raise BackupError(
            f"{manifest.size / 1e6:.0f} MB are needed in {into.parent} and {free_bytes(into) / 1e6:.0f} MB are free; "
            "nothing was changed. Free some space or restore elsewhere with --into"
        )
    damaged: list[str] = []
    with tempfile.TemporaryDirectory(prefix=".urltrap-object-", dir=into) as name:
        for number, entry in enumerate(manifest.files):
            if number % 500 == 0:
                step(f"{number} of {len(manifest.files)} files")
            try:
                _extract(
                    target,
                    entry,
                    into / entry.path,
                    Path(name) / "object",
                    bool(manifest.encrypted_to),
                    identities,
                )
            except (DamagedError, FileNotFoundError) as error:
                reason = str(error) if isinstance(error, DamagedError) else "its object is missing"
                damaged.append(f"{entry.path}: {reason}")
    if damaged:
        raise DamagedError(
            f"{manifest.name}: {len(damaged)} of {len(manifest.files)} files are damaged or missing: "
            f"{'; '.join(damaged[:3])}. The other backups may be whole: urltrap backup verify "
            "tells which; restore one with --at TIME"
        )


def _extract(
    target: Target, entry: FileEntry, path: Path, packed: Path, encrypted: bool, identities: Sequence[Any]
) -> None:
    target.get(object_name(entry.object), packed)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(path, "wb") as out:
        os.chmod(path, 0o600)
        found = unseal(packed, out, encrypted, identities)
        out.flush()
        os.fsync(out.fileno())
    if found != (entry.sha256, entry.size):
        raise DamagedError("its content is not what the manifest says")
    os.chmod(path, entry.mode)
    os.utime(path, ns=(entry.mtime_ns, entry.mtime_ns))


def restore(
    target: Target,
    manifest: Manifest,
    into: Path,
    identities: Sequence[Any],
    *,
    store_url: Callable[[Path], str],
    force: bool = False,
    newest: bool = True,
    step: Step = lambda what: None,
) -> Restored:
    """Bring a backup back as the data folder `into`, with its database.

    `store_url`: from the restored folder, the database server to restore into ("" for SQLite in the folder).
    `newest`: also what the journal's continuous copy has beyond the backup. Whatever is at `into` is refused without
    `force`, and with it moved aside, never deleted. Raises BackupError kinds, with everything as it was.
    """
    into = into.absolute()
    _refuse(into, force)
    into.parent.mkdir(parents=True, exist_ok=True)
    work = into.parent / f".{into.name}.restoring"
    if work.exists():
        shutil.rmtree(work)  # of a restore that was interrupted
    with _only_us(into):
        try:
            step("files")
            extract(target, manifest, work, identities, step)
            newer = 0
            if newest:
                step("newest events")
                newer = pieces.apply(target, manifest, work / "journal", identities)
            _restore_database(manifest, work, store_url(work), force, step)
            aside = _put_in_place(work, into)
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            raise
    return Restored(manifest, manifest.database.counts, newer, aside)


def _restore_database(manifest: Manifest, work: Path, url: str, force: bool, step: Step) -> None:
    folder = DataFolder(work)
    for place in folder.folders:
        place.mkdir(mode=0o700, exist_ok=True)
    step("database")
    address = url
    if not url or url.startswith("sqlite"):
        address = f"sqlite:///{folder.database}"
    else:
        if not _is_empty(url, force):
            _try_elsewhere(manifest, work, url)
        _clear(url)
    database.load(manifest.database, work, address)
    step("comparing")
    database.compare(manifest.database, address)
    database.ensure_current(address)
    shutil.rmtree(work / "database")


def _refuse(into: Path, force: bool) -> None:
    if into.is_dir() and any(path.name != "backups" for path in into.iterdir()) and not force:
        raise RestoreRefusedError(
            f"{into} is not empty; nothing was changed. Restore elsewhere with --into DIR, or say --force: what "
            "is there is then moved aside, not deleted"
        )


@contextlib.contextmanager
def _only_us(into: Path) -> Iterator[None]:
    """Hold the lock of `urltrap up` where the folder has one."""
    path = into / "run" / "up.lock"
    if not path.exists():
        yield
        return
    with open(path, "r+b") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RestoreRefusedError(
                f"urltrap is running on {into}; nothing was changed. Stop it first, or restore elsewhere "
                "with --into DIR"
            ) from None
        yield


def _put_in_place(work: Path, into: Path) -> Path | None:
    if not into.exists():
        os.rename(work, into)
        return None
    aside = into.with_name(f"{into.name}.before-restore-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    os.rename(into, aside)
    os.rename(work, into)
    if (aside / "backups").is_dir():
        # The backups are not what was restored over; they stay where the settings say they are.
        (into / "backups").rmdir()
        os.rename(aside / "backups", into / "backups")
    if not any(aside.iterdir()):
        aside.rmdir()
        return None
    return aside


def _try_elsewhere(manifest: Manifest, work: Path, url: str) -> None:
    """Restore into a scratch database beside the one whose tables are to go: afterwards nothing is left of those."""
    try:
        with (
            tempfile.TemporaryDirectory(prefix=".urltrap-try-", dir=work) as name,
            database.scratch(manifest.database, Path(name), url) as scratch,
        ):
            database.load(manifest.database, work, scratch)
            database.compare(manifest.database, scratch)
    except BackupError as error:
        raise RestoreRefusedError(
            f"{error}. Nothing was changed: the tables that are there are dropped only once the backup was tried in a "
            "scratch database; or name an empty database with --database URL"
        ) from error


def _is_empty(url: str, force: bool) -> bool:
    """Whether a server's database has no tables; RestoreRefusedError where it has some and `force` was not given."""
    from sqlalchemy import create_engine, inspect

    engine = create_engine(url)
    label = engine.url.render_as_string(hide_password=True)
    try:
        with explained(label), engine.connect() as connection:
            tables = inspect(connection).get_table_names()
    finally:
        engine.dispose()
    if tables and not force:
        raise RestoreRefusedError(
            f"the database {label} has {len(tables)} tables; nothing was changed. Name an empty one with --database "
            "URL, or say --force, which drops its tables"
        )
    return not tables


def _clear(url: str) -> None:
    from sqlalchemy import create_engine, inspect

    engine = create_engine(url)
    try:
        with explained(engine.url.render_as_string(hide_password=True)), engine.begin() as connection:
            quote = connection.dialect.identifier_preparer.quote
            for view in inspect(connection).get_view_names():
                connection.exec_driver_sql(f"DROP VIEW IF EXISTS {quote(view)}")
            for table in inspect(connection).get_table_names():
                ending = " CASCADE" if connection.dialect.name == "postgresql" else ""
                connection.exec_driver_sql(f"DROP TABLE IF EXISTS {quote(table)}{ending}")
            cowrie_views.drop(connection)  # a function of theirs outlives its views
    finally:
        engine.dispose()
