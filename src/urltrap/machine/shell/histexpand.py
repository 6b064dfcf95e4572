"""History expansion of an interactive bash: ``!!``, ``!n``, ``!-n``, ``!prefix``, ``!?part?``, ``!$``, ``^old^new``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from urltrap.machine.errors import BudgetError

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Shell

_MAX_EXPANDED = 4_000_000
"""Characters of a line after expansion: a screen of ``!!`` multiplies the last line by thousands."""
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
        found = _event(sh, line, pos)
        if isinstance(found, Exception):
            return found
        text, pos = found
        added += len(text)
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


def _event(sh: Shell, line: str, pos: int) -> tuple[str, int] | Exception:
    history = sh.history
    following = line[pos + 1]
    if following == "!":
        end = pos + 2
        event = history[-1] if history else None
    elif following in "$^*:":
        event = history[-1] if history else None
        if event is None:
            return ValueError(f"!{following}: event not found")
        words = event.split()
        if following == ":":
            return event, pos + 1
        picked = {"$": words[-1:], "^": words[1:2], "*": words[1:]}[following]
        return " ".join(picked), pos + 2
    elif following == "?":
        end = line.find("?", pos + 2)
        end = len(line.rstrip("\n")) if end < 0 else end
        part = line[pos + 2 : end]
        event = next((item for item in reversed(history) if part in item), None)
        end = min(end + 1, len(line.rstrip("\n")))
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
    if line[end : end + 2] == ":p":
        end += 2
    return event, end
