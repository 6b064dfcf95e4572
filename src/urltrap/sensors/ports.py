"""What a sensor needs of the rooms below it, as protocols: the real ones fit by their shape, tests bring small ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from urltrap.machine.api import Connection, FileSystem
from urltrap.machine.effects import Content, Job
from urltrap.model.artifact import Artifact
from urltrap.model.capture import Capture, FetchRequest
from urltrap.model.event import EventBase


class Journal(Protocol):
    """Takes events; the attacker is answered when `append` returns, durability follows."""

    def append(self, event: EventBase) -> object: ...


class Fetcher(Protocol):
    """Asks the fetcher's process for a URL."""

    def fetch(self, request: FetchRequest) -> Awaitable[Capture]: ...


class Artifacts(Protocol):
    """The quarantine, as far as a sensor uses it. Both may block on the disk: call them in a thread."""

    def put(self, data: bytes, *, complete: bool = True) -> Artifact: ...
    def content(self, sha256: str) -> Content: ...


class Account(Protocol):
    """Who is logged in."""

    @property
    def uid(self) -> int: ...
    @property
    def home(self) -> str: ...


class Login(Protocol):
    """One user logged in on one connection."""

    @property
    def account(self) -> Account: ...

    def exec(self, command: str, env: Mapping[str, str]) -> Job: ...
    def exec_on_terminal(
        self, command: str, term: str, columns: int, rows: int, env: Mapping[str, str]
    ) -> Job: ...
    def shell(self, term: str, columns: int, rows: int, env: Mapping[str, str]) -> Job: ...
    def shell_on_pipes(self, env: Mapping[str, str]) -> Job: ...
    def close(self, now: float) -> None: ...


class Machine(Protocol):
    """One attacker's machine."""

    def login(
        self, user: str, connection: Connection, now: float, password: bytes | None = None
    ) -> Login: ...
    def view(self, uid: int) -> FileSystem: ...
    def pass_time(self, now: float) -> None: ...
    def down_until(self, now: float) -> float | None:
        """When it answers again, where its user has rebooted it or switched it off."""
        ...


MachineFactory = Callable[[str], Machine]
"""Makes (or reloads) the machine of an attacker's address."""
