"""What the shipper asks of a way to the collector, whichever it is, and how such a way says no."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from pydantic import Field

from urltrap.journal.position import Position
from urltrap.journal.shipping.chunk import Chunk
from urltrap.model.base import Model, Utc
from urltrap.quarantine import Quarantine


class TransportAway(Exception):
    """Nobody took it: no network, no collector, or its database is away. Nothing is lost; try again."""


class TransportRefused(Exception):
    """The collector will not take it as it is (credential, version): a person has to look. Nothing is lost."""


class Behind(Exception):
    """The collector's store stands at `mark`, before what was sent: go on from there."""

    def __init__(self, mark: Position) -> None:
        super().__init__(f"the collector's store stands at {mark}")
        self.mark = mark


class Beat(Model):
    """What a sensor says of itself, about twice a minute: the moment on its own clock, and what waits in its spool."""

    version: str
    at: Utc
    waiting_bytes: int
    waiting_since: Utc | None = None
    dropped_segments: int = 0
    compacted_sessions: int = 0
    complaint: str = Field(default="", max_length=500, description="why it cannot deliver, while it cannot")

    def encoded(self) -> bytes:
        """For the collector; without what is as usual, so that an older one understands it."""
        return self.model_dump_json(exclude_defaults=True).encode()


class Transport(Protocol):
    """A way to the collector. Every method raises TransportAway or TransportRefused."""

    async def marks(self) -> Mapping[str, Position]:
        """How far the collector's store has each writer of this sensor; it knows nothing of those that are missing."""
        ...

    async def send(self, chunk: Chunk) -> Position:
        """Hand a chunk over; returns once the collector's store has it: the store's watermark. Also raises Behind."""
        ...

    async def send_artifact(self, quarantine: Quarantine, sha256: str) -> None:
        """Hand a payload over, unless the collector has it. ArtifactMissingError where this machine does not."""
        ...

    async def beat(self, beat: Beat) -> None:
        """Tell how this sensor is."""
        ...

    async def close(self) -> None:
        """Free the connection."""
        ...
