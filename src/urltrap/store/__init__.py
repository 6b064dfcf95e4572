"""The store: SQL schema and migrations, exactly-once intake of events, queries."""

from urltrap.store.engine import Store, newest_schema, open_store
from urltrap.store.errors import (
    StoreCorrupt,
    StoreError,
    StoreLocked,
    StoreNewer,
    StoreTaken,
    StoreUnavailable,
)

__all__ = [
    "Store",
    "StoreCorrupt",
    "StoreError",
    "StoreLocked",
    "StoreNewer",
    "StoreTaken",
    "StoreUnavailable",
    "newest_schema",
    "open_store",
]
