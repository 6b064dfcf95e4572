"""The first schema."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

import urltrap.store.types as types

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


_TABLE: dict[str, Any] = {
    "mariadb_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_engine": "InnoDB",
}
"""What MariaDB and MySQL are told of every table."""


def upgrade() -> None:
    """Make all tables."""

    op.create_table(
        "addresses",
        sa.Column("address", sa.String(length=45), nullable=False),
        sa.Column("first_seen", types.Micros(), nullable=False),
        sa.Column("last_seen", types.Micros(), nullable=False),
        sa.Column("sessions", sa.Integer(), server_default="0", nullable=False),
        sa.Column("shed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("city", sa.String(length=120), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("asn", sa.BigInteger(), nullable=True),
        sa.Column("network", sa.String(length=250), nullable=False),
        sa.Column("place_sources", types.Json(), nullable=False),
        sa.Column("place_version", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_addresses")),
        **_TABLE,
    )
    op.create_index(op.f("ix_addresses_asn"), "addresses", ["asn"], unique=False)
    op.create_index(op.f("ix_addresses_country"), "addresses", ["country"], unique=False)
    op.create_index(op.f("ix_addresses_place_version"), "addresses", ["place_version"], unique=False)
    op.create_index(op.f("ix_addresses_sessions"), "addresses", ["sessions"], unique=False)
    op.create_table(
        "artifacts",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("first_seen", types.Micros(), nullable=False),
        sa.Column("last_seen", types.Micros(), nullable=False),
        sa.Column("times", sa.Integer(), server_default="0", nullable=False),
        sa.Column("via", sa.String(length=16), nullable=False),
        sa.Column("md5", sa.String(length=32), nullable=False),
        sa.Column("sha1", sa.String(length=40), nullable=False),
        sa.Column("mime", sa.String(length=190), nullable=False),
        sa.Column("description", types.LongText, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("architecture", sa.String(length=40), nullable=False),
        sa.Column("analysis", types.Json(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_artifacts")),
        **_TABLE,
    )
    op.create_index(op.f("ix_artifacts_kind"), "artifacts", ["kind"], unique=False)
    op.create_index(op.f("ix_artifacts_last_seen_sha256"), "artifacts", ["last_seen", "sha256"], unique=False)
    op.create_table(
        "captures",
        sa.Column("session", sa.String(length=40), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("url_key", sa.String(length=64), nullable=False),
        sa.Column("at", types.Micros(), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("for_session", sa.String(length=40), nullable=False),
        sa.Column("body", types.Blob, nullable=False),
        sa.PrimaryKeyConstraint("session", "seq", name=op.f("pk_captures")),
        **_TABLE,
    )
    op.create_index(op.f("ix_captures_at"), "captures", ["at"], unique=False)
    op.create_index(op.f("ix_captures_sha256"), "captures", ["sha256"], unique=False)
    op.create_index(op.f("ix_captures_url_key_at"), "captures", ["url_key", "at"], unique=False)
    op.create_table(
        "commands",
        sa.Column("session", sa.String(length=40), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", types.Micros(), nullable=False),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.Column("text", types.Blob, nullable=False),
        sa.Column("text_sha256", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("session", "seq", name=op.f("pk_commands")),
        **_TABLE,
    )
    op.create_index(op.f("ix_commands_at"), "commands", ["at"], unique=False)
    op.create_index(op.f("ix_commands_text_sha256"), "commands", ["text_sha256"], unique=False)
    op.create_table(
        "dead_letters",
        sa.Column("writer", sa.String(length=190), nullable=False),
        sa.Column("segment", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=80), nullable=False),
        sa.Column("error", types.LongText, nullable=False),
        sa.Column("record", types.Blob, nullable=False),
        sa.Column("at", types.Micros(), nullable=False),
        sa.PrimaryKeyConstraint("writer", "segment", "offset", name=op.f("pk_dead_letters")),
        **_TABLE,
    )
    op.create_table(
        "decisions",
        sa.Column("session", sa.String(length=40), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", types.Micros(), nullable=False),
        sa.Column("by", types.LongText, nullable=False),
        sa.Column("subject_sha256", sa.String(length=64), nullable=False),
        sa.Column("subject", types.LongText, nullable=False),
        sa.Column("decision", types.LongText, nullable=False),
        sa.Column("reason", types.LongText, nullable=False),
        sa.PrimaryKeyConstraint("session", "seq", name=op.f("pk_decisions")),
        **_TABLE,
    )
    op.create_index(op.f("ix_decisions_subject_sha256"), "decisions", ["subject_sha256"], unique=False)
    op.create_table(
        "events",
        sa.Column("session", sa.String(length=40), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("at", types.Micros(), nullable=False),
        sa.Column("body", types.Blob, nullable=False),
        sa.PrimaryKeyConstraint("session", "seq", name=op.f("pk_events")),
        **_TABLE,
    )
    op.create_table(
        "facts",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("value", types.LongText, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_facts")),
        **_TABLE,
    )
    op.create_table(
        "files",
        sa.Column("session", sa.String(length=40), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", types.Micros(), nullable=False),
        sa.Column("via", sa.String(length=16), nullable=False),
        sa.Column("path", types.Blob, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mode", sa.Integer(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("session", "seq", name=op.f("pk_files")),
        **_TABLE,
    )
    op.create_index(op.f("ix_files_sha256"), "files", ["sha256"], unique=False)
    op.create_table(
        "floods",
        sa.Column("session", sa.String(length=40), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sensor", sa.String(length=80), nullable=False),
        sa.Column("src_ip", sa.String(length=45), nullable=False),
        sa.Column("since", types.Micros(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("session", "seq", name=op.f("pk_floods")),
        **_TABLE,
    )
    op.create_index(op.f("ix_floods_since"), "floods", ["since"], unique=False)
    op.create_table(
        "forwards",
        sa.Column("session", sa.String(length=40), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", types.Micros(), nullable=False),
        sa.Column("direction", sa.String(length=16), nullable=False),
        sa.Column("host", types.Blob, nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("first_bytes", types.Blob, nullable=False),
        sa.PrimaryKeyConstraint("session", "seq", name=op.f("pk_forwards")),
        **_TABLE,
    )
    op.create_table(
        "hourly",
        sa.Column("hour", types.Micros(), nullable=False),
        sa.Column("sensor", sa.String(length=80), nullable=False),
        sa.Column("what", sa.String(length=24), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hour", "sensor", "what", name=op.f("pk_hourly")),
        **_TABLE,
    )
    op.create_table(
        "jobs",
        sa.Column("stage", sa.String(length=20), nullable=False),
        sa.Column("subject", sa.String(length=190), nullable=False),
        sa.Column("due", types.Micros(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", types.LongText, nullable=False),
        sa.PrimaryKeyConstraint("stage", "subject", name=op.f("pk_jobs")),
        **_TABLE,
    )
    op.create_index(op.f("ix_jobs_stage_due"), "jobs", ["stage", "due"], unique=False)
    op.create_table(
        "logins",
        sa.Column("session", sa.String(length=40), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", types.Micros(), nullable=False),
        sa.Column("method", sa.String(length=24), nullable=False),
        sa.Column("username", types.Blob, nullable=False),
        sa.Column("password", types.Blob, nullable=True),
        sa.Column("public_key", types.LongText, nullable=False),
        sa.Column("key_fingerprint", sa.String(length=128), nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("session", "seq", name=op.f("pk_logins")),
        **_TABLE,
    )
    op.create_index(op.f("ix_logins_at"), "logins", ["at"], unique=False)
    op.create_table(
        "observations",
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column("subject_kind", sa.String(length=8), nullable=False),
        sa.Column("subject_sha256", sa.String(length=64), nullable=False),
        sa.Column("subject", types.LongText, nullable=False),
        sa.Column("at", types.Micros(), nullable=False),
        sa.Column("result", sa.String(length=12), nullable=False),
        sa.Column("detail", types.LongText, nullable=False),
        sa.Column("tags", types.Json(), nullable=False),
        sa.Column("reference", types.LongText, nullable=False),
        sa.Column("first_listed", types.Micros(), nullable=True),
        sa.PrimaryKeyConstraint("provider", "subject_kind", "subject_sha256", name=op.f("pk_observations")),
        **_TABLE,
    )
    op.create_index(op.f("ix_observations_subject_sha256"), "observations", ["subject_sha256"], unique=False)
    op.create_table(
        "program_runs",
        sa.Column("session", sa.String(length=40), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", types.Blob, nullable=False),
        sa.Column("argv", types.Blob, nullable=False),
        sa.Column("path", types.LongText, nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("session", "seq", name=op.f("pk_program_runs")),
        **_TABLE,
    )
    op.create_table(
        "recordings",
        sa.Column("session", sa.String(length=40), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("channel", sa.Integer(), nullable=False),
        sa.Column("frames", types.Blob, nullable=False),
        sa.PrimaryKeyConstraint("session", "seq", name=op.f("pk_recordings")),
        **_TABLE,
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("sensor", sa.String(length=80), nullable=False),
        sa.Column("protocol", sa.String(length=16), nullable=False),
        sa.Column("src_ip", sa.String(length=45), nullable=False),
        sa.Column("src_port", sa.Integer(), nullable=False),
        sa.Column("dst_ip", sa.String(length=45), nullable=False),
        sa.Column("dst_port", sa.Integer(), nullable=False),
        sa.Column("persona", sa.String(length=80), nullable=False),
        sa.Column("connected", sa.Boolean(), nullable=False),
        sa.Column("started", types.Micros(), nullable=False),
        sa.Column("ended", types.Micros(), nullable=True),
        sa.Column("duration_ms", sa.BigInteger(), nullable=True),
        sa.Column("classed", sa.String(length=16), nullable=False),
        sa.Column("client", types.Blob, nullable=False),
        sa.Column("hassh", sa.String(length=32), nullable=False),
        sa.Column("hassh_algorithms", types.LongText, nullable=False),
        sa.Column("username", types.Blob, nullable=True),
        sa.Column("password", types.Blob, nullable=True),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("login_tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("commands", sa.Integer(), server_default="0", nullable=False),
        sa.Column("programs", sa.Integer(), server_default="0", nullable=False),
        sa.Column("urls", sa.Integer(), server_default="0", nullable=False),
        sa.Column("downloads", sa.Integer(), server_default="0", nullable=False),
        sa.Column("uploads", sa.Integer(), server_default="0", nullable=False),
        sa.Column("artifacts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("forwards", sa.Integer(), server_default="0", nullable=False),
        sa.Column("malformed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("bytes_in", sa.BigInteger(), nullable=True),
        sa.Column("bytes_out", sa.BigInteger(), nullable=True),
        sa.Column("close_reason", sa.String(length=16), nullable=False),
        sa.Column("close_detail", types.LongText, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        **_TABLE,
    )
    op.create_index(op.f("ix_sessions_classed_started"), "sessions", ["classed", "started"], unique=False)
    op.create_index(op.f("ix_sessions_hassh"), "sessions", ["hassh"], unique=False)
    op.create_index(op.f("ix_sessions_src_ip_started"), "sessions", ["src_ip", "started"], unique=False)
    op.create_index(op.f("ix_sessions_started_id"), "sessions", ["started", "id"], unique=False)
    op.create_table(
        "sightings",
        sa.Column("session", sa.String(length=40), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("url_key", sa.String(length=64), nullable=False),
        sa.Column("at", types.Micros(), nullable=False),
        sa.Column("src_ip", sa.String(length=45), nullable=False),
        sa.Column("sensor", sa.String(length=80), nullable=False),
        sa.Column("raw", types.Blob, nullable=False),
        sa.Column("span_start", sa.Integer(), nullable=False),
        sa.Column("span_end", sa.Integer(), nullable=False),
        sa.Column("method", sa.String(length=16), nullable=False),
        sa.Column("chain", types.Json(), nullable=False),
        sa.Column("client", sa.String(length=40), nullable=False),
        sa.Column("confidence", sa.SmallInteger(), nullable=False),
        sa.Column("flags", types.Json(), nullable=False),
        sa.Column("parent_sha256", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("session", "seq", "n", name=op.f("pk_sightings")),
        **_TABLE,
    )
    op.create_index(op.f("ix_sightings_parent_sha256"), "sightings", ["parent_sha256"], unique=False)
    op.create_index(op.f("ix_sightings_url_key_at"), "sightings", ["url_key", "at"], unique=False)
    op.create_table(
        "tallies",
        sa.Column("day", types.Micros(), nullable=False),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("key", types.Digest, nullable=False),
        sa.Column("value", types.Blob, nullable=False),
        sa.Column("second", types.Blob, nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "what", "key", name=op.f("pk_tallies")),
        **_TABLE,
    )
    op.create_index(op.f("ix_tallies_what_key"), "tallies", ["what", "key"], unique=False)
    op.create_table(
        "troubles",
        sa.Column("session", sa.String(length=40), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", types.Micros(), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("what", types.LongText, nullable=False),
        sa.Column("data", types.Blob, nullable=False),
        sa.PrimaryKeyConstraint("session", "seq", name=op.f("pk_troubles")),
        **_TABLE,
    )
    op.create_table(
        "url_sources",
        sa.Column("url_key", sa.String(length=64), nullable=False),
        sa.Column("address", sa.String(length=45), nullable=False),
        sa.PrimaryKeyConstraint("url_key", "address", name=op.f("pk_url_sources")),
        **_TABLE,
    )
    op.create_index(op.f("ix_url_sources_address"), "url_sources", ["address"], unique=False)
    op.create_table(
        "urls",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("url", types.LongText, nullable=False),
        sa.Column("scheme", sa.String(length=10), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("first_seen", types.Micros(), nullable=False),
        sa.Column("last_seen", types.Micros(), nullable=False),
        sa.Column("sightings", sa.Integer(), server_default="0", nullable=False),
        sa.Column("sources", sa.Integer(), server_default="0", nullable=False),
        sa.Column("depth", sa.SmallInteger(), nullable=False),
        sa.Column("held", sa.Boolean(), nullable=False),
        sa.Column("flags", types.Json(), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("captured_at", types.Micros(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("verdict", sa.String(length=24), nullable=False),
        sa.Column("confidence", sa.SmallInteger(), nullable=False),
        sa.Column("publish_after", types.Micros(), nullable=True),
        sa.Column("published_at", types.Micros(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_urls")),
        **_TABLE,
    )
    op.create_index(op.f("ix_urls_first_seen"), "urls", ["first_seen"], unique=False)
    op.create_index(op.f("ix_urls_host"), "urls", ["host"], unique=False)
    op.create_index(op.f("ix_urls_last_seen_key"), "urls", ["last_seen", "key"], unique=False)
    op.create_index(
        op.f("ix_urls_published_at_publish_after"), "urls", ["published_at", "publish_after"], unique=False
    )
    op.create_index(op.f("ix_urls_sha256"), "urls", ["sha256"], unique=False)
    op.create_index(op.f("ix_urls_verdict_last_seen"), "urls", ["verdict", "last_seen"], unique=False)
    op.create_table(
        "verdicts",
        sa.Column("url_key", sa.String(length=64), nullable=False),
        sa.Column("verdict", sa.String(length=24), nullable=False),
        sa.Column("confidence", sa.SmallInteger(), nullable=False),
        sa.Column("reasons", types.Json(), nullable=False),
        sa.Column("at", types.Micros(), nullable=False),
        sa.Column("rules", sa.String(length=40), nullable=False),
        sa.Column("publish_after", types.Micros(), nullable=True),
        sa.PrimaryKeyConstraint("url_key", name=op.f("pk_verdicts")),
        **_TABLE,
    )
    op.create_table(
        "watermarks",
        sa.Column("writer", sa.String(length=190), nullable=False),
        sa.Column("segment", sa.BigInteger(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("last_at", types.Micros(), nullable=False),
        sa.PrimaryKeyConstraint("writer", name=op.f("pk_watermarks")),
        **_TABLE,
    )
