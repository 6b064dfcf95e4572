"""The state of the backups as one small file in the data folder, which pages, commands, metrics and alerts read."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any

from urltrap.model.backup import BackupState

_FILE = Path("run") / "backup.json"


def backup_state(data: Path) -> BackupState:
    """The state of the backups of a data folder; an empty one where none was written or it cannot be read."""
    try:
        return BackupState.model_validate_json((data / _FILE).read_bytes())
    except (FileNotFoundError, ValueError):
        return BackupState()


def update_backup_state(data: Path, **values: Any) -> BackupState:
    """Change some of it, in one step, also beside other processes that do; the new state."""
    path = data / _FILE
    with open(path.with_suffix(".lock"), "a+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        state = backup_state(data).model_copy(update=values)
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps(state.model_dump(mode="json")))
        os.chmod(temporary, 0o644)
        temporary.rename(path)
    return state
