"""What can go wrong with the store, each with what to do next."""

from __future__ import annotations


class StoreError(Exception):
    """The store cannot be used; the message says why and what to do. It never holds a password."""


class StoreLocked(StoreError):
    """Another process holds the write lock for longer than we wait."""


class StoreCorrupt(StoreError):
    """The database file is damaged or is no database."""


class StoreUnavailable(StoreError):
    """The database cannot be reached or opened now; trying again later may help."""


class StoreTaken(StoreError):
    """The store is another installation's."""


class StoreNewer(StoreError):
    """The schema was made by a newer urltrap than this one."""
