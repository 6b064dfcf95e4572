"""What vi puts on the terminal: vim draws all anew, BusyBox's sends what changed and tells of it on the last line.

The sequences of both are those that were recorded of the real programs (vim 9.0, BusyBox 1.35).
"""

from __future__ import annotations

import re

from urltrap.machine.programs._editing import Text


class VimScreen:
    """vim.tiny's."""

    entering, leaving = b"\x1b[?1049h\x1b[22;0;0t\x1b[?1h\x1b=", b"\x1b[?1l\x1b>\x1b[?1049l\x1b[23;0;0t"

    def drawn(self, text: Text, note: str, inserting: bool) -> str:
        """What brings the terminal up to date."""
        height = text.rows - 1
        seen = text.window(height)
        rows = [line.expandtabs(8) for line in seen] + ["\x1b[94m~\x1b[m"] * (height - len(seen))
        note = note or ("-- INSERT --" if inserting else "")
        place = f"\x1b[{min(text.row, height - 1) + 1};{text.column + 1}H"
        body = "\r\n".join(rows)
        return f"\x1b[?25l\x1b[H\x1b[2J{body}\x1b[{text.rows};1H{note[: text.columns]}{place}\x1b[?25h"


_WRITTEN = re.compile(r'"(.*)" (?:\[New\] )?(\d+)L, (\d+)B( written)?')
_WORDS = {"E37: ": "No write since last change (:q! overrides)", "E486: ": "Pattern not found"}


class PlainScreen:
    """BusyBox's: the terminal as it was is remembered, the part of each row that differs is sent."""

    def __init__(self, rows: int) -> None:
        self._rows: list[str] = []
        self._status = ""
        self.entering = b"\x1b[?1049h\x1b[H\x1b[J"
        self.leaving = f"\x1b[{rows};1H\x1b[K\x1b[?1049l".encode()

    def drawn(self, text: Text, note: str, inserting: bool) -> str:
        """What brings the terminal up to date."""
        height, width = text.rows - 1, text.columns
        seen = [line.expandtabs(8)[:width] for line in text.window(height)]
        rows = [row.ljust(width) for row in seen + ["~"] * (height - len(seen))]
        place = f"\x1b[{min(text.row, height - 1) + 1};{text.column + 1}H"
        before = self._rows or [" " * width] * height
        out = "".join(
            _difference(number, *pair) for number, pair in enumerate(zip(before, rows, strict=True), 1)
        )
        self._rows = rows
        status = self._told(note) or self._state(text, inserting)
        typing = inserting and self._status.startswith("I ")  # the last line waits until the mode is left
        if status != self._status and not typing:
            self._status = status
            out += f"{place}\x1b[{text.rows};1H\x1b[K{status}"
        return out + place

    @staticmethod
    def _state(text: Text, inserting: bool) -> str:
        number, total = text.row + 1, len(text.lines)
        changed = " [Modified]" if text.changed else ""
        head = f"{'I' if inserting else '-'} {text.path or 'No file'}{changed}"
        return f"{head} {number}/{total} {100 * number // total}%"

    @staticmethod
    def _told(note: str) -> str:
        """vim's message in BusyBox's words; empty where it says nothing."""
        if found := _WRITTEN.fullmatch(note):
            return f"'{found[1]}' {found[2]}L, {found[3]}C" if found[4] else ""
        for mark, words in _WORDS.items():
            if note.startswith(mark):
                return f"\x1b[7m{words}\x1b[m"
        if found := re.fullmatch(r"E492: Not an editor command: (.*)", note):
            return f"\x1b[7m'{found[1]}' is not implemented\x1b[m"
        return note if note[:1] in (":", "/", "?") else ""


def _difference(number: int, before: str, after: str) -> str:
    if before == after:
        return ""
    places = [place for place, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]]
    first, last = places[0], places[-1]
    return f"\x1b[{number};{first + 1}H{after[first : last + 1]}"
