"""What an output is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from urltrap.model.event import Event


class OutputError(Exception):
    """A receiver could not be reached or refused; the same events are offered again later. Holds no secret."""


class Output(Protocol):
    """Somebody who takes events. Called from one thread; it may block for some seconds."""

    name: str

    def deliver(self, events: Sequence[Event]) -> None:
        """Hand over `events`, in order. OutputError where that failed: all of them will come again."""
        ...

    def memory(self) -> Any:
        """What must be known to go on in another process, for JSON."""
        ...

    def recall(self, memory: Any) -> None:
        """Take back what `memory` gave."""
        ...

    def close(self) -> None:
        """Free connections and files."""
        ...
