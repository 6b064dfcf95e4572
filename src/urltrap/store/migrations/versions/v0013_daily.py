"""Figures of whole days beside those of hours: what counts everything that ever was reads a fraction of the rows."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

import urltrap.store.types as types

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_OPTIONS: dict[str, Any] = {
    "mariadb_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_engine": "InnoDB",
}
_DAY = 24 * 3_600_000_000


def upgrade() -> None:
    """Make the table, and fill it with the sums of the hours."""
    op.create_table(
        "daily",
        sa.Column("day", types.Micros, nullable=False),
        sa.Column("sensor", sa.String(length=80), nullable=False),
        sa.Column("what", sa.String(length=24), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "sensor", "what", name=op.f("pk_daily")),
        **_OPTIONS,
    )
    hours = sa.table(
        "hourly",
        sa.column("hour", sa.BigInteger()),
        sa.column("sensor", sa.String()),
        sa.column("what", sa.String()),
        sa.column("n", sa.BigInteger()),
    )
    # As a literal: PostgreSQL takes an expression with parameters for another one in GROUP BY.
    day = (hours.c.hour - hours.c.hour % sa.literal_column(str(_DAY))).label("day")
    summed = sa.select(day, hours.c.sensor, hours.c.what, sa.func.sum(hours.c.n)).group_by(
        day, hours.c.sensor, hours.c.what
    )
    days = sa.table("daily", sa.column("day"), sa.column("sensor"), sa.column("what"), sa.column("n"))
    op.get_bind().execute(sa.insert(days).from_select(["day", "sensor", "what", "n"], summed))


def downgrade() -> None:
    """Drop it; the hours have it all."""
    op.drop_table("daily")
