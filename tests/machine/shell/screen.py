"""A terminal for tests: what is shown after escape sequences have done their work."""

from __future__ import annotations

import re

_SEQUENCE = re.compile(r"\x1b\[([?\d;]*)([@A-Za-z])|\x1b[78=>]")


class Screen:
    """What a terminal of 80 columns shows of what is sent to it: lines and the place of the cursor."""

    def __init__(self) -> None:
        self.lines = [""]
        self.column = 0

    def feed(self, data: bytes) -> None:
        """Show what was sent."""
        text = data.decode("utf-8", "replace")
        at = 0
        while at < len(text):
            found = _SEQUENCE.match(text, at)
            if found is not None:
                self._sequence(found[1] or "", found[2] or "")
                at = found.end()
                continue
            self._character(text[at])
            at += 1

    def _character(self, char: str) -> None:
        if char == "\r":
            self.column = 0
        elif char == "\n":
            self.lines.append("")
        elif char == "\b":
            self.column = max(0, self.column - 1)
        elif char >= " ":
            line = self.lines[-1].ljust(self.column)
            self.lines[-1] = line[: self.column] + char + line[self.column + 1 :]
            self.column += 1

    def _sequence(self, numbers: str, letter: str) -> None:
        count = int(numbers) if numbers.isdecimal() else 1
        line = self.lines[-1].ljust(self.column)
        head, tail = line[: self.column], line[self.column :]
        if letter in "CD":
            self.column = max(0, self.column + (count if letter == "C" else -count))
        elif letter in "KJ":
            self.lines = ["" if numbers == "2" else head] if numbers == "2" else [*self.lines[:-1], head]
        elif letter == "H":
            self.lines, self.column = [""], 0
        elif letter in "@P":
            self.lines[-1] = head + (" " * count + tail if letter == "@" else tail[count:])

    @property
    def shown(self) -> tuple[list[str], int]:
        """The lines without trailing blanks, and the cursor's column in the last one."""
        return [line.rstrip() for line in self.lines], self.column
