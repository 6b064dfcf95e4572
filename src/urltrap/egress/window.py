"""What was fetched within the window, kept in a small table, so that a fetcher that was killed does not ask again.

A file of its own beside the socket: the fetcher touches neither the journal's index nor the store. It may be deleted at
any time; what is lost then is only that a URL may be fetched once more.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog
from pydantic import ValidationError

from urltrap.model.capture import Capture

WINDOW_FILE = Path("run") / "window.db"
"""Where the table is, inside the data folder."""

_LAYOUT = 1
_SWEEP_EVERY = 256

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """One remembered capture; `left` is how many seconds it still answers for."""

    key: str
    capture: Capture
    left: float


class Window:
    """The table in the file `path`; `clock` gives wall-clock seconds, which outlive the process.

    A file that is damaged or of another layout is started anew. A disk that fails costs only the memory across a
    restart: it is logged once, and the fetcher goes on.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._puts = 0
        self._complained = False
        try:
            self._table = self._open()
        except sqlite3.DatabaseError as error:
            log.warning("fetcher.window_renewed", path=str(path), error=str(error))
            for name in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
                name.unlink(missing_ok=True)
            self._table = self._open()

    def load(self) -> Iterator[Kept]:
        """What still answers, oldest first; what a restored clock or another version cannot read is left out."""
        now = self._clock()
        rows = self._table.execute(
            "SELECT key, until, capture FROM window WHERE until > ? ORDER BY until", (now,)
        )
        for key, until, body in rows.fetchall():
            try:
                yield Kept(key, Capture.model_validate_json(body), until - now)
            except ValidationError:
                continue

    def put(self, key: str, capture: Capture, seconds: float) -> None:
        """Remember `capture` for `seconds`."""
        until = self._clock() + seconds
        self._run("INSERT OR REPLACE INTO window VALUES (?, ?, ?)", (key, until, capture.model_dump_json()))
        self._puts += 1
        if self._puts % _SWEEP_EVERY == 0:
            self._run("DELETE FROM window WHERE until <= ?", (self._clock(),))

    def drop(self, key: str) -> None:
        """Forget what is kept under `key`."""
        self._run("DELETE FROM window WHERE key = ?", (key,))

    def close(self) -> None:
        """Close the file."""
        self._table.close()

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        table = sqlite3.connect(self._path, isolation_level=None, timeout=2)
        try:
            self._path.chmod(0o600)
            table.execute("PRAGMA journal_mode = WAL")
            # A killed process loses nothing; a power cut may lose the last entries, which costs one more request.
            table.execute("PRAGMA synchronous = OFF")
            (layout,) = table.execute("PRAGMA user_version").fetchone()
            if layout not in (0, _LAYOUT):
                raise sqlite3.DatabaseError(f"the layout {layout} is not {_LAYOUT}")
            table.execute(
                "CREATE TABLE IF NOT EXISTS window (key TEXT PRIMARY KEY, until REAL, capture TEXT)"
            )
            table.execute(f"PRAGMA user_version = {_LAYOUT}")
            table.execute("DELETE FROM window WHERE until <= ?", (self._clock(),))
        except sqlite3.Error:
            table.close()
            raise
        return table

    def _run(self, statement: str, values: tuple[object, ...]) -> None:
        try:
            self._table.execute(statement, values)
        except sqlite3.Error as error:
            if not self._complained:
                self._complained = True
                log.error(
                    "fetcher.window_not_kept", error=str(error),
                    do="URLs may be fetched once more after a restart; free the disk of the data folder",
                )  # fmt: skip


def key_text(parts: tuple[object, ...]) -> str:
    """A key of the fetcher's as text: the same parts give the same text in every process."""
    return json.dumps([part.decode("latin-1") if isinstance(part, bytes) else part for part in parts])
