"""Sessions under a name of ours, and rows of what Cowrie's tables tell; its names are views' from now on."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

import urltrap.store.types as types
from urltrap.model.event import DownloadAnswered, EnvironmentSet, decode_event

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_PART = 2000
_OPTIONS: dict[str, Any] = {
    "mariadb_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_engine": "InnoDB",
}


def upgrade() -> None:
    """Rename the table, make the others, and fill them from raw events, as far as those are kept still."""
    op.rename_table("sessions", "attacker_sessions")
    op.create_table(
        "sensor_names",
        sa.Column("sensor", sa.String(length=80), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sensor", name=op.f("pk_sensor_names")),
        **_OPTIONS,
    )
    op.create_table(
        "client_names",
        sa.Column("client_key", sa.String(length=16), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("version", types.Blob, nullable=False),
        sa.PrimaryKeyConstraint("client_key", name=op.f("pk_client_names")),
        **_OPTIONS,
    )
    _of_events(
        "answers",
        sa.Column("url", types.Blob, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("outcome", types.LongText, nullable=False),
    )
    op.create_index(op.f("ix_answers_at"), "answers", ["at"], unique=False)
    _of_events(
        "environment",
        sa.Column("name", types.Blob, nullable=False),
        sa.Column("value", types.Blob, nullable=False),
    )
    _of_events("not_found", sa.Column("text", types.Blob, nullable=False))
    op.create_index(op.f("ix_not_found_at"), "not_found", ["at"], unique=False)
    _fill(op.get_bind())


def downgrade() -> None:
    """Give the table its old name; what the others hold is in raw events, too."""
    for name in ("not_found", "environment", "answers", "client_names", "sensor_names"):
        op.drop_table(name)
    op.rename_table("attacker_sessions", "sessions")


def _of_events(name: str, *columns: sa.Column[Any]) -> None:
    op.create_table(
        name,
        sa.Column("session", sa.String(length=40), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", types.Micros(), nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("session", "seq", name=op.f(f"pk_{name}")),
        **_OPTIONS,
    )


def _number(name: bytes) -> int:
    return int.from_bytes(hashlib.sha256(name).digest()[:6], "big")


def _fill(connection: sa.Connection) -> None:
    tables = sa.MetaData()
    tables.reflect(connection, only=["attacker_sessions", "events", "program_runs"])
    sessions, events, runs = (tables.tables[name] for name in ("attacker_sessions", "events", "program_runs"))
    connected = sa.select(sessions.c.sensor).where(sessions.c.connected).distinct()
    _insert(
        connection,
        "sensor_names",
        (
            {"sensor": row.sensor, "number": _number(row.sensor.encode())}
            for row in connection.execute(connected)
        ),
    )
    clients = sa.select(sessions.c.client_key, sa.func.min(sessions.c.id).label("id"))
    clients = clients.where(sessions.c.client_key != "").group_by(sessions.c.client_key)
    ids = [row.id for row in connection.execute(clients)]
    versions: list[dict[str, Any]] = []
    for start in range(0, len(ids), 400):
        found = sa.select(sessions.c.client_key, sessions.c.client).where(
            sessions.c.id.in_(ids[start : start + 400])
        )
        versions += [
            {"client_key": row.client_key, "number": _number(row.client), "version": row.client}
            for row in connection.execute(found)
        ]
    _insert(connection, "client_names", iter(versions))
    missing = sa.select(runs.c.session, runs.c.seq, events.c.at, runs.c.argv).join(
        events, sa.and_(events.c.session == runs.c.session, events.c.seq == runs.c.seq)
    )
    _insert(
        connection,
        "not_found",
        (
            {
                "session": row.session,
                "seq": row.seq,
                "at": row.at,
                "text": bytes(row.argv).replace(b"\0", b" "),
            }
            for row in _streamed(connection, missing.where(runs.c.outcome == "not-found"))
        ),
    )
    for kind, name in (("download.answered", "answers"), ("environment.set", "environment")):
        wanted = sa.select(events.c.at, events.c.body).where(events.c.kind == kind)
        _insert(connection, name, (_row(row.at, row.body) for row in _streamed(connection, wanted)))


def _row(at: int, body: bytes) -> dict[str, Any]:
    event = decode_event(body)
    row = {"session": event.session, "seq": event.seq, "at": at}
    if isinstance(event, DownloadAnswered):
        return {**row, "url": event.url, "sha256": event.sha256, "outcome": event.outcome.replace("\0", "")}
    assert isinstance(event, EnvironmentSet)
    return {**row, "name": event.name, "value": event.value}


def _streamed(connection: sa.Connection, query: sa.Select[Any]) -> Iterator[Any]:
    # In memory only where a database cannot read and write on one connection at once.
    if connection.dialect.name in ("mysql", "mariadb"):
        yield from connection.execute(query).all()
    else:
        yield from connection.execute(query.execution_options(yield_per=_PART))


def _insert(connection: sa.Connection, name: str, rows: Iterator[dict[str, Any]]) -> None:
    table: sa.Table | None = None
    while part := list(itertools.islice(rows, _PART)):
        if table is None:
            table = sa.Table(name, sa.MetaData(), autoload_with=connection)
        connection.execute(table.insert(), part)
