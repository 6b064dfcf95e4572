# ruff: noqa: E501 - the programs' own texts and tables are longer than a line
"""vi, vim, nano, less and more: enough of them not to hang, and that files can be changed."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any

from urltrap.machine.api import Process, Run, decode, encode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, command
from urltrap.machine.programs.registry import program

_MAX_KEYS = 100_000


class _Screen:
    """A terminal in raw mode and the text that is edited in it."""

    def __init__(self, p: Process, path: str) -> None:
        self.p = p
        self.path = path
        self.columns, self.rows = p.window()
        self.changed = False
        self.new = True
        try:
            self.lines = decode(p.fs.read(path, 2_000_000)).split("\n") if path else [""]
            self.new = not path
        except SysError:
            self.lines = [""]
        if len(self.lines) > 1 and not self.lines[-1]:
            self.lines.pop()
        self.row = self.column = 0

    def insert(self, text: str) -> None:
        """Text at the cursor."""
        line = self.lines[self.row]
        head, tail = line[: self.column], line[self.column :]
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
            line = self.lines[self.row]
            self.lines[self.row] = line[: self.column - 1] + line[self.column :]
            self.column -= 1
        elif self.row:
            self.column = len(self.lines[self.row - 1])
            self.lines[self.row - 1] += self.lines.pop(self.row)
            self.row -= 1
        self.changed = True

    def save(self, path: str = "") -> str:
        """Write the file; empty or an error's words."""
        target = path or self.path
        if not target:
            return "No file name"
        try:
            self.p.fs.write(target, encode("\n".join(self.lines) + "\n"), mode=0o666 & ~self.p.umask)
        except SysError as problem:
            return problem.words
        self.changed = False
        return ""

    def window(self, height: int) -> list[str]:
        """The lines that are seen."""
        top = max(0, self.row - height + 1)
        return [line[: self.columns] for line in self.lines[top : top + height]]


def _raw(p: Process) -> tuple[bool, bool, bool, bool]:
    terminal = p.tty(0)
    before = (terminal.icanon, terminal.echo, terminal.isig, terminal.icrnl)
    terminal.icanon = terminal.echo = terminal.isig = terminal.icrnl = False
    return before


def _restore(p: Process, before: tuple[bool, bool, bool, bool]) -> None:
    terminal = p.tty(0)
    terminal.icanon, terminal.echo, terminal.isig, terminal.icrnl = before


@program("vi", "vim", "vim.tiny", "vim.basic", "view")
def vi(p: Process) -> Run:
    """vi: insert mode, :w, :q, :wq, dd, G, arrows."""
    operands = [word for word in p.argv[1:] if not word.startswith(("-", "+"))]
    if "--version" in p.argv:
        yield from p.out("VIM - Vi IMproved 9.0 (2022 Jun 28, compiled May 04 2025 14:02:32)\n")
        return 0
    if not p.is_tty(1) or not p.is_tty(0):
        yield from p.err(
            "".join(
                f"Vim: Warning: {what} is not {to} a terminal\n"
                for what, to, fd in (("Output", "to", 1), ("Input", "from", 0))
                if not p.is_tty(fd)
            )
        )
        data = yield from p.read_all(0, 100_000)
        screen = _Screen(p, operands[0] if operands else "")
        for line in re.split(r"[\r\n]|\x1b", decode(data)):
            if _command(screen, line.lstrip(":"))[1]:
                return 0
        yield from p.err("Vim: Error reading input, exiting...\nVim: Finished.\n")
        return 1
    screen = _Screen(p, operands[0] if operands else "")
    before = _raw(p)
    try:
        yield from p.write(1, b"\x1b[?1049h\x1b[22;0;0t\x1b[?1h\x1b=")
        return (yield from _vi_keys(screen))
    finally:
        _restore(p, before)


def _vi_keys(screen: _Screen) -> Generator[Any, Any, int]:
    p = screen.p
    inserting, prompt = False, ""
    size = sum(len(encode(line)) + 1 for line in screen.lines)
    note = (
        f'"{screen.path}" [New]'
        if screen.new and screen.path
        else f'"{screen.path}" {len(screen.lines)}L, {size}B'
        if screen.path
        else ""
    )
    pending = ""
    for _ in range(_MAX_KEYS):
        yield from _draw(screen, prompt or note or ("-- INSERT --" if inserting else ""))
        data = yield from p.read(0, 1024)
        if not data:
            return 1
        text = decode(data)
        while text:
            key, text = text[0], text[1:]
            if key == "\x1b" and text[:1] in ("[", "O") and len(text) > 1:
                _move(screen, text[1])
                text = text[2:]
            elif prompt:
                if key in "\r\n":
                    note, leave = _command(screen, prompt[1:])
                    prompt = ""
                    if leave:
                        yield from p.write(1, b"\x1b[?1l\x1b>\x1b[?1049l\x1b[23;0;0t")
                        return 0
                elif key == "\x1b" or (key in "\x7f\b" and len(prompt) == 1):
                    prompt = ""
                else:
                    prompt = prompt[:-1] if key in "\x7f\b" else prompt + key
            elif inserting:
                note = ""
                if key in "\x1b\x03":
                    inserting = False
                    screen.column = max(0, screen.column - 1)
                elif key in "\x7f\b":
                    screen.backspace()
                else:
                    screen.insert(key)
            else:
                note = ""
                pending, inserting, prompt = _normal_key(screen, pending + key)
                if pending == "ZZ":
                    screen.save()
                    yield from p.write(1, b"\x1b[?1l\x1b>\x1b[?1049l\x1b[23;0;0t")
                    return 0
    return 1


