"""What vi and nano share: the text, the cursor, and a terminal in raw mode."""

from __future__ import annotations

from urltrap.machine.api import Process, decode, encode
from urltrap.machine.errors import SysError

_MAX_READ = 2_000_000


class Text:
    """A file's lines with a cursor."""

    def __init__(self, p: Process, path: str) -> None:
        self.p = p
        self.path = path
        self.columns, self.rows = p.window()
        self.changed = False
        self.new = True
        self.bare = True
        """True where there is no line at all, not even an empty one."""
        self.lines = [""]
        self.row = self.column = 0
        if path:
            self.load(path)

    def load(self, path: str) -> None:
        """Take in a file; an empty text where it cannot be read."""
        try:
            data = decode(self.p.fs.read(path, _MAX_READ))
        except SysError:
            self.lines, self.new, self.bare = [""], True, True
        else:
            self.lines, self.new, self.bare = data.removesuffix("\n").split("\n"), False, not data
        self.row = self.column = 0
        self.changed = False

    @property
    def line(self) -> str:
        """The line of the cursor."""
        return self.lines[self.row]

    def size(self) -> int:
        """Bytes that the text has as a file."""
        return sum(len(encode(line)) + 1 for line in self.lines)

    def insert(self, text: str) -> None:
        """Text at the cursor."""
        head, tail = self.line[: self.column], self.line[self.column :]
        parts = text.replace("\r", "\n").split("\n")
        if len(parts) == 1:
            self.lines[self.row] = head + text + tail
            self.column += len(text)
        else:
            self.lines[self.row : self.row + 1] = [head + parts[0], *parts[1:-1], parts[-1] + tail]
            self.row += len(parts) - 1
            self.column = len(parts[-1])
        self.changed = True

    def backspace(self) -> None:
        """Remove what is before the cursor."""
        if self.column:
            self.lines[self.row] = self.line[: self.column - 1] + self.line[self.column :]
            self.column -= 1
        elif self.row:
            self.column = len(self.lines[self.row - 1])
            self.lines[self.row - 1] += self.lines.pop(self.row)
            self.row -= 1
        else:
            return
        self.changed = True

    def drop(self, first: int, last: int) -> list[str]:
        """Remove whole lines (`last` included); what they were."""
        gone = self.lines[first : last + 1]
        del self.lines[first : last + 1]
        self.bare = not self.lines
        self.lines = self.lines or [""]
        self.row = min(first, len(self.lines) - 1)
        self.column = 0
        self.changed = True
        return gone

    def arrow(self, letter: str) -> None:
        """Move as the arrow key that ends in this letter says."""
        if letter == "A":
            self.row = max(0, self.row - 1)
        elif letter == "B":
            self.row = min(len(self.lines) - 1, self.row + 1)
        elif letter == "C":
            self.column += 1
        elif letter == "D":
            self.column = max(0, self.column - 1)
        elif letter in "HF":
            self.column = 0 if letter == "H" else len(self.line)
        self.column = min(self.column, len(self.line))

    def save(self, path: str, lines: list[str]) -> str:
        """Write lines to a file; empty or an error's words."""
        data = "".join(line + "\n" for line in lines) if lines != [""] or not self.bare else ""
        try:
            self.p.fs.write(path, encode(data), mode=0o666 & ~self.p.umask)
        except SysError as problem:
            return problem.words
        return ""

    def window(self, height: int) -> list[str]:
        """The lines that are seen."""
        top = max(0, self.row - height + 1)
        return [line[: self.columns] for line in self.lines[top : top + height]]


def raw(p: Process) -> tuple[bool, bool, bool, bool]:
    """Put the terminal of standard input into raw mode; what it was."""
    terminal = p.tty(0)
    before = (terminal.icanon, terminal.echo, terminal.isig, terminal.icrnl)
    terminal.icanon = terminal.echo = terminal.isig = terminal.icrnl = False
    return before


def restore(p: Process, before: tuple[bool, bool, bool, bool]) -> None:
    """Put it back."""
    terminal = p.tty(0)
    terminal.icanon, terminal.echo, terminal.isig, terminal.icrnl = before
