"""What everyone may see, and what everyone may send us: disputes, which are derived from nothing."""

from __future__ import annotations

from sqlalchemy import Column, Index, String

from urltrap.store.tables import HASH, need, table
from urltrap.store.types import LongText, Micros

publications = table(  # URLs that independent sources showed: those alone are for everyone
    "publications",
    need("url_key", HASH, primary_key=True),
    need("after", Micros),
    need("first", Micros),  # whole days
    need("last", Micros),
    need(
        "told", LongText
    ),  # JSON of what hangs on sessions: verdict, confidence, reasons, delivery, techniques
    Index(None, "last", "url_key"),
)

disputes = table(
    "disputes",
    need("id", String(26), primary_key=True),
    need("at", Micros),
    need("kind", String(12)),  # url, host, payload, other
    need("subject", LongText),  # as it was written
    need("contact", LongText),
    need("text", LongText),
    need("state", String(12)),  # open, upheld, refused
    Column("decided_at", Micros),
    need("decided_by", String(120)),
    need("answer", LongText),
    Index(None, "state", "at", "id"),
)
