"""Calling: functions of the program, classes, methods, and what arguments become of parameters."""

from __future__ import annotations

import ast
from typing import Any

from urltrap.machine.programs.python import _expressions, _statements
from urltrap.machine.programs.python._objects import (
    CLASSES,
    EXCEPTIONS,
    MISSING,
    OBJECT,
    TYPE,
    Bound,
    Builtin,
    Class,
    Descriptor,
    Enter,
    Function,
    Gen,
    Instance,
    Iterator,
    Native,
    Scope,
    Thing,
    Unsupported,
    Yielded,
    class_of,
    error,
)
from urltrap.machine.programs.python._vm import OS_ERRORS, Frame, Vm


def call(vm: Vm, function: Any, args: Any = (), keywords: dict[str, Any] | None = None) -> Gen:
    """Call anything."""
    given = keywords or {}
    kind = type(function)
    if kind is Function:
        scope = bind(function, args, given)
        if function.is_generator:
            return Iterator(_body(vm, function, scope, True), name=function.qualname)
        return (yield Enter(_body(vm, function, scope, False)))
    if kind is Builtin:
        return (yield from vm.call_builtin(function, args, given))
    if kind is Bound:
        return (yield from call(vm, function.function, (function.owner, *args), given))
    if kind is Native:
        from urltrap.machine.programs.python._native import call_native

        return (yield from call_native(vm, function.owner, function.name, list(args), given))
    if kind is Class:
        return (yield from make(vm, function, args, given))
    if kind is Instance:
        found = function.cls.find("__call__")
        if found is not MISSING:
            return (yield from call(vm, found, (function, *args), given))
    if isinstance(function, Thing) and hasattr(function, "m___call__"):
        return (yield from vm.call_builtin(Builtin(function.type_name, function.m___call__), args, given))
    if kind is Descriptor:
        return (yield from call(vm, function.function, args, given))
    raise error("TypeError", f"'{class_of(function).name}' object is not callable")


def _body(vm: Vm, function: Function, scope: Scope, generates: bool) -> Gen:
    frame = Frame(scope, function.name, function.filename, function)
    if isinstance(function.body, list):
        running = _statements.function_body(vm, frame, function.body)
    else:
        running = _expressions.ev(vm, frame, function.body)
    if generates:
        return (yield from _generate(vm, frame, running))
    return (yield from vm.enter(frame, running))


def _generate(vm: Vm, frame: Frame, running: Gen) -> Gen:
    """The body of a generator: its frame is on the stack only while it runs."""
    from urltrap.machine.programs.python._objects import PyError
    from urltrap.machine.programs.python._vm import came_through

    value: Any = None
    problem: BaseException | None = None
    while True:
        vm.frames.append(frame)
        try:
            if problem is not None:
                thrown, problem = problem, None
                asked = running.throw(thrown)
            else:
                asked = running.send(value)
        except StopIteration as end:
            return end.value
        except PyError as raised:
            came_through(raised, frame)
            if raised.value.cls is EXCEPTIONS["StopIteration"]:
                raise error("RuntimeError", "generator raised StopIteration") from None
            raise
        finally:
            if frame in vm.frames:
                vm.frames.remove(frame)
        try:
            value = yield asked
        except PyError as raised:
            problem = raised


def lazily(body: Gen, type_name: str) -> Iterator:
    """An iterator of ours: `body` yields its values as `Yielded`."""
    return Iterator(body, type_name)


def give(value: Any) -> Gen:
    """Inside of a lazy iterator: the next value."""
    yield Yielded(value)


def bind(function: Function, args: Any, keywords: dict[str, Any]) -> Scope:
    """The variables of a call; TypeError with CPython's words where the arguments do not fit."""
    arguments = function.args
    names = [each.arg for each in (*arguments.posonlyargs, *arguments.args)]
    found: dict[str, Any] = dict(zip(names, args, strict=False))
    shown = function.qualname
    extra = tuple(args[len(names) :])
    if extra and arguments.vararg is None:
        fewest = len(names) - len(function.defaults)
        counted = f"from {fewest} to {len(names)}" if function.defaults else str(len(names))
        s = "" if len(names) == 1 and not function.defaults else "s"
        were = "was" if len(args) == 1 else "were"
        raise error(
            "TypeError", f"{shown}() takes {counted} positional argument{s} but {len(args)} {were} given"
        )
    if arguments.vararg is not None:
        found[arguments.vararg.arg] = extra
    only = [each.arg for each in arguments.kwonlyargs]
    first = names[: len(arguments.posonlyargs)]
    if arguments.kwarg is None and (wrong := [name for name in keywords if name in first]):
        raise error(
            "TypeError",
            f"{shown}() got some positional-only arguments passed as keyword arguments: '{', '.join(wrong)}'",
        )
    rest: dict[str, Any] = {}
    for name, value in keywords.items():
        if name in only or (name in names[len(arguments.posonlyargs) :]):
            if name in found:
                raise error("TypeError", f"{shown}() got multiple values for argument '{name}'")
            found[name] = value
        elif arguments.kwarg is not None:
            rest[name] = value
        else:
            raise error("TypeError", f"{shown}() got an unexpected keyword argument '{name}'")
    if arguments.kwarg is not None:
        found[arguments.kwarg.arg] = rest
    for name, value in zip(reversed(names), reversed(function.defaults), strict=False):
        found.setdefault(name, value)
    missing = [name for name in names if name not in found]
    if missing:
        raise error("TypeError", _missing(shown, missing, "positional"))
    for name in only:
        if name not in found and name in function.keyword_defaults:
            found[name] = function.keyword_defaults[name]
    missing = [name for name in only if name not in found]
    if missing:
        raise error("TypeError", _missing(shown, missing, "keyword-only"))
    scope = Scope(found, function.scope.globals, function.scope)
    scope.locals = function.names
    scope.shared = function.shared
    scope.owner = function.owner
    return scope


