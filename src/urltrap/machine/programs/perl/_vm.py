# ruff: noqa: E501 - tables and messages read best with several on a line
"""The interpreter: what it holds, how it drives what runs, and how it keeps within the budgets of a session."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from urltrap.machine.api import Process, decode
from urltrap.machine.errors import STRERROR, BudgetError, SysError
from urltrap.machine.programs.perl._attention import attend
from urltrap.machine.programs.perl._values import (
    LARGEST,
    Array,
    Code,
    Dual,
    Enter,
    Gen,
    Glob,
    Hash,
    Jump,
    Magic,
    PerlDie,
    Ref,
    Return,
    Scalar,
    string,
    whole,
)

if TYPE_CHECKING:
    from urltrap.machine.programs.perl._handles import Handle
    from urltrap.machine.programs.perl._lexing import Compiling

DEPTH = 2_000
"""Calls within calls; beyond there is no memory on such a machine."""
_STEPS_TO_ONE = 4
"""Steps here that cost as much processor as one of the kernel, measured."""
_CENSUS_STEPS = 40_000
_CENSUS_BYTES = 2_000_000
_OBJECTS = 300_000


class Frame:
    """One call that runs: the places of its lexical variables, its arguments, the context that it is called in."""

    __slots__ = ("args", "code", "cursors", "line", "package", "pad", "pre", "want")

    def __init__(self, size: int, args: Array, want: Any, code: Code | None, package: str, line: int) -> None:
        self.pad: list[Any] = [None] * size
        self.pre: set[int] = set()
        self.args, self.want, self.code, self.package, self.line = args, want, code, package, line
        self.cursors: list[list[Any]] = []


class Vm:
    """One run of perl."""

    def __init__(self, p: Process, name: str, version: tuple[int, int, int]) -> None:
        self.p = p
        self.name = name
        self.version = version
        self.line = 0
        self.package = "main"
        self.scalars: dict[str, Scalar] = {}
        self.arrays: dict[str, Array] = {}
        self.hashes: dict[str, Hash] = {}
        self.subs: dict[str, Code] = {}
        self.globs: dict[str, Glob] = {}
        self.frames: list[Frame] = []
        self.undo: list[Any] = []
        self.at_end: list[Code] = []
        self.steps = self.since_census = self.grown = self.held = 0
        self.match: Any = None
        self.last_pattern: Any = None
        self.errno = 0
        self.errno_words = ""
        self.warnings = False
        self.last_read: Handle | None = None
        self.last_stat: Any = None
        self.selected: Any = None
        self.children: dict[int, Any] = {}
        self.compiling: Compiling
        self.fork_answer: Any = None
        self.eval_places: list[tuple[int, int]] = []
        self.seeded: int | None = None
        self.alarm_at: float | None = None
        self.trapped: dict[int, str] = {}
        self.told: dict[tuple[str, int], int] = {}
        self.started = p.now()
        self.state: dict[tuple[int, int], Any] = {}

    def __deepcopy__(self, memo: Any) -> Vm:
        import copy

        made = Vm.__new__(Vm)
        memo[id(self)] = made
        memo[id(self.p)] = self.p
        memo[id(self.compiling)] = self.compiling
        for name, value in vars(self).items():
            setattr(made, name, value if name in ("match", "last_pattern") else copy.deepcopy(value, memo))
        return made

    # budgets
    def spend(self) -> Gen:
        """Account for the steps done since the last call."""
        steps, self.steps = self.steps, 0
        self.since_census += steps
        if self.since_census > _CENSUS_STEPS or self.grown > _CENSUS_BYTES:
            self.census()
        yield from self.p.tick(1 + steps // _STEPS_TO_ONE)
        if self.alarm_at is not None or "main::SIG" in self.hashes:
            yield from attend(self)

    def grow(self, amount: int) -> None:
        """A large value was made; the program ends where it is too large."""
        if amount > LARGEST:
            raise PerlDie("Out of memory!", located=False)
        self.grown += amount
        self.steps += amount >> 9

    def census(self) -> None:
        """Count what the program's variables hold, and tell the session's budget."""
        self.since_census = self.grown = 0
        total = 0
        seen: set[int] = set()
        pending: list[Any] = [self.scalars, self.arrays, self.hashes]
        pending += [frame.pad for frame in self.frames]
        pending += [frame.args for frame in self.frames]
        while pending and len(seen) < _OBJECTS:
            value = pending.pop()
            if id(value) in seen or value is None or isinstance(value, Magic):
                continue
            seen.add(id(value))
            total += sys.getsizeof(value, 64)
            if isinstance(value, dict):
                pending += value.values()
                total += 64 * len(value)
            elif isinstance(value, list):
                pending += value
            elif isinstance(value, Scalar):
                pending.append(value.v)
            elif isinstance(value, Array):
                pending.append(value.a)
            elif isinstance(value, Hash):
                pending.append(value.h)
            elif isinstance(value, Ref):
                pending.append(value.t)
            elif isinstance(value, Code):
                pending += [each for _, each in value.captured]
        if len(seen) >= _OBJECTS:
            raise BudgetError("memory_bytes", _OBJECTS)
        self.p.hold(total - self.held)
        self.held = total

    # running
    def drive(self, body: Gen) -> Gen:
        """Run `body` and whatever it enters on a stack of our own, so that calls of the program do not nest here."""
        stack = [body]
        value: Any = None
        problem: BaseException | None = None
        while True:
            try:
                if problem is not None:
                    thrown, problem = problem, None
                    asked = stack[-1].throw(thrown)
                else:
                    asked = stack[-1].send(value)
                value = None
            except StopIteration as end:
                stack.pop()
                value = end.value
                if not stack:
                    return value
                continue
            except SysError as raised:
                # Only the stream whose descriptor is gone is left to tell: what perl itself does not check.
                stack.pop()
                if not stack:
                    raise
                problem = raised
                continue
            except (PerlDie, Jump, Return) as raised:
                stack.pop()
                if not stack:
                    raise
                problem = raised
                continue
            if type(asked) is Enter:
                if len(stack) > DEPTH:
                    asked.body.close()
                    problem = PerlDie("Out of memory!\n")
                else:
                    stack.append(asked.body)
            else:
                value = yield asked

    # names
    def sv(self, name: str) -> Scalar:
        """A global scalar by its full name."""
        found = self.scalars.get(name)
        if found is None:
            found = self.scalars[name] = self._special(name) or Scalar()
        return found

    def av(self, name: str) -> Array:
        """A global array."""
        found = self.arrays.get(name)
        if found is None:
            found = self.arrays[name] = Array()
        return found

    def hv(self, name: str) -> Hash:
        """A global hash."""
        found = self.hashes.get(name)
        if found is None:
            found = self.hashes[name] = Hash()
            if name == "main::+":
                found.magic = _named_group
        return found

    def glob(self, name: str) -> Glob:
        """A glob."""
        found = self.globs.get(name)
        if found is None:
            found = self.globs[name] = Glob(name)
        return found

    def _special(self, full: str) -> Scalar | None:
        name = full.removeprefix("main::")
        if "::" in name:
            return None
        if name.isdecimal() and name != "0":
            return Magic(_Group(self, int(name)), None)
        if name in _VARIABLES:
            made: Scalar = _VARIABLES[name](self)
            return made
        return None

    # errors
    def place(self) -> str:
        """Where it is: " at -e line 1." with the last line that was read."""
        read = self.last_read
        where = f" at {self.name} line {self.line}" if self.line else ""
        if read is not None and read.lines:
            kind = "line" if self.sv("main::/").v == "\n" else "chunk"
            where += f", <{read.shown}> {kind} {read.lines}"
        return where + "."

    def die(self, words: str) -> PerlDie:
        """The exception for an error of perl's own."""
        return PerlDie(words + self.place() + "\n")

    def set_errno(self, problem: SysError | int) -> None:
        """$! from a failed call."""
        self.errno = problem if isinstance(problem, int) else problem.errno
        self.errno_words = "" if isinstance(problem, int) else problem.words

    def errno_value(self) -> Dual:
        """$!."""
        if not self.errno:
            return Dual(0, "")
        return Dual(self.errno, self.errno_words or STRERROR.get(self.errno, f"Unknown error {self.errno}"))

    def warn(self, text: str) -> Gen:
        """A warning to standard error, or to $SIG{__WARN__}."""
        from urltrap.machine.programs.perl._calls import call

        handler = self.hv("main::SIG").h.get("__WARN__")
        if handler is not None and type(handler.v) is Ref:
            yield from call(self, handler.v, [text], False)
            return
        handle = self.glob("main::STDERR").io
        if handle is not None:
            yield from handle.put(self, text)

    def environment(self) -> dict[str, str]:
        """%ENV for a program that is started."""
        return {
            _path(key): _path(string(each.v))
            for key, each in self.hv("main::ENV").h.items()
            if each.v is not None
        }

    def flush(self) -> Gen:
        """Write what every stream holds back."""
        for glob in list(self.globs.values()):
            if glob.io is not None and glob.io.pending:
                yield from glob.io.flush(self)
        for handle in self.opened():
            if handle.pending:
                yield from handle.flush(self)

    def flush_for_child(self) -> Gen:
        """`flush`, and give back what was read ahead of files: a program that is started reads on from there."""
        yield from self.flush()
        streams = [glob.io for glob in self.globs.values() if glob.io is not None]
        for handle in {id(each): each for each in (*streams, *self.opened())}.values():
            if handle.buffer and handle.fd >= 0:
                try:
                    self.p.seek(handle.fd, -len(handle.buffer), 1)
                except SysError:
                    continue  # a pipe or a terminal keeps it
                handle.buffer.clear()
                handle.ended = False

    def opened(self) -> list[Any]:
        """Streams that have no name of their own (open my $fh)."""
        return [handle for handle in self.children.get(-1, []) if handle.fd >= 0]


