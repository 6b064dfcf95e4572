"""Where vi's motions lead."""

from __future__ import annotations

import re

from urltrap.machine.programs._editing import Text

_WORD = re.compile(r"[\w\u00c0-\uffff]+|[^\w\s]+")
_BIG_WORD = re.compile(r"\S+")


class Beep(Exception):
    """The keys mean nothing here."""


def target(text: Text, key: str, count: int, extra: str) -> tuple[int, int, bool, bool]:
    """(row, column, whole lines, the last character included) of a motion."""
    times = max(1, count)
    row, column, line = text.row, text.column, text.line
    bottom = len(text.lines) - 1
    if key in "hlD \b\x7f":
        back = key in "h\b\x7f"
        return (
            row,
            max(0, column - times) if back else min(max(0, len(line) - 1), column + times),
            False,
            False,
        )
    if key in "jk+-\r\n":
        goal = row + (times if key in "j+\r\n" else -times)
        if not 0 <= goal <= bottom:
            raise Beep
        return goal, column if key in "jk" else 0, True, False
    if key == "G" or (key == "g" and extra == "g"):
        return min(bottom, count - 1) if count else (bottom if key == "G" else 0), 0, True, False
    if key in "0^$":
        place = {"0": 0, "^": len(line) - len(line.lstrip()), "$": max(0, len(line) - 1)}[key]
        return row, place, False, key == "$" and bool(line)
    if key in "fFtT":
        return row, _sought(text, key, extra, times), False, key in "ft"
    if key in "wWbBeE":
        for _ in range(times):
            row, column = _word(text, key, row, column)
        return row, column, False, key in "eE"
    raise Beep


def _sought(text: Text, key: str, char: str, times: int) -> int:
    line, at = text.line, text.column
    for _ in range(times):
        at = line.find(char, at + 1) if key in "ft" else line.rfind(char, 0, max(0, at))
        if at < 0:
            raise Beep
    return at - (key == "t") + (key == "T")


def _word(text: Text, key: str, row: int, column: int) -> tuple[int, int]:
    shape = _WORD if key in "wbe" else _BIG_WORD
    lines = text.lines
    back = key in "bB"
    while 0 <= row < len(lines):
        spans = [match.span() for match in shape.finditer(lines[row])]
        places = [end - 1 if key in "eE" else start for start, end in spans]
        found = [at for at in places if (at < column if back else at > column)]
        if found:
            return row, found[-1] if back else found[0]
        if not back and row + 1 < len(lines) and not lines[row + 1] and key in "wW":
            return row + 1, 0
        row += -1 if back else 1
        column = 1 << 30 if back else -1
    last = len(lines) - 1
    return (0, 0) if back else (last, max(0, len(lines[last]) - (key in "eE")))
