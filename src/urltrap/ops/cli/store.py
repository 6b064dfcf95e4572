"""Opening the store for a command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from urltrap.model.settings import Settings
from urltrap.ops.cli.common import CommandError, open_folder
from urltrap.ops.data_folder import running
from urltrap.store import Store, StoreError, open_store


@contextmanager
def opened_store(data: Path) -> Iterator[tuple[Store, Settings]]:
    """The store of a data folder, closed afterwards; CommandError with the store's own words on failure.

    Its schema is brought up to date unless urltrap runs on it: that may be an older one, which could not go on.
    """
    folder, settings = open_folder(data)
    try:
        store = open_store(folder.store_url(settings.store.url), migrate=running(folder) is None)
        try:
            yield store, settings
        finally:
            store.close()
    except StoreError as error:
        raise CommandError(str(error)) from error
