"""Processes, time and users: system, exec, backticks, fork, wait, kill, sleep, localtime, getpwnam, exit."""

from __future__ import annotations

import datetime
import errno
from typing import Any

from urltrap.machine.api import decode
from urltrap.machine.errors import STRERROR, SysError
from urltrap.machine.programs._signals import number_of
from urltrap.machine.programs._zone import local
from urltrap.machine.programs.perl import _eval, _statements
from urltrap.machine.programs.perl._attention import attend, pause, set_alarm
from urltrap.machine.programs.perl._files import command_words
from urltrap.machine.programs.perl._functions import fixed, function, listy, unary
from urltrap.machine.programs.perl._handles import status_word
from urltrap.machine.programs.perl._values import Gen, Leave, Node, Unsupported, num, string, whole
from urltrap.machine.programs.perl._vm import Frame, Vm

_MOST = 4_000_000
_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@listy("system")
def _system(vm: Vm, args: list[Any]) -> Gen:
    yield from vm.flush_for_child()
    words = command_words(args) if args else []
    if not words:
        return -1
    try:
        pid = vm.p.spawn(words, env=vm.environment())
        ended = yield from vm.p.wait(pid)
    except SysError as problem:
        vm.set_errno(problem)
        vm.sv("main::?").v = -1
        if vm.warnings:
            yield from vm.warn(f'Can\'t exec "{words[0]}": {problem.words}{vm.place()}\n')
        return -1
    status = status_word(ended[1]) if ended is not None else 0
    vm.sv("main::?").v = status
    return status


@listy("exec")
def _exec(vm: Vm, args: list[Any]) -> Gen:
    yield from vm.flush_for_child()
    words = command_words(args) if args else [""]
    try:
        yield from vm.p.exec(words, env=vm.environment())
    except SysError as problem:
        vm.set_errno(problem)
        if vm.warnings:
            yield from vm.warn(f'Can\'t exec "{words[0]}": {problem.words}{vm.place()}\n')
        return ""
    raise Leave(0)


