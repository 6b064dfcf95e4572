"""Sums of the last days, and programs asked for in vain by name: filled from what the store has."""

from __future__ import annotations

import hashlib
from typing import Any

import sqlalchemy as sa
from alembic import op

import urltrap.store.types as types

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_OPTIONS: dict[str, Any] = {
    "mariadb_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_engine": "InnoDB",
}
_MISSED = ("not-found", "not-executable", "not-implemented")
_PART = 2000


def upgrade() -> None:
    """Make both tables. The sums are made by the first start of the pipeline."""
    op.create_table(
        "spans",
        sa.Column("days", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("key", types.Digest, nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("days", "what", "key", name=op.f("pk_spans")),
        **_OPTIONS,
    )
    op.create_index(op.f("ix_spans_days_what_n"), "spans", ["days", "what", "n"], unique=False)
    op.create_table(
        "missing",
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("key", types.Digest, nullable=False),
        sa.Column("name", types.Blob, nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("sessions", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("outcome", "key", name=op.f("pk_missing")),
        **_OPTIONS,
    )
    op.create_index(op.f("ix_missing_n"), "missing", ["n"], unique=False)
    _fill(op.get_bind())


def downgrade() -> None:
    """Take both away; they are sums of what the store has besides."""
    op.drop_table("missing")
    op.drop_table("spans")
    op.execute("DELETE FROM facts WHERE name LIKE 'spans.%'")


def _fill(connection: sa.Connection) -> None:
    runs = sa.table(
        "program_runs", sa.column("session"), sa.column("name", sa.LargeBinary()), sa.column("outcome")
    )
    count = sa.func.count()
    rows = [
        {"outcome": row.outcome, "key": _key(b""), "name": b"", "n": row.n, "sessions": 0}
        for row in connection.execute(
            sa.select(runs.c.outcome, count.label("n"))
            .where(runs.c.outcome.not_in(_MISSED))
            .group_by(runs.c.outcome)
        )
    ]
    missed = (
        sa.select(
            runs.c.outcome,
            runs.c.name,
            count.label("n"),
            sa.func.count(runs.c.session.distinct()).label("sessions"),
        )
        .where(runs.c.outcome.in_(_MISSED))
        .group_by(runs.c.outcome, runs.c.name)
    )
    rows += [
        {
            "outcome": row.outcome,
            "key": _key(row.name),
            "name": row.name,
            "n": row.n,
            "sessions": row.sessions,
        }
        for row in connection.execute(missed)
    ]
    missing = sa.table(
        "missing", sa.column("outcome"), sa.column("key", types.Digest), sa.column("name", sa.LargeBinary()),
        sa.column("n"), sa.column("sessions"),
    )  # fmt: skip
    for start in range(0, len(rows), _PART):
        connection.execute(missing.insert(), rows[start : start + _PART])


def _key(name: bytes) -> bytes:
    return hashlib.sha256(len(name).to_bytes(8, "big") + name).digest()
