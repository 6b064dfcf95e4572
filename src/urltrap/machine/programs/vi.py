"""vi and vim: normal and insert mode, operators with motions, the colon commands of `_ex`."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any

from urltrap.machine.api import Process, Run, decode, encode
from urltrap.machine.programs._editing import Text, raw, restore
from urltrap.machine.programs._ex import Refused, execute
from urltrap.machine.programs._motions import Beep, target
from urltrap.machine.programs._regex import BadRegex, compile_posix
from urltrap.machine.programs._screens import PlainScreen, VimScreen
from urltrap.machine.programs._system import is_device
from urltrap.machine.programs.registry import program

Gen = Generator[Any, Any, Any]
_MAX_KEYS = 100_000
_MAX_UNDO = 100
_ESCAPE = "\x1b"


class _Ended(Exception):
    """The input is at its end."""


class Vi:
    """One run of the editor."""

    def __init__(self, p: Process, path: str, visible: bool) -> None:
        self.p = p
        self.text = Text(p, path)
        self.screen = PlainScreen(self.text.rows) if is_device(p) else VimScreen()
        self.visible = visible
        self.over = False
        self.note = self.greeting() if path else ""
        self.register, self.linewise = "", False
        self.pattern = ""
        self.inserting = False
        self._keys: list[str] = []
        self._count = 0
        self._undo: list[tuple[list[str], int, int]] = []
        self._said: list[str] = []
        self._again: list[str] = []
        self._replaying = 0

    def greeting(self) -> str:
        """What is said of a file that was opened."""
        text = self.text
        return f'"{text.path}" [New]' if text.new else f'"{text.path}" {len(text.lines)}L, {text.size()}B'

    # keys
    def _key(self) -> Generator[Any, Any, str]:
        if not self._keys:
            if self._replaying:
                raise _Ended
            if self.visible:
                yield from self._draw()
            data = yield from self.p.read(0, 1024)
            if not data:
                raise _Ended
            self._keys = list(reversed(decode(data)))
        self._count += 1
        if self._count > _MAX_KEYS:
            raise _Ended
        key = self._keys.pop()
        self._said.append(key)
        return key

    def replay(self, keys: str) -> Gen:
        """Do keys as if they were typed (``:normal``, ``.``)."""
        if self._replaying > 3:
            return
        kept, self._keys = self._keys, list(reversed(keys))
        self._replaying += 1
        try:
            while self._keys:
                yield from self._command()
        except _Ended:
            pass  # a command that is not complete is given up
        finally:
            self._replaying -= 1
            self._keys = kept
            self.inserting = False

    def run(self) -> Gen:
        """Take keys until the editor is left; True where the input ended before."""
        try:
            while not self.over:
                yield from self._command()
        except _Ended:
            return True
        return False

    def colon(self, text: str) -> Gen:
        """A colon command; True where it was done."""
        self._remember()
        try:
            self.note = yield from execute(self, text)
        except Refused as problem:
            self.note = str(problem)
            return False
        return True

    def shell(self, line: str) -> Gen:
        """``:!LINE``."""
        if self.visible:
            yield from self.p.write(1, self.screen.leaving + b"\r\n")
        child = self.p.spawn(["/bin/sh", "-c", line.strip()])
        yield from self.p.wait(child)

    def find(self, pattern: str, forward: bool) -> tuple[int, int]:
        """(row, column) of the next match. Refused."""
        try:
            matcher = compile_posix(pattern)
        except BadRegex:
            raise Refused(f"E486: Pattern not found: {pattern}") from None
        lines, row = self.text.lines, self.text.row
        count = len(lines)
        for step in range(count + 1):
            number = (row + step) % count if forward else (row - step) % count
            places = [found.start for found in matcher.all(lines[number])]
            if step == 0:
                places = [
                    at for at in places if (at > self.text.column if forward else at < self.text.column)
                ]
            if places:
                return number, places[0] if forward else places[-1]
        raise Refused(f"E486: Pattern not found: {pattern}")

    # changes
    def _remember(self) -> None:
        text = self.text
        if not self._undo or self._undo[-1][0] != text.lines:
            self._undo.append((text.lines.copy(), text.row, text.column))
            del self._undo[:-_MAX_UNDO]

    def _undone(self) -> None:
        while self._undo:
            lines, row, column = self._undo.pop()
            if lines != self.text.lines:
                self.text.lines, self.text.row, self.text.column = lines, row, column
                self.text.changed = True
                return
        self.note = "Already at oldest change"

    def _command(self) -> Gen:
        """One command of normal mode."""
        yield from self.p.tick(4)
        self._said = []
        before = self.text.lines.copy() if len(self.text.lines) < 2_000 else None
        count, key = yield from self._counted()
        try:
            yield from self._do(key, count)
        except Beep:
            self._keys = self._keys if not self._replaying else []
        except Refused as problem:
            self.note = str(problem)
        changed = before is not None and before != self.text.lines
        if changed and not self._replaying and key not in ".u:":
            self._again = self._said
        text = self.text
        text.row = min(text.row, len(text.lines) - 1)
        text.column = max(0, min(text.column, len(text.line) - 1))

    def _counted(self) -> Generator[Any, Any, tuple[int, str]]:
        digits = ""
        while True:
            key = yield from self._key()
            if key.isdecimal() and (digits or key != "0") and len(digits) < 6:
                digits += key
                continue
            return int(digits or 0), key

    def _do(self, key: str, count: int) -> Gen:
        text, times = self.text, max(1, count)
        if key in ":/?":
            yield from self._prompt(key)
        elif key == _ESCAPE:
            self._arrow()
        elif key in "iIaAoOsSCR":
            yield from self._into_insert(key, times)
        elif key in "dcy<>":
            yield from self._operator(key, count)
        elif key in "xXD":
            yield from self._operate("d", *self._span({"x": "l", "X": "h", "D": "$"}[key], count, ""))
        elif key in "pP":
            self._remember()
            self._put(key, times)
        elif key == "J":
            self._remember()
            self._join(max(1, times - 1))
        elif key == "u":
            self._undone()
        elif key == ".":
            yield from self.replay("".join(self._again))
        elif key in "r~":
            yield from self._replace(key, times)
        elif key in "nN":
            text.row, text.column = self.find(self.pattern, forward=key == "n")
        elif key == "Z":
            last = yield from self._key()
            if last in "ZQ":
                yield from self.colon("x" if last == "Z" else "q!")
        else:
            extra = (yield from self._key()) if key in "fFtTg" else ""
            row, column, _, _ = target(self.text, key, count, extra)
            text.row, text.column = row, column

    def _arrow(self) -> None:
        if self._keys and self._keys[-1] in "[O":
            self._keys.pop()
            if self._keys:
                self.text.arrow(self._keys.pop())

    def _prompt(self, mark: str) -> Gen:
        line = ""
        while True:
            self.note = mark + line
            key = yield from self._key()
            if key in "\r\n":
                break
            if key == _ESCAPE or (key in "\x7f\b" and not line):
                self.note = ""
                return
            line = line[:-1] if key in "\x7f\b" else line + key
        self.note = ""
        if mark == ":":
            yield from self.colon(line)
            return
        self.pattern = line or self.pattern
        self.text.row, self.text.column = self.find(self.pattern, forward=mark == "/")

    def _into_insert(self, key: str, times: int) -> Gen:
        self._remember()
        text = self.text
        if key == "I":
            text.column = len(text.line) - len(text.line.lstrip())
        elif key == "a":
            text.column = min(len(text.line), text.column + 1)
        elif key == "A":
            text.column = len(text.line)
        elif key in "oO":
            text.row += key == "o"
            text.lines.insert(text.row, "")
            text.column, text.changed = 0, True
        elif key == "s":
            text.lines[text.row] = text.line[: text.column] + text.line[text.column + times :]
        elif key == "S":
            text.lines[text.row], text.column = "", 0
        elif key == "C":
            text.lines[text.row] = text.line[: text.column]
        yield from self._insert(over=key == "R")

    def _insert(self, over: bool = False) -> Gen:
        """Insert mode, until Escape."""
        text = self.text
        self.inserting, self.note = True, ""
        try:
            while True:
                key = yield from self._key()
                if key in (_ESCAPE, "\x03"):
                    if (
                        key == _ESCAPE
                        and self._keys[-1:] in (["["], ["O"])
                        and len(self._keys) > 1
                        and self.visible
                    ):
                        self._arrow()
                        continue
                    break
                if key in "\x7f\b":
                    text.backspace()
                else:
                    if over:
                        text.lines[text.row] = text.line[: text.column] + text.line[text.column + 1 :]
                    text.insert(key)
        finally:
            self.inserting = False
        text.column = max(0, text.column - 1)

    def _operator(self, name: str, count: int) -> Gen:
        more, key = yield from self._counted()
        count = (count or 1) * more if more else count
        if key == _ESCAPE:
            return
        if key == name:
            last = self.text.row + max(1, count) - 1
            yield from self._operate(name, (self.text.row, 0), (min(last, len(self.text.lines) - 1), 0), True)
            return
        extra = (yield from self._key()) if key in "fFtTgia" else ""
        if name == "c" and key in "wW":
            key = "e" if key == "w" else "E"
        yield from self._operate(name, *self._span(key, count, extra))

    def _span(self, key: str, count: int, extra: str) -> tuple[tuple[int, int], tuple[int, int], bool]:
        """(from, to, whole lines) of a motion; to is not included."""
        text = self.text
        here = (text.row, text.column)
        row, column, whole, included = target(self.text, key, count, extra)
        if key in "wW" and row != text.row:  # the last word of a line ends with it
            row, column = text.row, len(text.line)
        first, last = min(here, (row, column)), max(here, (row, column))
        if not whole and first == last and not included:
            if not (key == "l" and text.line):
                raise Beep
            included = True
        if key == "l":
            last, included = (text.row, min(len(text.line), text.column + max(1, count))), False
        return first, (last[0], last[1] + included), whole

    def _operate(self, name: str, first: tuple[int, int], last: tuple[int, int], whole: bool) -> Gen:
        text = self.text
        if name in "dc<>":
            self._remember()
        if name in "<>":
            for number in range(first[0], last[0] + 1):
                line = text.lines[number]
                text.lines[number] = (
                    "\t" + line if name == ">" and line else re.sub(r"^(\t| {1,8})", "", line)
                )
            text.changed = True
        elif whole:
            self.register, self.linewise = "\n".join(text.lines[first[0] : last[0] + 1]), True
            if name == "d":
                text.drop(first[0], last[0])
            elif name == "c":
                text.lines[first[0] : last[0] + 1] = [""]
                text.row, text.column, text.changed = first[0], 0, True
                yield from self._insert()
        else:
            rows = text.lines[first[0] : last[0] + 1]
            head, tail = rows[0][: first[1]], rows[-1][last[1] :]
            rows[-1] = rows[-1][: last[1]]
            rows[0] = rows[0][first[1] :]
            self.register, self.linewise = "\n".join(rows), False
            text.row, text.column = first
            if name != "y":
                text.lines[first[0] : last[0] + 1] = [head + tail]
                text.changed = True
            if name == "c":
                yield from self._insert()

    def _put(self, key: str, times: int) -> None:
        text = self.text
        if self.linewise:
            at = text.row + (key == "p")
            text.lines[at:at] = self.register.split("\n") * times
            text.row, text.column = at, 0
        elif self.register:
            text.column += key == "p" and bool(text.line)
            text.insert(self.register * times)
            text.column -= 1
        text.changed = True

    def _join(self, times: int) -> None:
        text = self.text
        for _ in range(times):
            if text.row + 1 >= len(text.lines):
                raise Beep
            below = text.lines.pop(text.row + 1).lstrip()
            text.column = len(text.line)
            text.lines[text.row] += (
                " " if below and text.line and not text.line.endswith(" ") else ""
            ) + below
            text.changed = True

    def _replace(self, key: str, times: int) -> Gen:
        text = self.text
        char = (yield from self._key()) if key == "r" else ""
        part = text.line[text.column : text.column + times]
        if not part or char == _ESCAPE:
            return
        self._remember()
        new = char * len(part) if char else part.swapcase()
        text.lines[text.row] = text.line[: text.column] + new + text.line[text.column + len(part) :]
        text.column += len(part) - (1 if char else 0)
        text.changed = True

    def _draw(self) -> Gen:
        yield from self.p.write(1, encode(self.screen.drawn(self.text, self.note, self.inserting)))


@program("vi", "vim", "vim.tiny", "vim.basic", "view", "ex", "rvim")
def vi(p: Process) -> Run:
    """Edit a file."""
    if "--version" in p.argv:
        yield from p.out("VIM - Vi IMproved 9.0 (2022 Jun 28, compiled May 04 2025 14:02:32)\n")
        return 0
    commands: list[str] = []
    paths: list[str] = []
    quiet = p.argv[0].rpartition("/")[2] == "ex"
    words = iter(p.argv[1:])
    for word in words:
        if word in ("-c", "--cmd", "-S", "-T", "-u"):
            value = next(words, "")
            commands += [value] if word == "-c" else []
        elif word.startswith("+"):
            commands.append(word[1:] or "$")
        elif word.startswith("-") and word != "-":
            quiet = quiet or "e" in word[1:] or "E" in word[1:]
        elif word != "-":
            paths.append(word)
    on_terminal = p.is_tty(0) and p.is_tty(1)
    editor = Vi(p, paths[0] if paths else "", on_terminal)
    if quiet:
        editor.text.row = len(editor.text.lines) - 1
        return (yield from _quietly(editor, commands))
    if not on_terminal:
        for what, to, fd in (("Output", "to", 1), ("Input", "from", 0)):
            if not p.is_tty(fd):
                yield from p.err(f"Vim: Warning: {what} is not {to} a terminal\n")
        return (yield from _to_the_end(editor, commands))
    before = raw(p)
    try:
        yield from p.write(1, editor.screen.entering)
        return (yield from _to_the_end(editor, commands))
    finally:
        yield from p.write(1, editor.screen.leaving)
        restore(p, before)


def _to_the_end(editor: Vi, commands: list[str]) -> Run:
    for command in commands:
        if not editor.over:
            yield from editor.colon(command)
    ended = not editor.over and (yield from editor.run())
    if ended and not editor.visible:
        yield from editor.p.out("Vim: Error reading input, exiting...\nVim: Finished.\n")
    return 1 if ended else 0


def _quietly(editor: Vi, commands: list[str]) -> Run:
    """-es: colon commands from the command line, then from standard input."""
    lines = [] if editor.p.is_tty(0) else decode((yield from editor.p.read_all(0, 100_000))).split("\n")
    status = 0
    for command in (*commands, *lines):
        if editor.over:
            break
        yield from editor.p.tick(4)
        if not (yield from editor.colon(command)):
            status = 1
    return status
