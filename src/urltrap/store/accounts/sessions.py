"""Log-ins that last: one row for each cookie, which only its holder has; the row holds its hash."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, func, insert, or_, select, update

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
class Held:
    """Whose log-in a token is, and when it was last used."""

    user: User
    used: datetime


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


def begin(store: Store, user: User, agent: str, lifetime: Lifetime, now: datetime, by: Actor) -> str | None:
    """Log a user in: the token for his cookie. What has run out is taken away on the way.

    `user`: as he was when he proved who he is. None where his password or codes are others by now, or he is gone: what
    he proved counts no more, and a change of the password ends all log-ins that began before.
    """
    token = secrets.token_urlsafe(32)
    same = and_(
        users.c.name == user.name, users.c.password_hash == user.password_hash, users.c.totp == user.totp
    )
    with store.begin() as connection:
        # The row is locked, so that a change of the password comes before this, or finds this log-in and ends it.
        if connection.execute(select(users.c.name).where(same).with_for_update()).first() is None:
            return None
        connection.execute(delete(user_sessions).where(_over(lifetime, now)))
        audit.prune(connection, now)
        connection.execute(
            insert(user_sessions).values(
                token=digest(token),
                name=user.name,
                created=now,
                used=now,
                address=by.address[:45],
                agent=agent[:200],
            )
        )
        audit.note(connection, now, by, "login", user.name)
    return token


def held(store: Store, token: str, lifetime: Lifetime, now: datetime) -> Held | None:
    """Whose log-in this is; None for one that is none, has run out, or was ended. It is not used by looking."""
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
    return Held(User(**{name: value for name, value in row.items() if name != "used"}), row["used"])


def touch(store: Store, token: str, before: Held, now: datetime) -> None:
    """A person used this log-in now. Raises StoreError where the store takes no writes."""
    if now - before.used > _TOUCH:
        mine = user_sessions.c.token == digest(token)
        with store.begin() as connection:
            connection.execute(update(user_sessions).where(mine).values(used=now))


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


def last_used(store: Store) -> dict[str, datetime]:
    """When each user who is logged in somewhere was last seen."""
    query = select(user_sessions.c.name, func.max(user_sessions.c.used)).group_by(user_sessions.c.name)
    with store.connect() as connection:
        return dict(map(tuple, connection.execute(query)))


def _over(lifetime: Lifetime, now: datetime) -> ColumnElement[bool]:
    return or_(user_sessions.c.used < now - lifetime.idle, user_sessions.c.created < now - lifetime.most)
