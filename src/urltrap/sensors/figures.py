"""What a trap process says of itself, in a file that metrics and pages read."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path

from urltrap.sensors.admission import Admission
from urltrap.sensors.memory import resident_bytes
from urltrap.sensors.sparing import SparingJournal


class TrapFigures:
    """Writes ``run/WORKER.figures.json``: counts since the process began, and what is so now."""

    def __init__(
        self, run: Path, worker: str, doors: Mapping[str, Admission], journal: SparingJournal
    ) -> None:
        self._path = run / f"{worker}.figures.json"
        self._doors = doors
        self._journal = journal

    def write(self) -> None:
        """Write them down; OSError where the disk refuses."""
        body = {
            "at": time.time(),
            "resident_bytes": resident_bytes(),
            "pressure": self._journal.pressure,
            "left_out": self._journal.left_out,
            "doors": {
                name: {
                    "open": door.inside,
                    "not_logged_in": door.crowd.size,
                    "served": door.let_in,
                    "shed": door.turned_away,
                }
                for name, door in self._doors.items()
            },
        }
        temporary = self._path.with_suffix(".new")
        temporary.write_text(json.dumps(body), "utf-8")
        temporary.replace(self._path)
