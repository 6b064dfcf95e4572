"""What every way of making boxes offers: whether it works here, a box, and programs running in it."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from urltrap.sandbox.bundle import Command

if TYPE_CHECKING:
    from urltrap.sandbox.uplink.namespace import Wire


class SandboxError(Exception):
    """A box cannot be made or used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Whether a driver works on this machine: `why` not, and the `remedy`; both are empty where it does."""

    driver: str
    why: str = ""
    remedy: str = ""

    @property
    def usable(self) -> bool:
        """True where nothing is missing."""
        return not self.why


class Running(Protocol):
    """A program in a box. `files`: the terminal's master, or standard input, output and error, as descriptors of
    ours that the owner closes."""

    @property
    def files(self) -> tuple[int, ...]: ...
    def signal(self, number: int) -> None: ...
    def wait(self) -> Awaitable[int]:
        """Its status: 0-255, or 128 + the signal that ended it."""
        ...


class Box(Protocol):
    """One disposable machine."""

    @property
    def id(self) -> str: ...
    @property
    def upper(self) -> Path:
        """The folder of what was changed in it, as the host sees it."""
        ...

    @property
    def devices(self) -> int | None:
        """A descriptor of its /dev, which is in memory and no part of `upper`; it closes with the box."""
        ...

    @property
    def alive(self) -> bool:
        """Whether programs can still be run in it."""
        ...

    @property
    def pid(self) -> int:
        """Its first process, as the host numbers it."""
        ...

    @property
    def wire(self) -> Wire | None:
        """The other end of its only link; it closes with the box. None where it has no link."""
        ...

    def processes(self) -> list[int]:
        """All that run in it, as the host numbers them."""
        ...

    def run(self, command: Command) -> Awaitable[Running]: ...
    def destroy(self) -> Awaitable[None]:
        """End everything in it and leave nothing behind."""
        ...


class Driver(Protocol):
    """A way of making boxes."""

    @property
    def name(self) -> str: ...
    def create(self, id: str) -> Awaitable[Box]:
        """A running box; SandboxError where it cannot be had."""
        ...
