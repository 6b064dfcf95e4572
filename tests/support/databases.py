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
_PASSING = ("could not create shared memory", "could not map anonymous shared memory")
"""What a server says where another one, which is just ending, has the memory that it needs."""
_TAKEN = (
    "could not bind",
    "Address already in use",
    "could not create any TCP/IP sockets",
    "Bind on TCP/IP port",
)
"""What a server says where somebody else listens on its port."""
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


def free_port() -> int:
    """A port of loopback on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


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
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self._told = False
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

    def start(self, seconds: float = 60) -> None:
        """Start and wait until it answers; again where what it says may be over at the next try.

        Where its port was taken meanwhile, the first start takes another one. Later ones wait for theirs: `url` was
        told to others. AssertionError with what it says where it does not answer within `seconds`.
        """
        deadline = time.monotonic() + seconds
        while (said := self._try(deadline)) is not None:
            taken = any(words in said for words in _TAKEN)
            if time.monotonic() > deadline or not (taken or any(words in said for words in _PASSING)):
                raise AssertionError(f"{self.kind} did not start: {said}")
            if taken and not self._told:
                self.port = free_port()
            else:
                time.sleep(0.2)
        self._told = True

    def _try(self, deadline: float) -> str | None:
        """Start it once: None where it answers, or else what it said and that it ended."""
        if self.kind == "mariadb":
            command = [self.server, "--no-defaults", f"--datadir={self.data}", f"--port={self.port}",
                       "--bind-address=127.0.0.1", f"--socket={self.folder}/s", f"--pid-file={self.folder}/pid",
                       "--innodb-buffer-pool-size=64M"]  # fmt: skip
        else:
            command = [self.server, "-D", str(self.data), "-p", str(self.port), "-k", str(self.folder),
                       "-c", "listen_addresses=127.0.0.1"]  # fmt: skip
        path = self.folder.parent / f"{self.folder.name}.log"
        before = path.stat().st_size if path.exists() else 0
        with open(path, "ab") as log:
            self.process = subprocess.Popen(
                command, user=self.user, cwd=self.folder, stdout=log, stderr=log, start_new_session=True
            )
        while not (self._is_ready() and _answers(self.url)):
            if self.process.poll() is not None or time.monotonic() > deadline:
                if self.process.poll() is None:
                    self.stop(kill=True)
                self.process = None
                return path.read_bytes()[before:].decode(errors="replace")[-2000:]
            time.sleep(0.05)
        return None

    def _is_ready(self) -> bool:
        """Whether this very process has its port: what answers there may be somebody else."""
        name = self.folder / "pid" if self.kind == "mariadb" else self.data / "postmaster.pid"
        try:
            lines = name.read_text().split()
        except FileNotFoundError:
            return False
        mine = bool(lines) and self.process is not None and lines[0] == str(self.process.pid)
        return mine and (self.kind == "mariadb" or lines[-1] == "ready")

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
