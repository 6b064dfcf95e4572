"""A `cowrie.json` that grows as sessions go on, for what reads Cowrie's log."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from urltrap.exchange.cowrie.writing import CowrieWriter
from urltrap.exchange.outputs.output import OutputError
from urltrap.model.event import Event

_OPEN_AT_ONCE = 2_000


class CowrieLog:
    """Appends to `path`, opened anew for each batch: it may be rotated by whoever rotates logs here."""

    name = "cowrie-log"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = CowrieWriter(_OPEN_AT_ONCE)

    def deliver(self, events: Sequence[Event]) -> None:
        """One line or more for each event that Cowrie has a word for."""
        lines = b"".join(line for event in events for line in self._writer.lines(event))
        if not lines:
            return
        try:
            with open(self._path, "ab") as file:
                file.write(lines)
        except OSError as error:
            raise OutputError(f"{self._path} cannot be written: {error.strerror}") from error

    def memory(self) -> Any:
        """The open sessions."""
        return self._writer.memory()

    def recall(self, memory: Any) -> None:
        """The open sessions of another process."""
        self._writer.recall(memory)

    def close(self) -> None:
        """Nothing is held open."""
