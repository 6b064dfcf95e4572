"""`urltrap rebuild`: the store again, from journal and quarantine."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.exc import ArgumentError

from urltrap.intel.reputation import registry
from urltrap.model.settings import Settings
from urltrap.ops.backup.errors import BackupError
from urltrap.ops.backup.vault import Vault
from urltrap.ops.cli.common import (
    DEFAULT_DATA,
    CommandError,
    DataOption,
    app,
    console,
    console_err,
    open_folder,
)
from urltrap.ops.cli.run import only_one
from urltrap.ops.data_folder import DataFolder
from urltrap.pipeline.rebuilding import rebuild as rebuild_store
from urltrap.store import Store, StoreError, open_store, submissions
from urltrap.store.accounts.carrying import carry, leave
from urltrap.store.compare import checksum, row_counts, tables_of
from urltrap.store.queries import overview as overview_queries

_RECORDED = (
    "attacker_sessions", "events", "logins", "commands", "program_runs", "files", "recordings", "sightings", "captures",
)  # fmt: skip
"""Tables of what happened, which are the same however often they are made."""


@app.command()
def rebuild(
    data: DataOption = DEFAULT_DATA,
    database: Annotated[
        str, typer.Option("--database", help="an empty database to make it in; needed where store.url is set")
    ] = "",
) -> None:
    """Make the store anew from the journal and the quarantine and compare; the old one is kept beside it."""
    folder, settings = open_folder(data)
    if settings.store.url and not database:
        raise CommandError(
            "store.url names a database server, whose tables are left as they are: name an empty database that the "
            "store is made in, urltrap rebuild --database URL, and point store.url to it afterwards"
        )
    fresh = folder.database.with_suffix(".db.rebuilding")
    with only_one(folder):
        for left in folder.root.glob(fresh.name + "*"):
            left.unlink()
        try:
            store = open_store(database or f"sqlite:///{fresh}")
            try:
                said = _rebuilt(folder, settings, store)
                label = store.label
            finally:
                store.close()
        except (StoreError, ArgumentError) as error:
            raise CommandError(str(error)) from error
        if database:
            where = f"set store.url to {label} and start urltrap up; the database as it was was not changed"
        else:
            kept = folder.database.with_suffix(f".db.before-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}")
            where = f"the store as it was: {kept.name}"
            for ending in ("", "-wal", "-shm"):
                old = folder.root / (folder.database.name + ending)
                if old.exists():
                    old.rename(folder.root / (kept.name + ending))
                new = folder.root / (fresh.name + ending)
                if new.exists():
                    new.rename(old)
    console.print(f"{said}\n{where}", highlight=False, markup=False, soft_wrap=True)


def _rebuilt(folder: DataFolder, settings: Settings, store: Store) -> str:
    with store.connect() as connection:
        there = [name for name, count in row_counts(connection).items() if count]
    if there:
        raise CommandError(
            f"{store.label} is not empty (rows in {', '.join(there[:5])}); nothing was changed. Name an empty database"
        )
    with console_err.status("reading the journal"):
        rebuild_store(settings, folder.root, store)
    counters = overview_queries.counters(store, datetime.now(UTC))
    told = _take_along(folder, settings, store)
    store.flush()
    return (
        f"rebuilt: {counters.sessions:,} sessions, {counters.commands:,} commands, {counters.urls:,} URLs, "
        f"{counters.artifacts:,} artifacts\n{told}"
    )


def _take_along(folder: DataFolder, settings: Settings, fresh: Store) -> str:
    """Users, keys and submissions, which are in no journal, come from the store as it was, or from the newest backup
    where that cannot be read. The store as it was is compared with the new one, too; what to say of both."""
    if not settings.store.url and not folder.database.is_file():
        return _from_backup(folder, settings, fresh, "there was no store before")
    unread = "the store as it was cannot be read and compared"
    try:
        before = open_store(folder.store_url(settings.store.url))
    except StoreError as error:
        return _from_backup(folder, settings, fresh, f"{unread} ({error})" if settings.store.url else unread)
    try:
        told = ""
        try:
            _carry(before, fresh)
        except StoreError:
            leave(fresh)
            told = _from_backup(folder, settings, fresh, "users of the store as it was cannot be read") + "\n"
        try:
            return told + _compared(before, fresh)
        except StoreError:
            return told + unread
    finally:
        before.close()


def _from_backup(folder: DataFolder, settings: Settings, fresh: Store, why: str) -> str:
    none = "there are no users and keys: make them anew (urltrap user add, urltrap key add)"
    with tempfile.TemporaryDirectory(prefix="urltrap-rebuild-", dir=folder.root) as scratch:
        try:
            found = Vault(folder, settings).newest_database(Path(scratch))
            if found is None:
                return f"{why}; there is no backup that can be read here, and {none}"
            manifest, path = found
            before = open_store(str(path))
            try:
                _carry(before, fresh)
            finally:
                before.close()
        except (BackupError, StoreError) as error:
            leave(fresh)
            return f"{why}; {error}; {none}"
    return (
        f"{why}; users, keys and submissions are those of the backup of {manifest.made:%Y-%m-%d %H:%M:%S} UTC"
    )


def _carry(before: Store, fresh: Store) -> None:
    carry(before, fresh)
    queues = {service.to: service.name for service in registry.submitters()}
    submissions.carry(before, fresh, queues, datetime.now(UTC))


def _compared(before: Store, fresh: Store) -> str:
    """What the journal says of the recorded tables, beside what the store said."""
    with before.connect() as old, fresh.connect() as new:
        was, now = row_counts(old, _RECORDED), row_counts(new, _RECORDED)
        equal, differ = 0, []
        for table in tables_of(new):
            if table.name not in _RECORDED:
                continue
            if was[table.name] == now[table.name] and checksum(old, table) == checksum(new, table):
                equal += now[table.name]
            else:
                differ.append(f"{table.name} {now[table.name]:,} rows, before {was[table.name]:,}")
    if not differ:
        return f"compared with the store as it was: equal, {equal:,} recorded rows"
    return (
        f"compared with the store as it was: {', '.join(differ)}; {equal:,} recorded rows are equal. Fewer are those "
        "that the journal has no more (journal.keep_days, damage), more are those that had aged (retention)"
    )
