"""PostgreSQL keeps raw events in one table per month, so that a month that has aged is dropped rather than deleted.

A session's id begins with its time (a ULID), so months are ranges of ids, and the primary key stays what it is. What
is in no month's range, because its table was not there in time, is in the table of all the rest, and ages by deleting.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from sqlalchemy import Connection

from urltrap.model.ids import new_ulid
from urltrap.store import cowrie_views

_LOCK = 7_531_902
_AHEAD = 3
_COLUMNS = "session, seq, kind, at, body"


def prepare(connection: Connection, now: datetime) -> bool:
    """Make `events` a table of months, once, and see to it that this month's and the next ones' are there.

    Whether anything had to be done. To be called with PostgreSQL only, in a transaction.
    """
    wanted = [_month_after(_month_of(now), ahead) for ahead in range(_AHEAD + 1)]
    whole = _is_whole(connection)
    if not whole and _name(wanted[-2]) in _there(connection):
        return False
    # Of two that begin together, one waits here and finds it done.
    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    if _is_whole(connection):
        oldest = _oldest(connection)
        if oldest is not None and oldest < wanted[0]:
            wanted = [*_months(oldest, wanted[0]), *wanted]
        _divide(connection, wanted)
    there = _there(connection)
    for month in wanted:
        if _name(month) not in there and not _rest_holds(connection, month):
            _make(connection, month)
    return True


def drop_months(connection: Connection, before: datetime, keep_kinds: tuple[str, ...]) -> tuple[int, str]:
    """Drop the tables of months that ended by `before`: rows dropped, and the id before which all was dropped.

    Rows of `keep_kinds` stay: they are no part of an attacker's session.
    """
    dropped, bound = 0, ""
    kinds = ", ".join(["%s"] * len(keep_kinds))
    for month in sorted(_of_name(name) for name in _there(connection)):
        if _month_after(month, 1) > before:
            break
        name = _name(month)
        count = connection.exec_driver_sql(
            f"SELECT count(*) FROM {name} WHERE kind NOT IN ({kinds})", keep_kinds
        )
        dropped += int(count.scalar_one())
        connection.exec_driver_sql(
            f"CREATE TEMPORARY TABLE events_kept ON COMMIT DROP AS SELECT * FROM {name} WHERE kind IN ({kinds})",
            keep_kinds,
        )
        connection.exec_driver_sql(f"DROP TABLE {name}")
        connection.exec_driver_sql(f"INSERT INTO events ({_COLUMNS}) SELECT {_COLUMNS} FROM events_kept")
        connection.exec_driver_sql("DROP TABLE events_kept")
        bound = _bound(_month_after(month, 1))
    return dropped, bound


def collate(connection: Connection, collation: str) -> None:
    """Let the text columns of `events`, where it is a table of months, have another collation.

    PostgreSQL changes no column by which a table is divided, so a new one takes over the months. In a transaction,
    and without views on it.
    """
    parts = connection.exec_driver_sql(
        "SELECT inhrelid::regclass::text, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i "
        "JOIN pg_class c ON c.oid = i.inhrelid WHERE inhparent = to_regclass('events') ORDER BY 1"
    ).all()
    connection.exec_driver_sql("ALTER TABLE events RENAME TO events_before")
    connection.exec_driver_sql("ALTER TABLE events_before RENAME CONSTRAINT pk_events TO pk_events_before")
    for name, _ in parts:
        connection.exec_driver_sql(f"ALTER TABLE events_before DETACH PARTITION {name}")
        connection.exec_driver_sql(
            f'ALTER TABLE {name} ALTER COLUMN session TYPE varchar(40) COLLATE "{collation}", '
            f'ALTER COLUMN kind TYPE varchar(40) COLLATE "{collation}"'
        )
    connection.exec_driver_sql(
        "CREATE TABLE events (LIKE events_rest INCLUDING DEFAULTS, CONSTRAINT pk_events PRIMARY KEY (session, seq)) "
        "PARTITION BY RANGE (session)"
    )
    for name, bound in parts:
        connection.exec_driver_sql(f"ALTER TABLE events ATTACH PARTITION {name} {bound}")
    connection.exec_driver_sql("DROP TABLE events_before")


def is_partition(name: str) -> bool:
    """Whether a table of this name is a part of `events`, not one of its own."""
    return name == "events_rest" or (name.startswith("events_y") and len(name) == 15)


def is_divided(connection: Connection) -> bool:
    """Whether `events` is a table of months already."""
    return _kind(connection) == "p"


def _is_whole(connection: Connection) -> bool:
    return _kind(connection) == "r"


def _kind(connection: Connection) -> str | None:
    found: str | None = connection.exec_driver_sql(
        "SELECT relkind FROM pg_class WHERE oid = to_regclass('events')"
    ).scalar()
    return found


def _there(connection: Connection) -> set[str]:
    found = connection.exec_driver_sql(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = to_regclass('events')"
    ).scalars()
    return {name for name in found if name != "events_rest"}


def _divide(connection: Connection, months: list[datetime]) -> None:
    viewed = cowrie_views.current(connection)
    cowrie_views.drop(connection)  # which would go on reading the table that goes away
    connection.exec_driver_sql("ALTER TABLE events RENAME TO events_whole")
    connection.exec_driver_sql("ALTER TABLE events_whole RENAME CONSTRAINT pk_events TO pk_events_whole")
    connection.exec_driver_sql(
        "CREATE TABLE events (LIKE events_whole INCLUDING DEFAULTS, CONSTRAINT pk_events PRIMARY KEY (session, seq)) "
        "PARTITION BY RANGE (session)"
    )
    connection.exec_driver_sql("CREATE TABLE events_rest PARTITION OF events DEFAULT")
    for month in months:
        _make(connection, month)
    connection.exec_driver_sql(f"INSERT INTO events ({_COLUMNS}) SELECT {_COLUMNS} FROM events_whole")
    connection.exec_driver_sql("DROP TABLE events_whole")
    if viewed:
        cowrie_views.make(connection)


def _make(connection: Connection, month: datetime) -> None:
    connection.exec_driver_sql(
        f"CREATE TABLE {_name(month)} PARTITION OF events "
        f"FOR VALUES FROM ('{_bound(month)}') TO ('{_bound(_month_after(month, 1))}')"
    )


def _rest_holds(connection: Connection, month: datetime) -> bool:
    found = connection.exec_driver_sql(
        "SELECT 1 FROM events_rest WHERE session >= %s AND session < %s LIMIT 1",
        (_bound(month), _bound(_month_after(month, 1))),
    )
    return found.first() is not None


def _oldest(connection: Connection) -> datetime | None:
    """The month of the oldest session whose id is a ULID; None where there is none."""
    micros = connection.exec_driver_sql(
        "SELECT min(started) FROM attacker_sessions WHERE length(id) = 26"
    ).scalar()
    return None if micros is None else _month_of(datetime.fromtimestamp(micros / 1_000_000, UTC))


def _months(first: datetime, until: datetime) -> Iterator[datetime]:
    while first < until:
        yield first
        first = _month_after(first, 1)


def _month_of(moment: datetime) -> datetime:
    return datetime(moment.year, moment.month, 1, tzinfo=UTC)


def _month_after(month: datetime, count: int) -> datetime:
    number = month.year * 12 + month.month - 1 + count
    return datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)


def _bound(month: datetime) -> str:
    return new_ulid(int(month.timestamp()) * 1000, bytes(10))


def _name(month: datetime) -> str:
    return f"events_y{month:%Y}m{month:%m}"


def _of_name(name: str) -> datetime:
    return datetime(int(name[8:12]), int(name[13:15]), 1, tzinfo=UTC)
