"""`urltrap rebuild`: the store again, from journal and quarantine."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from urltrap.intel.reputation import registry
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
from urltrap.pipeline.rebuilding import rebuild as rebuild_store
from urltrap.store import Store, StoreError, open_store, submissions
from urltrap.store.accounts.carrying import carry
from urltrap.store.queries import overview as overview_queries


@app.command()
def rebuild(data: DataOption = DEFAULT_DATA) -> None:
    """Make the store anew from the journal and the quarantine; the old one is kept beside it."""
    folder, settings = open_folder(data)
    if settings.store.url:
        raise CommandError(
            "store.url names a database server: make an empty database there, point store.url to it, and start "
            "urltrap up; it fills from the journal by itself. Users, keys and the log of what was done are in no "
            "journal: make them anew (urltrap user add, urltrap key add), or take everything along with urltrap db "
            "move --to URL, where the old database can still be read"
        )
    fresh = folder.database.with_suffix(".db.rebuilding")
    with only_one(folder):
        for left in folder.root.glob(fresh.name + "*"):
            left.unlink()
        try:
            store = open_store(f"sqlite:///{fresh}")
            try:
                with console_err.status("reading the journal"):
                    rebuild_store(settings, folder.root, store)
                counters = overview_queries.counters(store, datetime.now(UTC))
                _take_along(folder.database, store)
                store.flush()
            finally:
                store.close()
        except StoreError as error:
            raise CommandError(str(error)) from error
        kept = folder.database.with_suffix(f".db.before-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
        for ending in ("", "-wal", "-shm"):
            old = folder.root / (folder.database.name + ending)
            if old.exists():
                old.rename(folder.root / (kept.name + ending))
            new = folder.root / (fresh.name + ending)
            if new.exists():
                new.rename(old)
    console.print(
        f"rebuilt: {counters.sessions:,} sessions, {counters.commands:,} commands, {counters.urls:,} URLs, "
        f"{counters.artifacts:,} artifacts; the store as it was: {kept.name}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def _take_along(database: Path, fresh: Store) -> None:
    """Users, keys and submissions are in no journal: they come from the store as it was, where that can be read."""
    if not database.is_file():
        return
    try:
        before = open_store(str(database))
        try:
            carry(before, fresh)
            queues = {service.to: service.name for service in registry.submitters()}
            submissions.carry(before, fresh, queues, datetime.now(UTC))
        finally:
            before.close()
    except StoreError as error:
        console_err.print(
            f"users, keys and submissions could not be taken along ({error}); make users and keys anew: "
            "`urltrap user add`, `urltrap key add`",
            markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip
