"""Users, their log-ins, keys of the API, and the log of what was done."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

import urltrap.store.types as types

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_OPTIONS: dict[str, Any] = {
    "mariadb_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_engine": "InnoDB",
}


def upgrade() -> None:
    """Make the tables; nobody is in them."""
    op.create_table(
        "users",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("password_hash", types.LongText, nullable=False),
        sa.Column("totp", types.LongText, nullable=False),
        sa.Column("totp_step", sa.BigInteger(), nullable=False),
        sa.Column("created", types.Micros, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_users")),
        **_OPTIONS,
    )
    op.create_table(
        "user_sessions",
        sa.Column("token", types.Digest, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("created", types.Micros, nullable=False),
        sa.Column("used", types.Micros, nullable=False),
        sa.Column("address", sa.String(length=45), nullable=False),
        sa.Column("agent", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_user_sessions")),
        **_OPTIONS,
    )
    op.create_index(op.f("ix_user_sessions_name"), "user_sessions", ["name"], unique=False)
    op.create_index(op.f("ix_user_sessions_created"), "user_sessions", ["created"], unique=False)
    op.create_table(
        "login_waits",
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("key", types.Digest, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last", types.Micros, nullable=False),
        sa.Column("until", types.Micros, nullable=False),
        sa.PrimaryKeyConstraint("kind", "key", name=op.f("pk_login_waits")),
        **_OPTIONS,
    )
    op.create_index(op.f("ix_login_waits_last"), "login_waits", ["last"], unique=False)
    op.create_table(
        "api_keys",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("digest", types.Digest, nullable=False),
        sa.Column("scopes", sa.String(length=120), nullable=False),
        sa.Column("per_minute", sa.Integer(), nullable=False),
        sa.Column("created", types.Micros, nullable=False),
        sa.Column("used", types.Micros, nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_api_keys")),
        **_OPTIONS,
    )
    op.create_index(op.f("ix_api_keys_digest"), "api_keys", ["digest"], unique=True)
    op.create_table(
        "audit",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("at", types.Micros, nullable=False),
        sa.Column("who", sa.String(length=120), nullable=False),
        sa.Column("address", sa.String(length=45), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("subject", types.LongText, nullable=False),
        sa.Column("detail", types.LongText, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
        **_OPTIONS,
    )
    op.create_index(op.f("ix_audit_at_id"), "audit", ["at", "id"], unique=False)


def downgrade() -> None:
    """Drop them, and all accounts with them."""
    for name in ("audit", "api_keys", "login_waits", "user_sessions", "users"):
        op.drop_table(name)
