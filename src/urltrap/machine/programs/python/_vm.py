"""The interpreter: what it holds, how it drives what runs, and how it keeps within the budgets of a session."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Callable
from types import GeneratorType
from typing import TYPE_CHECKING, Any

from urltrap.machine.api import Process
from urltrap.machine.errors import BudgetError, SysError
from urltrap.machine.programs.python._objects import (
    EXCEPTIONS,
    LENT,
    MISSING,
    Builtin,
    Class,
    Enter,
    Function,
    Gen,
    Instance,
    Iterator,
    Place,
    PyError,
    Scope,
    Thing,
    Unsupported,
    Yielded,
    error,
)

if TYPE_CHECKING:
    from urltrap.machine.programs.python._files import TextFile

DEPTH = 999
"""Calls within calls: CPython's limit of 1000 less the module."""
LARGEST = 8_000_000
"""Bytes or elements of one value; beyond there is no memory on such a machine."""
_STEPS_TO_ONE = 3
"""Steps here that cost as much processor as one of the kernel, measured."""
_CENSUS_STEPS = 40_000
_CENSUS_BYTES = 2_000_000
_OBJECTS = 400_000
HOST_ERRORS = (
    TypeError, ValueError, ArithmeticError, LookupError, AttributeError, MemoryError, RecursionError, BufferError,
    StopIteration, SysError,
)  # fmt: skip
"""What operations on values of the host raise where CPython's own would: they become the program's exceptions."""


class Frame:
    """One call that runs: its variables, its name in a traceback and the place that it has come to."""

    __slots__ = ("filename", "function", "handling", "name", "node", "scope")

    def __init__(self, scope: Scope, name: str, filename: str, function: Function | None = None) -> None:
        self.scope = scope
        self.name = name
        self.filename = filename
        self.function = function
        self.node: ast.AST | None = None
        self.handling: list[PyError] = []


