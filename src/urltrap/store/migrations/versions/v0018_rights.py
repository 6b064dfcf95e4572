"""What a user may besides his role: rights that are given to people by name."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; nobody has a right that nobody gave."""
    op.add_column("users", sa.Column("rights", sa.String(length=120), server_default="", nullable=False))


def downgrade() -> None:
    """Drop it, and with it who had which right."""
    op.drop_column("users", "rights")
