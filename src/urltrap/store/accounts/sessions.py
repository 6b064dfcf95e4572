"""Log-ins that last: one row for each cookie, which only its holder has; the row holds its hash."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, insert, or_, select, update

from urltrap.store.accounts import audit
from urltrap.store.accounts.audit import Actor
from urltrap.store.accounts.users import User
from urltrap.store.engine import Store
from urltrap.store.schema_accounts import user_sessions, users

_TOUCH = timedelta(minutes=1)
"""How exactly it is kept when a log-in was used: not every page writes."""


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long a log-in lasts: without being used, and at the most."""

    idle: timedelta
    most: timedelta


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """One log-in of a user."""

    token: bytes
    created: datetime
    used: datetime
    address: str
    agent: str


def digest(token: str) -> bytes:
    """What is kept of a token. It has 256 bits of chance, so that a plain hash is enough."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def begin(store: Store, name: str, agent: str, lifetime: Lifetime, now: datetime, by: Actor) -> str:
    """Log a user in: the token for his cookie. What has run out is taken away on the way."""
    token = secrets.token_urlsafe(32)
    with store.begin() as connection:
        connection.execute(delete(user_sessions).where(_over(lifetime, now)))
        audit.prune(connection, now)
        connection.execute(
            insert(user_sessions).values(
                token=digest(token),
                name=name,
                created=now,
                used=now,
                address=by.address[:45],
                agent=agent[:200],
            )
        )
        audit.note(connection, now, by, "login", name)
    return token


def user_of(store: Store, token: str, lifetime: Lifetime, now: datetime) -> User | None:
    """Whose log-in this is; None for one that is none, has run out, or was ended."""
    key = digest(token)
    query = select(users, user_sessions.c.used).join(user_sessions, user_sessions.c.name == users.c.name)
    with store.connect() as connection:
        row = (
            connection.execute(query.where(user_sessions.c.token == key, ~_over(lifetime, now)))
            .mappings()
            .first()
        )
    if row is None:
        return None
    if now - row["used"] > _TOUCH:
        with store.begin() as connection:
            connection.execute(update(user_sessions).where(user_sessions.c.token == key).values(used=now))
    return User(**{name: value for name, value in row.items() if name != "used"})


def end(store: Store, token: str, name: str, now: datetime, by: Actor) -> None:
    """Log out."""
    with store.begin() as connection:
        connection.execute(delete(user_sessions).where(user_sessions.c.token == digest(token)))
        audit.note(connection, now, by, "logout", name)


def end_all(store: Store, name: str, now: datetime, by: Actor) -> None:
    """Log a user out everywhere."""
    with store.begin() as connection:
        connection.execute(delete(user_sessions).where(user_sessions.c.name == name))
        audit.note(connection, now, by, "logout.everywhere", name)


def of_user(store: Store, name: str, lifetime: Lifetime, now: datetime) -> list[LoggedIn]:
    """The log-ins of a user that last, newest first."""
    query = select(user_sessions).where(user_sessions.c.name == name, ~_over(lifetime, now))
    with store.connect() as connection:
        rows = connection.execute(query.order_by(user_sessions.c.used.desc())).all()
    return [LoggedIn(row.token, row.created, row.used, row.address, row.agent) for row in rows]


def _over(lifetime: Lifetime, now: datetime) -> ColumnElement[bool]:
    return or_(user_sessions.c.used < now - lifetime.idle, user_sessions.c.created < now - lifetime.most)
