"""Active addresses by country from one index; PostgreSQL compares text as bytes (`store.collation`, at each update)."""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The new indexes first: MariaDB and SQLite are never without one for a country."""
    op.create_index(op.f("ix_addresses_country_last_seen"), "addresses", ["country", "last_seen"])
    op.create_index(op.f("ix_addresses_last_seen"), "addresses", ["last_seen"])
    op.drop_index(op.f("ix_addresses_country"), table_name="addresses")
    op.drop_index(op.f("ix_addresses_last_seen_country"), table_name="addresses")


def downgrade() -> None:
    """The indexes of before; how text is compared stays."""
    op.create_index(op.f("ix_addresses_country"), "addresses", ["country"])
    op.create_index(op.f("ix_addresses_last_seen_country"), "addresses", ["last_seen", "country"])
    op.drop_index(op.f("ix_addresses_country_last_seen"), table_name="addresses")
    op.drop_index(op.f("ix_addresses_last_seen"), table_name="addresses")
