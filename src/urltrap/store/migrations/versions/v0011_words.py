"""Every value that was tried or typed, once; filled by the next start of the pipeline."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import urltrap.store.types as types

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "words",
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("key", types.Digest, nullable=False),
        sa.Column("value", types.Blob, nullable=False),
        sa.PrimaryKeyConstraint("what", "key", name=op.f("pk_words")),
        mariadb_charset="utf8mb4",
        mariadb_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_engine="InnoDB",
    )


def downgrade() -> None:
    """Drop it; what it holds is among the tallies."""
    op.drop_table("words")
    op.execute("DELETE FROM facts WHERE name = 'words.until'")
