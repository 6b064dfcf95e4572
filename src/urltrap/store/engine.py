"""Opening the database: engine, pragmas, migrations, and errors that say what to do."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.pool import NullPool

from urltrap.store import cowrie_views, partitions
from urltrap.store.collation import compare_bytes
from urltrap.store.errors import StoreCorrupt, StoreError, StoreLocked, StoreNewer, StoreUnavailable
from urltrap.store.turns import schema_turn

MIGRATIONS = Path(__file__).parent / "migrations"
_WAIT_SECONDS = 15
_CONNECT_SECONDS = 10
_POSTGRESQL_OPTIONS = {
    "connect_timeout": _CONNECT_SECONDS,
    # A server that vanished without a word is noticed within a minute.
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}


class Store:
    """A database whose schema is the newest. Safe to share between threads; each call takes its own connection."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.label: Final = engine.url.render_as_string(hide_password=True)
        """The database's address without its password."""
        self._mine = threading.local()

    @property
    def dialect(self) -> str:
        """`sqlite`, `postgresql`, `mysql` or `mariadb`."""
        return self.engine.dialect.name

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A write transaction: committed at the end, rolled back by an exception. Raises StoreError kinds."""
        with explained(self.label), self.engine.connect() as connection:
            connection = connection.execution_options(urltrap_write=True)
            with connection.begin():
                yield connection

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection that only reads, one snapshot for its whole life. Raises StoreError kinds."""
        shared: Connection | None = getattr(self._mine, "shared", None)
        if shared is not None:
            with explained(self.label):
                yield shared
            return
        with explained(self.label), self.engine.connect() as connection:
            if self.dialect == "postgresql":
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Everything that this thread reads within is read over one connection, as the store was at one moment
        (on MariaDB: as it is at each).

        A page of many lists agrees with itself, and asks the server three times less often. To be read whole, each.
        """
        with self.connect() as connection:
            self._mine.shared = connection
            try:
                yield
            finally:
                self._mine.shared = None

    def flush(self) -> None:
        """Everything committed is on the disk afterwards, also through a power cut (before a journal is let go)."""
        if self.dialect == "sqlite":
            with explained(self.label), self.engine.connect() as connection:
                raw = connection.connection.dbapi_connection
                if raw is not None:
                    raw.execute("PRAGMA wal_checkpoint(FULL)").fetchall()

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def open_store(url: str, *, migrate: bool = True) -> Store:
    """Open the database at `url`, bringing its schema up to date (`migrate=False`: refuse an older one instead).

    `url` is SQLAlchemy's; a bare path means SQLite there. Raises StoreUnavailable, StoreLocked, StoreCorrupt or
    StoreNewer, each with what to do.
    """
    store = Store(_engine(url))
    try:
        _upgrade(store, migrate)
        if migrate:
            _prepare(store)
    except BaseException:
        store.close()
        raise
    return store


def _prepare(store: Store) -> None:
    """What is made anew at a start where it is missing: the tables of the next months, Cowrie's views."""
    if store.dialect == "postgresql":
        with store.begin() as connection, schema_turn(connection):
            partitions.prepare(connection, datetime.now(UTC))
    with store.connect() as connection:
        current = cowrie_views.current(connection)
    if not current:
        with store.begin() as connection, schema_turn(connection):
            # Of two that start together, one waits for the other and finds it done.
            if not cowrie_views.current(connection):
                cowrie_views.make(connection)


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url if "://" in url else f"sqlite:///{url}")
    except ArgumentError as error:
        raise StoreUnavailable(
            "store.url is not a database address; expected for example sqlite:////srv/urltrap.db or "
            "postgresql+psycopg://user@host/name"
        ) from error
    try:
        if parsed.get_backend_name() == "postgresql":
            engine = create_engine(
                parsed, pool_pre_ping=True, pool_size=4, max_overflow=8, connect_args=_POSTGRESQL_OPTIONS
            )
            event.listen(engine, "connect", _postgresql_connected)
            return engine
        if parsed.get_backend_name() in ("mysql", "mariadb"):
            # Every commit is read by others at once, and no gap between rows is locked for those who insert beside us.
            engine = create_engine(
                parsed, pool_pre_ping=True, pool_size=4, max_overflow=8, isolation_level="READ COMMITTED",
                connect_args={"charset": "utf8mb4", "connect_timeout": _CONNECT_SECONDS},
            )  # fmt: skip
            event.listen(engine, "connect", _mariadb_connected)
            return engine
        if parsed.get_backend_name() != "sqlite":
            raise StoreUnavailable(
                f"store.url names {parsed.get_backend_name()}, which urltrap does not write; take sqlite, "
                "postgresql+psycopg or mariadb+pymysql"
            )
        if parsed.database and parsed.database != ":memory:":
            folder = Path(parsed.database).parent
            if not folder.is_dir():
                raise StoreUnavailable(f"the folder {folder} does not exist; make it with `urltrap init`")
            engine = create_engine(parsed, connect_args={"timeout": _WAIT_SECONDS})
        else:
            engine = create_engine(parsed, poolclass=NullPool)
    except ModuleNotFoundError as error:
        raise StoreUnavailable(
            f"{parsed.drivername} needs the Python package {error.name!r}: pip install {error.name}"
        ) from error
    event.listen(engine, "connect", _sqlite_connected)
    event.listen(engine, "begin", _sqlite_begin)
    return engine


