"""Users: names, roles, hashes of passwords."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from sqlalchemy import Connection, delete, exists, insert, select, update
from sqlalchemy.exc import IntegrityError

from urltrap.store.accounts.audit import Actor, note
from urltrap.store.engine import Store
from urltrap.store.schema_accounts import user_sessions, users

Role = Literal["viewer", "analyst", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
"""From the least to the most."""

Right = Literal["payloads"]
RIGHTS: tuple[Right, ...] = get_args(Right)
"""What no role includes, and people are given by name: `payloads`, to download what attackers brought."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")


class AccountError(ValueError):
    """What was asked for is not possible; the message says why."""


@dataclass(frozen=True, slots=True)
class User:
    """One user. `totp`: the encrypted secret of one-time codes, empty for none. `rights`: with commas."""

    name: str
    role: Role
    password_hash: str
    totp: str
    totp_step: int
    created: datetime
    rights: str = ""

    @property
    def right_set(self) -> frozenset[str]:
        """What this user may besides his role."""
        return frozenset(filter(None, self.rights.split(",")))


def any_user(store: Store) -> bool:
    """Whether there is a user at all."""
    with store.connect() as connection:
        return bool(connection.execute(select(exists().where(users.c.name != ""))).scalar())


def all_users(store: Store) -> list[User]:
    """By name."""
    with store.connect() as connection:
        return [User(**row) for row in connection.execute(select(users).order_by(users.c.name)).mappings()]


def find(store: Store, name: str) -> User | None:
    """The user of that name; None for what can be no name, too (a database may refuse to look for it)."""
    if not _NAME.fullmatch(name):
        return None
    with store.connect() as connection:
        row = connection.execute(select(users).where(users.c.name == name)).mappings().first()
    return User(**row) if row else None


def add(store: Store, name: str, role: str, password_hash: str, now: datetime, by: Actor) -> None:
    """Make a user. Raises AccountError for a name that is taken or none, or a role that is none."""
    if not _NAME.fullmatch(name):
        raise AccountError(
            f"{name!r} cannot be a user's name: up to 64 lower-case letters, digits and . _ @ - (not first)"
        )
    _known(role)
    try:
        with store.begin() as connection:
            connection.execute(
                insert(users).values(
                    name=name, role=role, password_hash=password_hash, totp="", totp_step=0, created=now
                )
            )
            note(connection, now, by, "user.added", name, role)
    except IntegrityError as error:
        raise AccountError(f"there is a user {name} already; change it with passwd or role") from error


def set_password(
    store: Store, name: str, password_hash: str, now: datetime, by: Actor, keep: bytes | None = None
) -> None:
    """Give a user another password, and log him out everywhere but in the log-in `keep`."""
    with store.begin() as connection:
        _change(connection, name, password_hash=password_hash)
        others = delete(user_sessions).where(user_sessions.c.name == name)
        connection.execute(others.where(user_sessions.c.token != keep) if keep else others)
        note(connection, now, by, "user.password", name)


def renew_hash(store: Store, name: str, before: str, password_hash: str) -> None:
    """Keep the same password as a better hash; nothing where it was changed meanwhile."""
    mine = (users.c.name == name, users.c.password_hash == before)
    with store.begin() as connection:
        connection.execute(update(users).where(*mine).values(password_hash=password_hash))


def set_role(store: Store, name: str, role: str, now: datetime, by: Actor) -> None:
    """Give a user another role; the last admin keeps his."""
    _known(role)
    with store.begin() as connection:
        before = _keep_an_admin(connection, name) if role != "admin" else ""
        _change(connection, name, role=role)
        note(connection, now, by, "user.role", name, f"{before} → {role}" if before else role)


def set_right(store: Store, name: str, right: str, given: bool, now: datetime, by: Actor) -> None:
    """Give a user a right, or take it; harmless to repeat. Raises AccountError."""
    if right not in RIGHTS:
        raise AccountError(f"there is no right {right!r}; known: {', '.join(RIGHTS)}")
    with store.begin() as connection:
        query = select(users.c.rights).where(users.c.name == name).with_for_update()
        held = connection.execute(query).scalar()
        if held is None:
            raise _nobody(name)
        rights = set(filter(None, held.split(","))) - {right} | ({right} if given else set())
        _change(connection, name, rights=",".join(sorted(rights)))
        note(connection, now, by, "right.given" if given else "right.taken", name, right)


def remove(store: Store, name: str, now: datetime, by: Actor) -> None:
    """Take a user away, with his log-ins. The last admin stays while there are others."""
    with store.begin() as connection:
        _keep_an_admin(connection, name, alone=True)
        connection.execute(delete(user_sessions).where(user_sessions.c.name == name))
        if not connection.execute(delete(users).where(users.c.name == name)).rowcount:
            raise _nobody(name)
        note(connection, now, by, "user.removed", name)


def set_totp(store: Store, name: str, sealed: str, step: int, now: datetime, by: Actor) -> None:
    """Ask this user for one-time codes from now on (empty: no more); `step`: of the code that was taken."""
    with store.begin() as connection:
        _change(connection, name, totp=sealed, totp_step=step)
        note(connection, now, by, "totp.on" if sealed else "totp.off", name)


def take_step(store: Store, name: str, step: int) -> bool:
    """Mark a one-time code as used; False where it, or a later one, was used before."""
    with store.begin() as connection:
        taken = update(users).where(users.c.name == name, users.c.totp_step < step).values(totp_step=step)
        return bool(connection.execute(taken).rowcount)


def _known(role: str) -> None:
    if role not in ROLES:
        raise AccountError(f"there is no role {role!r}; known: {', '.join(ROLES)}")


def _change(connection: Connection, name: str, **values: object) -> None:
    there = connection.execute(select(users.c.name).where(users.c.name == name).with_for_update()).first()
    if there is None:
        raise _nobody(name)
    connection.execute(update(users).where(users.c.name == name).values(**values))


def _keep_an_admin(connection: Connection, name: str, alone: bool = False) -> str:
    """The user's role. Raises where he is the last admin (`alone`: and others would be left without one)."""
    held = {
        row.name: row.role for row in connection.execute(select(users.c.name, users.c.role).with_for_update())
    }
    admins = [one for one, role in held.items() if role == "admin"]
    if admins == [name] and not (alone and len(held) == 1):
        raise AccountError(f"{name} is the only admin; make another one first")
    return str(held.get(name, ""))


def _nobody(name: str) -> AccountError:
    return AccountError(f"there is no user {name}; `urltrap user list` names all")
