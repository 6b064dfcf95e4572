"""Campaigns, tags of commands, what attackers did after checking the machine, classes of URLs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import urltrap.store.types as types

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables and columns, and make what is in the store already due for them."""
    op.create_table(
        "beliefs",
        sa.Column("session", sa.String(length=40), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("at", types.Micros(), nullable=False),
        sa.Column("answer", types.Blob, nullable=False),
        sa.Column("answer_sha256", sa.String(length=64), nullable=False),
        sa.Column("afterwards", sa.String(length=8), nullable=False),
        sa.Column("after_ms", sa.BigInteger(), nullable=False),
        sa.Column("commands_left", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("session", "seq", "name", name=op.f("pk_beliefs")),
        mariadb_charset="utf8mb4",
        mariadb_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_engine="InnoDB",
    )
    op.create_index(op.f("ix_beliefs_name_afterwards"), "beliefs", ["name", "afterwards"], unique=False)
    op.create_table(
        "campaign_members",
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("value_sha256", sa.String(length=64), nullable=False),
        sa.Column("value", types.LongText, nullable=False),
        sa.Column("campaign", sa.String(length=24), nullable=False),
        sa.Column("at", types.Micros(), nullable=False),
        sa.Column("why", types.LongText, nullable=False),
        sa.PrimaryKeyConstraint("kind", "value_sha256", name=op.f("pk_campaign_members")),
        mariadb_charset="utf8mb4",
        mariadb_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_engine="InnoDB",
    )
    op.create_index(
        op.f("ix_campaign_members_campaign_kind"), "campaign_members", ["campaign", "kind"], unique=False
    )
    op.create_table(
        "campaigns",
        sa.Column("id", sa.String(length=24), nullable=False),
        sa.Column("first_seen", types.Micros(), nullable=False),
        sa.Column("last_seen", types.Micros(), nullable=False),
        sa.Column("merged_into", sa.String(length=24), nullable=False),
        sa.Column("urls", sa.Integer(), server_default="0", nullable=False),
        sa.Column("payloads", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaigns")),
        mariadb_charset="utf8mb4",
        mariadb_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_engine="InnoDB",
    )
    op.create_index(op.f("ix_campaigns_last_seen_id"), "campaigns", ["last_seen", "id"], unique=False)
    op.create_table(
        "command_tags",
        sa.Column("session", sa.String(length=40), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("tag", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("session", "seq", "kind", "tag", name=op.f("pk_command_tags")),
        mariadb_charset="utf8mb4",
        mariadb_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_engine="InnoDB",
    )
    op.create_index(op.f("ix_command_tags_kind_tag"), "command_tags", ["kind", "tag"], unique=False)
    op.create_table(
        "payload_hashes",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("tlsh", sa.String(length=80), nullable=False),
        sa.Column("at", types.Micros(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_payload_hashes")),
        mariadb_charset="utf8mb4",
        mariadb_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_engine="InnoDB",
    )
    op.create_index(op.f("ix_payload_hashes_at"), "payload_hashes", ["at"], unique=False)
    op.create_table(
        "session_marks",
        sa.Column("session", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("value", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("session", "kind", "value", name=op.f("pk_session_marks")),
        mariadb_charset="utf8mb4",
        mariadb_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_engine="InnoDB",
    )
    op.create_index(op.f("ix_session_marks_kind_value"), "session_marks", ["kind", "value"], unique=False)
    op.add_column("urls", sa.Column("action", sa.String(length=24), server_default="", nullable=False))
    op.add_column("urls", sa.Column("family", sa.String(length=80), server_default="", nullable=False))
    op.add_column("urls", sa.Column("campaign", sa.String(length=24), server_default="", nullable=False))
    op.create_index(op.f("ix_urls_action"), "urls", ["action"], unique=False)
    op.create_index(op.f("ix_urls_campaign"), "urls", ["campaign"], unique=False)
    op.create_index(op.f("ix_urls_family"), "urls", ["family"], unique=False)
    op.add_column("verdicts", sa.Column("classes", types.LongText, nullable=True))
    sessions = sa.table("sessions", *map(sa.column, ("id", "started", "ended", "commands")))
    urls = sa.table("urls", sa.column("key", sa.String), *map(sa.column, ("first_seen", "held")))
    jobs = sa.table("jobs", *map(sa.column, ("stage", "subject", "due", "attempts", "error")))
    nothing = (sa.literal(0), sa.literal(""))
    for rows in (
        sa.select(sa.literal("conclude"), sessions.c.id, sessions.c.started, *nothing).where(
            sessions.c.ended.is_not(None), sessions.c.commands > 0
        ),
        sa.select(sa.literal("campaign"), sa.literal("url/") + urls.c.key, urls.c.first_seen, *nothing),
    ):
        op.execute(jobs.insert().from_select(["stage", "subject", "due", "attempts", "error"], rows))
