"""^R of readline: the search backwards through the history, a character at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from urltrap.machine.api import encode

if TYPE_CHECKING:
    from urltrap.machine.shell.readline import Editor


class Search:
    """A search that goes on; it shows what it found as the editor's line."""

    def __init__(self, editor: Editor) -> None:
        self.editor = editor
        self.wanted = ""
        self.before = (editor.text, editor.at, editor.place)

    def begin(self) -> bytes:
        """What is sent when it begins."""
        return b"\r" + self._shown("(reverse-i-search)")

    def _shown(self, label: str) -> bytes:
        editor = self.editor
        back = b"\x08" * (len(editor.text) - editor.at)
        return encode(f"{label}`{self.wanted}': {editor.text}") + b"\x1b[K" + back

    def key(self, byte: int) -> bytes | None:
        """What a key gives; None where it ends the search."""
        editor = self.editor
        history = editor.history
        if byte == 7:
            editor.text, editor.at, editor.place = self.before
            return None
        if byte == 18:
            start = editor.place
        elif byte in (8, 127):
            self.wanted = self.wanted[:-1]
            start = min(editor.place + 1, len(history))
        elif byte >= 32:
            self.wanted += chr(byte)
            start = min(editor.place + 1, len(history))
        else:
            return None
        for number in range(start - 1, -1, -1):
            line = history[number]
            # What was found may go on to match where it did, or before; other lines anywhere.
            here = number == editor.place and byte != 18
            found = line.rfind(self.wanted, 0, editor.at + len(self.wanted) if here else len(line))
            if found >= 0:
                editor.place, editor.text, editor.at = number, line, found
                return b"\r" + self._shown("(reverse-i-search)")
        return b"\x07\r" + self._shown("(failed reverse-i-search)")
