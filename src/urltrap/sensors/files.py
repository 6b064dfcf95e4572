"""Files that attackers write or send, on their way into the quarantine: off the event loop, bounded, in order."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable

from urltrap.machine.effects import Content
from urltrap.model.event import FileWritten, Uploaded, UploadVia
from urltrap.quarantine.errors import QuarantineError
from urltrap.sensors.ports import Artifacts
from urltrap.sensors.session import ErrorLog, Session

MAX_PENDING = 32
"""Files of one session on their way; the session's jobs wait while there are more."""
REMEMBERED = 4096
_HASHED_AT_ONCE = 262_144
"""Bytes whose hash is not worth a thread; that of a large upload would keep everybody else waiting."""


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class KnownContents:
    """Hashes that this process has put lately, so that a loop writing one file costs one disk write. Bounded."""

    def __init__(self, size: int = REMEMBERED) -> None:
        self._known: OrderedDict[str, None] = OrderedDict()
        self._size = size

    def __contains__(self, sha256: str) -> bool:
        return sha256 in self._known

    def add(self, sha256: str) -> None:
        """Remember it, forgetting the oldest."""
        self._known[sha256] = None
        self._known.move_to_end(sha256)
        while len(self._known) > self._size:
            self._known.popitem(last=False)


class FileKeeper:
    """One session's files: `written` by the machine, `uploaded` by the client. `finish` waits for all of them."""

    def __init__(
        self,
        session: Session,
        artifacts: Artifacts,
        known: KnownContents,
        limit: int,
        errors: ErrorLog,
        drained: Callable[[], None],
    ) -> None:
        self._session = session
        self._artifacts = artifacts
        self._known = known
        self._limit = limit
        self._errors = errors
        self._drained = drained
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def full(self) -> bool:
        """True where too many files wait for the disk."""
        return len(self._tasks) >= MAX_PENDING

    def written(self, path: bytes, content: Content, mode: int, channel: int) -> None:
        """A file of the machine was closed: keep its content, journal `FileWritten`.

        Of one above the limit the beginning is kept, as an artifact that is not complete.
        """
        data = content.read(0, min(content.size, self._limit))

        def record(sha256: str | None) -> None:
            self._session.record(
                FileWritten, channel=channel, path=path, size=content.size, mode=mode, sha256=sha256
            )

        self._keep(data, len(data) == content.size, record)

    def uploaded(self, via: UploadVia, path: bytes, data: bytes, channel: int, *, complete: bool) -> None:
        """The client sent a file: keep it, journal `Uploaded`."""

        def record(sha256: str | None) -> None:
            # The hash names it even where the disk could not take it; the error is logged by then.
            name = sha256 or _sha256(data)
            self._session.record(
                Uploaded, channel=channel, via=via, path=path, size=len(data), sha256=name, complete=complete
            )

        self._keep(data, complete, record)

    async def finish(self) -> None:
        """Wait until everything is on the disk and journalled."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    def _keep(self, data: bytes, complete: bool, record: Callable[[str | None], None]) -> None:
        sha256 = _sha256(data) if len(data) <= _HASHED_AT_ONCE else None
        if sha256 is not None and sha256 in self._known:
            record(sha256)
            return
        task = asyncio.ensure_future(self._put(data, complete, sha256, record))
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def _put(
        self, data: bytes, complete: bool, sha256: str | None, record: Callable[[str | None], None]
    ) -> None:
        if sha256 is None:
            sha256 = await asyncio.to_thread(_sha256, data)
            if sha256 in self._known:
                record(sha256)
                return
        try:
            await asyncio.to_thread(self._artifacts.put, data, complete=complete)
        except QuarantineError as error:
            self._errors.report("quarantine", error)
            record(None)
            return
        self._known.add(sha256)
        record(sha256)

    def _done(self, task: asyncio.Task[None]) -> None:
        was_full = self.full
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._errors.report("keeping a file", error)
        if was_full:
            self._drained()
