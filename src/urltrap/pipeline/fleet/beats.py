"""What sensors say of themselves: the newest word of each, in one small file."""

from __future__ import annotations

import contextlib
import os
import secrets
from datetime import datetime, timedelta
from pathlib import Path

from urltrap.journal.shipping.chunk import sensor_name
from urltrap.journal.shipping.transport import Beat
from urltrap.model.base import Model, Utc

SILENT_AFTER = timedelta(minutes=2)
"""A sensor that said nothing for so long is silent."""

_CLOCK = timedelta(minutes=2)


class Heard(Model):
    """A beat, and when the collector heard it by its own clock."""

    beat: Beat
    at: Utc

    @property
    def clock_off(self) -> timedelta:
        """How far the sensor's clock is ahead of ours; nothing where it is about right."""
        off = self.beat.at - self.at
        return off if abs(off) > _CLOCK else timedelta(0)


class Beats:
    """The newest beat of each sensor below `folder` (collectors of one machine share it)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, sensor: str, beat: Beat, now: datetime) -> None:
        """Keep a beat. OSError where the disk refuses."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._path(sensor)
        temporary = path.with_suffix(f".{secrets.token_hex(4)}.new")
        try:
            temporary.write_text(Heard(beat=beat, at=now).model_dump_json(), "utf-8")
            os.rename(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    def get(self, sensor: str) -> Heard | None:
        """What was heard last; None where nothing was."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            return Heard.model_validate_json(self._path(sensor).read_text("utf-8"))
        return None

    def _path(self, sensor: str) -> Path:
        return self._folder / f"{sensor_name(sensor)}.json"
