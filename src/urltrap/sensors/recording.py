"""The terminal stream for replay, batched into few events and bounded."""

from __future__ import annotations

import asyncio
from typing import Literal

from urltrap.model.event import TerminalFrames
from urltrap.sensors.session import Session

BATCH_BYTES = 4096
BATCH_SECONDS = 1.0
BATCH_FRAMES = 500
MAX_BYTES = 1_000_000
"""Bytes of one channel's stream that are kept: one of this length was cut. Cutting is no budget of the attacker's."""


class Recording:
    """Frames of one channel; `add` is cheap, an event is written once a second or every few kilobytes."""

    def __init__(self, session: Session, channel: int, loop: asyncio.AbstractEventLoop) -> None:
        self._session = session
        self._channel = channel
        self._loop = loop
        self._frames: list[tuple[int, Literal["i", "o"], bytes]] = []
        self._pending = self._total = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, direction: Literal["i", "o"], data: bytes) -> None:
        """Record what was typed ("i") or shown ("o")."""
        if not data or self._total >= MAX_BYTES:
            return
        room = MAX_BYTES - self._total
        if len(data) > room:
            data = data[:room]
        self._total += len(data)
        self._frames.append((self._session.elapsed_ms, direction, bytes(data)))
        self._pending += len(data)
        if self._pending >= BATCH_BYTES or len(self._frames) >= BATCH_FRAMES:
            self.flush()
        elif self._timer is None:
            self._timer = self._loop.call_later(BATCH_SECONDS, self.flush)
        if self._total >= MAX_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what is pending."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._frames:
            frames, self._frames, self._pending = self._frames, [], 0
            self._session.record(TerminalFrames, channel=self._channel, frames=frames)
