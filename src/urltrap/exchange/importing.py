"""Records of another honeypot into the journal: events appended, files into the quarantine, bad lines kept aside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from urltrap.exchange.cowrie.fields import CowrieLineError
from urltrap.exchange.cowrie.reading import CowrieReader
from urltrap.journal import JournalWriter
from urltrap.journal.position import Position
from urltrap.model.event import DownloadAnswered, EventBase, FileWritten, Uploaded
from urltrap.quarantine import Quarantine

_TOGETHER = 250
_GROUP = 20_000
_LARGEST_FILE = 100_000_000


@dataclass(slots=True)
class Imported:
    """What came of it so far: lines read, events made of them, bad lines kept aside, files taken."""

    lines: int = 0
    events: int = 0
    bad: int = 0
    files: int = 0


class Importer:
    """Takes lines one by one. `aside` gets each bad line with the reason; nothing of it ends the import.

    `files` is the folder in which Cowrie kept payloads, by their SHA-256; those that events name are taken along.
    Raises what the journal and the quarantine raise where the disk refuses: all that was acknowledged is safe.
    """

    def __init__(
        self,
        reader: CowrieReader,
        journal: JournalWriter,
        aside: Callable[[bytes, str], None],
        quarantine: Quarantine | None = None,
        files: Path | None = None,
    ) -> None:
        self._reader = reader
        self._journal = journal
        self._aside = aside
        self._quarantine = quarantine
        self._files = files
        self._waiting: list[EventBase] = []
        self._since_durable = 0
        self._position: Position | None = None
        self.done = Imported()

    def take(self, line: bytes) -> None:
        """One line of the log."""
        self.done.lines += 1
        try:
            events = self._reader.read(line)
        except CowrieLineError as error:
            self.done.bad += 1
            self._aside(line, str(error))
            return
        self.put(events)

    def put(self, events: list[EventBase]) -> None:
        """Events that were read elsewhere."""
        for event in events:
            self._take_file(event)
        self._waiting += events
        self.done.events += len(events)
        self._since_durable += len(events)
        if self._since_durable >= _GROUP:
            self.settle()
        elif len(self._waiting) >= _TOGETHER:
            self._write()

    def settle(self) -> None:
        """Wait until everything taken is acknowledged by the journal."""
        self._write()
        if self._position is not None:
            self._journal.wait_durable(self._position)
        self._since_durable = 0

    def _write(self) -> None:
        if self._waiting:
            self._position = self._journal.append_all(self._waiting)
            self._waiting = []

    def _take_file(self, event: EventBase) -> None:
        if self._files is None or self._quarantine is None:
            return
        if not isinstance(event, (Uploaded, FileWritten, DownloadAnswered)) or not event.sha256:
            return
        if self._quarantine.exists(event.sha256):
            return
        try:
            with open(self._files / event.sha256, "rb") as file:
                data = file.read(_LARGEST_FILE)
        except FileNotFoundError:
            return  # Cowrie did not keep it, or it was removed: the event still names it
        if self._quarantine.put(data).sha256 == event.sha256:
            self.done.files += 1
