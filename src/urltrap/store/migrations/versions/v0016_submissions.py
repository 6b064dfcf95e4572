"""Submissions to services that look at URLs and payloads."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

import urltrap.store.types as types

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_OPTIONS: dict[str, Any] = {
    "mariadb_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_engine": "InnoDB",
}


def upgrade() -> None:
    """Make the table; nothing was submitted before."""
    op.create_table(
        "submissions",
        sa.Column("service", sa.String(length=40), nullable=False),
        sa.Column("subject_kind", sa.String(length=8), nullable=False),
        sa.Column("subject_sha256", sa.String(length=64), nullable=False),
        sa.Column("asked", types.Micros, nullable=False),
        sa.Column("subject", types.LongText, nullable=False),
        sa.Column("asked_by", sa.String(length=16), nullable=False),
        sa.Column("visibility", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("at", types.Micros, nullable=True),
        sa.Column("reference", sa.String(length=200), nullable=False),
        sa.Column("link", types.LongText, nullable=False),
        sa.Column("detail", types.LongText, nullable=False),
        sa.PrimaryKeyConstraint(
            "service", "subject_kind", "subject_sha256", "asked", name=op.f("pk_submissions")
        ),
        **_OPTIONS,
    )
    op.create_index(
        op.f("ix_submissions_subject_sha256_subject_kind"), "submissions", ["subject_sha256", "subject_kind"]
    )
    op.create_index(op.f("ix_submissions_state_service"), "submissions", ["state", "service"])


def downgrade() -> None:
    """Drop it: what was submitted stays so, and nobody knows it here any more."""
    op.drop_table("submissions")
