"""busybox: one program that is many, by argv[0] or by its first argument."""

from __future__ import annotations

import errno

from urltrap.machine.api import Process, Run
from urltrap.machine.errors import SysError
from urltrap.machine.programs._answers import saying
from urltrap.machine.programs._cmd import APPLETS, bb_banner, bb_usage
from urltrap.machine.programs.busybox._operands import NEEDS_OPERANDS
from urltrap.machine.programs.busybox.usages import APPLETS as ON_SERVERS
from urltrap.machine.programs.busybox.usages import DEVICE_APPLETS
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


def applets(p: Process) -> dict[str, str]:
    """The applets that this machine's BusyBox was built with, and their folders."""
    return ON_SERVERS if p.persona.is_server else DEVICE_APPLETS


def overview(p: Process) -> str:
    """What ``busybox`` alone prints: the applets wrapped as it wraps them at 80 columns."""
    lines, line = [], "\t"
    width = 8
    names = list(applets(p))
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
    if name in applets(p) or not name.startswith("busybox"):
        return (yield from _applet(p, name, p.argv))
    rest = p.argv[1:]
    if not rest or rest[0] == "--help":
        if len(rest) > 1:
            yield from p.err(bb_usage(p, rest[1]))
            return 0
        yield from p.out(overview(p))
        return 0
    if rest[0] in ("--list", "--list-full"):
        full = rest[0] == "--list-full"
        yield from p.out(
            "".join(
                f"{folder}/{name}\n".lstrip("/") if full else f"{name}\n"
                for name, folder in applets(p).items()
            )
        )
        return 0
    if rest[0] == "--install":
        return (yield from _install(p, rest[1:]))
    if rest[0] == "--show":
        yield from p.err(
            f"busybox: script '{rest[1]}' not found\n" if len(rest) > 1 else bb_usage(p, "busybox")
        )
        return 1
    return (yield from _applet(p, rest[0].rpartition("/")[2], rest))


def _install(p: Process, words: list[str]) -> Run:
    """Link every applet to this file, where nothing is in its place yet."""
    symbolic = words[:1] == ["-s"]
    folder = words[1:] if symbolic else words
    own = p.fs.readlink("/proc/self/exe")
    for name, place in applets(p).items():
        path = f"{folder[0]}/{name}" if folder else f"/{place}/{name}".replace("//", "/")
        try:
            if symbolic:
                p.fs.symlink(own, path)
            else:
                p.fs.link(own, path)
        except SysError as problem:
            if problem.errno != errno.EEXIST:
                yield from p.err(f"busybox: {path}: {problem.words}\n")
    return 0


def _applet(p: Process, name: str, argv: list[str]) -> Run:
    if name not in applets(p):
        yield from p.err(f"{name}: applet not found\n")
        return 127
    if len(argv) == 2 and argv[1] == "--help" and p.recorded_usage(name):
        yield from p.err(bb_usage(p, name))
        return 0
    if len(argv) == 1 and name in NEEDS_OPERANDS and p.recorded_usage(name):
        yield from p.err(bb_usage(p, name))
        return 1
    p.argv = [*([argv[0]] if argv[0].startswith("-") else [name]), *argv[1:]]
    entry = APPLETS.get(name) or lookup(_SAME_NAME.get(name, name)) or lookup(name)
    if entry is None:
        row = p.recorded_answer("busybox", name) if len(argv) == 1 else None
        if row is not None:
            return (yield from saying(row)(p))
        p.unwritten()
        return 0
    return (yield from entry(p))
