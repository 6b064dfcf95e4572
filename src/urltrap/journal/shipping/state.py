"""What the shipper remembers on the disk: which journal this is, and how far the collector's store has it."""

from __future__ import annotations

import json
import os
import secrets
import threading
from pathlib import Path

import structlog

from urltrap.journal.position import BEGINNING, Position
from urltrap.journal.shipping.chunk import STREAM
from urltrap.journal.space import disk_error

log = structlog.get_logger("urltrap.shipper")


class ShippingState:
    """Kept in one file beside the journals. Safe for several threads.

    Hold `turn` while a segment that was never sent is changed: `begin` waits for it. Without its file, everything is
    shipped anew, under a new name of the stream: repeats are harmless.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.turn = threading.Lock()
        self._saving = threading.Lock()
        self.stream = ""
        self._acknowledged: dict[str, Position] = {}
        self._sent: dict[str, int] = {}
        self.dropped_segments = 0
        self.compacted_sessions = 0
        self._load()
        if not self.stream:
            self.stream = secrets.token_hex(8)
            self.save()

    def acknowledged(self, writer: str) -> Position:
        """How far the collector's store has this writer's journal, as far as is known here."""
        return self._acknowledged.get(writer, BEGINNING)

    def acknowledge(self, writer: str, position: Position) -> None:
        """The collector said so; also backwards, when its store was restored from a backup."""
        if self._acknowledged.get(writer) != position:
            self._acknowledged[writer] = position
            self.save()

    def is_begun(self, writer: str, segment: int) -> bool:
        """Whether something of this segment may be known to the collector: its places must stay as they are."""
        return segment <= max(self._sent.get(writer, 0), self.acknowledged(writer).segment)

    def begin(self, writer: str, segment: int) -> None:
        """From now on this segment must not be changed; what was read of it before may be out of date."""
        with self.turn:
            self._sent[writer] = max(segment, self._sent.get(writer, 0))
            self.save(durable=True)

    def save(self, durable: bool = False) -> None:
        """Write the file in one step. JournalError where the disk refuses."""
        with self._saving:
            body = {
                "stream": self.stream, "acknowledged": dict(self._acknowledged), "sent": dict(self._sent),
                "dropped_segments": self.dropped_segments, "compacted_sessions": self.compacted_sessions,
            }  # fmt: skip
            temporary = self._path.with_suffix(".new")
            try:
                with open(temporary, "w", encoding="ascii", opener=_private) as file:
                    json.dump(body, file)
                    if durable:
                        file.flush()
                        os.fsync(file.fileno())
                os.rename(temporary, self._path)
            except OSError as error:
                raise disk_error(error, f"keeping {self._path}") from error

    def _load(self) -> None:
        try:
            body = json.loads(self._path.read_text("ascii"))
            stream = str(body["stream"])
            if not STREAM.fullmatch(stream):
                raise ValueError("its name of the stream is none")
            acknowledged = {
                str(name): Position(*map(int, place)) for name, place in body["acknowledged"].items()
            }
            sent = {str(name): int(number) for name, number in body["sent"].items()}
            self.dropped_segments = int(body["dropped_segments"])
            self.compacted_sessions = int(body["compacted_sessions"])
        except FileNotFoundError:
            return
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("shipper.state_damaged", file=str(self._path), error=str(error),
                        consequence="everything is shipped anew; the collector knows what it has")  # fmt: skip
            return
        self.stream, self._acknowledged, self._sent = stream, acknowledged, sent


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
