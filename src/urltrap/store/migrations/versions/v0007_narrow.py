"""Log-in tries by what was tried, sessions by sensor and fingerprint, newest first: each from an index alone."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from urltrap.store.rollups import value_key

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# The same number as rollups.value_key, written in each database's own words.
_WORDS = {
    "sqlite": "urltrap_value_key({0})",
    "postgresql": (
        "('x' || substr(encode(sha256(int8send(length({0})::bigint) || {0}), 'hex'), 1, 15))::bit(60)::bigint"
    ),
    "mysql": (
        "CAST(CONV(LEFT(SHA2(CONCAT(UNHEX(LPAD(HEX(LENGTH({0})), 16, '0')), {0}), 256), 15), 16, 10) AS UNSIGNED)"
    ),
}


def upgrade() -> None:
    """Add the columns, fill them, and make the indexes."""
    for name in ("username", "password"):
        op.add_column("logins", sa.Column(f"{name}_key", sa.BigInteger(), server_default="0", nullable=False))
    connection = op.get_bind()
    dialect = connection.dialect.name
    if dialect == "sqlite":
        raw: Any = connection.connection.dbapi_connection
        raw.create_function("urltrap_value_key", 1, value_key, deterministic=True)
    words = _WORDS[dialect.replace("mariadb", "mysql")]
    connection.exec_driver_sql(
        f"UPDATE logins SET username_key = {words.format('username')}, "
        f"password_key = CASE WHEN password IS NULL THEN 0 ELSE {words.format('password')} END"
    )
    for name in ("username", "password"):
        op.create_index(op.f(f"ix_logins_{name}_key_at"), "logins", [f"{name}_key", "at"], unique=False)
    op.create_index(op.f("ix_sessions_hassh_started"), "sessions", ["hassh", "started"], unique=False)
    op.drop_index(op.f("ix_sessions_hassh"), table_name="sessions")
    op.create_index(op.f("ix_sessions_sensor_started"), "sessions", ["sensor", "started"], unique=False)
