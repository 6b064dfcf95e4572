"""The data folder: everything that one installation keeps, and where."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class DataFolderError(Exception):
    """The data folder cannot be used; the message says what to do."""


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Paths below one root. Nothing else in the project spells them out."""

    root: Path

    @property
    def settings(self) -> Path:
        """urltrap.toml."""
        return self.root / "urltrap.toml"

    @property
    def journal(self) -> Path:
        """Segments, one folder per writing process."""
        return self.root / "journal"

    @property
    def quarantine(self) -> Path:
        """Artifacts."""
        return self.root / "quarantine"

    @property
    def overlays(self) -> Path:
        """What attackers changed on their machines."""
        return self.root / "overlays"

    @property
    def keys(self) -> Path:
        """Host keys and the installation's secret."""
        return self.root / "keys"

    @property
    def persona(self) -> Path:
        """The identity that the machine claims."""
        return self.root / "persona.json"

    @property
    def run(self) -> Path:
        """Sockets, the kill switch and the supervisor's status."""
        return self.root / "run"

    @property
    def database(self) -> Path:
        """The SQLite store."""
        return self.root / "urltrap.db"

    @property
    def backups(self) -> Path:
        """Backups."""
        return self.root / "backups"

    @property
    def imports(self) -> Path:
        """Bad lines of imported logs, and where followed logs stand."""
        return self.root / "imports"

    @property
    def outputs(self) -> Path:
        """Where each live output stands."""
        return self.root / "outputs"

    @property
    def fetcher_socket(self) -> Path:
        """Where the fetcher is asked."""
        return self.run / "fetcher.sock"

    @property
    def egress_off(self) -> Path:
        """The kill switch: nothing is fetched while this file exists."""
        return self.run / "egress.off"

    @property
    def status(self) -> Path:
        """What the supervisor says of its processes."""
        return self.run / "status.json"

    @property
    def installation(self) -> str:
        """Which installation this is: 16 hexadecimal digits made from its secret, which they do not tell. OSError."""
        secret = (self.keys / "secret").read_bytes()
        return hashlib.sha256(b"installation\0" + secret).hexdigest()[:16]

    @property
    def folders(self) -> tuple[Path, ...]:
        """All folders that must exist."""
        return (self.journal, self.quarantine, self.overlays, self.keys, self.run, self.backups)

    def store_url(self, configured: str) -> str:
        """The SQLAlchemy URL: the configured one, else SQLite in this folder."""
        return configured or f"sqlite:///{self.database}"


def existing(root: Path) -> DataFolder:
    """The data folder at `root`; DataFolderError where `urltrap init` has not been run there."""
    try:
        folder = DataFolder(root.resolve())
        if not folder.settings.is_file():
            raise DataFolderError(
                f"{root} is not a data folder of urltrap; create it with: urltrap init {root}"
            )
        missing = [path.name for path in (folder.keys, folder.persona) if not path.exists()]
    except OSError as error:
        raise DataFolderError(
            f"{root} cannot be looked into: {error.strerror}; run urltrap as the user that the folder belongs to"
        ) from error
    if missing:
        raise DataFolderError(
            f"{root} lacks {', '.join(missing)}: it was not made completely. "
            f"Running urltrap init {root} adds what is missing and keeps the rest."
        )
    return folder


def running(folder: DataFolder) -> dict[str, Any] | None:
    """What the supervisor that runs on a data folder says of its processes; None where none runs."""
    try:
        body: dict[str, Any] = json.loads(folder.status.read_text())
    except (FileNotFoundError, ValueError):
        return None
    try:
        os.kill(body["pid"], 0)
    except ProcessLookupError:
        return None  # what one that was killed left behind says nothing
    except PermissionError:
        pass  # it runs, as somebody else
    return body
