"""Look-ups with their quotas and breakers, reverse names, labels, leads, liveness."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import urltrap.store.types as types

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, and room for the date that a provider states."""
    op.create_table(
        "address_labels",
        sa.Column("address", sa.String(length=45), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("list", sa.String(length=80), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("at", types.Micros(), nullable=False),
        sa.Column("expires", types.Micros(), nullable=False),
        sa.PrimaryKeyConstraint("address", "kind", "list", name=op.f("pk_address_labels")),
        mariadb_charset="utf8mb4",
        mariadb_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_engine="InnoDB",
    )
    op.create_index(op.f("ix_address_labels_expires"), "address_labels", ["expires"], unique=False)
    op.create_index(op.f("ix_address_labels_kind"), "address_labels", ["kind"], unique=False)
    op.create_table(
        "leads",
        sa.Column("url_key", sa.String(length=64), nullable=False),
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column("first_seen", types.Micros(), nullable=False),
        sa.Column("listed", types.Micros(), nullable=False),
        sa.Column("basis", sa.String(length=10), nullable=False),
        sa.Column("seconds", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("url_key", "provider", name=op.f("pk_leads")),
        mariadb_charset="utf8mb4",
        mariadb_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_engine="InnoDB",
    )
    op.create_index(op.f("ix_leads_provider_seconds"), "leads", ["provider", "seconds"], unique=False)
    op.create_table(
        "liveness",
        sa.Column("url_key", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("first_online", types.Micros(), nullable=True),
        sa.Column("last_online", types.Micros(), nullable=True),
        sa.Column("gone", types.Micros(), nullable=True),
        sa.Column("checked", types.Micros(), nullable=False),
        sa.Column("checks", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next", types.Micros(), nullable=True),
        sa.PrimaryKeyConstraint("url_key", name=op.f("pk_liveness")),
        mariadb_charset="utf8mb4",
        mariadb_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_engine="InnoDB",
    )
    op.create_index(op.f("ix_liveness_state"), "liveness", ["state"], unique=False)
    op.create_table(
        "lookups",
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column("subject_kind", sa.String(length=8), nullable=False),
        sa.Column("subject_sha256", sa.String(length=64), nullable=False),
        sa.Column("subject", types.LongText, nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("due", types.Micros(), nullable=False),
        sa.Column("wanted", types.Micros(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("negatives", sa.Integer(), server_default="0", nullable=False),
        sa.Column("worker", sa.String(length=64), nullable=False),
        sa.Column("asked", types.Micros(), nullable=True),
        sa.Column("error", types.LongText, nullable=False),
        sa.PrimaryKeyConstraint("provider", "subject_kind", "subject_sha256", name=op.f("pk_lookups")),
        mariadb_charset="utf8mb4",
        mariadb_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_engine="InnoDB",
    )
    op.create_index(
        op.f("ix_lookups_provider_state_priority_due"),
        "lookups",
        ["provider", "state", "priority", "due"],
        unique=False,
    )
    op.create_index(op.f("ix_lookups_state_due"), "lookups", ["state", "due"], unique=False)
    op.create_table(
        "names",
        sa.Column("address", sa.String(length=45), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("confirmed", sa.Boolean(), nullable=False),
        sa.Column("domain", sa.String(length=255), nullable=False),
        sa.Column("at", types.Micros(), nullable=False),
        sa.Column("expires", types.Micros(), nullable=False),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_names")),
        mariadb_charset="utf8mb4",
        mariadb_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_engine="InnoDB",
    )
    op.create_index(op.f("ix_names_domain"), "names", ["domain"], unique=False)
    op.create_index(op.f("ix_names_expires"), "names", ["expires"], unique=False)
    op.create_table(
        "provider_breakers",
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("trips", sa.Integer(), server_default="0", nullable=False),
        sa.Column("until", types.Micros(), nullable=True),
        sa.Column("reason", types.LongText, nullable=False),
        sa.Column("config", sa.String(length=16), nullable=False),
        sa.Column("changed", types.Micros(), nullable=False),
        sa.PrimaryKeyConstraint("provider", name=op.f("pk_provider_breakers")),
        mariadb_charset="utf8mb4",
        mariadb_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_engine="InnoDB",
    )
    op.create_table(
        "provider_windows",
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column("span", sa.String(length=8), nullable=False),
        sa.Column("starts", types.Micros(), nullable=False),
        sa.Column("used", sa.Integer(), server_default="0", nullable=False),
        sa.Column("most", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("provider", "span", name=op.f("pk_provider_windows")),
        mariadb_charset="utf8mb4",
        mariadb_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_engine="InnoDB",
    )
    op.add_column("observations", sa.Column("since", types.Micros(), nullable=True))