def _normal_key(screen: _Screen, keys: str) -> tuple[str, bool, str]:
    """(keys that wait for more, inserting, prompt)."""
    line = screen.lines[screen.row]
    if keys in ("d", "g", "Z", "y"):
        return keys, False, ""
    if keys == "ZZ":
        return "ZZ", False, ""
    if keys == "dd":
        screen.lines.pop(screen.row)
        screen.lines = screen.lines or [""]
        screen.row, screen.column, screen.changed = min(screen.row, len(screen.lines) - 1), 0, True
    elif keys in (":", "/"):
        return "", False, keys
    elif keys in "iaIAoO":
        if keys in "aA":
            screen.column = len(line) if keys == "A" else min(len(line), screen.column + 1)
        elif keys == "I":
            screen.column = 0
        elif keys in "oO":
            at = screen.row + (keys == "o")
            screen.lines.insert(at, "")
            screen.row, screen.column, screen.changed = at, 0, True
        return "", True, ""
    elif keys == "x":
        screen.lines[screen.row] = line[: screen.column] + line[screen.column + 1 :]
        screen.changed = True
    elif keys in ("G", "gg"):
        screen.row = len(screen.lines) - 1 if keys == "G" else 0
        screen.column = 0
    elif keys in "hjkl":
        _move(screen, {"h": "D", "j": "B", "k": "A", "l": "C"}[keys])
    elif keys in "0$":
        screen.column = 0 if keys == "0" else max(0, len(line) - 1)
    return "", False, ""


def _move(screen: _Screen, arrow: str) -> None:
    if arrow == "A":
        screen.row = max(0, screen.row - 1)
    elif arrow == "B":
        screen.row = min(len(screen.lines) - 1, screen.row + 1)
    elif arrow == "C":
        screen.column += 1
    elif arrow == "D":
        screen.column = max(0, screen.column - 1)
    screen.column = min(screen.column, len(screen.lines[screen.row]))


def _command(screen: _Screen, text: str) -> tuple[str, bool]:
    """A command of the colon prompt: (note, leave)."""
    match = re.fullmatch(r"\s*(w?q?a?|x|wq|%d)(!?)\s*(.*)", text)
    if match is None or not match[1]:
        return (f"E492: Not an editor command: {text}" if text.strip() else "", False)
    name, force, path = match[1], match[2], match[3]
    if name == "%d":
        screen.lines, screen.row, screen.column, screen.changed = [""], 0, 0, True
        return "", False
    if "w" in name or name == "x":
        size = sum(len(encode(line)) + 1 for line in screen.lines)
        words = screen.save(path)
        if words == "No file name":
            return "E32: No file name", False
        if words:
            return f'"{path or screen.path}" E212: Can\'t open file for writing', False
        return f'"{path or screen.path}" {len(screen.lines)}L, {size}B written', "q" in name or name == "x"
    if screen.changed and not force:
        return "E37: No write since last change (add ! to override)", False
    return "", True


def _draw(screen: _Screen, note: str) -> Generator[Any, Any, None]:
    height = screen.rows - 1
    seen = screen.window(height)
    rows = [line.expandtabs(8) for line in seen] + ["\x1b[94m~\x1b[m"] * (height - len(seen))
    row = min(screen.row, height - 1)
    text = (
        "\x1b[?25l\x1b[H\x1b[2J"
        + "\r\n".join(rows)
        + f"\x1b[{screen.rows};1H{note[: screen.columns]}\x1b[{row + 1};{screen.column + 1}H\x1b[?25h"
    )
    yield from screen.p.write(1, encode(text))


