"""nano: typing, arrows, ^K, ^O, ^X."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from urltrap.machine.api import Process, Run, decode, encode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._editing import Text, raw, restore
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._paths import is_dir
from urltrap.machine.programs.registry import program

_MAX_KEYS = 100_000
_MAX_READ = 2_000_000
_IN, _OUT = b"\x1b[?1049h\x1b[22;0;0t", b"\x1b[?1049l\x1b[23;0;0t\r"
_LETTERS = "ABC:DEFGHIJ:KLMNOPQ:R:ST:UVWX:Y:abcdefghijklmno:pqr:s:tuvwxyz!%_0/"
_HELP = (
    "^G Help        ^O Write Out   ^W Where Is    ^K Cut         ^T Execute     ^C Location",
    "^X Exit        ^R Read File   ^\\ Replace     ^U Paste       ^J Justify     ^/ Go To Line",
)


@program("nano", "pico", "rnano")
def nano(p: Process) -> Run:
    """Edit a file on a terminal."""
    if "--version" in p.argv or "-V" in p.argv:
        yield from p.out(
            " GNU nano, version 7.2\n (C) 2023 the Free Software Foundation and various contributors\n"
        )
        return 0
    try:
        _, operands = getopt(p.argv[1:], _LETTERS, {"help": "", "version": ""})
    except OptionError as problem:
        yield from p.err(f"{p.argv[0]}: {problem}\n")
        yield from p.out(f"Type '{p.argv[0]} -h' for a list of available options.\n")
        return 1
    operands = [word for word in operands if not word.startswith("+")]
    if not p.is_tty(0):
        yield from p.write(1, encode(_unseen(p, operands[0] if operands else "")))
        yield from p.err("Standard input is not a terminal\n")
        return 1
    text = Text(p, operands[0] if operands else "")
    before = raw(p)
    try:
        yield from p.write(1, _IN)
        status = yield from _keys(text)
        yield from p.write(1, _OUT)
        return status
    finally:
        restore(p, before)


def _unseen(p: Process, path: str) -> str:
    """What nano draws before it finds out that nobody can type: the messages of opening the file."""
    notes, bell = [], ""
    if path:
        try:
            if p.fs.stat(path).is_dir:
                notes, bell = [f'"{path}" is a directory'], "\a"
            else:
                count = p.fs.read(path, _MAX_READ).count(b"\n")
                notes = ["Reading...", f"Read {count} line{'s' if count != 1 else ''}"]
        except SysError:
            folder = path.rpartition("/")[0]
            missing = bool(folder) and not is_dir(p, folder)
            notes, bell = (
                [f"Directory '{folder}' does not exist" if missing else "New File"],
                "\a" if missing else "",
            )
    xterm = p.env.get("TERM", "").startswith(("xterm", "screen", "tmux"))
    plain = "\x1b(B\x1b[m" if xterm else "\x1b[m\x1b(B"
    bright = "\x1b(B\x1b[0;7m" if xterm else "\x1b[0;7m\x1b(B"
    columns, rows = p.window()
    shown = "".join(
        f"\x1b[{rows - 2};{(columns - len(note) - 4) // 2 + 1}H{bright}[ {note} ]{plain}" for note in notes
    )
    if not xterm:
        head = f"\x1b[?2004h\x1b)0\x1b[1;{rows}r\x1b[m\x1b(B\x1b[4l\x1b[?7h\x1b[?25l{bell}"
        return f"{head}{chr(27) + '[H' + chr(27) + '[J' if notes else ''}{shown}\x1b[?25h\x1b[{rows};1H\r\x1b[?2004l"
    head = f"\x1b[?2004h\x1b[?1049h\x1b[22;0;0t\x1b[1;{rows}r{plain}\x1b[4l\x1b[?7h\x1b[39;49m"
    head += "\x1b[?1h\x1b=\x1b[?1h\x1b=\x1b[?25l"
    colours = f"\x1b[39;49m{plain}"
    body = f"{bell}{colours}\x1b[H\x1b[2J{shown}" if notes else ""
    tail = f"\x1b[?12l\x1b[?25h{'' if notes else colours}\x1b[{rows};1H"
    tail += "\x1b[?1049l\x1b[23;0;0t\r\x1b[?1l\x1b>\x1b[?2004l"
    return head + body + tail


def _keys(text: Text) -> Generator[Any, Any, int]:
    """Take keys until the editor is left."""
    asking, name, leaving, cut = "", "", False, ""
    for _ in range(_MAX_KEYS):
        yield from _draw(text, asking, name)
        data = yield from text.p.read(0, 1024)
        if not data:
            return 1
        keys = decode(data)
        while keys:
            key, keys = keys[0], keys[1:]
            if asking == "save":
                if key in "nN":
                    return 0
                if key in "yY":
                    asking, name, leaving = "name", text.path, True
                elif key == "\x03":
                    asking = ""
            elif asking == "name":
                if key in "\r\n":
                    if name and not text.save(name, text.lines):
                        text.path, text.changed = name, False
                        if leaving:
                            return 0
                    asking, leaving = "", False
                elif key == "\x03":
                    asking, leaving = "", False
                elif key in "\x7f\b":
                    name = name[:-1]
                elif ord(key) >= 32:
                    name += key
            elif key == "\x18":
                if not text.changed:
                    return 0
                asking = "save"
            elif key in "\x0f\x13":
                if key == "\x13" and text.path:
                    text.changed = bool(text.save(text.path, text.lines))
                else:
                    asking, name = "name", text.path
            elif key == "\x1b" and keys[:1] in ("[", "O") and len(keys) > 1:
                text.arrow(keys[1])
                keys = keys[2:]
            elif key in "\x7f\b":
                text.backspace()
            elif key == "\x0b":
                cut = text.drop(text.row, text.row)[0]
            elif key == "\x15":
                text.column = 0
                text.insert(cut + "\n")
            elif key in "\r\n\t" or ord(key) >= 32:
                text.insert(key)
    return 1


def _draw(text: Text, asking: str, name: str) -> Generator[Any, Any, None]:
    height = max(1, text.rows - 5)
    title = f"  GNU nano 7.2{(text.path or 'New Buffer').center(text.columns - 28)}"
    title += f"{'Modified' if text.changed else '':>12}  "
    note = "[ New File ]".center(text.columns) if text.new else ""
    if asking:
        note = "Save modified buffer? " if asking == "save" else f"File Name to Write: {name}"
    seen = text.window(height)
    body = "\r\n".join(seen + [""] * (height - len(seen)))
    keys = "\r\n".join(row[: text.columns] for row in _HELP)
    shown = f"\x1b[H\x1b[2J\x1b[7m{title[: text.columns]}\x1b[m\r\n\r\n{body}"
    shown += f"\x1b[{text.rows - 2};1H{note}\x1b[{text.rows - 1};1H{keys}"
    shown += f"\x1b[{min(text.row, height - 1) + 3};{text.column + 1}H"
    yield from text.p.write(1, encode(shown))
