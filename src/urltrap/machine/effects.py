"""What a running machine wants done outside of it, and what comes back: the border between machine/ and its driver.

A driver (a sensor, a test, recovery) owns a `Job` and calls ``job.step(now, budget)``; the job runs until it is
blocked or the budget of interpreter steps is used, and returns effects in order. Nothing else crosses the border.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from urltrap.model.capture import Capture, FetchRequest
from urltrap.model.event import EventBase


class Content(Protocol):
    """The bytes of a file, wherever they are: in memory, in the quarantine, or generated on demand."""

    @property
    def size(self) -> int:
        """Length in bytes."""
        ...

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`; empty at and behind the end."""
        ...


@dataclass(frozen=True, slots=True)
class BytesContent:
    """Content held in memory."""

    data: bytes

    @property
    def size(self) -> int:
        """Length in bytes."""
        return len(self.data)

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`."""
        return self.data[offset : offset + length]


@dataclass(frozen=True, slots=True)
class FetchReply:
    """The fetcher's answer as the machine sees it: the capture's outcome and the body where there is one."""

    capture: Capture
    body: Content | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """Bytes for the attacker. `stream` 1 stdout, 2 stderr; with a terminal everything is 1."""

    data: bytes
    stream: int = 1


@dataclass(frozen=True, slots=True)
class Fetch:
    """Ask the fetcher; the driver answers with ``job.fetched(id, reply)`` whenever it can."""

    id: int
    request: FetchRequest


@dataclass(frozen=True, slots=True)
class Fact:
    """Something to journal: an event type and its fields; the driver adds session, seq, time and channel."""

    event: type[EventBase]
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FileClosed:
    """A file was created or changed and is closed now; the driver keeps its content and journals `FileWritten`."""

    path: str
    content: Content
    mode: int


@dataclass(frozen=True, slots=True)
class ProgramCrashed:
    """A program of ours failed (a mistake of ours): the attacker saw a crash, the driver logs this."""

    name: str
    argv: tuple[str, ...]
    traceback: str


@dataclass(frozen=True, slots=True)
class WentDown:
    """The machine was rebooted or switched off: the driver drops the connection without another word."""

    kind: str


Effect = Output | Fetch | Fact | FileClosed | ProgramCrashed | WentDown


class Job(Protocol):
    """One command or one interactive shell on the machine, sans-IO (implemented by `machine.kernel.job`)."""

    def receive(self, data: bytes) -> None:
        """Bytes that the attacker sent to standard input or typed at the terminal."""
        ...

    def receive_eof(self) -> None:
        """The attacker closed his sending side."""
        ...

    def receive_signal(self, name: str) -> None:
        """A signal of the SSH channel, by its name without SIG ("INT", "TERM", "HUP")."""
        ...

    def resize(self, columns: int, rows: int) -> None:
        """The terminal's window changed (SIGWINCH)."""
        ...

    def fetched(self, id: int, reply: FetchReply) -> None:
        """The answer to a `Fetch` effect."""
        ...

    def hang_up(self) -> None:
        """The connection is gone: SIGHUP to the job; what used nohup/disown is only recorded as such."""
        ...

    def step(self, now: float, budget: int = 20_000) -> list[Effect]:
        """Run at most about `budget` interpreter steps at time `now` (unix seconds, UTC); effects in order."""
        ...

    @property
    def runnable(self) -> bool:
        """True where `step` would get further without any new input: call it again, after serving others."""
        ...

    @property
    def wake_at(self) -> float | None:
        """The unix time at which a sleeping process wants to go on; None: only input or a fetch can wake it."""
        ...

    @property
    def exit_status(self) -> int | None:
        """None while running; then 0–255, or 128 + signal."""
        ...

    @property
    def killed_by(self) -> str | None:
        """The name without SIG of the signal that ended it; None where it ended by itself or still runs."""
        ...

    @property
    def lingering(self) -> bool:
        """True where processes of it go on although it ended (``nohup``, ``&``): step it while that is worth it."""
        ...

    @property
    def waiting_for_fetch(self) -> bool:
        """True while the answer to a `Fetch` is due."""
        ...

    @property
    def backlog(self) -> int:
        """Bytes that the attacker sent and nobody read yet: a driver stops reading from him above a megabyte."""
        ...

    def end(self) -> None:
        """Kill everything that is left of it; the driver gives it up."""
        ...
