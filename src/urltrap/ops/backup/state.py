"""What is known of the backups, for `urltrap status`, pages, metrics and alerts: one small file."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta
from pathlib import Path

from urltrap.model.base import Model, Utc
from urltrap.model.settings import BackupSettings
from urltrap.ops.data_folder import DataFolder


class BackupState(Model):
    """Newest backup, newest verified one, and what failed since; empty where nothing happened yet."""

    last: str = ""
    last_at: Utc | None = None
    verified: str = ""
    verified_at: Utc | None = None
    verified_whole: str = ""
    verified_whole_at: Utc | None = None
    copied_at: Utc | None = None
    problem: str = ""
    targets: dict[str, str] = {}

    def age(self, now: datetime) -> timedelta | None:
        """How old the last verified backup is; None where there is none."""
        return now - self.verified_at if self.verified_at else None

    def overdue(self, settings: BackupSettings, now: datetime) -> bool:
        """Whether the last verified backup is older than two periods, which deserves an alert."""
        age = self.age(now)
        return settings.enabled and (age is None or age > timedelta(minutes=2 * settings.every_minutes))


def read_state(folder: DataFolder) -> BackupState:
    """The state of a data folder; an empty one where none was written or it cannot be read."""
    try:
        return BackupState.model_validate_json(_path(folder).read_bytes())
    except (FileNotFoundError, ValueError):
        return BackupState()


def write_state(folder: DataFolder, state: BackupState) -> None:
    """Replace the state."""
    path = _path(folder)
    temporary = path.with_suffix(f".{os.getpid()}.new")
    temporary.write_text(json.dumps(state.model_dump(mode="json")))
    temporary.chmod(0o644)
    temporary.rename(path)


def _path(folder: DataFolder) -> Path:
    return folder.run / "backup.json"
