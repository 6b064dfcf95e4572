"""A machine whose programs run in a box: the emulated machine of the same persona says who may log in, and takes over
where there is no box."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from urltrap.machine.api import Connection, FileSystem, encode
from urltrap.machine.effects import Job
from urltrap.model.settings import SessionLimits
from urltrap.sandbox.job import BoxJob
from urltrap.sandbox.messages import Run
from urltrap.sandbox.typed import TypedLines

SFTP_SERVER = "/usr/lib/openssh/sftp-server"
_ROOT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_USER_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/games"
_GREET = "cat /run/motd.dynamic /etc/motd 2>/dev/null; "


class _Account(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def uid(self) -> int: ...
    @property
    def gid(self) -> int: ...
    @property
    def home(self) -> str: ...
    @property
    def shell(self) -> str: ...


class EmulatedLogin(Protocol):
    """The log-in on the emulated machine."""

    @property
    def account(self) -> _Account: ...

    def exec(self, command: str, env: Mapping[str, str]) -> Job: ...
    def exec_on_terminal(
        self, command: str, term: str, columns: int, rows: int, env: Mapping[str, str]
    ) -> Job: ...
    def shell(self, term: str, columns: int, rows: int, env: Mapping[str, str]) -> Job: ...
    def shell_on_pipes(self, env: Mapping[str, str]) -> Job: ...
    def close(self, now: float) -> None: ...


class EmulatedMachine(Protocol):
    """The emulated machine of an attacker's address."""

    def login(
        self, user: str, connection: Connection, now: float, password: bytes | None = None
    ) -> EmulatedLogin: ...
    def view(self, uid: int) -> FileSystem: ...
    def pass_time(self, now: float) -> None: ...
    def down_until(self, now: float) -> float | None: ...


class BoxLogin:
    """One user logged in; each program is one in the box of the connection's address."""

    def __init__(
        self, path: Path, emulated: EmulatedLogin, connection: Connection, limits: SessionLimits
    ) -> None:
        self._path = path
        self._emulated = emulated
        self._connection = connection
        self._limits = limits
        self.account = emulated.account

    @property
    def has_box(self) -> bool:
        """Whether boxes are made at all here."""
        return self._path.is_socket()

    def exec(self, command: str, env: Mapping[str, str]) -> Job:
        """A command on three pipes, as sshd runs one: by the user's shell."""
        return self._job([self.account.shell, "-c", command], env, lambda: self._emulated.exec(command, env))

    def exec_on_terminal(
        self, command: str, term: str, columns: int, rows: int, env: Mapping[str, str]
    ) -> Job:
        """A command on a terminal."""
        return self._job(
            [self.account.shell, "-c", command],
            env,
            lambda: self._emulated.exec_on_terminal(command, term, columns, rows, env),
            terminal=(term, columns, rows),
        )

    def shell(self, term: str, columns: int, rows: int, env: Mapping[str, str]) -> Job:
        """A log-in shell on a terminal."""
        return self._job(
            self._login_shell(_GREET),
            env,
            lambda: self._emulated.shell(term, columns, rows, env),
            terminal=(term, columns, rows),
            typed=True,
        )

    def shell_on_pipes(self, env: Mapping[str, str]) -> Job:
        """A log-in shell that reads commands from a pipe."""
        return self._job(self._login_shell(""), env, lambda: self._emulated.shell_on_pipes(env), typed=True)

    def sftp_server(self) -> Job:
        """The box's own SFTP server, started by the user's shell as sshd does it."""
        return self._job(
            [self.account.shell, "-c", SFTP_SERVER], {}, lambda: self._emulated.exec(SFTP_SERVER, {})
        )

    def close(self, now: float) -> None:
        """The connection has ended."""
        self._emulated.close(now)

    def _login_shell(self, before: str) -> list[str]:
        # An OCI process cannot have another name than its file; bash gives the shell its dash.
        name = self.account.shell.rpartition("/")[2]
        return ["/bin/bash", "-c", f'{before}exec -a "-$1" "$0"', self.account.shell, name]

    def _job(
        self,
        argv: list[str],
        env: Mapping[str, str],
        instead: Callable[[], Job],
        *,
        terminal: tuple[str, int, int] | None = None,
        typed: bool = False,
    ) -> Job:
        account, limits = self.account, self._limits
        run = Run(
            address=self._connection.client_ip,
            argv=[encode(word) for word in argv],
            environment=self._environment(env, terminal[0] if terminal else None),
            uid=account.uid,
            gid=account.gid,
            groups=[account.gid],
            folder=account.home,
            terminal=(terminal[1] or 80, terminal[2] or 24) if terminal else None,
            session=self._connection.session,
        )
        return BoxJob(
            self._path,
            run,
            instead,
            typed=TypedLines(limits.line_bytes) if typed else None,
            file_limit=limits.upload_bytes,
        )

    def _environment(self, env: Mapping[str, str], term: str | None) -> dict[str, str]:
        account, connection = self.account, self._connection
        made = {
            "USER": account.name,
            "LOGNAME": account.name,
            "HOME": account.home,
            "PATH": _ROOT_PATH if account.uid == 0 else _USER_PATH,
            "SHELL": account.shell,
        }
        if connection.protocol == "ssh":
            client = f"{connection.client_ip} {connection.client_port}"
            made["SSH_CLIENT"] = f"{client} {connection.server_port}"
            made["SSH_CONNECTION"] = f"{client} {connection.server_ip} {connection.server_port}"
        if term is not None:
            made["TERM"] = term or "dumb"
        accepted = {name: value for name, value in env.items() if name == "LANG" or name.startswith("LC_")}
        return made | accepted


class BoxMachine:
    """The machine of an address."""

    def __init__(self, path: Path, emulated: EmulatedMachine, limits: SessionLimits) -> None:
        self._path = path
        self._limits = limits
        self.emulated = emulated

    def login(self, user: str, connection: Connection, now: float, password: bytes | None = None) -> BoxLogin:
        """Log a user in; LoginError as of the emulated machine."""
        login = self.emulated.login(user, connection, now, password)
        return BoxLogin(self._path, login, connection, self._limits)

    def view(self, uid: int) -> FileSystem:
        """The emulated machine's files."""
        return self.emulated.view(uid)

    def pass_time(self, now: float) -> None:
        """Time passes on the emulated machine too."""
        self.emulated.pass_time(now)

    def down_until(self, now: float) -> float | None:
        """A box is never down."""
        return self.emulated.down_until(now)
