"""Alembic's entry: migrates over the connection that `open_store` hands in, inside its transaction."""

from __future__ import annotations

from alembic import context

from urltrap.store.schema import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=False,  # the caller's transaction is the transaction
)
context.run_migrations()