def _backticks(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    command = string((yield from _eval.ev(vm, f, n.a)))
    yield from vm.flush_for_child()
    reader, writer = vm.p.pipe()
    words = command_words([command])
    try:
        pid = vm.p.spawn(words, env=vm.environment(), fds={1: writer})
    except SysError as problem:
        vm.p.close(writer)
        vm.p.close(reader)
        vm.set_errno(problem)
        vm.sv("main::?").v = -1
        if vm.warnings:
            yield from vm.warn(f'Can\'t exec "{words[0]}": {problem.words}{vm.place()}\n')
        return [] if w else None
    vm.p.close(writer)
    data = yield from vm.p.read_all(reader, _MOST)
    vm.p.close(reader)
    ended = yield from vm.p.wait(pid)
    vm.sv("main::?").v = status_word(ended[1]) if ended is not None else 0
    text = data.decode("latin-1")
    vm.grow(len(text))
    if w:
        separator = vm.sv("main::/").v
        return text.splitlines(keepends=True) if separator == "\n" and "\r" not in text else _lines(text)
    return text


def _lines(text: str) -> list[str]:
    found = text.split("\n")
    lines = [each + "\n" for each in found[:-1]]
    return lines + ([found[-1]] if found[-1] else [])


_eval.extend({"qx": _backticks})


@function("fork")
def _fork(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    if vm.fork_answer is not None:
        answer, vm.fork_answer = vm.fork_answer, None
        return [answer] if w else answer
    yield from vm.flush_for_child()
    from urltrap.machine.programs.perl import run_copy

    other, frames = _statements.twin(vm)
    pid = vm.p.fork(lambda child: run_copy(other, frames, child))
    return [pid] if w else pid


@function("wait")
def _wait(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    found = yield from _waited(vm, None, True)
    return [found] if w else found


@fixed("waitpid")
def _waitpid(vm: Vm, pid: Any, flags: Any = 0) -> Gen:
    wanted = whole(pid)
    return (yield from _waited(vm, wanted if wanted > 0 else None, not whole(flags) & 1))


def _waited(vm: Vm, pid: int | None, block: bool) -> Gen:
    try:
        ended = yield from vm.p.wait(pid, block=block)
    except SysError as problem:
        vm.set_errno(problem)
        vm.sv("main::?").v = -1
        return -1
    if ended is None:
        return 0
    vm.sv("main::?").v = status_word(ended[1])
    return ended[0]


@listy("kill")
def _kill(vm: Vm, args: list[Any]) -> Gen:
    name = string(args[0] if args else None)
    group = name.startswith("-")
    name = name.lstrip("-").removeprefix("SIG")
    yield from attend(vm)
    signal = int(name) if name.isdecimal() else number_of(name)
    if signal is None:
        raise vm.die(f'Unrecognized signal name "{name}"')
    done = 0
    for each in args[1:]:
        pid = whole(each)
        try:
            vm.p.kill(-pid if group else pid, signal)
            done += 1
        except SysError as problem:
            vm.set_errno(problem)
    yield from vm.p.tick(1)
    yield from attend(vm)
    return done


@fixed("sleep")
def _sleep(vm: Vm, seconds: Any = 86_400) -> Gen:
    began = vm.p.now()
    yield from pause(vm, max(0.0, float(whole(seconds))))
    return int(vm.p.now() - began + 0.5)


@fixed("alarm")
def _alarm(vm: Vm, seconds: Any = 0) -> int:
    return set_alarm(vm, seconds)


@function("time")
def _time(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    yield from ()
    now = int(vm.p.now())
    return [now] if w else now


@function("times")
def _times(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    yield from ()
    return [0.01, 0, 0, 0] if w else 0.01


@function("localtime", "gmtime")
def _localtime(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    when = num((yield from _eval.ev(vm, f, n.b[0]))) if n.b else vm.p.now()
    if not -62_000_000_000 < when < 253_000_000_000:
        return [] if w else None
    if n.a == "localtime":
        clock = local(vm.p, float(int(when))).clock
    else:
        clock = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=int(when))
    day = (clock.weekday() + 1) % 7
    if not w:
        return f"{_DAYS[day]} {_MONTHS[clock.month - 1]} {clock.day:2} {clock:%H:%M:%S} {clock.year}"
    return [clock.second, clock.minute, clock.hour, clock.day, clock.month - 1, clock.year - 1900, day,
            clock.timetuple().tm_yday - 1, 0]  # fmt: skip


@function("exit")
def _exit(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    status = whole((yield from _eval.ev(vm, f, n.b[0]))) if n.b else 0
    raise Leave(status & 255)


@function("getppid", "getpgrp", "getlogin")
def _ids(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    yield from ()
    found: Any = {"getppid": vm.p.ppid, "getpgrp": vm.p.group, "getlogin": vm.p.connection.user}[n.a]
    return [found] if w else found


def _rows(vm: Vm, path: str) -> list[list[str]]:
    return [line.split(":") for line in decode(vm.p.fs.read(path)).splitlines() if line]


@function("getpwnam", "getpwuid", "getgrnam", "getgrgid")
def _accounts(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    wanted = string((yield from _eval.ev(vm, f, n.b[0])))
    by_name = n.a.endswith("nam")
    users = n.a.startswith("getpw")
    rows = _rows(vm, "/etc/passwd" if users else "/etc/group")
    row = next((each for each in rows if len(each) > 3 and each[0 if by_name else 2] == wanted), None)
    if row is None:
        return [] if w else None
    if not w:
        return int(row[2]) if by_name else row[0]
    if not users:
        return [row[0], row[1], int(row[2]), row[3].replace(",", " ")]
    return [row[0], row[1], int(row[2]), int(row[3]), "", "", row[4], row[5], row[6]]


@fixed("setpgrp", "setpriority")
def _setpgrp(vm: Vm, *args: Any) -> int:
    return 1


@unary("chroot")
def _chroot(vm: Vm, v: Any) -> Any:
    if vm.p.uid:
        vm.errno, vm.errno_words = errno.EPERM, STRERROR[errno.EPERM]
        return ""
    raise Unsupported("chroot")
