"""What we ask of our own accord, and whose question a capture was."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import urltrap.store.types as types

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table and the column; captures made before were attackers' questions."""
    op.create_table(
        "capture_tasks",
        sa.Column("url_key", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=8), nullable=False),
        sa.Column("client", sa.String(length=16), nullable=False),
        sa.Column("url", types.LongText, nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("origin", sa.String(length=64), nullable=False),
        sa.Column("session", sa.String(length=40), nullable=False),
        sa.Column("made", types.Micros(), nullable=False),
        sa.Column("asked", types.Micros(), nullable=True),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.PrimaryKeyConstraint("url_key", "purpose", "client", name=op.f("pk_capture_tasks")),
        mariadb_charset="utf8mb4",
        mariadb_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_engine="InnoDB",
    )
    op.create_index(
        op.f("ix_capture_tasks_host_purpose_made"),
        "capture_tasks",
        ["host", "purpose", "made"],
        unique=False,
    )
    op.create_index(op.f("ix_capture_tasks_origin"), "capture_tasks", ["origin"], unique=False)
    op.add_column(
        "captures", sa.Column("purpose", sa.String(length=8), server_default="attack", nullable=False)
    )
