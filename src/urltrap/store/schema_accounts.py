"""Who may use the site: users, their log-ins, keys of the API, and the log of what was done. None of it is derived."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String

from urltrap.store.tables import ADDRESS, need, table
from urltrap.store.types import Digest, LongText, Micros

users = table(
    "users",
    need("name", String(64), primary_key=True),
    need("role", String(16)),
    need("password_hash", LongText),  # argon2id, with its parameters
    need("totp", LongText),  # the secret of one-time codes, encrypted; empty: none
    need("totp_step", BigInteger),  # of the newest code that was taken: none is taken twice
    need("created", Micros),
    need("rights", String(120), server_default=""),  # besides those of the role, with commas
)

user_sessions = table(
    "user_sessions",
    need("token", Digest, primary_key=True),  # SHA-256 of what the cookie holds
    need("name", String(64)),
    need("created", Micros),
    need("used", Micros),
    need("address", ADDRESS),
    need("agent", String(200)),
    Index(None, "name"),
    Index(None, "created"),
)

login_waits = table(  # failed log-ins of an address or to a name, and when the next is looked at
    "login_waits",
    need("kind", String(8), primary_key=True),
    need("key", Digest, primary_key=True),
    need("failures", Integer),
    need("last", Micros),
    need("until", Micros),
    Index(None, "last"),
)

api_keys = table(
    "api_keys",
    need("name", String(64), primary_key=True),
    need("digest", Digest),  # SHA-256 of the key, which is shown once
    need("scopes", String(120)),
    need("per_minute", Integer),
    need("created", Micros),
    Column("used", Micros),
    Index(None, "digest", unique=True),
)

audit = table(
    "audit",
    need("id", String(26), primary_key=True),
    need("at", Micros),
    need("who", String(120)),
    need("address", ADDRESS),
    need("action", String(40)),
    need("subject", LongText),
    need("detail", LongText),
    Index(None, "at", "id"),
)
