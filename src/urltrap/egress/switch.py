"""The kill switch: a file whose presence closes the door at once, for new requests and for those on their way."""

from __future__ import annotations

from pathlib import Path

SWITCH_FILE = Path("run") / "egress.off"
"""Where the switch is, inside the data folder."""
SOCKET_FILE = Path("run") / "fetcher.sock"
"""Where the fetcher listens, inside the data folder."""


class KillSwitch:
    """Off while the file `path` exists. A file that cannot be looked at counts as present: closed is the safe side."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, data_dir: Path) -> KillSwitch:
        """The switch of a data folder."""
        return cls(data_dir / SWITCH_FILE)

    def thrown(self) -> bool:
        """True where nothing may leave."""
        try:
            self.path.lstat()
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return True

    def throw(self) -> None:
        """Close the door; harmless to repeat."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.touch(mode=0o600)

    def release(self) -> None:
        """Open the door again; harmless to repeat."""
        self.path.unlink(missing_ok=True)
