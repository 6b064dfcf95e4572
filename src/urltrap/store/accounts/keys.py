"""Keys of the API: shown once, kept as a hash."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from urltrap.store.accounts.audit import Actor, note
from urltrap.store.accounts.sessions import digest
from urltrap.store.accounts.users import AccountError
from urltrap.store.engine import Store
from urltrap.store.schema_accounts import api_keys

Scope = Literal["read", "feeds", "analyst"]
"""`read`: what viewers see; `analyst`: what analysts see besides (decisions, disputes, operations)."""
SCOPES: tuple[Scope, ...] = get_args(Scope)
PREFIX = "urltrap_"
"""What keys begin with, so that scanners for leaked secrets know them."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TOUCH = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Key:
    """One key, without what it is."""

    name: str
    scopes: frozenset[str]
    per_minute: int
    created: datetime
    used: datetime | None


def add(store: Store, name: str, scopes: Iterable[str], per_minute: int, now: datetime, by: Actor) -> str:
    """Make a key: what to show once. Raises AccountError."""
    if not _NAME.fullmatch(name):
        raise AccountError(f"{name!r} cannot be a key's name: up to 64 letters, digits and . _ -")
    wanted = sorted(set(scopes))
    unknown = [scope for scope in wanted if scope not in SCOPES]
    if unknown or not wanted:
        raise AccountError(f"no scope {', '.join(unknown) or 'was named'}; known: {', '.join(SCOPES)}")
    if not 1 <= per_minute <= 100_000:
        raise AccountError("the rate is a number of requests a minute, between 1 and 100000")
    secret = PREFIX + secrets.token_urlsafe(32)
    try:
        with store.begin() as connection:
            connection.execute(
                insert(api_keys).values(
                    name=name, digest=digest(secret), scopes=",".join(wanted), per_minute=per_minute, created=now,
                    used=None,
                )
            )  # fmt: skip
            note(connection, now, by, "key.added", name, f"{', '.join(wanted)}; {per_minute}/min")
    except IntegrityError as error:
        raise AccountError(f"there is a key {name} already; remove it first, or take another name") from error
    return secret


def remove(store: Store, name: str, now: datetime, by: Actor) -> None:
    """Refuse a key from now on. Raises AccountError where there is none of that name."""
    with store.begin() as connection:
        if not connection.execute(delete(api_keys).where(api_keys.c.name == name)).rowcount:
            raise AccountError(f"there is no key {name}; `urltrap key list` names all")
        note(connection, now, by, "key.removed", name)


def all_keys(store: Store) -> list[Key]:
    """By name."""
    with store.connect() as connection:
        return [_key(row) for row in connection.execute(select(api_keys).order_by(api_keys.c.name))]


def find(store: Store, secret: str) -> Key | None:
    """The key that this is; None for none."""
    mine = api_keys.c.digest == digest(secret)
    with store.connect() as connection:
        row = connection.execute(select(api_keys).where(mine)).first()
    return _key(row) if row else None


def touch(store: Store, key: Key, now: datetime) -> None:
    """A program used this key now. Raises StoreError where the store takes no writes."""
    if key.used is None or now - key.used > _TOUCH:
        with store.begin() as connection:
            connection.execute(update(api_keys).where(api_keys.c.name == key.name).values(used=now))


def _key(row: Any) -> Key:
    return Key(
        row.name,
        frozenset(row.scopes.split(",")),
        row.per_minute,
        row.created,
        row.used,
    )
