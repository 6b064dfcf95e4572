"""Log-in tries across sessions: the list behind the figures of user names and passwords."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, or_, select

from urltrap.model.base import Model, RawBytes, Utc
from urltrap.store import Store
from urltrap.store.queries.narrowing import few_values, how_often
from urltrap.store.queries.shared import PAGE, contains, make_cursor, read_cursor
from urltrap.store.rollups import value_key
from urltrap.store.schema import logins, sessions


@dataclass(frozen=True, slots=True)
class LoginFilter:
    """Which tries a list shows; what is None does not matter.

    A value is compared as a whole; where `partial` it is looked for inside (links cut long values, and those that
    are no UTF-8 before the first such byte).
    """

    username: bytes | None = None
    password: bytes | None = None
    accepted: bool | None = None
    partial: bool = False
    since: datetime | None = None


class LoginRow(Model):
    """One try, with the session that it belongs to."""

    session: str
    seq: int
    at: Utc
    sensor: str
    src_ip: str
    method: str
    username: RawBytes
    password: RawBytes | None
    key_fingerprint: str
    accepted: bool


class LoginPage(Model):
    """Tries, newest first. `next` goes into the next call as its cursor; None at the end."""

    rows: list[LoginRow]
    next: str | None


def page(store: Store, wanted: LoginFilter, cursor: str | None = None, limit: int = PAGE) -> LoginPage:
    """Tries, newest first. Raises shared.BadCursor for a cursor that is none."""
    conditions: list[Any] = [sessions.c.connected]
    if wanted.accepted is not None:
        conditions.append(logins.c.accepted == wanted.accepted)
    if wanted.since is not None:
        conditions.append(logins.c.at >= wanted.since)
    if cursor:
        at, key = read_cursor(cursor)
        session, _, number = key.rpartition("-")
        seq = int(number) if number.isascii() and number.isdigit() and len(number) < 12 else 0
        conditions.append(
            or_(
                logins.c.at < at,
                and_(logins.c.at == at, logins.c.session < session),
                and_(logins.c.at == at, logins.c.session == session, logins.c.seq < seq),
            )
        )
    query = (
        select(logins, sessions.c.sensor, sessions.c.src_ip)
        .select_from(logins.join(sessions, sessions.c.id == logins.c.session))
        .where(*conditions)
    )
    newest = (logins.c.at.desc(), logins.c.session.desc(), logins.c.seq.desc())
    with store.connect() as connection:
        matching, few = _matching(connection, wanted)
        query = query.where(*matching)
        if few:
            found = sorted(
                connection.execute(query).mappings(),
                key=lambda row: (row["at"], row["session"], row["seq"]),
                reverse=True,
            )
        else:
            found = list(connection.execute(query.order_by(*newest).limit(limit + 1)).mappings())
    rows = [
        LoginRow(
            session=row["session"], seq=row["seq"], at=row["at"], sensor=row["sensor"], src_ip=row["src_ip"],
            method=row["method"], username=row["username"], password=row["password"],
            key_fingerprint=row["key_fingerprint"], accepted=row["accepted"],
        )
        for row in found[:limit]
    ]  # fmt: skip
    last = rows[-1] if rows else None
    more = last is not None and len(found) > limit
    return LoginPage(
        rows=rows, next=make_cursor(last.at, f"{last.session}-{last.seq}") if last and more else None
    )


def _matching(connection: Connection, wanted: LoginFilter) -> tuple[list[Any], bool]:
    """What the values ask of rows of `logins`, and whether the rows are few: to be read without their order."""
    values = {
        name: (logins.c[name], value)
        for name, value in (("username", wanted.username), ("password", wanted.password))
        if value is not None
    }
    if not wanted.partial:
        conditions: list[Any] = [column == value for column, value in values.values()]
        if values:
            # By the rarer of the two: its index has them newest first.
            name = min(values, key=lambda name: how_often(connection, name, values[name][1]))
            conditions.append(logins.c[f"{name}_key"] == value_key(values[name][1]))
        return conditions, False
    conditions = [contains(connection.dialect.name, column, value) for column, value in values.values()]
    for name, (_, part) in values.items():
        few = few_values(connection, name, part)
        if few is not None:
            return [*conditions, logins.c[f"{name}_key"].in_([value_key(value) for value in few])], True
    return conditions, False
