"""The templates of find's -printf."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from urltrap.machine.errors import SysError
from urltrap.machine.programs._modes import mode_text
from urltrap.machine.programs._paths import base_name
from urltrap.machine.programs._zone import local
from urltrap.machine.programs.find._entry import Entry
from urltrap.machine.shell.timeformat import strftime

if TYPE_CHECKING:
    from urltrap.machine.programs.find._predicates import Predicates

_ESCAPES = {"n": "\n", "t": "\t", "\\": "\\", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_PART = re.compile(
    r"\\(?P<octal>[0-7]{1,3})|\\(?P<escape>.)|%(?P<left>-?)(?P<width>\d*)(?:(?P<time>[ATC])(?P<form>.)|(?P<letter>.))",
    re.DOTALL,
)
_LETTERS = "pfhPHsmMuUgGdinbkylYtac%"
Part = str | re.Match[str]


def directives(template: str, warnings: list[str]) -> list[Part]:
    """A template as text and directives; what find warns of is added to `warnings`."""
    parts: list[Part] = []
    pos = 0
    for match in _PART.finditer(template):
        parts.append(template[pos : match.start()])
        pos = match.end()
        letter = match["letter"]
        if match["octal"]:
            parts.append(chr(int(match["octal"], 8) & 255))
        elif match["escape"] == "c":
            return parts
        elif match["escape"]:
            if match["escape"] not in _ESCAPES:
                warnings.append(f"warning: unrecognized escape `\\{match['escape']}'")
            parts.append(_ESCAPES.get(match["escape"], match.group()))
        elif letter and letter not in _LETTERS:
            warnings.append(f"warning: unrecognized format directive `%{letter}'")
            parts.append(match.group())
        else:
            parts.append(match)
    return [*parts, template[pos:]]


def render(search: Predicates, parts: list[Part], entry: Entry) -> str:
    """A template filled for one file."""
    return "".join(each if isinstance(each, str) else _filled(search, each, entry) for each in parts)


def _filled(search: Predicates, match: re.Match[str], entry: Entry) -> str:
    stat, p = entry.stat, search.c.p
    if match["time"]:
        moment = {"A": stat.atime, "T": stat.mtime, "C": stat.ctime}[match["time"]]
        value = _time(match["form"], moment, moment + local(p, moment).offset)
    else:
        value = _value(search, match["letter"], entry)
    size = min(int(match["width"] or 0), 9_999)
    return value.ljust(size) if match["left"] else value.rjust(size)


def _time(form: str, moment: float, wall: float) -> str:
    match form:
        case "@":
            return f"{moment:.10f}"
        case "+":
            return strftime("%Y-%m-%d+%H:%M:%S", wall) + ".0000000000"
        case "S" | "T":
            return strftime("%" + form, wall) + ".0000000000"
        case _:
            return strftime("%" + form, wall)


def _value(search: Predicates, letter: str, entry: Entry) -> str:
    stat, p = entry.stat, search.c.p
    match letter:
        case "h":
            folder, slash, _ = entry.path.rpartition("/")
            return folder if slash else "."
        case "P":
            return entry.path[len(entry.top) :].lstrip("/")
        case "y":
            return mode_text(stat.mode)[0].replace("-", "f")
        case "Y":
            try:
                return mode_text(p.fs.stat(entry.path).mode)[0].replace("-", "f")
            except SysError:
                return "N"
        case "l":
            return p.fs.readlink(entry.path) if stat.is_link else ""
        case "t" | "a" | "c":
            moment = {"t": stat.mtime, "a": stat.atime, "c": stat.ctime}[letter]
            return strftime("%a %b %e %H:%M:%S.0000000000 %Y", moment + local(p, moment).offset)
    return {
        "p": entry.path, "f": base_name(entry.path) or "/", "H": entry.top, "s": str(stat.size),
        "m": f"{stat.mode & 0o7777:o}", "M": mode_text(stat.mode), "u": search.users.get(stat.uid, str(stat.uid)),
        "U": str(stat.uid), "g": search.groups.get(stat.gid, str(stat.gid)), "G": str(stat.gid), "d": str(entry.depth),
        "i": str(stat.inode), "n": str(stat.nlink), "b": str(stat.blocks), "k": str((stat.blocks + 1) // 2), "%": "%",
    }[letter]  # fmt: skip
