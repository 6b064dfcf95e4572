"""One line from the user: through the line editor on a terminal, plainly without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from urltrap.machine.api import decode, encode
from urltrap.machine.errors import SysError
from urltrap.machine.shell.completion import complete_command, complete_path
from urltrap.machine.shell.input import read_record
from urltrap.machine.shell.readline import Editor

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell


def read_line(sh: Shell, prompt: str) -> Gen[str | None]:
    """A line with its newline; "" at the end of input; None where ^C dropped it."""
    p = sh.p
    if not p.is_tty(0):
        yield from p.err(prompt)
        return (yield from _plain(sh))
    if sh.dialect.name == "dash":
        yield from p.err(prompt)
        return (yield from _plain(sh))
    terminal = p.tty(0)
    editor = Editor(
        prompt,
        columns=terminal.columns,
        history=sh.history,
        bracketed=sh.dialect.bash,
        complete=lambda text, first: (
            complete_command(sh, text) if first and "/" not in text else complete_path(sh, text)
        ),
        bash=sh.dialect.bash,
    )
    saved = (terminal.icanon, terminal.echo, terminal.icrnl)
    terminal.icanon = terminal.echo = False
    yield from p.write(2, editor.begin())
    try:
        while True:
            try:
                data = yield from p.read(0, 4096)
            except SysError as problem:
                if problem.errno != 4:
                    return ""
                signals = p.pending_signals()
                if 2 in signals:
                    yield from p.write(2, editor.interrupted())
                    return None
                editor.columns = terminal.columns
                continue
            if not data:
                yield from p.write(2, editor.closed())
                return ""
            used, out, done = editor.feed(data)
            if used < len(data):
                # What is typed ahead is the next command's standard input where that reads.
                terminal.give_back(data[used:])
            if out:
                yield from p.write(2, out)
            yield from p.tick(1 + used // 16)
            if done == "line":
                return editor.text + "\n"
            if done == "end":
                return ""
            if done == "interrupt":
                return None
    finally:
        terminal.icanon, terminal.echo, terminal.icrnl = saved


def _plain(sh: Shell) -> Gen[str | None]:
    """A line without editing: from a pipe, or from a terminal that edits by itself."""
    try:
        data, ended = yield from read_record(sh, 0, b"\n")
    except SysError as problem:
        if problem.errno == 4:
            if 2 in sh.p.pending_signals():
                yield from sh.p.err("\n")
            return None
        return ""
    text = decode(data.replace(b"\0", b""))
    if ended:
        return text + "\n" if text else ""
    return text + "\n"


__all__ = ["encode", "read_line"]