class Vm:
    """One run of python."""

    def __init__(self, p: Process, version: tuple[int, int, int]) -> None:
        self.p = p
        self.version = version
        self.modules: dict[str, Any] = {}
        self.frames: list[Frame] = []
        self.sources: dict[str, list[str]] = {}
        self.steps = 0
        self.since_census = 0
        self.grown = 0
        self.held = 0
        self.builtins: dict[str, Any] = {}
        self.argv: list[str] = []
        self.path: list[str] = []
        self.at_exit: list[tuple[Any, tuple[Any, ...]]] = []
        self.stdin: TextFile
        self.stdout: TextFile
        self.stderr: TextFile
        self.interactive = False
        self.files: list[TextFile] = []
        self.temporary: list[TextFile] = []

    # budgets
    def spend(self) -> Gen:
        """Account for the steps done since the last call."""
        steps, self.steps = self.steps, 0
        self.since_census += steps
        if self.since_census > _CENSUS_STEPS or self.grown > _CENSUS_BYTES:
            self.census()
        yield from self.p.tick(1 + steps // _STEPS_TO_ONE)

    def grow(self, amount: int) -> None:
        """A large value was made: RecursionError's sister MemoryError where it is too large."""
        if amount > LARGEST:
            raise error("MemoryError")
        self.grown += amount

    def census(self) -> None:
        """Count what the program's variables hold, and tell the session's budget."""
        self.since_census = self.grown = 0
        total = 0
        seen: set[int] = set()
        pending: list[Any] = [frame.scope for frame in self.frames]
        pending += [module.attributes for module in self.modules.values()]
        while pending and len(seen) < _OBJECTS:
            value = pending.pop()
            if id(value) in seen:
                continue
            seen.add(id(value))
            total += sys.getsizeof(value, 64)
            if isinstance(value, dict):
                pending += value.values()
                pending += value
            elif isinstance(value, (list, tuple, set, frozenset)):
                pending += value
            elif isinstance(value, (Instance, Class)):
                pending.append(value.attributes)
            elif isinstance(value, Scope):
                pending += (value.vars, value.parent)
            elif isinstance(value, Function):
                pending.append(value.scope)
            elif isinstance(value, Thing):
                pending += vars(value).values() if hasattr(value, "__dict__") else ()
        if len(seen) >= _OBJECTS:
            raise BudgetError("memory_bytes", _OBJECTS)
        self.p.hold(total - self.held)
        self.held = total

    # running
    def drive(self, body: Gen) -> Gen:
        """Run `body` and whatever it enters on a stack of our own, so that calls of the program do not nest here."""
        stack = [body]
        depth = len(self.frames)
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
            except (PyError, Unsupported) as raised:
                stack.pop()
                if not stack:
                    raise
                problem = raised
                continue
            if type(asked) is Enter:
                if len(stack) + depth > DEPTH:
                    asked.body.close()
                    problem = error("RecursionError", "maximum recursion depth exceeded")
                else:
                    stack.append(asked.body)
            else:
                value = yield asked

    def resume(self, it: Iterator, sent: Any = None, problem: PyError | None = None) -> Gen:
        """The next value of an iterator of ours; MISSING at its end."""
        if it.running:
            raise error("ValueError", "generator already executing")
        if not it.stack:
            if problem is not None:
                raise problem
            return MISSING
        it.running = it.began = True
        value: Any = sent
        try:
            while True:
                try:
                    if problem is not None:
                        thrown, problem = problem, None
                        asked = it.stack[-1].throw(thrown)
                    else:
                        asked = it.stack[-1].send(value)
                    value = None
                except StopIteration as end:
                    it.stack.pop()
                    value = end.value
                    if not it.stack:
                        it.result = value
                        return MISSING
                    continue
                except PyError as raised:
                    it.stack.pop()
                    if not it.stack:
                        raise
                    problem = raised
                    continue
                if type(asked) is Enter:
                    if len(it.stack) + len(self.frames) > DEPTH:
                        asked.body.close()
                        problem = error("RecursionError", "maximum recursion depth exceeded")
                    else:
                        it.stack.append(asked.body)
                elif type(asked) is Yielded:
                    return asked.value
                else:
                    value = yield asked
        finally:
            it.running = False

    def enter(self, frame: Frame, body: Gen) -> Gen:
        """Run the body of a frame; an exception that leaves it is told that it came through."""
        self.frames.append(frame)
        try:
            return (yield from body)
        except PyError as problem:
            came_through(problem, frame)
            raise
        finally:
            if self.frames and self.frames[-1] is frame:
                self.frames.pop()
            elif frame in self.frames:
                self.frames.remove(frame)

    @property
    def frame(self) -> Frame:
        """The frame that runs."""
        return self.frames[-1]

    @property
    def handled(self) -> PyError | None:
        """The exception that is being handled."""
        return next((each.handling[-1] for each in reversed(self.frames) if each.handling), None)

    def call_builtin(self, function: Builtin, args: Any, keywords: dict[str, Any]) -> Gen:
        """Call a function of ours."""
        try:
            found = function.call(self, *args, **keywords)
            if type(found) is GeneratorType:
                found = yield from found
        except HOST_ERRORS as problem:
            raise self.converted(problem, function) from None
        return found

    def converted(self, problem: BaseException, function: Builtin | None = None) -> PyError:
        """An error of the host as the program's exception."""
        if isinstance(problem, PyError):
            return problem
        if isinstance(problem, SysError):
            nameless = problem.path.startswith(("pipe:[", "socket:["))
            return os_error(problem.errno, problem.words, None if nameless else problem.path or None)
        lent = LENT.get(type(problem))
        if lent is not None:
            return PyError(Instance(lent, {"args": problem.args}))
        name = next(
            (each.__name__ for each in type(problem).__mro__ if each.__name__ in EXCEPTIONS), "Exception"
        )
        if function is not None and isinstance(problem, TypeError) and problem.args:
            text = str(problem.args[0])
            inner = getattr(function.call, "__qualname__", "")
            if inner and text.startswith(inner + "()"):
                return error("TypeError", _arity(function, text[len(inner) + 2 :]))
        if isinstance(problem, UnicodeError):
            return error(name, *problem.args, __text__=str(problem))
        return error(name, *problem.args)


_COUNTS = re.compile(r" takes .*? but (\d+) (?:was|were) given| missing (\d+) required positional")


def _arity(function: Builtin, words: str) -> str:
    """How CPython complains of arguments that do not fit; `words`: how the host did of ours, which has one more."""
    found = _COUNTS.match(words)
    if found is None:
        return f"{function.name}(){words}"
    kinds = [each.kind for each in inspect.signature(function.call).parameters.values()][1:]
    defaults = [each.default for each in inspect.signature(function.call).parameters.values()][1:]
    named = [
        kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD) for kind in kinds
    ]
    most = sum(named)
    fewest = sum(
        each is inspect.Parameter.empty and is_one for each, is_one in zip(defaults, named, strict=True)
    )
    given = int(found[1]) - 1 - inspect.ismethod(function.call) if found[1] else fewest - int(found[2])
    few = given < fewest
    if function.module == "python":
        if few:
            return f"{function.name}(){words}"
        counted = str(most) if fewest == most else f"from {fewest} to {most}"
        s, were = ("" if most == 1 and fewest == most else "s"), ("was" if given == 1 else "were")
        return f"{function.name}() takes {counted} positional argument{s} but {given} {were} given"
    if function.name in ("int", "str", "bytes", "bytearray", "complex"):
        return f"{function.name}() takes at most {most} arguments ({given} given)"
    if fewest == most < 2:
        return f"{function.name}() takes {('no arguments', 'exactly one argument')[most]} ({given} given)"
    limit = fewest if few else most
    bound = "" if fewest == most else "at least " if few else "at most "
    return f"{function.name} expected {bound}{limit} argument{'' if limit == 1 else 's'}, got {given}"


def native(vm: Vm, function: Callable[..., Any], *args: Any, **keywords: Any) -> Any:
    """Do something with values of the host's types; its errors are the program's."""
    try:
        return function(*args, **keywords)
    except HOST_ERRORS as problem:
        raise vm.converted(problem) from None


OS_ERRORS = {
    1: "PermissionError", 2: "FileNotFoundError", 3: "ProcessLookupError", 4: "InterruptedError",
    10: "ChildProcessError", 11: "BlockingIOError", 13: "PermissionError", 17: "FileExistsError",
    20: "NotADirectoryError", 21: "IsADirectoryError", 32: "BrokenPipeError", 103: "ConnectionAbortedError",
    104: "ConnectionResetError", 110: "TimeoutError", 111: "ConnectionRefusedError",
}  # fmt: skip
"""The class that OSError becomes, by its number."""


def os_error(number: int, words: str, path: Any = None, other: Any = None) -> PyError:
    """OSError, or the class of its own that the number has."""
    return error(
        OS_ERRORS.get(number, "OSError"), number, words, errno=number, strerror=words, filename=path,
        filename2=other,
    )  # fmt: skip


def came_through(problem: PyError, frame: Frame) -> None:
    """Note that an exception left a frame, or was caught in it."""
    if problem.again:
        problem.again = False
        return
    if frame.node is not None:
        problem.places.append(Place(frame.filename, frame.node, frame.name))
