"""Countries and networks among the daily figures, counted from what is known per place."""

from __future__ import annotations

import hashlib
from collections import Counter

import sqlalchemy as sa
from alembic import op

import urltrap.store.types as types

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_PART = 2000


def upgrade() -> None:
    """Fill them; sums of days are made anew by the next start of the pipeline."""
    connection = op.get_bind()
    places = sa.table("places", *map(sa.column, ("day", "country", "asn", "n")))
    counted: Counter[tuple[int, str, bytes]] = Counter()
    for day, country, asn, n in connection.execute(sa.select(places)):
        counted[day, "country", country.encode()] += n
        if asn:
            counted[day, "network", b"%d" % asn] += n
    tallies = sa.table(
        "tallies", sa.column("day"), sa.column("what"), sa.column("key", types.Digest),
        sa.column("value", sa.LargeBinary()), sa.column("second", sa.LargeBinary()), sa.column("n"),
    )  # fmt: skip
    rows = [
        {"day": day, "what": what, "key": _key(value), "value": value, "second": b"", "n": n}
        for (day, what, value), n in counted.items()
    ]
    for start in range(0, len(rows), _PART):
        connection.execute(tallies.insert(), rows[start : start + _PART])
    _unsum()


def downgrade() -> None:
    """Take them out again."""
    op.execute("DELETE FROM tallies WHERE what IN ('country', 'network')")
    _unsum()


def _unsum() -> None:
    op.execute("DELETE FROM spans")
    op.execute("DELETE FROM facts WHERE name LIKE 'spans.%'")


def _key(value: bytes) -> bytes:
    return hashlib.sha256(len(value).to_bytes(8, "big") + value).digest()