def _postgresql_connected(connection: Any, _record: object) -> None:
    # Our lists end after a page: one process finds it in an index in a millisecond or two, where starting helpers,
    # which read thousands of rows ahead, takes thirty. On the few cores of a trap they only wait for each other.
    # Compiling a statement takes longer than any of ours does.
    with connection.cursor() as cursor:
        cursor.execute("SET max_parallel_workers_per_gather = 0; SET jit = off")
    connection.commit()


def _mariadb_connected(connection: Any, _record: object) -> None:
    # Whatever the server's own configuration says: a value that does not fit is an error, never cut.
    with connection.cursor() as cursor:
        cursor.execute(
            "SET SESSION sql_mode='STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'"
        )


def _sqlite_connected(connection: Any, _record: object) -> None:
    # The driver would open transactions when it sees fit; ours begin when we say so.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout={_WAIT_SECONDS * 1000}",
        "synchronous=NORMAL",  # a power cut may take the newest commits, never the file; the journal still has them
        "foreign_keys=ON",
        "temp_store=MEMORY",
        "secure_delete=ON",  # an address that was forgotten is not left in a free page
        "cache_size=-32000",
        "mmap_size=268435456",
        "journal_size_limit=67108864",
        "wal_autocheckpoint=4000",  # 16 MB: a fourth as many waits for the disk in small commits
    ):
        cursor.execute(f"PRAGMA {pragma}")
    _use_wal(cursor)
    cursor.close()


def _use_wal(cursor: sqlite3.Cursor) -> None:
    """Of several that open a new file at once, all but one are told at once that it is locked, whatever busy_timeout
    says: they would wait for each other."""
    end = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
        time.sleep(0.005)


def _sqlite_begin(connection: Connection) -> None:
    # A writer takes its lock at once: one that reads first and then wants to write would fail instead of waiting.
    writes = connection.get_execution_options().get("urltrap_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def explained(label: str) -> Iterator[None]:
    """Turn the driver's errors into ours; programming errors (a wrong statement) pass unchanged."""
    try:
        yield
    except (OperationalError, InterfaceError, DatabaseError) as error:
        kind = _explain(error, label)
        if kind is None:
            raise
        raise kind from error


def _explain(error: DBAPIError, label: str) -> StoreError | None:
    text = str(error.orig).splitlines()[0] if str(error.orig) else type(error.orig).__name__
    lower = text.lower()
    if "locked" in lower or "lock wait timeout" in lower or "lock timeout" in lower or "deadlock" in lower:
        return StoreLocked(
            f"{label} is locked by another process ({text}). Is a second urltrap or a backup running on the same "
            "data folder? Nothing is lost: intake goes on when the lock is released."
        )
    if "malformed" in lower or "not a database" in lower or "corrupt" in lower:
        return StoreCorrupt(
            f"{label} is damaged or is no database ({text}). The journal still holds every event: stop urltrap and "
            "run `urltrap rebuild`, which keeps the damaged file beside the new one."
        )
    if "disk is full" in lower or "no space" in lower:
        return StoreUnavailable(f"no space for {label} ({text}). Free some; intake goes on by itself.")
    if "readonly" in lower or "read-only" in lower or "permission" in lower:
        return StoreUnavailable(
            f"{label} cannot be written ({text}). Check the owner and mode of file and folder."
        )
    if isinstance(error, OperationalError | InterfaceError) and (
        error.connection_invalidated
        or "unable to open" in lower
        or "connect" in lower
        or "gone away" in lower
        or "shutdown" in lower
        or "denied" in lower
        or "unknown database" in lower
    ):
        return StoreUnavailable(
            f"{label} cannot be opened ({text}). Check store.url and that the server runs."
        )
    return None


def _known_schemas() -> list[str]:
    """Every schema that this version knows, oldest first, from the names of the migrations (vNNNN_words.py)."""
    return sorted(path.name[1:5] for path in MIGRATIONS.glob("versions/v[0-9][0-9][0-9][0-9]_*.py"))


def newest_schema() -> str:
    """The newest schema that this version knows."""
    return _known_schemas()[-1]


def schema_of(store: Store) -> str | None:
    """The schema that the database has; None where it has none."""
    with store.connect() as connection:
        return _schema(connection)


def _schema(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return found


def schema_at(url: str) -> str | None:
    """The schema of the database at `url`, which is not changed; None where it has none. Raises StoreError kinds."""
    store = Store(_engine(url))
    try:
        return schema_of(store)
    finally:
        store.close()


def _upgrade(store: Store, migrate: bool) -> None:
    head = newest_schema()
    current = schema_of(store)
    if current == head:
        return
    if current is not None and current not in _known_schemas():
        raise StoreNewer(
            f"{store.label} was made by a newer urltrap (schema {current}); this one knows up to {head}. "
            "Update urltrap, or restore a backup that this version made."
        )
    if not migrate:
        raise StoreUnavailable(
            f"{store.label} has no or an older schema ({current or 'none'}); start `urltrap up` once, which updates it"
        )
    # The turn is taken before looking again: of two processes that start together one waits and finds it done.
    with store.begin() as connection, schema_turn(connection):
        if _schema(connection) != head:
            cowrie_views.drop(connection)
            # Alembic takes a fifth of a second to load, and is needed after an update alone.
            from urltrap.store import migrating

            migrating.upgrade(connection, store.label)
        compare_bytes(connection)