def _path(text: str) -> str:
    return decode(text.encode("latin-1")) if all(char < "\u0100" for char in text) else text


def _named_group(vm: Vm, name: str) -> Any:
    """$+{name}"""
    found = vm.match
    return found.groupdict().get(name) if found is not None else None


class _Group:
    __slots__ = ("number", "vm")

    def __init__(self, vm: Vm, number: int) -> None:
        self.vm, self.number = vm, number

    def __call__(self) -> Any:
        found = self.vm.match
        if found is None:
            return None
        try:
            return found.group(self.number)
        except IndexError:
            return None


class _Get:
    """A getter of the interpreter that a copy of it takes along."""

    __slots__ = ("how", "vm")

    def __init__(self, vm: Vm, how: Any) -> None:
        self.vm, self.how = vm, how

    def __call__(self, *args: Any) -> Any:
        return self.how(self.vm, *args)

    def __deepcopy__(self, memo: Any) -> _Get:
        import copy

        return _Get(copy.deepcopy(self.vm, memo), self.how)


def _magic(get: Any, put: Any = None) -> Any:
    return lambda vm: Magic(_Get(vm, get), None if put is None else _Get(vm, put))


def _part(how: str) -> Any:
    def get(vm: Vm) -> Any:
        found = vm.match
        if found is None:
            return None
        if how == "&":
            return found.group(0)
        if how == "`":
            return found.string[: found.start()]
        if how == "'":
            return found.string[found.end() :]
        last = found.lastindex
        return found.group(last) if last else None

    return _magic(get)


