"""How old the synthetic attacker's last visit is, at either end of the line: the health of everything between."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from urltrap.model.base import Model, Utc

STALE = timedelta(minutes=5)
"""Older than this, something is wrong: it comes every minute."""
_VISIT, _STORED = "canary.json", "canary.stored.json"

log = structlog.get_logger("urltrap.canary")


class Visit(Model):
    """The last visits: when one was tried, when one found everything as it should be, and what was wrong since."""

    tried_at: Utc
    well_at: Utc | None = None
    seconds: float | None = None
    """How long the last good one took, from connecting to the last byte of the file."""
    problem: str = ""


class LineState(Model):
    """What is known of the synthetic attacker; nothing where there is none."""

    visit: Visit | None = None
    stored_at: Utc | None = None
    """When its newest session that is in the store ended."""

    def troubles(self, now: datetime, since: datetime, *, stores: bool = True) -> list[str]:
        """What is wrong, in sentences. `since`: when the watch began; `stores`: whether a pipeline runs here."""
        if self.visit is None:
            return []
        found = []
        if now - max(since, self.visit.well_at or since) > STALE:
            why = self.visit.problem or "it does not come any more"
            found.append(
                f"the synthetic attacker has not got in and fetched its file for five minutes: {why}"
            )
        elif stores and now - max(since, self.stored_at or since) > STALE:
            found.append(
                "the synthetic attacker gets in, but nothing of it has come into the store for five minutes: "
                "is the pipeline running, and has the database room?"
            )
        return found


def line_state(data: Path) -> LineState:
    """What the data folder says."""
    # What is not there yet, or of another version, is replaced by the next visit.
    visit = stored = None
    with contextlib.suppress(FileNotFoundError, ValueError):
        visit = Visit.model_validate_json((data / "run" / _VISIT).read_bytes())
    with contextlib.suppress(FileNotFoundError, ValueError, KeyError, TypeError):
        stored = datetime.fromisoformat(json.loads((data / "run" / _STORED).read_bytes())["at"])
    return LineState(visit=visit, stored_at=stored)


def keep_visit(data: Path, visit: Visit) -> None:
    """Write a visit down; OSError where the disk refuses."""
    _write(data / "run" / _VISIT, visit.model_dump_json())


class Arrivals:
    """Writes down, at most once in some seconds, when the synthetic attacker's newest stored session ended."""

    def __init__(self, data: Path) -> None:
        self._path = data / "run" / _STORED
        self._newest: datetime | None = None
        self._complained = False

    def saw(self, moments: Iterable[datetime]) -> None:
        """Sessions of it that are in the store now ended at these moments. Never raises: the line goes on."""
        newest = max(moments, default=None)
        if newest is None or (self._newest is not None and newest <= self._newest):
            return
        self._newest = newest
        try:
            _write(self._path, json.dumps({"at": newest.astimezone(UTC).isoformat()}))
        except OSError as error:
            if not self._complained:
                log.warning("canary.not_written", path=str(self._path), error=error.strerror)
            self._complained = True


def _write(path: Path, text: str) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_text(text, "utf-8")
    temporary.replace(path)
