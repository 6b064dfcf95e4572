"""Memory of this process: newcomers only take others' places above a limit, and what does not shrink again ends."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from pathlib import Path

import structlog

from urltrap.sensors.admission import Places

log = structlog.get_logger("trap")

EVERY_SECONDS = 1.0
_RELIEVED_AT = 0.9
_FEW = 0.05
"""Part of the places: where no more are taken, what is held is no connection's."""
_PATIENCE = 60
"""Looks in a row after which it will not shrink."""
_TRIM_EVERY = 30


def resident_bytes() -> int:
    """Memory of this process that is in RAM (/proc/self/statm, proc(5))."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _give_back() -> None:
    """Let the C library return free pages (malloc_trim(3)); other libraries do so by themselves or cannot."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


class MemoryWatch:
    """Looks at the memory once a second. `limit` in bytes, 0 for none; `look` says whether the process should end.

    Ending it is the remedy for memory that no connection holds (fragments, a leak of a library): the supervisor starts
    it again at once, and other workers serve meanwhile.
    """

    def __init__(
        self,
        places: Places,
        limit: int,
        read: Callable[[], int] = resident_bytes,
        give_back: Callable[[], None] = _give_back,
    ) -> None:
        self._places = places
        self._limit = limit
        self._read = read
        self._give_back = give_back
        self._strained = self._idle = 0

    def look(self) -> bool:
        """Compare with the limit; True where only a restart frees what is held."""
        if not self._limit:
            return False
        used = self._read()
        places = self._places
        if places.strained and used < self._limit * _RELIEVED_AT:
            places.strained = False
            log.warning("memory is free again", bytes=used)
        elif not places.strained and used > self._limit:
            places.strained, self._strained, self._idle = True, 0, 0
            log.error(
                "too much memory is used: newcomers take the places of those who are not logged in",
                bytes=used,
                limit=self._limit,
                connections=places.taken,
                do="if this lasts, lower sensors.max_connections or raise sensors.admission.memory_bytes",
            )
        if not places.strained:
            return False
        if self._strained % _TRIM_EVERY == 0:
            self._give_back()
        self._strained += 1
        self._idle = self._idle + 1 if places.taken <= places.total * _FEW else 0
        return self._idle >= _PATIENCE
