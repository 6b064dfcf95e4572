"""Simple commands of an explored text: what only records runs in the shell's own process, everything else as usual.

A spawn costs far more than the recording, and droppers are long.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from urltrap.machine.api import Process, Run
from urltrap.machine.errors import SysError
from urltrap.machine.fs.program import ProgramContent
from urltrap.machine.shell.ast import Quoted, Simple, Word
from urltrap.machine.shell.expansion.fields import expand_words
from urltrap.machine.shell.interpreter.redirect import RedirectError, apply_redirections, undo
from urltrap.machine.shell.interpreter.simple import run_simple
from urltrap.recover.execution.recorder import recorder_of

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell

Applet = Callable[[Process, list[str]], Run]
"""A program that the shell can run in its own process: it is given its words, and changes nothing of the process."""

APPLETS: dict[str, Applet] = {}
"""By name; filled by `programs.register`."""

LARGEST_BINARY = 2_000_000
BODY = b"#!/bin/sh\n"
"""What a downloaded file holds on the recovery machine: running it does nothing."""

_FOLDERS = ("/bin/", "/usr/bin/", "/sbin/", "/usr/sbin/", "/usr/local/bin/", "/bin/./", "/usr/bin/./")
_PREFIXES = frozenset(("busybox", "nohup", "sudo", "toybox"))
_SHELLS = frozenset(("sh", "bash", "ash", "dash"))


@dataclass(slots=True, eq=False)
class Command:
    """A simple command with words."""

    simple: Simple


def run_command(sh: Shell, node: Command) -> Gen[int]:
    """Run one; what is none of ours goes the shell's own way."""
    simple = node.simple
    first = simple.words[0]
    plain = first.plain if isinstance(first, Word) else None
    if plain is not None and not _may_be_ours(sh, plain):
        return (yield from run_simple(sh, simple))
    yield from sh.p.tick(8)
    words = yield from expand_words(sh, simple.words)
    if not words:
        return (yield from run_simple(sh, Simple(simple.assigns, (), simple.redirs, simple.line)))
    argv = _stripped(words)
    if _is_script(sh.p, argv):
        argv = ["sh", *argv]
    applet = APPLETS.get(_bare(argv[0])) if argv and argv[0] not in sh.functions else None
    if applet is None and not _does_nothing(sh.p, argv) and not _waits_for_nothing(sh, simple, argv):
        given = tuple(Word((Quoted(word),), word, None, word) for word in argv)
        return (
            yield from run_simple(sh, Simple(simple.assigns, given, simple.redirs, simple.line, simple.text))
        )
    try:
        saved = (yield from apply_redirections(sh, simple.redirs)) if simple.redirs else []
    except RedirectError:
        sh.status = 1
        return 1
    try:
        status = (yield from applet(sh.p, argv)) if applet is not None else 0
    finally:
        if saved:
            undo(sh, saved)
    sh.status = status
    return status


def _may_be_ours(sh: Shell, name: str) -> bool:
    if name in sh.functions:
        return False
    bare = _bare(name)
    return bare in APPLETS or bare in _PREFIXES or bare in _SHELLS or "/" in name


def _bare(name: str) -> str:
    """The program behind a name; "" for a path outside of the folders of programs (there it is the attacker's file)."""
    if "/" not in name:
        return name
    folder, _, last = name.rpartition("/")
    return last if f"{folder}/" in _FOLDERS else ""


def _stripped(words: list[str]) -> list[str]:
    """Without ``busybox`` and the like in front, where they have no options of their own."""
    while (
        len(words) > 1
        and _bare(words[0]) in _PREFIXES
        and not words[1].startswith("-")
        and "=" not in words[1]
    ):
        words = words[1:]
    return words


def _waits_for_nothing(sh: Shell, simple: Simple, argv: list[str]) -> bool:
    """``sh`` alone, in the first shell: it would read the attacker's next lines, and there are none."""
    return (
        len(argv) == 1
        and _bare(argv[0]) in _SHELLS
        and not simple.redirs
        and not sh.in_subshell
        and not sh.loop_depth
        and len(recorder_of(sh.p).chain) <= 1
    )


def _is_script(p: Process, argv: list[str]) -> bool:
    """``./FILE`` of a text without ``#!``, which execve leaves to the shell: to ours, which explores it."""
    if not argv or "/" not in argv[0] or _bare(argv[0]):
        return False
    try:
        if isinstance(p.fs.content(argv[0]), ProgramContent):
            return False
        head = p.fs.read(argv[0], 64)
    except SysError:
        return False
    return bool(head) and head[:2] != b"#!" and head[:4] != b"\x7fELF"


def _does_nothing(p: Process, argv: list[str]) -> bool:
    """``sh FILE`` or ``./FILE`` of something that was downloaded, or is not there."""
    if not argv:
        return False
    name = argv[0]
    if _bare(name) in _SHELLS:
        if len(argv) < 2 or argv[1].startswith(("-", "+", "/dev/", "/proc/")):
            return False
        path, missing = argv[1], True
    elif "/" in name and not _bare(name):
        path, missing = name, False
    else:
        return False
    try:
        if isinstance(p.fs.content(path), ProgramContent):
            return False  # a copy or link of one of ours
        data = p.fs.read(path, 64)
        if data[:4] == b"\x7fELF":
            recorder_of(p).binary(p.fs.read(path, LARGEST_BINARY), path)
            return True
    except SysError:
        return missing
    return data == BODY
