"""Schema migrations (Alembic), packaged and run when a store is opened."""
