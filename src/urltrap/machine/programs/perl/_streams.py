"""print and its kin, <FH> and <>, and the files that -i changes."""

from __future__ import annotations

import errno
import posixpath
from typing import Any

from urltrap.machine.api import O_CREAT, O_TRUNC, O_WRONLY
from urltrap.machine.errors import SysError
from urltrap.machine.programs.perl import _eval, _format, _warnings
from urltrap.machine.programs.perl._files import glob_of, handle_node, path_of
from urltrap.machine.programs.perl._files import shown_name as _shown
from urltrap.machine.programs.perl._functions import FUNCTIONS
from urltrap.machine.programs.perl._handles import Handle
from urltrap.machine.programs.perl._values import Gen, Glob, Node, string, values
from urltrap.machine.programs.perl._vm import Frame, Vm


def printed(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    """print, printf, say"""
    items = values((yield from _eval.listed(vm, f, n.c)) if n.c else [vm.sv("main::_").v])
    if n.b is None:
        glob = vm.selected
        handle = glob.io
    else:
        value = yield from handle_node(vm, f, n.b)
        glob = glob_of(vm, value)
        handle = glob.io if glob is not None else None
    if vm.warnings:
        for at, each in enumerate(items):
            if each is None:
                node = n.c[at] if at < len(n.c) else Node("$glob", n.line, "main::_")
                node = node if node.k in ("$pad", "$glob") else Node("list", n.line)
                yield from _warnings.undefined(vm, f, node, n.a)
    if n.a == "printf":
        text = _format.sprintf(vm, string(items[0] if items else None), items[1:])
    else:
        between = vm.sv("main::,").v
        text = ("" if between is None else string(between)).join(map(string, items))
        behind = vm.sv("main::\\").v
        text += "\n" if n.a == "say" else "" if behind is None else string(behind)
    if handle is None:
        if vm.warnings:
            shown = _shown(glob) if glob is not None else ""
            kind = "unopened filehandle" + (f" {shown}" if shown else "")
            yield from vm.warn(f"{n.a}() on {kind}{vm.place()}\n")
        vm.set_errno(errno.EBADF)
        return [""] if w else ""
    if not handle.utf8 and any(char > "\u00ff" for char in text):
        yield from vm.warn(f"Wide character in {n.a}{vm.place()}\n")
    if handle.fd < 0 and handle.memory is None and vm.warnings and glob is not None:
        yield from vm.warn(f"{n.a}() on closed filehandle {_shown(glob)}{vm.place()}\n")
    done = yield from handle.put(vm, text)
    value = 1 if done else ""
    return [value] if w else value


def _next_argument(vm: Vm) -> Gen:
    """The next of the files that <> reads; None where there is no more."""
    glob = vm.glob("main::ARGV")
    queue = vm.av("main::ARGV")
    begun = vm.state.get((-4, 0), False)
    if not begun:
        vm.state[(-4, 0)] = True
        if not queue.a:
            stdin = vm.glob("main::STDIN").io
            if stdin is None:
                return None
            glob.io = Handle(0, "")
            glob.io.buffer = stdin.buffer  # what one of them has read ahead the other has, too
            vm.sv("main::ARGV").v = "-"
            return glob.io
    while queue.a:
        name = string(queue.a.pop(0).v)
        lines = glob.io.lines if glob.io is not None else 0
        vm.sv("main::ARGV").v = name
        in_place = vm.state.get((-5, 0))
        try:
            path = path_of(name)
            if name == "-":
                fd = 0
            else:
                if vm.p.fs.stat(path).is_dir and in_place is not None:
                    yield from vm.warn(f"Can't do inplace edit: {name} is not a regular file{vm.place()}\n")
                    continue
                fd = vm.p.open(path)
        except SysError as problem:
            vm.set_errno(problem)
            yield from vm.warn(f"Can't open {name}: {problem.words}{vm.place()}\n")
            continue
        made = Handle(fd, "")
        made.lines = lines
        glob.io = made
        if in_place is not None:
            yield from _begin_in_place(vm, path, in_place)
        return made
    return None


def _begin_in_place(vm: Vm, path: str, suffix: str) -> Gen:
    yield from end_in_place(vm)
    mode = vm.p.fs.stat(path).mode & 0o7777
    if suffix:
        backup = suffix.replace("*", posixpath.basename(path)) if "*" in suffix else path + suffix
        vm.p.fs.rename(path, backup)
    else:
        vm.p.fs.unlink(path)
    fd = vm.p.open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    vm.p.fs.chmod(path, mode)
    out = vm.glob("main::ARGVOUT")
    out.io = Handle(fd, "ARGVOUT", reads=False, writes=True)
    vm.selected = out


def end_in_place(vm: Vm) -> Gen:
    """Close the file that -i writes; print goes to standard output again."""
    out = vm.glob("main::ARGVOUT")
    if out.io is not None:
        yield from out.io.close(vm)
        out.io = None
        vm.selected = vm.glob("main::STDOUT")


def _argument_line(vm: Vm) -> Gen:
    glob = vm.glob("main::ARGV")
    while True:
        handle = glob.io
        if handle is None or (handle.ended and not handle.buffer):
            handle = yield from _next_argument(vm)
            if handle is None:
                yield from end_in_place(vm)
                return None
        line = yield from handle.readline(vm, vm.sv("main::/").v)
        if line is not None:
            return line
        if not (yield from handle.at_end(vm)):
            return None
        if handle.fd > 2:
            lines = handle.lines
            yield from handle.close(vm)
            handle.lines = lines
            vm.last_read = handle
        handle.ended = True
        if not vm.av("main::ARGV").a:
            yield from end_in_place(vm)
            vm.state[(-4, 0)] = False
            return None


def readline(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    """<FH>"""
    node = n.a if n.k == "readline" else n.b[0]
    value = yield from handle_node(vm, f, node)
    if isinstance(value, Glob) and value.name == "main::ARGV":
        handle = None
        read = _argument_line
    else:
        glob = glob_of(vm, value)
        handle = glob.io if glob is not None else None
        if handle is None or not handle.reads:
            if vm.warnings:
                shown = _shown(glob) if glob is not None else ""
                yield from vm.warn(
                    f"readline() on unopened filehandle{' ' + shown if shown else ''}{vm.place()}\n"
                )
            return [] if w else None
    if not w:
        return (
            (yield from handle.readline(vm, vm.sv("main::/").v))
            if handle is not None
            else (yield from read(vm))
        )
    found: list[Any] = []
    while True:
        line = (
            (yield from handle.readline(vm, vm.sv("main::/").v))
            if handle is not None
            else (yield from read(vm))
        )
        if line is None:
            return found
        found.append(line)
        vm.grown += 60
        if vm.steps > 400:
            yield from vm.spend()


_eval.extend({"print": printed, "readline": readline})
FUNCTIONS["readline"] = readline
