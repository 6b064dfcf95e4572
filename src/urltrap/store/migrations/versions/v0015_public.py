"""Which URLs are for everyone, from when on; disputes of what was published."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

import urltrap.store.types as types

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_OPTIONS: dict[str, Any] = {
    "mariadb_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_engine": "InnoDB",
}


def upgrade() -> None:
    """Make the tables; the pipeline judges what is malicious once more and fills the first."""
    op.create_table(
        "publications",
        sa.Column("url_key", sa.String(length=64), nullable=False),
        sa.Column("after", types.Micros, nullable=False),
        sa.Column("first", types.Micros, nullable=False),
        sa.Column("last", types.Micros, nullable=False),
        sa.Column("told", types.LongText, nullable=False),
        sa.PrimaryKeyConstraint("url_key", name=op.f("pk_publications")),
        **_OPTIONS,
    )
    op.create_index(op.f("ix_publications_last_url_key"), "publications", ["last", "url_key"], unique=False)
    op.create_table(
        "disputes",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("at", types.Micros, nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("subject", types.LongText, nullable=False),
        sa.Column("contact", types.LongText, nullable=False),
        sa.Column("text", types.LongText, nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("decided_at", types.Micros, nullable=True),
        sa.Column("decided_by", sa.String(length=120), nullable=False),
        sa.Column("answer", types.LongText, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disputes")),
        **_OPTIONS,
    )
    op.create_index(op.f("ix_disputes_state_at_id"), "disputes", ["state", "at", "id"], unique=False)


def downgrade() -> None:
    """Drop them, and all disputes with them."""
    op.drop_table("disputes")
    op.drop_table("publications")
