"""The writing side: append at once, make durable in groups.

What is promised, and when:

- When `append` returns, the record is in the kernel's page cache: it survives the death of this process (``kill -9``),
  not yet a power cut.
- When the record is acknowledged (`durable_position` reached it, `wait_durable` returned, its callback was called
  without an error), fdatasync has succeeded: it survives ``kill -9``, a full disk and a power cut at any moment.
- A record may come twice after a disk error or a damaged start, never not at all; event ids make repeats harmless.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

import structlog

from urltrap.journal.errors import (
    JournalBusyError,
    JournalClosedError,
    JournalError,
    JournalFailedError,
    JournalRecordError,
    JournalTimeoutError,
)
from urltrap.journal.folder import FOLDER_MODE, lock_folder, writer_folder
from urltrap.journal.format import frame
from urltrap.journal.position import Position
from urltrap.journal.recovery import (
    NewSegment,
    create_segment,
    discard_segment,
    publish_segment,
    start_segment,
)
from urltrap.journal.space import SpaceGuard, disk_error
from urltrap.journal.waiters import Answers, Callback, Waiters, call, settler
from urltrap.model.event import EventBase, encode_event
from urltrap.model.settings import JournalSettings
from urltrap.quarantine.disk import fsync_directory, write_all

__all__ = ["JournalWriter"]

HELD_BYTES = 64_000_000
"""So much may wait for the disk; more is refused, so that a stuck disk costs bounded memory."""
_RETRY_SECONDS = 1.0
_NEXT_TRY_BYTES = 4_000_000
_NEXT_TRY_SECONDS = 60.0

log = structlog.get_logger("urltrap.journal")


class JournalWriter:
    """The only writer of ``directory/writer``; its methods may be called from any thread.

    Opening cuts a torn tail (`repair` tells what was found) and begins a new segment. Raises JournalLockedError where
    another process writes the folder, WriterNameError, JournalFullError or JournalError where the disk refuses.
    """

    def __init__(self, directory: Path, writer: str, settings: JournalSettings) -> None:
        self.folder = writer_folder(directory, writer)
        self.writer = writer
        self._settings = settings
        try:
            self.folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            for above in (self.folder.parent, self.folder.parent.parent):
                fsync_directory(above)
            self._lock_fd = lock_folder(self.folder)
            try:
                segment, self.repair = start_segment(self.folder, writer)
            except BaseException:
                os.close(self._lock_fd)
                raise
        except OSError as error:
            raise disk_error(error, f"opening the journal folder {self.folder}") from error
        if self.repair.reason:
            log.warning("journal.tail_cut", writer=writer, segment=self.repair.segment, offset=self.repair.offset,
                        bytes=self.repair.cut_bytes, saved_records=self.repair.saved_records,
                        reason=self.repair.reason)  # fmt: skip
        self._lock = threading.Lock()
        self._wake = threading.Condition(self._lock)
        self._waiters = Waiters()
        self._held: deque[bytes] = deque()
        self._held_bytes = 0
        self._closing = False
        self._failed: JournalFailedError | None = None
        self._space = SpaceGuard(writer, settings.free_bytes_reserve)
        self._use(segment)
        self._space.check(self._fd)
        self._thread = threading.Thread(target=self._run, name=f"journal-{writer}", daemon=True)
        self._thread.start()

    @property
    def durable_position(self) -> Position:
        """Everything up to here is acknowledged."""
        return self._durable

    @property
    def pressure(self) -> int:
        """How near the disk is to the reserve: 0 (three times as much is free) to 3 (one and a half times as much).

        A hint for those who can leave out what is worth less; the writer itself takes everything down to the reserve.
        """
        return self._space.pressure

    @property
    def position(self) -> Position:
        """The place behind the last record appended."""
        with self._lock:
            return Position(self._segment, self._end)

    def append(self, event: EventBase) -> Position:
        """Write an event into the page cache; the position behind it, to wait for.

        Raises JournalFullError (no room, or less than `free_bytes_reserve` of it), JournalBusyError (the disk is far
        behind), JournalFailedError (the disk fails), JournalRecordError (too long), JournalClosedError: the record was
        not taken, all before are safe.
        """
        return self._append(_framed(event))

    def append_all(self, events: Iterable[EventBase]) -> Position:
        """Write several events with one system call, for those who have many at hand; otherwise as `append`.

        All or none are taken. ValueError where there are none.
        """
        data = b"".join(map(_framed, events))
        if not data:
            raise ValueError("no events to append")
        return self._append(data)

    def append_records(self, payloads: Iterable[bytes]) -> Position:
        """`append_all` for events that are JSON already (those of another machine), also of kinds not known here."""
        data = b"".join(map(frame, payloads))
        if not data:
            raise ValueError("no records to append")
        return self._append(data)

    def _append(self, data: bytes) -> Position:
        with self._lock:
            self._require_writable()
            try:
                if (written := os.write(self._fd, data)) != len(data):
                    write_all(self._fd, memoryview(data)[written:])
            except OSError as error:
                self._take_back(error)
                raise disk_error(error, f"appending to the journal {self.writer}") from error
            self._end += len(data)
            self._held.append(data)
            before, self._held_bytes = self._held_bytes, self._held_bytes + len(data)
            # The flush thread sleeps through everything between the first record of a group and its limit.
            if before == 0 or before < self._settings.sync_bytes <= self._held_bytes:
                self._wake.notify()
            return Position(self._segment, self._end)

    def add_done_callback(self, position: Position, callback: Callback) -> None:
        """Call ``callback(None)`` once `position` is acknowledged, or ``callback(error)`` when the disk refused it.

        From the flush thread, or at once where the answer is known; it must not block.
        """
        with self._lock:
            error: JournalError | None = self._failed
            if position > self._durable and error is None:
                if position > (self._segment, self._end):
                    raise ValueError(f"nothing was appended up to {position} yet")
                self._waiters.add(position, callback)
                return
            if position <= self._durable:
                error = None
        callback(error)

    def wait_durable(self, position: Position, timeout: float | None = None) -> None:
        """Block until `position` is acknowledged. JournalFailedError; JournalTimeoutError after `timeout` s."""
        answered = threading.Event()
        answer: list[JournalError | None] = []

        def take(error: JournalError | None) -> None:
            answer.append(error)
            answered.set()

        self.add_done_callback(position, take)
        if not answered.wait(timeout):
            raise _late(position, timeout)
        if answer[0] is not None:
            raise answer[0]

    async def wait_durable_async(self, position: Position, timeout: float | None = None) -> None:
        """`wait_durable` for coroutines; cancelling it changes nothing in the journal."""
        if position <= self._durable:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.add_done_callback(position, settler(future))
        try:
            await asyncio.wait_for(future, timeout)
        except TimeoutError as error:
            raise _late(position, timeout) from error

    def close(self) -> None:
        """Make everything durable, end the flush thread, free the folder. JournalFailedError where the disk refuses."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
            self._wake.notify()
        self._thread.join()
        os.close(self._fd)
        os.close(self._lock_fd)
        if self._held:
            raise self._failed or JournalFailedError(f"journal {self.writer}: the flush thread ended early")

    def __enter__(self) -> JournalWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- with the lock held ------------------------------------------------------------------------------------------

    def _require_writable(self) -> None:
        if self._closing:
            raise JournalClosedError(f"journal {self.writer} is closed; open a new writer")
        if self._failed is not None:
            raise self._failed
        self._space.require_room(self._fd)
        if self._held_bytes > HELD_BYTES:
            raise JournalBusyError(
                f"journal {self.writer}: {self._held_bytes} bytes wait for the disk already; try again later"
            )

    def _take_back(self, error: OSError) -> None:
        """A record was written in part or not at all: remove the part."""
        self._space.refused(error)
        try:
            os.ftruncate(self._fd, self._end)
        except OSError as worse:
            # A piece of a record is in the way, so that the next one must go into a new segment.
            self._failed = self._failure(worse)
            self._wake.notify()

    def _use(self, segment: NewSegment) -> None:
        self._fd = segment.fd
        self._segment = segment.number
        self._end = segment.size
        self._rotate_at = self._settings.segment_bytes
        self._rotate_due = time.monotonic() + self._settings.segment_hours * 3600
        self._durable = Position(segment.number, segment.size)

    def _acknowledge(self, position: Position, count: int) -> Answers:
        for _ in range(count):
            self._held_bytes -= len(self._held.popleft())
        self._durable = position
        return self._waiters.reached(position)

    def _switch(self, segment: NewSegment) -> Answers:
        """Go on in a published segment that holds everything unacknowledged, all of it durable."""
        os.close(self._fd)
        self._use(segment)
        self._failed = None
        return self._acknowledge(self._durable, len(self._held))

    def _give_up(self, error: OSError) -> Answers:
        self._failed = self._failure(error)
        return self._waiters.refuse(self._failed)

    # -- in the flush thread -----------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._serve()
        except BaseException as error:
            # A fault of ours. Nobody may wait for ever for a thread that is gone, nor be told that all is well.
            log.exception("journal.flush_thread_died", writer=self.writer)
            with self._lock:
                self._failed = JournalFailedError(
                    f"journal {self.writer}: making records durable ended with {error!r}; "
                    f"all up to {self._durable} are safe; close the writer and open a new one"
                )
                answers = self._waiters.refuse(self._failed)
            call(answers)

    def _serve(self) -> None:
        while True:
            with self._lock:
                self._await_group()
                failed, closing, idle = self._failed, self._closing, not self._held
            if failed is not None:
                self._retry()
                if closing:
                    return  # that was the last attempt; `close` tells how it ended
            elif idle:
                return
            else:
                self._sync()

    def _await_group(self) -> None:
        """Sleep until a group is due, the writer closes, or a failed disk is to be tried again."""
        if self._failed is not None:
            self._wake.wait_for(lambda: self._closing, _RETRY_SECONDS)
            return
        self._wake.wait_for(lambda: self._held or self._closing or self._failed)
        self._wake.wait_for(
            lambda: self._closing or self._failed or self._held_bytes >= self._settings.sync_bytes,
            self._settings.sync_milliseconds / 1000,
        )

    def _sync(self) -> None:
        with self._lock:
            fd, end, count = self._fd, Position(self._segment, self._end), len(self._held)
        try:
            os.fdatasync(fd)
        except OSError as error:
            with self._lock:
                answers = self._replace(error)
        else:
            with self._lock:
                answers = self._acknowledge(end, count)
                self._space.check(fd)
        call(answers)
        if self._failed is None and (end.offset >= self._rotate_at or time.monotonic() >= self._rotate_due):
            self._rotate()

    def _rotate(self) -> None:
        """Close the segment and go on in the next one. The closed one is durable before the next has its name."""
        try:
            segment = create_segment(self.folder, self.writer, self._segment + 1)
        except OSError as error:
            log.warning(
                "journal.rotation_put_off", writer=self.writer, segment=self._segment, error=error.strerror
            )
            self._rotate_at = self._end + _NEXT_TRY_BYTES
            self._rotate_due = time.monotonic() + _NEXT_TRY_SECONDS
            return
        with self._lock:
            # Appending stands still here, once per segment: a reader takes the existence of the next segment as
            # the promise that nothing more is added to this one.
            try:
                os.fdatasync(self._fd)
                answers = self._acknowledge(Position(self._segment, self._end), len(self._held))
                publish_segment(self.folder, segment)
                answers += self._switch(segment)
            except OSError as error:
                discard_segment(segment)
                answers = self._replace(error)
        call(answers)

    def _replace(self, error: OSError) -> Answers:
        """After a failed sync the kernel may have dropped what it could not write and call the pages clean; so what

        is not acknowledged is written again, from memory, into a new segment. With the lock held: appending waits.
        """
        log.error("journal.sync_failed", writer=self.writer, segment=self._segment, durable=str(self._durable),
                  unacknowledged_records=len(self._held), error=error.strerror)  # fmt: skip
        try:
            return self._switch(self._replacement())
        except OSError as worse:
            log.error("journal.disk_fails", writer=self.writer, error=worse.strerror,
                      consequence="NO EVENTS ARE RECORDED until the disk works")  # fmt: skip
            return self._give_up(worse)

    def _retry(self) -> None:
        """Try to get out of failure. Without the lock during the attempt: nothing is appended meanwhile anyway."""
        try:
            segment = self._replacement()
        except OSError as error:
            with self._lock:
                answers = self._give_up(error)
        else:
            with self._lock:
                answers = self._switch(segment)
            log.warning("journal.disk_works_again", writer=self.writer, segment=segment.number)
        call(answers)

    def _replacement(self) -> NewSegment:
        """The next segment, published, with all unacknowledged records; the present one is cut behind the durable."""
        segment = create_segment(self.folder, self.writer, self._segment + 1, b"".join(self._held))
        try:
            try:
                os.ftruncate(self._fd, self._durable.offset)
                os.fsync(self._fd)
            except OSError as error:
                # The records are safe in the new segment; without the cut a reader may meet some twice, or damage.
                log.error(
                    "journal.cut_failed", writer=self.writer, durable=str(self._durable), error=error.strerror
                )
            publish_segment(self.folder, segment)
        except OSError:
            discard_segment(segment)
            raise
        return segment

    def _failure(self, error: OSError) -> JournalFailedError:
        return JournalFailedError(
            f"journal {self.writer}: the disk does not take records ({error.strerror}); "
            f"all up to {self._durable} are safe, {len(self._held)} are held in memory and tried again every second; "
            "check the disk"
        )


def _late(position: Position, timeout: float | None) -> JournalTimeoutError:
    return JournalTimeoutError(
        f"position {position} is not durable after {timeout} s; it may still become so"
    )


def _framed(event: EventBase) -> bytes:
    try:
        return frame(encode_event(event))
    except ValueError as error:
        raise JournalRecordError(
            f"event {event.id} cannot be one record ({error}); "
            "put what is long into the quarantine and name it by its hash"
        ) from error
