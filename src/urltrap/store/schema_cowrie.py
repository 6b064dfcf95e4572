"""What Cowrie's tables tell and ours did not keep in rows of its own: `cowrie_views` makes theirs out of it."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String

from urltrap.store.tables import HASH, SESSION, need, table
from urltrap.store.types import Blob, LongText, Micros

sensor_names = table(
    "sensor_names",
    need("sensor", String(80), primary_key=True),
    need("number", BigInteger),  # name_number(): Cowrie's `sensors.id`
)

client_names = table(
    "client_names",
    need("client_key", String(16), primary_key=True),
    need("number", BigInteger),  # Cowrie's `clients.id`
    need("version", Blob),
)

answers = table(  # what attackers' programs were told of the URLs that they asked for
    "answers",
    need("session", SESSION, primary_key=True),
    need("seq", Integer, primary_key=True, autoincrement=False),
    need("at", Micros),
    need("url", Blob),
    Column("sha256", HASH),
    need("outcome", LongText),
    Index(None, "at"),
)

environment = table(
    "environment",
    need("session", SESSION, primary_key=True),
    need("seq", Integer, primary_key=True, autoincrement=False),
    need("at", Micros),
    need("name", Blob),
    need("value", Blob),
)

not_found = table(  # programs that the machine does not have, as they were called
    "not_found",
    need("session", SESSION, primary_key=True),
    need("seq", Integer, primary_key=True, autoincrement=False),
    need("at", Micros),
    need("text", Blob),
    Index(None, "at"),
)
