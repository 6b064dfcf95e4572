"""/etc/sudoers and /etc/sudoers.d: who may run what, as far as such files are written by hand (sudoers(5))."""

from __future__ import annotations

import re
from dataclasses import dataclass

from urltrap.machine.api import Process, decode
from urltrap.machine.errors import SysError

_RULE = re.compile(r"^(?P<who>\S+)\s+(?P<host>[^\s=]+)\s*=\s*(?P<rest>.+)$")
_PART = re.compile(r"^(?:\((?P<runas>[^)]*)\)\s*)?(?P<tags>(?:[A-Z]+:\s*)*)(?P<commands>.+)$")
_DEPTH = 4


@dataclass(frozen=True, slots=True)
class Grant:
    """One line's permission for a user. `runas` as ``sudo -l`` shows it."""

    runas: str
    commands: tuple[str, ...]
    free: bool

    @property
    def shown(self) -> str:
        """The line of ``sudo -l``, without its indentation."""
        return f"({self.runas}) {'NOPASSWD: ' if self.free else ''}{', '.join(self.commands)}"

    def covers(self, path: str, words: list[str]) -> bool:
        """Whether a command may be run."""
        line = " ".join([path, *words[1:]])
        return any(
            each in ("ALL", path) or line.startswith(f"{each} ") or line == each for each in self.commands
        )


@dataclass(frozen=True, slots=True)
class Sudoers:
    """What the files say of one user."""

    defaults: tuple[str, ...]
    grants: tuple[Grant, ...]


def sudoers(p: Process, user: str, groups: list[str]) -> Sudoers:
    """Read the files as sudo does, which is set-uid."""
    defaults: list[str] = []
    grants: list[Grant] = []
    for line in _lines(p, "/etc/sudoers", _DEPTH):
        if line.startswith("Defaults"):
            defaults += [each.strip() for each in line[8:].strip().split("\t")[-1:] if line[8:9].isspace()]
            continue
        rule = _RULE.match(line)
        if rule is None or not _means(rule["who"], user, groups) or rule["host"] not in ("ALL", p.hostname):
            continue
        part = _PART.match(rule["rest"].strip())
        if part is None:
            continue
        runas = ":".join(part["runas"].split()) if part["runas"] is not None else "root"
        runas = " : ".join(piece.strip() for piece in runas.split(":") if piece)
        commands = tuple(each.strip() for each in part["commands"].split(",") if each.strip())
        grants.append(Grant(runas, commands, "NOPASSWD:" in part["tags"]))
    return Sudoers(tuple(defaults), tuple(grants))


def _means(who: str, user: str, groups: list[str]) -> bool:
    names = who.split(",")
    return any(name in ("ALL", user) or (name.startswith("%") and name[1:] in groups) for name in names)


def _lines(p: Process, path: str, depth: int) -> list[str]:
    try:
        text = decode(p.owner_fs.read(path, 200_000)).replace("\\\n", "")
    except SysError:
        return []
    out: list[str] = []
    for raw in text.splitlines():
        line = raw.strip()
        words = line.split(None, 1)
        if len(words) == 2 and words[0] in ("@includedir", "#includedir") and depth:
            try:
                found = sorted(p.owner_fs.listdir(words[1]))
            except SysError:
                continue
            for name in found:
                if "." not in name and not name.endswith("~"):
                    out += _lines(p, f"{words[1]}/{name}", depth - 1)
        elif len(words) == 2 and words[0] in ("@include", "#include") and depth:
            out += _lines(p, words[1], depth - 1)
        elif line and not line.startswith("#"):
            out.append(line)
    return out
