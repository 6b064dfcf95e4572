"""The table of what we ask of our own accord: retries, other clients, siblings."""

from __future__ import annotations

from sqlalchemy import Column, Index, String

from urltrap.store.tables import HASH, count, need, table
from urltrap.store.types import LongText, Micros

capture_tasks = (
    table(  # due when its job of the stage `errand` is; kept afterwards as the memory of what was asked
        "capture_tasks",
        need("url_key", HASH, primary_key=True),
        need("purpose", String(8), primary_key=True),  # retry, client, sibling
        need("client", String(16), primary_key=True),  # of a `client`: wget, curl, busybox-wget; else empty
        need("url", LongText),
        need("host", String(255)),
        need("origin", HASH),  # the URL that made us ask
        need("session", String(40)),  # whose visit it is for; empty: nobody's
        need("made", Micros),
        Column("asked", Micros),
        count("tries"),
        need("outcome", String(20)),  # of the newest asking; empty: not asked yet
        Index(None, "host", "purpose", "made"),
        Index(None, "origin"),
    )
)
