"""All six axes of a URL as columns, and sessions by their client, so that lists filter and count by them."""

from __future__ import annotations

import hashlib
import json

import sqlalchemy as sa
from alembic import op

import urltrap.store.types as types

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_AXES = {"role": 24, "delivery": 60, "target": 60, "hosting": 24, "lifecycle": 16}
_PART = 1000


def upgrade() -> None:
    """Add the columns and fill them from what is there."""
    for name, length in _AXES.items():
        op.add_column("urls", sa.Column(name, sa.String(length=length), server_default="", nullable=False))
    op.add_column(
        "sessions", sa.Column("client_key", sa.String(length=16), server_default="", nullable=False)
    )
    connection = op.get_bind()
    _fill_axes(connection)
    _fill_clients(connection)
    op.create_index(
        op.f("ix_sessions_client_key_started"), "sessions", ["client_key", "started"], unique=False
    )


def _fill_axes(connection: sa.Connection) -> None:
    verdicts = sa.table("verdicts", sa.column("url_key", sa.String()), sa.column("classes", types.LongText))
    urls = sa.table("urls", sa.column("key", sa.String()), *(sa.column(name, sa.String()) for name in _AXES))
    change = (
        sa.update(urls)
        .where(urls.c.key == sa.bindparam("b_key"))
        .values({name: sa.bindparam(name) for name in _AXES})
    )
    after = ""
    while True:
        rows = connection.execute(
            sa.select(verdicts.c.url_key, verdicts.c.classes)
            .where(verdicts.c.url_key > after)
            .order_by(verdicts.c.url_key)
            .limit(_PART)
        ).all()
        if not rows:
            return
        after = rows[-1].url_key
        filled = []
        for row in rows:
            axes = json.loads(row.classes or "{}").get("axes") or {}
            values = {name: str(axes.get(name) or "")[:length] for name, length in _AXES.items()}
            filled.append({"b_key": row.url_key, **values})
        connection.execute(change, filled)


def _fill_clients(connection: sa.Connection) -> None:
    sessions = sa.table(
        "sessions",
        sa.column("id", sa.String()),
        sa.column("client", types.Blob),
        sa.column("client_key", sa.String()),
    )
    change = (
        sa.update(sessions)
        .where(sessions.c.id == sa.bindparam("b_id"))
        .values(client_key=sa.bindparam("b_client"))
    )
    after = ""
    while True:
        rows = connection.execute(
            sa.select(sessions.c.id, sessions.c.client)
            .where(sessions.c.id > after)
            .order_by(sessions.c.id)
            .limit(_PART)
        ).all()
        if not rows:
            return
        after = rows[-1].id
        said = [
            {"b_id": row.id, "b_client": hashlib.sha256(row.client).hexdigest()[:16]}
            for row in rows
            if row.client
        ]
        if said:
            connection.execute(change, said)
