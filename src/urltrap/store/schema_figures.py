"""Figures that are kept while writing, so that pages never scan: who keeps which is said in `rollups` and `spans`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, SmallInteger, String

from urltrap.store.tables import need, table
from urltrap.store.types import Blob, Digest, Micros

hourly = table(
    "hourly",
    need("hour", Micros, primary_key=True),
    need("sensor", String(80), primary_key=True),
    need("what", String(24), primary_key=True),
    need("n", BigInteger),
)

daily = table(  # sums of `hourly`
    "daily",
    need("day", Micros, primary_key=True),
    need("sensor", String(80), primary_key=True),
    need("what", String(24), primary_key=True),
    need("n", BigInteger),
)

tallies = table(
    "tallies",
    need("day", Micros, primary_key=True),
    need("what", String(16), primary_key=True),
    need("key", Digest, primary_key=True),
    need("value", Blob),
    need("second", Blob),
    need("n", BigInteger),
    Index(None, "what", "key"),
    Index(None, "what", "day", "n"),
)

places = table(  # sessions per day; the day 1970-01-01 stands for all time
    "places",
    need("day", Micros, primary_key=True),
    need("country", String(2), primary_key=True),
    need("asn", BigInteger, primary_key=True, autoincrement=False),  # 0: unknown
    need("n", BigInteger),
)

spans = table(  # tallies of the last whole days, summed
    "spans",
    need("days", SmallInteger, primary_key=True, autoincrement=False),
    need("what", String(16), primary_key=True),
    need("key", Digest, primary_key=True),
    need("n", BigInteger),
    Index(None, "days", "what", "n"),
)

words = table(  # values of tallies, each once
    "words",
    need("what", String(16), primary_key=True),
    need("key", Digest, primary_key=True),
    need("value", Blob),
)

missing = table(  # programs that attackers asked for in vain; under the outcome "ran" and the like, their number alone
    "missing",
    need("outcome", String(20), primary_key=True),
    need("key", Digest, primary_key=True),
    need("name", Blob),
    need("n", BigInteger),
    need("sessions", BigInteger),
    Index(None, "n"),
)
