"""What one transfer (HTTP, FTP or TFTP) is given and gives back, whatever its protocol."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from types import TracebackType

from urltrap.model.artifact import Artifact
from urltrap.model.capture import CaptureOutcome, Certificate
from urltrap.quarantine import ArtifactWriter, Quarantine, QuarantineError

_BLOCK = 65_536
"""Bytes gathered before the disk is troubled: TFTP comes in pieces of 512."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The budget of a transfer: `deadline` in the event loop's time, the rest in bytes and seconds."""

    max_bytes: int
    connect_seconds: float
    deadline: float


@dataclass(slots=True)
class Answer:
    """What came of one request. `location` is the raw target of a redirect; `sha256` names a kept body."""

    outcome: CaptureOutcome
    detail: str = ""
    status: int | None = None
    reason: bytes = b""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    location: bytes = b""
    certificate: Certificate | None = None
    connected_ms: int | None = None
    answered_ms: int | None = None
    sha256: str | None = None
    size: int | None = None
    complete: bool = True

    def keep(self, body: Body) -> None:
        """Note what `body` became, and what hindered it."""
        artifact = body.artifact
        if artifact is not None:
            self.sha256, self.size = artifact.sha256, artifact.size
            self.complete = self.complete and artifact.complete
        if body.failure:
            self.complete = False
            self.detail = f"{self.detail}; {body.failure}" if self.detail else body.failure


class BodyTooLarge(Exception):
    """The body exceeds the limit; its beginning is kept."""


class TransferFailed(Exception):
    """A transfer ended without an answer; `outcome` and the message say how."""

    def __init__(self, outcome: CaptureOutcome, detail: str) -> None:
        super().__init__(detail)
        self.outcome = outcome
        self.detail = detail


class Body:
    """A payload on its way into the quarantine; a full disk costs the body, not the answer.

    Use as a context: what was not finished is dropped at its end. `failure` says why a body could not be kept.
    """

    def __init__(self, quarantine: Quarantine, limit: int) -> None:
        self._quarantine = quarantine
        self._limit = limit
        self._writer: ArtifactWriter | None = None
        self._pending = bytearray()
        self._writing: asyncio.Future[None] | None = None
        self._lock = threading.Lock()
        self._closed = False
        self.size = 0
        self.failure = ""
        self.artifact: Artifact | None = None

    def __enter__(self) -> Body:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writing is not None:
            self._writing.add_done_callback(lambda done: done.cancelled() or done.exception())
        # A thread may still be writing: the file descriptor must not be closed under it.
        with self._lock:
            self._closed = True
            if self._writer is not None:
                self._writer.abort()

    async def write(self, chunk: bytes) -> None:
        """Append `chunk`; BodyTooLarge once the limit is exceeded (the beginning is kept)."""
        room = self._limit - self.size
        self._pending += chunk[:room]
        self.size += min(len(chunk), room)
        if len(self._pending) >= _BLOCK:
            await self._flush()
        if len(chunk) > room:
            raise BodyTooLarge

    async def finish(self, *, complete: bool) -> None:
        """Keep what came, an empty body included; `artifact` is set unless the quarantine failed."""
        await self._flush()
        if not self.failure:
            try:
                self.artifact = await asyncio.to_thread(self._commit, complete)
            except QuarantineError as error:
                self.failure = f"the body could not be kept: {error}"

    async def _flush(self) -> None:
        if self._writing is not None:
            # A deadline may have taken us away from an earlier block; the disk has it in hand.
            await self._settle(self._writing)
        block, self._pending = bytes(self._pending), bytearray()
        if block and not self.failure:
            # The disk may be slow, and other transfers run in this loop.
            self._writing = asyncio.ensure_future(asyncio.to_thread(self._write, block))
            await self._settle(self._writing)

    async def _settle(self, writing: asyncio.Future[None]) -> None:
        try:
            await asyncio.shield(writing)
        except QuarantineError as error:
            self.failure = f"the body could not be kept: {error}"
        self._writing = None

    def _open(self) -> ArtifactWriter:
        if self._closed:
            raise QuarantineError("the transfer was given up; ask for the URL again")
        if self._writer is None:
            self._writer = self._quarantine.writer()
        return self._writer

    def _write(self, chunk: bytes) -> None:
        with self._lock:
            self._open().write(chunk)

    def _commit(self, complete: bool) -> Artifact:
        with self._lock:
            return self._open().commit(complete)
