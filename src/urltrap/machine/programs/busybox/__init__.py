"""busybox: one program that is many, by argv[0] or by its first argument."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.programs._cmd import APPLETS, bb_banner, bb_usage
from urltrap.machine.programs.busybox._operands import NEEDS_OPERANDS
from urltrap.machine.programs.busybox._usages import APPLET_NAMES, USAGE_TEXTS
from urltrap.machine.programs.registry import lookup, program

_HEAD = """\
{banner}
BusyBox is copyrighted by many authors between 1998-2015.
Licensed under GPLv2. See source distribution for detailed
copyright notices.

Usage: busybox [function [arguments]...]
   or: busybox --list[-full]
   or: busybox --show SCRIPT
   or: busybox --install [-s] [DIR]
   or: function [arguments]...

\tBusyBox is a multi-call binary that combines many common Unix
\tutilities into a single executable.  Most people will create a
\tlink to busybox for each function they wish to use and BusyBox
\twill act like whatever it was invoked as.

Currently defined functions:
"""
_SAME_NAME = {"sh": "ash", "ash": "ash"}


def overview(p: Process) -> str:
    """What ``busybox`` alone prints: the applets wrapped as it wraps them at 80 columns."""
    lines, line = [], "\t"
    width = 8
    names = list(APPLET_NAMES)
    for number, name in enumerate(names):
        cell = name + ("," if number < len(names) - 1 else "")
        if width + len(cell) + (1 if line != "\t" else 0) > 79:
            lines.append(line)
            line, width = "\t" + cell, 8 + len(cell)
        else:
            joined = "" if line == "\t" else " "
            line += joined + cell
            width += len(joined + cell)
    return _HEAD.format(banner=bb_banner(p)) + "\n".join([*lines, line]) + "\n"


@program("busybox")
def busybox(p: Process) -> Run:
    """Run an applet."""
    name = p.argv[0].rpartition("/")[2] if p.argv else "busybox"
    name = name.removeprefix("-")
    if name in APPLET_NAMES or not name.startswith("busybox"):
        return (yield from _applet(p, name, p.argv))
    rest = p.argv[1:]
    if not rest or rest[0] == "--help":
        if len(rest) > 1:
            yield from p.out(bb_usage(p, rest[1]))
            return 0
        yield from p.out(overview(p))
        return 0
    if rest[0] in ("--list", "--list-full"):
        full = rest[0] == "--list-full"
        yield from p.out("".join(f"{_place(each) if full else ''}{each}\n" for each in APPLET_NAMES))
        return 0
    if rest[0] == "--install":
        yield from p.err("busybox: /bin/[: File exists\n" if "-s" not in rest else "")
        return 0
    if rest[0] == "--show":
        yield from p.err(f"{rest[1] if len(rest) > 1 else ''}: script not found\n" if len(rest) > 1 else "")
        return 1
    return (yield from _applet(p, rest[0].rpartition("/")[2], rest))


def _place(name: str) -> str:
    return "usr/bin/" if name in USAGE_TEXTS and name not in ("cat", "ls", "cp", "mv", "rm", "sh") else "bin/"


def _applet(p: Process, name: str, argv: list[str]) -> Run:
    if name not in APPLET_NAMES:
        yield from p.err(f"{name}: applet not found\n")
        return 127
    if len(argv) == 2 and argv[1] == "--help" and name in USAGE_TEXTS:
        yield from p.out(bb_usage(p, name))
        return 0
    if len(argv) == 1 and name in NEEDS_OPERANDS and name in USAGE_TEXTS:
        yield from p.err(bb_usage(p, name))
        return 1
    p.argv = [*([argv[0]] if argv[0].startswith("-") else [name]), *argv[1:]]
    entry = APPLETS.get(name) or lookup(_SAME_NAME.get(name, name)) or lookup(name)
    if entry is None:
        return (
            0  # an applet nobody wrote yet succeeds silently; `urltrap gaps` counts it through its ProgramRun
        )
    return (yield from entry(p))