def _autoflush(vm: Vm, value: Any) -> None:
    handle = vm.selected.io
    if handle is not None:
        handle.at_once = bool(whole(value))


def _flushed(vm: Vm) -> int:
    handle = vm.selected.io
    return int(handle is not None and handle.at_once)


def _set_errno(vm: Vm, value: Any) -> None:
    vm.set_errno(whole(value))


def _line_number(vm: Vm) -> Any:
    return vm.last_read.lines if vm.last_read is not None else None


def _set_line_number(vm: Vm, value: Any) -> None:
    if vm.last_read is not None:
        vm.last_read.lines = whole(value)


def _groups(vm: Vm) -> str:
    return " ".join(map(str, [vm.p.gid, *(vm.p.groups or [vm.p.gid])]))


_VARIABLES: dict[str, Any] = {
    "&": _part("&"), "`": _part("`"), "'": _part("'"), "+": _part("+"), "$": _magic(lambda vm: vm.p.pid, lambda vm, v: None),
    "!": _magic(lambda vm: vm.errno_value(), _set_errno), "|": _magic(_flushed, _autoflush),
    ".": _magic(_line_number, _set_line_number), "/": lambda vm: Scalar("\n"), ";": lambda vm: Scalar("\x1c"),
    '"': lambda vm: Scalar(" "), "?": lambda vm: Scalar(0), "@": lambda vm: Scalar(""), "0": lambda vm: Scalar(vm.name),
    "<": _magic(lambda vm: vm.p.uid, lambda vm, v: None), ">": _magic(lambda vm: vm.p.uid, lambda vm, v: None),
    "(": _magic(_groups, lambda vm, v: None), ")": _magic(_groups, lambda vm, v: None),
    "^T": lambda vm: Scalar(int(vm.started)), "^O": lambda vm: Scalar("linux"), "^W": lambda vm: Scalar(int(vm.warnings)),
    "^X": lambda vm: Scalar("/usr/bin/perl"), "]": lambda vm: Scalar(f"5.0{vm.version[1]:02}00{vm.version[2]}"),
    "^V": lambda vm: Scalar("v" + ".".join(map(str, vm.version))),
}  # fmt: skip
