"""URLs by the sensor that saw them: from an index alone."""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index."""
    op.create_index(op.f("ix_sightings_sensor_url_key"), "sightings", ["sensor", "url_key"], unique=False)


def downgrade() -> None:
    """Drop it."""
    op.drop_index(op.f("ix_sightings_sensor_url_key"), table_name="sightings")