def shown_name(function: Any) -> str:
    """A callable as the complaints about ``*`` and ``**`` name it."""
    if isinstance(function, Bound):
        return shown_name(function.function)
    if isinstance(function, Function):
        return f"{function.scope.globals.get('__name__')}.{function.qualname}()"
    if isinstance(function, Class):
        return f"{function.shown}()"
    if isinstance(function, (Builtin, Native)):
        return f"{function.name}()"
    return f"{class_of(function).name} object"


def _missing(shown: str, names: list[str], kind: str) -> str:
    quoted = [f"'{name}'" for name in names]
    listed = quoted[0]
    if len(quoted) == 2:
        listed = " and ".join(quoted)
    elif len(quoted) > 2:
        listed = ", ".join(quoted[:-1]) + ", and " + quoted[-1]
    s = "" if len(names) == 1 else "s"
    return f"{shown}() missing {len(names)} required {kind} argument{s}: {listed}"


def make(vm: Vm, cls: Class, args: Any, keywords: dict[str, Any]) -> Gen:
    """Call a class."""
    if cls.native is not None or cls is TYPE:
        from urltrap.machine.programs.python._construct import construct

        return (yield from vm.call_builtin(Builtin(cls.name, construct(cls)), args, keywords))
    creator = cls.find("__new__")
    if isinstance(creator, Builtin):
        return (yield from vm.call_builtin(creator, (cls, *args), keywords))
    if creator is not MISSING:
        raise Unsupported("__new__")
    base = next((each for each in cls.mro if each.native is not None and each is not OBJECT), None)
    if base is not None:
        raise Unsupported(f"a class derived from {base.name}")
    if cls is EXCEPTIONS["OSError"] and len(args) >= 2:
        cls = EXCEPTIONS[OS_ERRORS.get(args[0], "OSError")]
    made = Instance(cls)
    raises = EXCEPTIONS["BaseException"] in cls.mro
    if raises:
        made.attributes["args"] = tuple(args)
        if EXCEPTIONS["OSError"] in cls.mro and len(args) >= 2:
            made.attributes.update(
                errno=args[0], strerror=args[1], filename=args[2] if len(args) > 2 else None
            )
            made.attributes["args"] = tuple(args[:2])
    start = cls.find("__init__")
    if start is not MISSING:
        answer = yield from call(vm, start, (made, *args), keywords)
        if answer is not None:
            raise error("TypeError", f"__init__() should return None, not '{class_of(answer).name}'")
    elif (args or keywords) and not raises:
        raise error("TypeError", f"{cls.name}() takes no arguments")
    elif keywords and cls.module == "builtins":
        if cls.name not in ("ImportError", "ModuleNotFoundError", "AttributeError", "NameError"):
            raise error("TypeError", f"{cls.name}() takes no keyword arguments")
        made.attributes.update(keywords)
    return made


def iterate(vm: Vm, value: Any) -> Gen:
    """An iterator over anything: the host's own, or an `Iterator` of ours, or an instance with __next__."""
    kind = type(value)
    if isinstance(value, Iterator):
        return value
    if kind in CLASSES or not isinstance(value, (Instance, Thing, Class, Function, Builtin, Bound, Native)):
        try:
            return iter(value)
        except TypeError as problem:
            raise error("TypeError", str(problem)) from None
    if isinstance(value, Instance):
        found = value.cls.find("__iter__")
        if found is not MISSING:
            return (yield from iterate_result(vm, (yield from call(vm, found, (value,)))))
        if value.cls.find("__getitem__") is not MISSING:
            return lazily(_by_index(vm, value), "iterator")
    if isinstance(value, Thing) and hasattr(value, "iterate"):
        return lazily(value.iterate(vm), "iterator")
    raise error("TypeError", f"'{class_of(value).name}' object is not iterable")


