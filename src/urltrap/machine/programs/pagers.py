"""less and more: all of it where the output is no terminal, page by page otherwise."""

from __future__ import annotations

import errno
from collections.abc import Generator
from typing import Any

from urltrap.machine.api import Run
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, command

_LETTERS = "aAbBcCdeEfFgGiIJKLmMnNqQrRsSuUVwWXz~0123456789h:j:k:o:O:p:P:t:T:x:y:D:"


def _usable(words: list[str]) -> list[str]:
    """Operands without ``+N`` and ``+/PATTERN``."""
    return [word for word in words if not (word.startswith("+") and len(word) > 1)]


@command("less", "pager", "most", short=_LETTERS, bb="EFIMmNSRh~", hint="")
def less(c: Cmd) -> Run:
    """Show files. What cannot be shown is said where the text would be, as less does without a terminal."""
    p = c.p
    paths = _usable(c.args)
    if not paths and p.is_tty(0):
        yield from p.err('Missing filename ("less --help" for help)\n')
        return 1
    for path in dict.fromkeys(paths or ["-"]):
        try:
            data = yield from c.load(path)
        except SysError as problem:
            words = f"{path} is a directory" if problem.errno == errno.EISDIR else f"{path}: {problem.words}"
            yield from c.flush()
            yield from (p.out if not p.is_tty(1) else p.err)(words + "\n")
            continue
        if not p.is_tty(1):
            yield from p.write(1, data)
        elif (yield from _pages(c, data, path)):
            break
    return c.status


@command("more", short="dflpcsun:0123456789", bb="ds", package="util-linux", version="2.38.1")
def more(c: Cmd) -> Run:
    """Show files, with their names where the output is no terminal."""
    p = c.p
    paths = _usable(c.args)
    if not paths and p.is_tty(0):
        yield from p.err("more: bad usage\n")
        return (yield from c.usage())
    for path in paths or ["-"]:
        try:
            data = yield from c.load(path)
        except SysError as problem:
            yield from c.flush()
            if problem.errno == errno.EISDIR and not c.bb:
                yield from p.out(f"\n*** {path}: directory ***\n\n")
            else:
                yield from p.err(f"{c.name}: cannot open {path}: {problem.words}\n")
                c.status = 1 if c.bb else 0
            continue
        if not p.is_tty(1):
            if paths and not c.bb:
                yield from p.out(f"::::::::::::::\n{path}\n::::::::::::::\n")
            yield from p.write(1, data)
        elif (yield from _pages(c, data, path)):
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
