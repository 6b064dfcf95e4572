"""Database servers for tests: the ones that answer on this machine, else temporary ones, else a visible skip.

Every test gets a database of its own with a random name, dropped afterwards. `TemporaryServer` is a whole server in a
folder of its own, which a test may stop, kill and start again.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url
from sqlalchemy.exc import SQLAlchemyError

KINDS = ("sqlite", "mariadb", "postgresql")
_LOCAL = {
    "mariadb": "mariadb+pymysql://root@127.0.0.1:3306/mysql",
    "postgresql": "postgresql+psycopg://postgres@127.0.0.1:5432/postgres",
}
_PASSING = (
    "could not create shared memory",
    "could not map anonymous shared memory",
    "could not bind",
    "Address already in use",
)
"""What a server says where another one, which is just ending, has what it needs."""
_temporary: dict[str, TemporaryServer] = {}


def run_sql(url: str, *statements: str) -> None:
    """Run statements outside of transactions on the server at `url`."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
    finally:
        engine.dispose()


def _answers(url: str) -> bool:
    try:
        run_sql(url, "SELECT 1")
    except (SQLAlchemyError, ModuleNotFoundError):
        return False
    return True


def server_url(kind: str) -> str:
    """The administrator's URL of a server of this kind; the test is skipped where there is and can be none."""
    if kind not in _temporary and _answers(_LOCAL[kind]):
        return _LOCAL[kind]
    if kind not in _temporary:
        _temporary[kind] = TemporaryServer(kind)
        _temporary[kind].start()
    return _temporary[kind].url


def stop_temporary_servers() -> None:
    """End what `server_url` started."""
    while _temporary:
        _temporary.popitem()[1].remove()


def fresh_database(admin: str) -> str:
    """Make an empty database on the server at `admin`; its URL."""
    name = f"urltrap_test_{secrets.token_hex(6)}"
    utf8 = "" if admin.startswith("postgresql") else " CHARACTER SET utf8mb4"
    run_sql(admin, f"CREATE DATABASE {name}{utf8}")
    return make_url(admin).set(database=name).render_as_string(hide_password=False)


def drop_database(admin: str, url: str) -> None:
    """Drop a database that `fresh_database` made."""
    force = " WITH (FORCE)" if admin.startswith("postgresql") else ""
    run_sql(admin, f"DROP DATABASE IF EXISTS {make_url(url).database}{force}")


@contextlib.contextmanager
def database(kind: str, folder: Path, name: str = "urltrap") -> Iterator[str]:
    """The URL of an empty database of this kind (SQLite: a file in `folder`), gone afterwards."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / name}.db"
        return
    admin = server_url(kind)
    url = fresh_database(admin)
    try:
        yield url
    finally:
        drop_database(admin, url)


def _program(*names: str) -> str | None:
    places = os.pathsep.join(
        [
            os.environ.get("PATH", ""),
            "/usr/sbin",
            *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)),
        ]
    )
    return next((found for name in names if (found := shutil.which(name, path=places))), None)


class TemporaryServer:
    """A MariaDB or PostgreSQL of the test's own on a free port of loopback, its data in a temporary folder."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        needed = ("mariadbd", "mariadb-install-db") if kind == "mariadb" else ("postgres", "initdb")
        older = ("mysqld", "mysql_install_db") if kind == "mariadb" else needed
        found = [_program(*names) for names in zip(needed, older, strict=True)]
        if None in found:
            pytest.skip(
                f"NOT TESTED on {kind}: no server answers here, and {' and '.join(needed)} are not installed"
            )
        self.server, self.install = [str(Path(str(path)).resolve()) for path in found]
        self.folder = Path(tempfile.mkdtemp(prefix=f"urltrap-{kind}-"))
        self.data = self.folder / "data"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None
        # PostgreSQL refuses to run as root.
        self.user: str | None = None
        if os.geteuid() == 0:
            names = {entry.pw_name for entry in pwd.getpwall()}
            own = "postgres" if kind == "postgresql" else "mysql"
            self.user = own if own in names else "nobody"
            shutil.chown(self.folder, self.user)
        self._install()

    @property
    def url(self) -> str:
        """The administrator's URL."""
        if self.kind == "mariadb":
            return f"mariadb+pymysql://root@127.0.0.1:{self.port}/mysql"
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"

    def _install(self) -> None:
        if self.kind == "mariadb":
            command = [self.install, "--no-defaults", f"--datadir={self.data}",
                       "--auth-root-authentication-method=normal", "--skip-test-db"]  # fmt: skip
        else:
            command = [
                self.install,
                "-D",
                str(self.data),
                "-U",
                "postgres",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--no-sync",
            ]
        done = subprocess.run(
            command, user=self.user, cwd=self.folder, capture_output=True, text=True, check=False
        )
        if done.returncode:
            shutil.rmtree(self.folder, ignore_errors=True)
            pytest.skip(f"NOT TESTED on {self.kind}: a temporary server cannot be made: {done.stderr[-300:]}")

    def start(self, tries: int = 3) -> None:
        """Start and wait until it answers; again where what it says may be over at the next try."""
        if self.kind == "mariadb":
            command = [self.server, "--no-defaults", f"--datadir={self.data}", f"--port={self.port}",
                       "--bind-address=127.0.0.1", f"--socket={self.folder}/s", f"--pid-file={self.folder}/pid",
                       "--innodb-buffer-pool-size=64M"]  # fmt: skip
        else:
            command = [self.server, "-D", str(self.data), "-p", str(self.port), "-k", str(self.folder),
                       "-c", "listen_addresses=127.0.0.1"]  # fmt: skip
        log = open(self.folder.parent / f"{self.folder.name}.log", "ab")  # noqa: SIM115 - the child has it
        self.process = subprocess.Popen(
            command, user=self.user, cwd=self.folder, stdout=log, stderr=log, start_new_session=True
        )
        log.close()
        deadline = time.monotonic() + 60
        while not _answers(self.url):
            if self.process.poll() is not None or time.monotonic() > deadline:
                said = Path(log.name).read_text()[-2000:]
                if tries > 1 and any(words in said for words in _PASSING):
                    if self.process.poll() is None:
                        self.stop(kill=True)
                    self.process = None
                    return self.start(tries - 1)
                raise AssertionError(f"{self.kind} did not start: {said}")
            time.sleep(0.05)

    def stop(self, kill: bool = False) -> None:
        """Shut it down, or kill it and its children without a word (`kill`)."""
        if self.process is None:
            return
        if kill:
            os.killpg(self.process.pid, signal.SIGKILL)
        else:
            # PostgreSQL: the fast shutdown, which ends the connections of clients.
            self.process.send_signal(signal.SIGINT if self.kind == "postgresql" else signal.SIGTERM)
        self.process.wait(60)
        self.process = None

    def remove(self) -> None:
        """Kill it and delete everything."""
        self.stop(kill=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder.parent / f"{self.folder.name}.log").unlink(missing_ok=True)
