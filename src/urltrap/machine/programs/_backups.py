"""Backups of what cp, mv, ln and install overwrite ("Backup options" in the manual of GNU coreutils)."""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Literal

from urltrap.machine.api import Process
from urltrap.machine.errors import SysError
from urltrap.machine.programs._choices import bad_choice
from urltrap.machine.programs._cmd import Cmd
from urltrap.machine.programs._paths import base_name, lstat

Control = Literal["none", "simple", "existing", "numbered"]
_WORDS: dict[str, Control] = {
    "none": "none", "off": "none", "simple": "simple", "never": "simple", "existing": "existing", "nil": "existing",
    "numbered": "numbered", "t": "numbered",
}  # fmt: skip
_CHOICES = ("none off", "simple never", "existing nil", "numbered t")


@dataclass(frozen=True, slots=True)
class Backups:
    """How a command keeps what it overwrites."""

    control: Control = "none"
    suffix: str = "~"

    def __bool__(self) -> bool:
        return self.control != "none"

    def name(self, p: Process, path: str) -> str:
        """What the backup of `path` is called."""
        if self.control != "simple":
            highest = self._highest(p, path)
            if highest or self.control == "numbered":
                return f"{path}.~{highest + 1}~"
        return path + self.suffix

    def _highest(self, p: Process, path: str) -> int:
        folder = path.rstrip("/").rpartition("/")[0] or ("/" if path.startswith("/") else ".")
        shape = re.compile(re.escape(base_name(path)) + r"\.~([1-9][0-9]{0,17})~")
        try:
            names = p.fs.listdir(folder)
        except SysError:
            return 0
        return max((int(match[1]) for name in names if (match := shape.fullmatch(name))), default=0)

    def keep(self, p: Process, path: str) -> str:
        """Put what is at `path` aside; the backup's name, "" where nothing is there or none is wanted. SysError."""
        if not self or lstat(p, path) is None:
            return ""
        name = self.name(p, path)
        p.fs.rename(path, name)
        return name

    def is_source(self, p: Process, source: str, goal: str) -> bool:
        """True where the backup of `goal` would overwrite `source`."""
        if not self or self.control == "numbered" or base_name(source) != base_name(goal) + self.suffix:
            return False
        kept = lstat(p, self.name(p, goal))
        stat = lstat(p, source)
        return (
            kept is not None and stat is not None and (kept.device, kept.inode) == (stat.device, stat.inode)
        )


def backups(c: Cmd) -> Generator[Any, Any, Backups | None]:
    """What the options b and S and the environment ask for; None after a complaint."""
    if c.bb or not c.has("b", "S"):
        return Backups()
    suffix = c.value("S") or c.p.env.get("SIMPLE_BACKUP_SUFFIX") or "~"
    if "/" in suffix:
        suffix = "~"
    word, source = c.value("b") or "", "backup type"
    if not word:
        word, source = c.p.env.get("VERSION_CONTROL", ""), "$VERSION_CONTROL"
    if not word:
        return Backups("existing", suffix)
    found = [_WORDS[word]] if word in _WORDS else [_WORDS[each] for each in _WORDS if each.startswith(word)]
    if len(set(found)) == 1:
        return Backups(found[0], suffix)
    yield from bad_choice(c, word, source, _CHOICES, ambiguous=bool(found))
    return None
