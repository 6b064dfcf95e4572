"""History expansion of an interactive bash: ``!!``, ``!n``, ``!-n``, ``!prefix``, ``!?part?``, ``!$``, ``^old^new``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from urltrap.machine.errors import BudgetError

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Shell

_MAX_EXPANDED = 4_000_000
"""Characters of a line after expansion: a screen of ``!!`` multiplies the last line by thousands."""
_DESIGNATOR = re.compile(r":(?:\d+|[\^$])-(?:\d+|\$)?|:-(?:\d+|\$)|:\d+\*?|:?[\^$*]")
_MODIFIER = re.compile(
    r":(?P<all>[gaG]?)(?P<letter>[htreqp]|s(?P<mark>[^\w\s])(?P<old>[^\n]*?)(?P=mark)(?P<new>[^\n]*?)(?:(?P=mark)|(?=\n)|$))"
)
_WORDS = re.compile(r"""(?:[^\s'"\\;|&<>()]|\\.|'[^']*'|"(?:\\.|[^"\\])*")+|[;|&<>()]+""", re.DOTALL)
_STOPS = frozenset(" \t\n;|&()<>:^$*\"'")


def expand_history(sh: Shell, line: str) -> str | Exception:
    """The line after history expansion, or the error that bash prints ("!x: event not found")."""
    if line.startswith("^"):
        return _quick(sh, line)
    out: list[str] = []
    pos, size = 0, len(line)
    added = 0
    quoted = False
    while pos < size:
        char = line[pos]
        if char == "'" and not quoted:
            end = line.find("'", pos + 1)
            end = size - 1 if end < 0 else end
            out.append(line[pos : end + 1])
            pos = end + 1
            continue
        if char == '"':
            quoted = not quoted
        if char == "\\" and pos + 1 < size:
            out.append(line[pos : pos + 2])
            pos += 2
            continue
        following = line[pos + 1 : pos + 2]
        if char != "!" or following in ("", " ", "\t", "\n", "=", "(") or (following == '"' and quoted):
            out.append(char)
            pos += 1
            continue
        if pos and line[pos - 1] in "$[{":
            out.append(char)
            pos += 1
            continue
        found = _event(sh, line, pos, out)
        if isinstance(found, Exception):
            return found
        text, pos, cost = found
        added += max(len(text), cost)
        if added > _MAX_EXPANDED:
            raise BudgetError("line length", _MAX_EXPANDED)
        out.append(text)
    return "".join(out)


def _quick(sh: Shell, line: str) -> str | Exception:
    parts = line.rstrip("\n").split("^")
    old, new = parts[1], parts[2] if len(parts) > 2 else ""
    if not sh.history or old not in sh.history[-1]:
        return ValueError(f":s^{old}^{new}: substitution failed")
    return sh.history[-1].replace(old, new, 1) + "\n"


def _event(sh: Shell, line: str, pos: int, before: list[str]) -> tuple[str, int, int] | Exception:
    """What the designator at `pos` stands for, where it ends, and how many characters were looked at for it.

    `before`: the pieces of the line up to it, expanded.
    """
    history = sh.history
    following = line[pos + 1]
    size = len(line.rstrip("\n"))
    if following == "!":
        end = pos + 2
        event = history[-1] if history else None
    elif following == "#":
        end = pos + 2
        event = "".join(before)
    elif following in "$^*:":
        end = pos + 1
        event = history[-1] if history else None
        if event is None:
            return ValueError(f"!{following}: event not found")
    elif following == "?":
        end = line.find("?", pos + 2)
        end = size if end < 0 else end
        part = line[pos + 2 : end]
        event = next((item for item in reversed(history) if part in item), None)
        end = min(end + 1, size)
    else:
        end = pos + 1
        if line[end] == "-":
            end += 1
        while end < len(line) and line[end] not in _STOPS and line[end] != "!":
            end += 1
        name = line[pos + 1 : end]
        if name.lstrip("-").isdecimal():
            number = int(name[:9])
            index = number - 1 if number > 0 else len(history) + number
            event = history[index] if 0 <= index < len(history) else None
        else:
            event = next((item for item in reversed(history) if item.startswith(name)), None)
    if event is None:
        return ValueError(f"{line[pos:end].rstrip()}: event not found")
    picked = _picked(event, line, end)
    if isinstance(picked, Exception):
        return picked
    done = _modified(*picked, line)
    return done if isinstance(done, Exception) else (*done, len(event))


def _picked(event: str, line: str, at: int) -> tuple[str, int] | Exception:
    """The words that ``:2``, ``:1-3``, ``^``, ``$`` or ``*`` choose, else all."""
    found = _DESIGNATOR.match(line, at)
    if found is None:
        return event, at
    words = _WORDS.findall(event)
    last = len(words) - 1
    text = found[0].removeprefix(":")
    if text == "*":
        return " ".join(words[1:]), found.end()
    first, dash, second = (text.removesuffix("*"), "-", "$") if text.endswith("*") else text.partition("-")
    low = _index(first or "0", last)
    high = _index(second, last) if second else (last - 1 if dash else low)
    if not 0 <= low <= high <= last:
        return ValueError(f"{found[0]}: bad word specifier")
    return " ".join(words[low : high + 1]), found.end()


def _index(text: str, last: int) -> int:
    return {"^": 1, "$": last}[text] if text in "^$" else int(text[:6])


def _modified(text: str, at: int, line: str) -> tuple[str, int] | Exception:
    """``:h``, ``:t``, ``:r``, ``:e``, ``:s/old/new/``, ``:gs…``, ``:q``; ``:p`` only prints in the real one."""
    while found := _MODIFIER.match(line, at):
        letter, everywhere = found["letter"][0], bool(found["all"])
        folder, slash, name = text.rpartition("/")
        stem, dot, suffix = text.rpartition(".")
        if letter == "h":
            text = folder if slash else text
        elif letter == "t":
            text = name
        elif letter == "r":
            text = stem if dot else text
        elif letter == "e":
            text = dot + suffix if dot else text
        elif letter == "q":
            text = "'" + text.replace("'", "'\\''") + "'"
        elif letter == "s":
            old, new = found["old"], found["new"]
            if old not in text:
                return ValueError(f"{found[0].rstrip()}: substitution failed")
            if text.count(old) * len(new) > _MAX_EXPANDED:
                raise BudgetError("line length", _MAX_EXPANDED)
            text = text.replace(old, new, -1 if everywhere else 1)
        at = found.end()
    return text, at
