"""Dumping the database and reading a dump back: each kind with its own tool, counted at the moment of the dump.

Where a server's tool is missing, the dump is an SQLite file with the same rows: any database can be restored from it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Literal

import structlog
from sqlalchemy import Connection, create_engine, make_url
from sqlalchemy.exc import DBAPIError

from urltrap.ops.backup.errors import BackupError, DamagedError, VerificationError
from urltrap.ops.backup.manifest import DatabaseEntry
from urltrap.store import Store, StoreError, cowrie_views, newest_schema, open_store
from urltrap.store.compare import checksums, row_counts, tables_of
from urltrap.store.engine import explained, schema_of
from urltrap.store.moving import move

Dump = Literal["sqlite", "mariadb-dump", "pg_dump"]
_FILES: dict[Dump, str] = {
    "sqlite": "urltrap.db",
    "mariadb-dump": "database.sql",
    "pg_dump": "database.pgdump",
}
_SAFE = "The journal still has every event, and earlier backups were not touched."

log = structlog.get_logger("urltrap.backup")


def dump(store: Store, folder: Path, whole: bool) -> DatabaseEntry:
    """Write a dump of the database into `folder`; `whole`: with a checksum of every table, for later comparison.

    The counts are those of the very moment that the dump shows. Raises BackupError or StoreError.
    """
    dialect = store.dialect
    if dialect == "sqlite":
        return _dump_sqlite(store, folder, whole)
    tool, kind = _dump_tool(dialect)
    if tool is None:
        log.warning("backup.tool_missing", tool=kind, instead="an SQLite file with the same rows")
        return _dump_rows(store, folder, whole)
    path = folder / _FILES[kind]
    url = make_url(store.engine.url)
    with _server_snapshot(store) as (connection, snapshot, release), open(path, "wb") as out:
        if kind == "pg_dump":
            command = [tool, "-Fc", "-Z0", "--no-owner", "--no-privileges", f"--snapshot={snapshot}"]
        else:
            command = [tool, "--single-transaction", "--quick", "--skip-lock-tables", "--hex-blob", "--skip-comments",
                       "--default-character-set=utf8mb4", "--skip-triggers", "--no-tablespaces"]  # fmt: skip
            # Views belong to the user who made them, whom another server need not know: they are made anew there.
            command += [f"--ignore-table={url.database}.{view}" for view in cowrie_views.names(dialect)]
        with (
            _client(url) as (options, environment),
            tempfile.TemporaryFile() as complaints,
            subprocess.Popen(
                [command[0], *options, *command[1:], str(url.database)],
                stdout=subprocess.PIPE, stderr=complaints, env=environment,
            ) as process,
        ):  # fmt: skip
            assert process.stdout is not None
            # The first table's definition is written inside the tool's own snapshot: others may write from then on.
            _copy_stream(process.stdout, out, release)
            if process.wait() != 0:
                complaints.seek(0)
                complaint = complaints.read().decode("utf-8", "replace").strip()[-400:]
                raise BackupError(f"{kind} failed: {complaint}. {_SAFE}")
        counts = row_counts(connection)
        sums = checksums(connection) if whole else {}
    revision = schema_of(store) or ""
    return DatabaseEntry(
        dialect=_dialect(dialect), dump=kind, path=path.name, revision=revision, counts=counts, checksums=sums
    )


def load(entry: DatabaseEntry, folder: Path, url: str) -> None:
    """Read the dump in `folder` into the empty database at `url`. Raises BackupError or StoreError."""
    target = make_url(url)
    path = folder / entry.path
    if entry.dump == "sqlite":
        check_sqlite(path)
        if target.get_backend_name() == "sqlite":
            shutil.copyfile(path, str(target.database))
            os.chmod(str(target.database), 0o600)
        else:
            _load_rows(path, url)
        return
    wanted = "postgresql" if entry.dump == "pg_dump" else "mysql"
    if target.get_backend_name().replace("mariadb", "mysql") != wanted:
        raise BackupError(
            f"this backup is of a {entry.dialect} database and cannot be read into {target.get_backend_name()}; "
            "restore into the same kind (store.url), then: urltrap db move"
        )
    name = "pg_restore" if entry.dump == "pg_dump" else "mariadb"
    tool = shutil.which(name) or (shutil.which("mysql") if name == "mariadb" else None)
    if tool is None:
        raise BackupError(
            f"{name} is not installed, and this backup needs it; install the database's client programs"
        )
    with _client(target) as (options, environment), open(path, "rb") as dumped:
        command = [tool, *options]
        if name == "pg_restore":
            command += ["--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges", "-d"]
        done = subprocess.run(
            [*command, str(target.database)], stdin=dumped, capture_output=True, env=environment, check=False
        )
    if done.returncode:
        raise BackupError(f"{name} failed: {done.stderr.decode('utf-8', 'replace').strip()[-400:]}")


def compare(entry: DatabaseEntry, url: str) -> None:
    """VerificationError where the database at `url` is not what the backup counted."""
    engine = create_engine(url)
    try:
        with explained(engine.url.render_as_string(hide_password=True)), engine.connect() as connection:
            counts = row_counts(connection, entry.counts)
            wrong = [name for name, count in entry.counts.items() if counts.get(name) != count]
            # Checksums are over the columns of one schema: what an older version backed up is compared by rows.
            if not wrong and entry.checksums and entry.revision == newest_schema():
                found = checksums(connection)
                wrong = [name for name, value in entry.checksums.items() if found.get(name) != value]
    finally:
        engine.dispose()
    if wrong:
        raise VerificationError(
            f"restored tables differ from what was backed up: {', '.join(sorted(wrong)[:8])}. {_SAFE}"
        )


@contextlib.contextmanager
def scratch(entry: DatabaseEntry, folder: Path, server: str) -> Iterator[str]:
    """The URL of an empty database to try a dump in: a file in `folder`, or one on `server`, dropped afterwards."""
    if entry.dump == "sqlite":
        yield f"sqlite:///{folder / 'scratch.db'}"
        return
    name = f"urltrap_verify_{secrets.token_hex(6)}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    try:
        try:
            with admin.connect() as connection:
                connection.exec_driver_sql(f"CREATE DATABASE {name}")
        except DBAPIError as error:
            raise BackupError(
                f"a scratch database cannot be made ({error.orig}), so that the backup was verified by hash only; "
                "give the database's user the right to CREATE DATABASE"
            ) from error
        try:
            yield make_url(server).set(database=name).render_as_string(hide_password=False)
        finally:
            with admin.connect() as connection:
                connection.exec_driver_sql(f"DROP DATABASE {name}")
    finally:
        admin.dispose()


def check_sqlite(path: Path) -> None:
    """DamagedError where the file is no sound SQLite database."""
    connection = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
    try:
        problems = [row[0] for row in connection.execute("PRAGMA quick_check(3)")]
    except sqlite3.DatabaseError as error:
        problems = [str(error)]
    finally:
        connection.close()
    if problems != ["ok"]:
        raise DamagedError(f"{path.name} is damaged ({'; '.join(problems)[:200]}). {_SAFE}")


def _dump_sqlite(store: Store, folder: Path, whole: bool) -> DatabaseEntry:
    path = folder / _FILES["sqlite"]
    with store.connect() as connection:
        source: Any = connection.connection.dbapi_connection
        target = sqlite3.connect(path)
        try:
            # In one step: readers and writers go on beside it, and what comes is of one moment.
            source.backup(target)
            target.execute("PRAGMA journal_mode=DELETE")
        except sqlite3.DatabaseError as error:
            raise DamagedError(
                f"{store.label} is damaged ({error}), so that no backup of it can be made. {_SAFE} Stop "
                "urltrap and run: urltrap rebuild"
            ) from error
        finally:
            target.close()
    try:
        check_sqlite(path)
    except DamagedError as error:
        raise DamagedError(
            f"{store.label} is damaged. {error} Stop urltrap and run `urltrap rebuild`, or restore an earlier backup."
        ) from error
    return _entry_of(path, "sqlite", whole)


def _entry_of(path: Path, dialect: str, whole: bool) -> DatabaseEntry:
    engine = create_engine(f"sqlite:///{path}")
    try:
        with engine.connect() as connection:
            revision = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
            return DatabaseEntry(
                dialect=_dialect(dialect), dump="sqlite", path=path.name, revision=revision,
                counts=row_counts(connection), checksums=checksums(connection) if whole else {},
            )  # fmt: skip
    finally:
        engine.dispose()


def _dump_rows(store: Store, folder: Path, whole: bool) -> DatabaseEntry:
    path = folder / _FILES["sqlite"]
    into = open_store(f"sqlite:///{path}")
    try:
        move(store, into)
    finally:
        into.close()
    return _entry_of(path, store.dialect, whole)


def _load_rows(path: Path, url: str) -> None:
    source = open_store(f"sqlite:///{path}")
    try:
        target = open_store(url)
        try:
            move(source, target)
        finally:
            target.close()
    finally:
        source.close()


def _dialect(name: str) -> Any:
    return name


def _dump_tool(dialect: str) -> tuple[str | None, Dump]:
    if dialect == "postgresql":
        return shutil.which("pg_dump"), "pg_dump"
    return shutil.which("mariadb-dump") or shutil.which("mysqldump"), "mariadb-dump"


@contextlib.contextmanager
def _server_snapshot(store: Store) -> Iterator[tuple[Connection, str, Any]]:
    """A reading connection at the moment that the dump will show, the snapshot's name, and what lets writers go on."""
    with store.connect() as connection:
        if store.dialect == "postgresql":
            yield (
                connection,
                str(connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one()),
                lambda: None,
            )
            return
        tables = ", ".join(f"`{table.name}` READ" for table in tables_of(connection))
        connection.rollback()
        with store.engine.connect() as locking:
            # Writers wait for the moment in which both, the tool and we, take our snapshots.
            locking.exec_driver_sql("SET SESSION lock_wait_timeout = 30")
            locking.exec_driver_sql(f"LOCK TABLES {tables}")
            released = False

            def release() -> None:
                nonlocal released
                if not released:
                    released = True
                    locking.exec_driver_sql("UNLOCK TABLES")

            try:
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                connection.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT")
                yield connection, "", release
            finally:
                release()


