# ruff: noqa: E501 - tables and messages read best with several on a line
"""The file tree: tests, stat, directories, and what changes it."""

from __future__ import annotations

import errno
import fnmatch
import posixpath
import re
from collections.abc import Callable
from typing import Any

from urltrap.machine.api import S_IFBLK, S_IFCHR, S_IFIFO, S_IFMT, S_IFSOCK, Stat
from urltrap.machine.errors import SysError
from urltrap.machine.programs.perl import _eval
from urltrap.machine.programs.perl._files import (
    failed,
    glob_of,
    handle_node,
    handle_of,
    new_handle,
    path_of,
    text_of,
)
from urltrap.machine.programs.perl._functions import fixed, function, listy, unary
from urltrap.machine.programs.perl._values import Gen, Glob, Node, Ref, Unsupported, num, string, whole
from urltrap.machine.programs.perl._vm import Frame, Vm

_KINDS = {"p": S_IFIFO, "S": S_IFSOCK, "b": S_IFBLK, "c": S_IFCHR}
_ACCESS = {"r": 4, "w": 2, "x": 1, "R": 4, "W": 2, "X": 1}


def _test(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    value = yield from _tested(vm, f, n)
    return [value] if w else value


def _tested(vm: Vm, f: Frame, n: Node) -> Gen:
    letter, node = n.a, n.b
    if node is not None and node.k == "filetest":
        # -f -w $file: both.
        before = yield from _tested(vm, f, node)
        if not before:
            return before
        node = Node("laststat", n.line)
    path = ""
    found: Stat | None
    if node is not None and node.k == "laststat":
        found, path = vm.last_stat or (None, "")
    else:
        value = (yield from handle_node(vm, f, node, False)) if node is not None else vm.sv("main::_").v
        if node is None and letter == "t":
            value = vm.glob("main::STDIN")
        handle = handle_of(vm, value) if not isinstance(value, str) or letter == "t" else None
        if letter == "t":
            return 1 if handle is not None and handle.fd >= 0 and vm.p.is_tty(handle.fd) else ""
        try:
            if isinstance(value, Glob) or type(value) is Ref:
                if handle is None or handle.fd < 0:
                    vm.set_errno(errno.EBADF)
                    return None
                found = vm.p.fstat(handle.fd)
            else:
                path = path_of(value)
                found = vm.p.fs.stat(path, follow=letter != "l")
        except SysError as problem:
            vm.set_errno(problem)
            vm.last_stat = None
            return None
    vm.last_stat = (found, path)
    if found is None:
        return None
    return _answer(vm, letter, found, path)


def _answer(vm: Vm, letter: str, found: Stat, path: str) -> Any:
    if letter == "e":
        return 1
    if letter in "fdl":
        return 1 if {"f": found.is_file, "d": found.is_dir, "l": found.is_link}[letter] else ""
    if letter == "s":
        return found.size or ""
    if letter == "z":
        return 1 if found.size == 0 else ""
    if letter in _ACCESS:
        return 1 if path and vm.p.fs.access(path, _ACCESS[letter]) else ""
    if letter in "oO":
        return 1 if found.uid == vm.p.uid else ""
    if letter in "ugk":
        return 1 if found.mode & {"u": 0o4000, "g": 0o2000, "k": 0o1000}[letter] else ""
    if letter in _KINDS:
        return 1 if found.mode & S_IFMT == _KINDS[letter] else ""
    if letter in "MAC":
        when = {"M": found.mtime, "A": found.atime, "C": found.ctime}[letter]
        return (int(vm.started) - when) / 86_400
    data = vm.p.fs.read(path, 512) if found.is_file and path else b""
    odd = sum(byte < 32 and byte not in b"\n\r\b\t\f\x1b" for byte in data) if data.isascii() else len(data)
    binary = b"\0" in data or odd * 3 > len(data)
    return 1 if not data or binary is (letter == "B") else ""


@function("stat", "lstat")
def _stat(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    value = (yield from handle_node(vm, f, n.b[0], False)) if n.b else vm.sv("main::_").v
    try:
        if isinstance(value, Glob) or type(value) is Ref:
            handle = handle_of(vm, value)
            if handle is None:
                raise SysError(errno.EBADF)
            found, path = vm.p.fstat(handle.fd), ""
        else:
            path = path_of(value)
            found = vm.p.fs.stat(path, follow=n.a == "stat")
    except SysError as problem:
        vm.set_errno(problem)
        return [] if w else ""
    vm.last_stat = (found, path)
    if not w:
        return 1
    return [found.device, found.inode, found.mode, found.nlink, found.uid, found.gid, found.rdev[0] << 8 | found.rdev[1],
            found.size, int(found.atime), int(found.mtime), int(found.ctime), 4096, found.blocks]  # fmt: skip


def _change(vm: Vm, does: Callable[..., Any], *args: Any, **given: Any) -> Any:
    try:
        does(*args, **given)
    except SysError as problem:
        return failed(vm, problem)
    return 1


def _many(name: str, does: Callable[[Vm, list[Any], str], None], head: int) -> None:
    @listy(name)
    def run(vm: Vm, args: list[Any]) -> int:
        done = 0
        for each in args[head:]:
            try:
                does(vm, args[:head], path_of(each))
                done += 1
            except SysError as problem:
                vm.set_errno(problem)
        return done


def _utime(vm: Vm, head: list[Any], path: str) -> None:
    now = vm.p.now()
    times = [now if each is None else float(num(each)) for each in head]
    vm.p.fs.utime(path, times[0], times[1])


_many("chmod", lambda vm, head, path: vm.p.fs.chmod(path, whole(head[0]) & 0o7777), 1)
_many("chown", lambda vm, head, path: vm.p.fs.chown(path, whole(head[0]), whole(head[1])), 2)
_many("utime", _utime, 2)


@listy("unlink")
def _unlink(vm: Vm, args: list[Any]) -> int:
    done = 0
    for each in args or [vm.sv("main::_").v]:
        done += _change(vm, vm.p.fs.unlink, path_of(each))
    return done


@fixed("mkdir")
def _mkdir(vm: Vm, path: Any = None, mode: Any = 0o777) -> int:
    name = path_of(vm.sv("main::_").v if path is None else path)
    return _change(vm, vm.p.fs.mkdir, name.rstrip("/") or name, whole(mode) & ~vm.p.umask)  # type: ignore[no-any-return]


unary("rmdir")(lambda vm, v: _change(vm, vm.p.fs.rmdir, path_of(v)))
fixed("rename")(lambda vm, old, new: _change(vm, vm.p.fs.rename, path_of(old), path_of(new)))
fixed("link")(lambda vm, old, new: _change(vm, vm.p.fs.link, path_of(old), path_of(new)))
fixed("symlink")(lambda vm, old, new: _change(vm, vm.p.fs.symlink, path_of(old), path_of(new)))


@fixed("chdir")
def _chdir(vm: Vm, path: Any = None) -> int:
    target = path_of(path) if path is not None else vm.environment().get("HOME", "/")
    return _change(vm, vm.p.chdir, target)  # type: ignore[no-any-return]


@unary("readlink")
def _readlink(vm: Vm, v: Any) -> Any:
    try:
        return text_of(vm.p.fs.readlink(path_of(v)))
    except SysError as problem:
        vm.set_errno(problem)
        return None


@fixed("umask")
def _umask(vm: Vm, mask: Any = None) -> int:
    before = vm.p.umask
    if mask is not None:
        vm.p.umask = whole(mask) & 0o777
    return before


@function("opendir")
def _opendir(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    glob = yield from new_handle(vm, f, n.b[0])
    path = path_of((yield from _eval.ev(vm, f, n.b[1])))
    try:
        names = vm.p.fs.listdir(path)
    except SysError as problem:
        vm.set_errno(problem)
        return [""] if w else ""
    glob.dir = [0, [".", "..", *map(text_of, names)]]
    return [1] if w else 1


@function("readdir", "closedir", "rewinddir")
def _readdir(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    glob = glob_of(vm, (yield from handle_node(vm, f, n.b[0])))
    if glob is None or glob.dir is None:
        vm.set_errno(errno.EBADF)
        return [] if w else None
    if n.a == "closedir":
        glob.dir = None
        return [1] if w else 1
    if n.a == "rewinddir":
        glob.dir[0] = 0
        return [1] if w else 1
    at, names = glob.dir
    if w:
        glob.dir[0] = len(names)
        return names[at:]
    glob.dir[0] = at + 1
    return names[at] if at < len(names) else None


@function("glob")
def _glob(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    key = (id(n), 1)
    if not w and vm.state.get(key):
        return vm.state[key].pop(0)
    text = string((yield from _eval.ev(vm, f, n.b[0])) if n.b else vm.sv("main::_").v)
    found: list[str] = []
    for word in text.split():
        for pattern in _braces(word):
            found += _expanded(vm, path_of(pattern))
    if w:
        return found
    vm.state[key] = [*found, None]
    return vm.state[key].pop(0)


def _braces(word: str) -> list[str]:
    found = re.search(r"\{([^{}]*)\}", word)
    if found is None or len(word) > 1000:
        return [word]
    made: list[str] = []
    for each in found[1].split(",")[:100]:
        made += _braces(word[: found.start()] + each + word[found.end() :])
        if len(made) > 10_000:
            raise Unsupported("a pattern that is too much")
    return made


def _expanded(vm: Vm, pattern: str) -> list[str]:
    if pattern.startswith("~"):
        pattern = vm.environment().get("HOME", "/root") + pattern[1:]
    if not re.search(r"[*?\[]", pattern):
        return [text_of(pattern)]
    found = ["/"] if pattern.startswith("/") else [""]
    for part in [each for each in pattern.split("/") if each]:
        following = []
        for base in found:
            if not re.search(r"[*?\[]", part):
                following.append(posixpath.join(base, part))
                continue
            try:
                names = sorted(vm.p.fs.listdir(base or "."))
            except SysError:
                continue
            vm.steps += 10 + len(names)
            names = [
                each
                for each in names
                if fnmatch.fnmatchcase(each, part) and (part[0] == "." or each[0] != ".")
            ]
            following += [posixpath.join(base, each) for each in names]
        found = [each for each in following if _exists(vm, each)]
    return [text_of(each) for each in found]


def _exists(vm: Vm, path: str) -> bool:
    try:
        vm.p.fs.stat(path, follow=False)
    except SysError:
        return False
    return True


_eval.extend({"filetest": _test})
