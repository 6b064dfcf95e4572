"""From the journal to one output: in order, at least once, going on where it stood."""

from __future__ import annotations

import json
from pathlib import Path

import structlog

from urltrap.exchange.outputs.output import Output, OutputError
from urltrap.journal import (
    BEGINNING,
    JournalCorruptError,
    JournalError,
    JournalReader,
    JournalUndecodableError,
    Position,
)
from urltrap.journal.folder import list_segments, writer_folder
from urltrap.journal.source import open_source
from urltrap.model.canary import is_canary

BATCH = 200
_QUIET = ("terminal.frames",)

log = structlog.get_logger("urltrap.outputs")


class Delivery:
    """Belongs to one thread. `state` is the file in which its place in each writer's journal is kept.

    An output that is new begins with what is written from then on, not with the journal's past.
    """

    def __init__(self, reader: JournalReader, output: Output, state: Path) -> None:
        self._reader = reader
        self._output = output
        self._state = state
        self._positions: dict[str, Position] = {}
        self._load()

    def step(self) -> int:
        """Offer one batch of every writer; how many events were delivered. OutputError: nothing moved, try later."""
        delivered = 0
        for writer in self._reader.writers():
            delivered += self._take(writer)
        return delivered

    def _take(self, writer: str) -> int:
        after = self._positions.get(writer, BEGINNING)
        try:
            found = self._reader.read(writer, after, BATCH)
        except (JournalCorruptError, JournalUndecodableError):
            # The store keeps such records aside; here they are passed over.
            self._move(writer, self._reader.skip(writer, after))
            return 0
        except JournalError as error:
            log.warning("outputs.journal", output=self._output.name, writer=writer, error=str(error))
            return 0
        if not found:
            if self._reader.is_begun_anew(writer, after):
                self._move(writer, BEGINNING)
            return 0
        self._output.deliver(
            [event for _, event in found if event.kind not in _QUIET and not is_canary(event)]
        )
        self._move(writer, found[-1][0])
        return len(found)

    def _move(self, writer: str, position: Position) -> None:
        self._positions[writer] = position
        kept = {
            "positions": {name: [place.segment, place.offset] for name, place in self._positions.items()},
            "memory": self._output.memory(),
        }
        fresh = self._state.with_suffix(".new")
        fresh.write_text(json.dumps(kept), "ascii")
        fresh.replace(self._state)

    def _load(self) -> None:
        try:
            kept = json.loads(self._state.read_bytes())
        except FileNotFoundError:
            directory = self._reader.directory
            self._positions = {writer: _end(directory, writer) for writer in self._reader.writers()}
            return
        except ValueError as error:
            raise OutputError(
                f"{self._state} is damaged; remove it, and the output goes on with what is new"
            ) from error
        self._positions = {name: Position(*place) for name, place in kept["positions"].items()}
        self._output.recall(kept["memory"])


def _end(directory: Path, writer: str) -> Position:
    """Behind what a writer has written so far."""
    segments = list_segments(writer_folder(directory, writer))
    if not segments:
        return BEGINNING
    newest = segments[-1]
    source = open_source(newest.path, newest.archived)
    try:
        return Position(newest.number, source.size())
    finally:
        source.close()
