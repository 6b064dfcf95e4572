"""Figures per place and over all time, exact coordinates on MariaDB; filled from what the store has."""

from __future__ import annotations

import hashlib
from collections import Counter

import sqlalchemy as sa
from alembic import op

import urltrap.store.types as types

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_DAY = 24 * 3_600_000_000


def upgrade() -> None:
    """Make the table and the indexes, and count once what is counted while writing from now on."""
    op.create_table(
        "places",
        sa.Column("day", types.Micros(), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("asn", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "country", "asn", name=op.f("pk_places")),
        mariadb_charset="utf8mb4",
        mariadb_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_engine="InnoDB",
    )
    op.create_index(op.f("ix_tallies_what_day_n"), "tallies", ["what", "day", "n"])
    op.create_index(op.f("ix_addresses_last_seen_country"), "addresses", ["last_seen", "country"])
    op.create_index(op.f("ix_urls_sightings_key"), "urls", ["sightings", "key"])
    op.create_index(op.f("ix_sightings_at"), "sightings", ["at"])
    connection = op.get_bind()
    if connection.dialect.name in ("mysql", "mariadb"):
        connection.exec_driver_sql(
            "ALTER TABLE addresses MODIFY latitude DOUBLE NULL, MODIFY longitude DOUBLE NULL"
        )
    _fill(connection)


def _fill(connection: sa.Connection) -> None:
    connection.exec_driver_sql(
        "INSERT INTO tallies (day, what, key, value, second, n) "
        "SELECT 0, what, key, value, second, SUM(n) FROM tallies GROUP BY what, key, value, second"
        if connection.dialect.name not in ("mysql", "mariadb")
        else "INSERT INTO tallies (day, what, `key`, value, second, n) "
        "SELECT 0, what, `key`, value, second, SUM(n) FROM tallies GROUP BY what, `key`, value, second"
    )
    counted: Counter[tuple[int, str, bytes]] = Counter()
    placed: Counter[tuple[int, str, int]] = Counter()
    sessions = connection.exec_driver_sql(
        "SELECT s.started, s.src_ip, a.country, a.asn FROM sessions s LEFT JOIN addresses a ON a.address = s.src_ip "
        "WHERE s.connected"
    )
    for started, address, country, asn in sessions:
        for day in (0, started // _DAY * _DAY):
            counted[day, "address", address.encode()] += 1
            placed[day, country or "", asn or 0] += 1
    seen = connection.exec_driver_sql(
        "SELECT s.at, s.url_key, u.host FROM sightings s JOIN urls u ON u.key = s.url_key"
        if connection.dialect.name not in ("mysql", "mariadb")
        else "SELECT s.at, s.url_key, u.host FROM sightings s JOIN urls u ON u.`key` = s.url_key"
    )
    for at, key, host in seen:
        for day in (0, at // _DAY * _DAY):
            counted[day, "url", key.encode()] += 1
            counted[day, "host", host.encode()] += 1
    tallies = sa.table(
        "tallies", sa.column("day"), sa.column("what"), sa.column("key", sa.LargeBinary()),
        sa.column("value", sa.LargeBinary()), sa.column("second", sa.LargeBinary()), sa.column("n"),
    )  # fmt: skip
    places = sa.table("places", sa.column("day"), sa.column("country"), sa.column("asn"), sa.column("n"))
    if counted:
        connection.execute(
            tallies.insert(),
            [
                {"day": day, "what": what, "key": _key(value), "value": value, "second": b"", "n": n}
                for (day, what, value), n in counted.items()
            ],
        )
        connection.execute(
            places.insert(),
            [
                {"day": day, "country": country, "asn": asn, "n": n}
                for (day, country, asn), n in placed.items()
            ],
        )


def _key(value: bytes) -> bytes:
    return hashlib.sha256(len(value).to_bytes(8, "big") + value).digest()