@program("nano", "pico", "rnano")
def nano(p: Process) -> Run:
    """nano: typing, ^O, ^X."""
    operands = [word for word in p.argv[1:] if not word.startswith(("-", "+"))]
    if "--version" in p.argv or "-V" in p.argv:
        yield from p.out(
            " GNU nano, version 7.2\n (C) 2023 the Free Software Foundation and various contributors\n"
        )
        return 0
    if not p.is_tty(0) or not p.is_tty(1):
        yield from p.err(
            "Standard input is not a terminal\n" if not p.is_tty(0) else "Error opening terminal: unknown.\n"
        )
        return 1
    screen = _Screen(p, operands[0] if operands else "")
    before = _raw(p)
    asking = ""
    try:
        yield from p.write(1, b"\x1b[?1049h\x1b[22;0;0t")
        for _ in range(_MAX_KEYS):
            yield from _draw_nano(screen, asking)
            data = yield from p.read(0, 1024)
            if not data:
                return 1
            text = decode(data)
            while text:
                key, text = text[0], text[1:]
                if asking == "save":
                    if key in "yY\r":
                        screen.save()
                    if key in "yYnN\r":
                        yield from p.write(1, b"\x1b[?1049l\x1b[23;0;0t\r")
                        return 0
                    asking = "" if key == "\x03" else asking
                elif asking == "name":
                    if key in "\r\n":
                        screen.save()
                        asking = ""
                    elif key == "\x03":
                        asking = ""
                elif key == "\x18":
                    if not screen.changed:
                        yield from p.write(1, b"\x1b[?1049l\x1b[23;0;0t\r")
                        return 0
                    asking = "save"
                elif key == "\x0f":
                    asking = "name"
                elif key == "\x1b" and text[:1] in ("[", "O") and len(text) > 1:
                    _move(screen, text[1])
                    text = text[2:]
                elif key in "\x7f\b":
                    screen.backspace()
                elif key == "\x0b":
                    screen.lines.pop(screen.row)
                    screen.lines = screen.lines or [""]
                    screen.row, screen.column, screen.changed = (
                        min(screen.row, len(screen.lines) - 1),
                        0,
                        True,
                    )
                elif key in "\r\n\t" or ord(key) >= 32:
                    screen.insert(key)
        return 1
    finally:
        _restore(p, before)


def _draw_nano(screen: _Screen, asking: str) -> Generator[Any, Any, None]:
    height = max(1, screen.rows - 5)
    title = f"  GNU nano 7.2{(screen.path or 'New Buffer').center(screen.columns - 28)}{'Modified' if screen.changed else '':>12}  "
    note = {"save": "Save modified buffer? ", "name": f"File Name to Write: {screen.path}"}.get(
        asking, "[ New File ]".center(screen.columns) if screen.new else ""
    )
    keys = "^G Help        ^O Write Out   ^W Where Is    ^K Cut         ^T Execute     ^C Location"
    more = "^X Exit        ^R Read File   ^\\ Replace     ^U Paste       ^J Justify     ^/ Go To Line"
    seen = screen.window(height)
    body = "\r\n".join(seen + [""] * (height - len(seen)))
    text = f"\x1b[H\x1b[2J\x1b[7m{title[: screen.columns]}\x1b[m\r\n\r\n{body}\x1b[{screen.rows - 2};1H{note}\x1b[{screen.rows - 1};1H{keys[: screen.columns]}\r\n{more[: screen.columns]}"
    yield from screen.p.write(
        1, encode(text + f"\x1b[{min(screen.row, height - 1) + 3};{screen.column + 1}H")
    )


@command(
    "less",
    "more",
    "pager",
    "most",
    short="abcdefgimnrsuwxzABCDEFGIJKLMNPQRSUVWXp:o:t:",
    bb="EFIMmNSRh~",
    hint="",
)
def less(c: Cmd) -> Run:
    """Pagers: all of it where the output is no terminal, page by page otherwise."""
    p = c.p
    if not c.args and p.is_tty(0):
        yield from p.err(
            'Missing filename ("less --help" for help)\n'
            if c.name != "more"
            else "more: bad usage\nTry 'more --help' for more information.\n"
        )
        return 1
    for path in c.args or ["-"]:
        try:
            data = yield from c.load(path)
        except SysError as problem:
            words = f"{path} is a directory" if problem.errno == 21 else f"{path}: {problem.words}"
            yield from c.flush()
            yield from p.err(
                words + "\n" if c.name != "more" else f"{c.name}: cannot open {path}: {problem.words}\n"
            )
            c.status = 1
            continue
        if not p.is_tty(1):
            yield from p.write(1, data)
            continue
        if (yield from _pages(c, data, path)):
            break
    return c.status


def _pages(c: Cmd, data: bytes, path: str) -> Generator[Any, Any, bool]:
    """Show page by page; True where the reader left."""
    p = c.p
    lines = data.split(b"\n")
    height = max(1, p.window()[1] - 1)
    keyboard = 0
    if not p.is_tty(0):
        try:
            keyboard = p.open("/dev/tty")
        except SysError:
            yield from p.write(1, data)
            return False
    terminal = p.tty(keyboard)
    before = (terminal.icanon, terminal.echo)
    terminal.icanon = terminal.echo = False
    at = 0
    try:
        while True:
            yield from p.write(1, b"\r\x1b[K" + b"\n".join(lines[at : at + height]) + b"\n")
            at += height
            end = at >= len(lines)
            if end and c.name == "more":
                return False
            yield from p.write(
                1,
                b"\x1b[7m(END)\x1b[27m"
                if end
                else f"\x1b[7m{path if path != '-' else ':'}\x1b[27m".encode("utf-8", "surrogateescape")
                if c.name != "more"
                else b"--More--",
            )
            key = yield from p.read(keyboard, 16)
            if not key or key[:1] in b"qQ\x03":
                yield from p.write(1, b"\r\x1b[K")
                return True
            if end:
                at -= height
    finally:
        terminal.icanon, terminal.echo = before