def iterate_result(vm: Vm, found: Any) -> Gen:
    """What __iter__ answered, as something that `following` takes."""
    if type(found) is Instance and found.cls.find("__next__") is not MISSING:
        return found
    if (
        not isinstance(found, Iterator)
        and not hasattr(found, "__next__")
        and not hasattr(found, "m___next__")
    ):
        raise error("TypeError", f"iter() returned non-iterator of type '{class_of(found).name}'")
    return (yield from iterate(vm, found))


def _by_index(vm: Vm, value: Instance) -> Gen:
    from urltrap.machine.programs.python._objects import PyError

    index = 0
    while True:
        try:
            found = yield from call(vm, value.cls.find("__getitem__"), (value, index))
        except PyError as problem:
            if EXCEPTIONS["IndexError"] in problem.value.cls.mro:
                return
            raise
        yield Yielded(found)
        index += 1


def following(vm: Vm, it: Any) -> Gen:
    """The next value of what `iterate` answered; MISSING at the end."""
    if isinstance(it, Iterator):
        return (yield from vm.resume(it))
    if type(it) is Instance:
        from urltrap.machine.programs.python._objects import PyError

        try:
            return (yield from call(vm, it.cls.find("__next__"), (it,)))
        except PyError as problem:
            if EXCEPTIONS["StopIteration"] in problem.value.cls.mro:
                return MISSING
            raise
    try:
        return next(it, MISSING)
    except RuntimeError as problem:
        raise error("RuntimeError", *problem.args) from None


def listed(vm: Vm, value: Any, most: int = 1_000_000) -> Gen:
    """All values of an iterable as a list; MemoryError where there are too many."""
    if type(value) in (list, tuple):
        vm.steps += len(value) >> 4
        return list(value)
    if type(value) is range and _rounds(value) > most:
        raise error("MemoryError")
    it = yield from iterate(vm, value)
    found: list[Any] = []
    if not isinstance(it, (Iterator, Instance)):
        for each in it:
            found.append(each)
            if len(found) > most:
                raise error("MemoryError")
            if not len(found) & 1023:
                vm.steps += 64
                yield from vm.spend()
        vm.grow(8 * len(found))
        return found
    while (each := (yield from following(vm, it))) is not MISSING:
        found.append(each)
        vm.steps += 3
        if len(found) > most:
            raise error("MemoryError")
    vm.grow(8 * len(found))
    return found


def mapping(vm: Vm, value: Any) -> Gen:
    """What has keys, as a dictionary; MISSING for anything else."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, (Instance, Thing)):
        return MISSING
    from urltrap.machine.programs.python import _access

    keys = yield from _access.attribute(vm, value, "keys", MISSING)
    if keys is MISSING:
        return MISSING
    found = {}
    for each in (yield from listed(vm, (yield from call(vm, keys)))):
        found[each] = yield from _access.item(vm, value, each)
    return found


def plain(vm: Vm, value: Any) -> Gen:
    """An argument as the host's functions may have it: a list of what they would otherwise walk without a bound."""
    walks = (
        isinstance(value, Iterator)
        or hasattr(value, "__next__")
        or (isinstance(value, range) and is_long(value))
    )
    if walks or (type(value) is Instance and value.cls.find("__iter__") is not MISSING):
        return (yield from listed(vm, value))
    return value


def is_long(value: range) -> bool:
    """Whether to walk a range takes time."""
    return _rounds(value) > 4096


def _rounds(value: range) -> int:
    """About its length; `len` knows no large ones."""
    return (value.stop - value.start) // value.step


def names_of(
    body: list[ast.stmt], arguments: ast.arguments | None
) -> tuple[frozenset[str], dict[str, str], bool]:
    """What a function assigns: its local names, those that it declares global or nonlocal; whether it yields."""
    found: set[str] = set()
    shared: dict[str, str] = {}
    yields = False
    if arguments is not None:
        found |= {each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
        found |= {each.arg for each in (arguments.vararg, arguments.kwarg) if each is not None}
    pending: list[ast.AST] = list(body)
    while pending:
        node = pending.pop()
        kind = type(node)
        if kind is ast.Name and isinstance(node.ctx, (ast.Store, ast.Del)):  # type: ignore[attr-defined]
            found.add(node.id)  # type: ignore[attr-defined]
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
            pending += node.decorator_list
            continue
        elif kind is ast.Lambda:
            continue
        elif isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)):
            pending.append(node.generators[0].iter)
            continue
        elif isinstance(node, (ast.Yield, ast.YieldFrom)):
            yields = True
        elif isinstance(node, ast.Global):
            shared.update(dict.fromkeys(node.names, "global"))
        elif isinstance(node, ast.Nonlocal):
            shared.update(dict.fromkeys(node.names, "nonlocal"))
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ExceptHandler) and node.name:
            found.add(node.name)
        pending += ast.iter_child_nodes(node)
    return frozenset(found - set(shared)), shared, yields