def _copy_stream(source: IO[bytes], out: IO[bytes], release: Any) -> None:
    waiting, seen = True, b""
    while chunk := source.read1(1 << 16):  # type: ignore[attr-defined]
        out.write(chunk)
        if waiting:
            seen += chunk
            if b"CREATE TABLE" in seen:
                release()
                waiting, seen = False, b""


@contextlib.contextmanager
def _client(url: Any) -> Iterator[tuple[list[str], dict[str, str]]]:
    """Options and environment for a server's own programs; the password is never on a command line."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    if url.get_backend_name() == "postgresql":
        options = ["-h", url.host or "localhost", "-p", str(url.port or 5432)]
        if url.username:
            options += ["-U", url.username]
        if url.password:
            environment["PGPASSWORD"] = str(url.password)
        yield options, environment
        return
    with tempfile.NamedTemporaryFile("w", suffix=".cnf") as file:  # made with mode 0600
        quoted = str(url.password or "").replace("\\", "\\\\").replace('"', '\\"')
        file.write(f'[client]\npassword="{quoted}"\n')
        file.flush()
        options = [
            f"--defaults-extra-file={file.name}",
            "-h",
            url.host or "localhost",
            "-P",
            str(url.port or 3306),
        ]
        if url.username:
            options += ["-u", url.username]
        yield options, environment


def ensure_current(url: str) -> None:
    """Bring a restored database to this version's schema. Raises StoreError."""
    store = open_store(url)
    try:
        if schema_of(store) != newest_schema():
            raise StoreError(f"{store.label} could not be brought to the newest schema")
    finally:
        store.close()
