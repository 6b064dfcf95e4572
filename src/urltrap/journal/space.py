"""Stopping before the disk is full, so that the store and the operator's shell still have room."""

from __future__ import annotations

import errno
import os
import time

import structlog

from urltrap.journal.errors import JournalError, JournalFullError

log = structlog.get_logger("urltrap.journal")

_AGAIN_SECONDS = 1.0
_PRESSURE = (3.0, 2.0, 1.5)
"""Where less than so many times the reserve is free, pressure rises by one."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_CONSEQUENCE = "NO EVENTS ARE RECORDED until there is room"


def disk_error(error: OSError, doing: str) -> JournalError:
    """The typed error for what the operating system said while `doing` something."""
    if error.errno in _FULL:
        return JournalFullError(
            f"no room while {doing}: {error.strerror}; free space on its disk or raise its quota"
        )
    return JournalError(f"failed while {doing}: {error.strerror}; check the disk and the folder's owner")


class SpaceGuard:
    """Knows whether there is room for `writer`; `reserve` in bytes. One log line when it ends, one when it is back."""

    def __init__(self, writer: str, reserve: int) -> None:
        self._writer = writer
        self._reserve = reserve
        self._complaint = ""
        self._checked = 0.0
        self.pressure = 0
        """0 where there is plenty of room, up to 3 shortly before the reserve is met."""

    def require_room(self, fd: int) -> None:
        """JournalFullError where there is none; looks again at most once a second while there is none."""
        if self._complaint and time.monotonic() - self._checked >= _AGAIN_SECONDS:
            self.check(fd)
        if self._complaint:
            raise JournalFullError(self._complaint)

    def check(self, fd: int) -> None:
        """Look at the disk that `fd` lies on."""
        self._checked = time.monotonic()
        try:
            status = os.fstatvfs(fd)
        except OSError as error:
            log.error("journal.space_unknown", writer=self._writer, error=error.strerror)
            return
        free = status.f_bavail * status.f_frsize
        self.pressure = sum(free < self._reserve * part for part in _PRESSURE)
        was, self._complaint = self._complaint, ""
        if free < self._reserve:
            self._complaint = (
                f"journal {self._writer}: {free} bytes are free and {self._reserve} are kept in reserve; "
                "free space or lower journal.free_bytes_reserve"
            )
            if not was:
                log.error("journal.disk_low", writer=self._writer, free_bytes=free, reserve_bytes=self._reserve,
                          consequence=_CONSEQUENCE)  # fmt: skip
        elif was:
            log.warning("journal.disk_has_room_again", writer=self._writer, free_bytes=free)

    def refused(self, error: OSError) -> None:
        """A write failed: where that was for want of room, refuse for a second before trying again."""
        if error.errno in _FULL:
            if not self._complaint:
                log.error(
                    "journal.disk_full", writer=self._writer, error=error.strerror, consequence=_CONSEQUENCE
                )
            self._complaint = str(disk_error(error, f"appending to the journal {self._writer}"))
            self._checked = time.monotonic()
