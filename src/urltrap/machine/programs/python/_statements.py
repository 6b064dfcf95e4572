# ruff: noqa: E501 - tables of names read best with several on a line
"""Statements. A block answers None where it ran to its end, else what ended it: `BREAK`, `CONTINUE` or a `Return`."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from urltrap.machine.programs.python import _access, _calls, _expressions, _imports
from urltrap.machine.programs.python._expressions import ev, store, truth
from urltrap.machine.programs.python._objects import (
    EXCEPTIONS,
    MISSING,
    OBJECT,
    Class,
    Function,
    Gen,
    Instance,
    PyError,
    Scope,
    Thing,
    Unsupported,
    class_of,
    error,
)
from urltrap.machine.programs.python._vm import HOST_ERRORS, Frame, Vm, came_through


@dataclass(slots=True)
class Return:
    """A return statement was met."""

    value: Any


BREAK, CONTINUE = "break", "continue"


def block(vm: Vm, f: Frame, body: list[ast.stmt]) -> Gen:
    """Run statements in order."""
    for node in body:
        vm.steps += 3
        how = _HOW.get(type(node))
        if how is None:
            raise Unsupported(type(node).__name__)
        ended = yield from how(vm, f, node)
        if ended is not None:
            return ended
    return None


def function_body(vm: Vm, f: Frame, body: list[ast.stmt]) -> Gen:
    """Run the body of a function; what it returns."""
    ended = yield from block(vm, f, body)
    return ended.value if isinstance(ended, Return) else None


def _expr(vm: Vm, f: Frame, node: ast.Expr) -> Gen:
    kept = len(vm.temporary)
    value = yield from ev(vm, f, node.value)
    if len(vm.temporary) > kept:
        yield from _dropped(vm, kept)
    if vm.interactive and f.name == "<module>" and value is not None:
        from urltrap.machine.programs.python import _text

        vm.builtins["_"] = value
        yield from vm.stdout.put(vm, (yield from _text.represent(vm, value)) + "\n")


def _dropped(vm: Vm, kept: int) -> Gen:
    """Files that a statement opened and kept nowhere: CPython closes them with their last reference."""
    files, vm.temporary = vm.temporary[kept:], vm.temporary[:kept]
    for each in files:
        yield from each.m_close(vm)


def _assign(vm: Vm, f: Frame, node: ast.Assign) -> Gen:
    kept = len(vm.temporary)
    value = yield from ev(vm, f, node.value)
    if len(vm.temporary) > kept:
        if isinstance(value, (Thing, list, tuple, dict)):
            del vm.temporary[kept:]
        else:
            yield from _dropped(vm, kept)
    for target in node.targets:
        yield from assign(vm, f, target, value)


def assign(vm: Vm, f: Frame, target: ast.expr, value: Any) -> Gen:
    """Assign to a name, an attribute, an item, or several at once."""
    kind = type(target)
    if kind is ast.Name:
        store(f, target.id, value)  # type: ignore[attr-defined]
    elif isinstance(target, ast.Attribute):
        owner = yield from ev(vm, f, target.value)
        f.node = target
        yield from _access.set_attribute(vm, owner, target.attr, value)
    elif isinstance(target, ast.Subscript):
        owner = yield from ev(vm, f, target.value)
        index = yield from ev(vm, f, target.slice)
        f.node = target
        yield from _access.set_item(vm, owner, index, value)
    elif isinstance(target, (ast.Tuple, ast.List)):
        f.node = target
        yield from _unpack(vm, f, target.elts, value)
    elif isinstance(target, ast.Starred):
        yield from assign(vm, f, target.value, value)


def _unpack(vm: Vm, f: Frame, targets: list[ast.expr], value: Any) -> Gen:
    try:
        found = yield from _calls.listed(vm, value)
    except PyError as problem:
        if "is not iterable" in str(problem.value.attributes.get("args", "")):
            raise error("TypeError", f"cannot unpack non-iterable {class_of(value).name} object") from None
        raise
    star = next((at for at, each in enumerate(targets) if type(each) is ast.Starred), None)
    fewest = len(targets) - (star is not None)
    if len(found) < fewest:
        least = "at least " if star is not None else ""
        raise error("ValueError", f"not enough values to unpack (expected {least}{fewest}, got {len(found)})")
    if star is None and len(found) > fewest:
        raise error("ValueError", f"too many values to unpack (expected {fewest})")
    if star is not None:
        behind = len(targets) - star - 1
        end = len(found) - behind
        found = [*found[:star], found[star:end], *found[end:]]
    for target, each in zip(targets, found, strict=True):
        yield from assign(vm, f, target, each)


def _aug_assign(vm: Vm, f: Frame, node: ast.AugAssign) -> Gen:
    target = node.target
    owner: Any = None
    index: Any = None
    if isinstance(target, ast.Name):
        left = _expressions.name(vm, f, target)
    elif isinstance(target, ast.Attribute):
        owner = yield from ev(vm, f, target.value)
        f.node = target
        left = yield from _access.attribute(vm, owner, target.attr)
    else:
        owner = yield from ev(vm, f, target.value)
        index = yield from ev(vm, f, target.slice)
        f.node = target
        left = yield from _access.item(vm, owner, index)
    right = yield from ev(vm, f, node.value)
    f.node = node
    value = yield from _expressions.binary(vm, type(node.op), left, right, in_place=True)
    if isinstance(target, ast.Name):
        store(f, target.id, value)
    elif isinstance(target, ast.Attribute):
        yield from _access.set_attribute(vm, owner, target.attr, value)
    else:
        yield from _access.set_item(vm, owner, index, value)


def _ann_assign(vm: Vm, f: Frame, node: ast.AnnAssign) -> Gen:
    if node.value is not None:
        yield from assign(vm, f, node.target, (yield from ev(vm, f, node.value)))


def _if(vm: Vm, f: Frame, node: ast.If) -> Gen:
    while True:
        if (yield from truth(vm, (yield from ev(vm, f, node.test)))):
            return (yield from block(vm, f, node.body))
        if len(node.orelse) != 1 or not isinstance(node.orelse[0], ast.If):
            return (yield from block(vm, f, node.orelse))
        node = node.orelse[0]


def _while(vm: Vm, f: Frame, node: ast.While) -> Gen:
    def begins() -> Gen:
        return (yield from truth(vm, (yield from ev(vm, f, node.test))))

    return (yield from _loop(vm, f, node, begins))


def _for(vm: Vm, f: Frame, node: ast.For) -> Gen:
    values = yield from ev(vm, f, node.iter)
    place = node.iter if vm.version >= (3, 13) else node
    f.node = place
    it = yield from _calls.iterate(vm, values)

    def begins() -> Gen:
        f.node = place
        if (value := (yield from _calls.following(vm, it))) is MISSING:
            return False
        yield from assign(vm, f, node.target, value)
        vm.p.advance()
        return True

    return (yield from _loop(vm, f, node, begins))


def _loop(vm: Vm, f: Frame, node: ast.While | ast.For, begins: Callable[[], Gen]) -> Gen:
    """Rounds for as long as one begins; then `else`, unless a round broke off."""
    while (yield from begins()):
        ended = yield from block(vm, f, node.body)
        vm.steps += 3
        if vm.steps > 400:
            yield from vm.spend()
        if ended is BREAK:
            return None
        if isinstance(ended, Return):
            return ended
    return (yield from block(vm, f, node.orelse))


def _function(vm: Vm, f: Frame, node: ast.FunctionDef) -> Gen:
    decorators = []
    for each in node.decorator_list:
        decorators.append((yield from ev(vm, f, each)))
    made: Any = yield from make_function(vm, f, node.name, node.args, node.body)
    if (text := ast.get_docstring(node, clean=False)) is not None:
        made.attributes["__doc__"] = text
    for decorator in reversed(decorators):
        f.node = node
        made = yield from _calls.call(vm, decorator, (made,))
    store(f, node.name, made)


def make_function(
    vm: Vm, f: Frame, name: str, arguments: ast.arguments, body: list[ast.stmt] | ast.expr
) -> Gen:
    """A function over the variables that are visible here."""
    defaults = []
    for each in arguments.defaults:
        defaults.append((yield from ev(vm, f, each)))
    keyword_defaults = {}
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if default is not None:
            keyword_defaults[argument.arg] = yield from ev(vm, f, default)
    statements: list[ast.stmt] = body if isinstance(body, list) else [ast.Expr(body)]
    names, shared, yields = _calls.names_of(statements, arguments)
    around = f.scope
    if around.owner is not None and f.function is None:  # the body of a class: its names are no closure
        qualname = f"{around.owner.name}.{name}"
        scope = around.parent or Scope(around.globals, around.globals)
    else:
        qualname = (
            name
            if f.name == "<module>"
            else f"{f.function.qualname if f.function else f.name}.<locals>.{name}"
        )
        scope = around
    if scope.vars is scope.globals:
        scope = Scope(scope.globals, scope.globals)
    return Function(
        name, arguments, body, scope, defaults, keyword_defaults, names, shared, yields, f.filename, qualname,
        owner=around.owner,
    )  # fmt: skip


def _class(vm: Vm, f: Frame, node: ast.ClassDef) -> Gen:
    bases = []
    for each in node.bases:
        base = yield from ev(vm, f, each)
        if not isinstance(base, Class):
            raise Unsupported("a base that is no class")
        bases.append(base)
    if node.keywords:
        raise Unsupported("metaclasses")
    decorators = []
    for each in node.decorator_list:
        decorators.append((yield from ev(vm, f, each)))
    names = {"__module__": f.scope.globals.get("__name__"), "__doc__": ast.get_docstring(node, clean=False)}
    made: Any = Class(node.name, tuple(bases) or (OBJECT,), names, module="__main__")
    scope = Scope(made.attributes, f.scope.globals, f.scope if f.function else None)
    scope.owner = made
    inner = Frame(scope, node.name, f.filename)
    yield from vm.enter(inner, block(vm, inner, node.body))
    for decorator in reversed(decorators):
        made = yield from _calls.call(vm, decorator, (made,))
    store(f, node.name, made)


def _return(vm: Vm, f: Frame, node: ast.Return) -> Gen:
    return Return(None if node.value is None else (yield from ev(vm, f, node.value)))


def _raise(vm: Vm, f: Frame, node: ast.Raise) -> Gen:
    handled = vm.handled
    if node.exc is None:
        f.node = node
        if handled is None:
            raise error("RuntimeError", "No active exception to reraise")
        handled.again = True
        raise handled
    value = yield from ev(vm, f, node.exc)
    if isinstance(value, Class) and EXCEPTIONS["BaseException"] in value.mro:
        value = yield from _calls.call(vm, value)
    f.node = node
    if not isinstance(value, Instance) or EXCEPTIONS["BaseException"] not in value.cls.mro:
        raise error("TypeError", "exceptions must derive from BaseException")
    raised = PyError(value)
    if node.cause is not None:
        value.attributes["__cause__"] = yield from ev(vm, f, node.cause)
        value.attributes["__suppress_context__"] = True
    f.node = node
    raise raised


def _try(vm: Vm, f: Frame, node: ast.Try) -> Gen:
    ended: Any = None
    try:
        ended = yield from _try_except(vm, f, node)
    except (PyError, *HOST_ERRORS) as problem:
        if not node.finalbody:
            raise
        raised = vm.converted(problem)
        came_through(raised, f)
        f.handling.append(raised)
        try:
            final = yield from block(vm, f, node.finalbody)
        finally:
            f.handling.pop()
        if final is not None:
            return final
        raised.again = True
        raise raised from None
    final = yield from block(vm, f, node.finalbody)
    return final if final is not None else ended


def _try_except(vm: Vm, f: Frame, node: ast.Try) -> Gen:
    try:
        ended = yield from block(vm, f, node.body)
    except (PyError, *HOST_ERRORS) as problem:
        raised = vm.converted(problem)
        handled = vm.handled
        if handled is not None and handled is not raised and handled.value is not raised.value:
            raised.value.attributes.setdefault("__context__", handled.value)
        place = f.node
        for handler in node.handlers:
            if handler.type is not None:
                wanted = yield from ev(vm, f, handler.type)
                f.node = handler.type
                if not _catches(wanted, raised.value):
                    continue
            f.node = place
            came_through(raised, f)
            if handler.name:
                store(f, handler.name, raised.value)
            f.handling.append(raised)
            try:
                ended = yield from block(vm, f, handler.body)
            except PyError as later:
                if later is not raised:
                    later.value.attributes.setdefault("__context__", raised.value)
                raise
            finally:
                f.handling.pop()
                if handler.name:
                    f.scope.vars.pop(handler.name, None)
            return ended
        f.node = place
        raise
    if ended is None:
        ended = yield from block(vm, f, node.orelse)
    return ended


def _catches(wanted: Any, value: Instance) -> bool:
    if isinstance(wanted, tuple):
        return any(_catches(each, value) for each in wanted)
    if not isinstance(wanted, Class) or EXCEPTIONS["BaseException"] not in wanted.mro:
        raise error("TypeError", "catching classes that do not inherit from BaseException is not allowed")
    return wanted in value.cls.mro


def _with(vm: Vm, f: Frame, node: ast.With) -> Gen:
    return (yield from _with_items(vm, f, node, 0))


def _with_items(vm: Vm, f: Frame, node: ast.With, at: int) -> Gen:
    if at == len(node.items):
        return (yield from block(vm, f, node.body))
    manager = yield from ev(vm, f, node.items[at].context_expr)
    f.node = node.items[at].context_expr
    if isinstance(manager, (Instance, Thing)):
        enter = yield from _access.attribute(vm, manager, "__enter__", default=MISSING)
        leave = yield from _access.attribute(vm, manager, "__exit__", default=MISSING)
    else:
        enter = leave = MISSING
    if enter is MISSING or leave is MISSING:
        raise error(
            "TypeError", f"'{class_of(manager).name}' object does not support the context manager protocol"
        )
    value = yield from _calls.call(vm, enter)
    if node.items[at].optional_vars is not None:
        yield from assign(vm, f, node.items[at].optional_vars, value)  # type: ignore[arg-type]
    try:
        ended = yield from _with_items(vm, f, node, at + 1)
    except (PyError, *HOST_ERRORS) as problem:
        raised = vm.converted(problem)
        came_through(raised, f)
        if (
            yield from truth(vm, (yield from _calls.call(vm, leave, (raised.value.cls, raised.value, None))))
        ):
            return None
        raised.again = True
        raise raised from None
    yield from _calls.call(vm, leave, (None, None, None))
    return ended


def _delete(vm: Vm, f: Frame, node: ast.Delete) -> Gen:
    for target in node.targets:
        f.node = target
        if isinstance(target, ast.Name):
            names = f.scope.globals if f.scope.shared.get(target.id) == "global" else f.scope.vars
            if names.pop(target.id, MISSING) is MISSING:
                raise error("NameError", f"name '{target.id}' is not defined")
        elif isinstance(target, ast.Attribute):
            owner = yield from ev(vm, f, target.value)
            f.node = target
            _access.delete_attribute(owner, target.attr)
        elif isinstance(target, ast.Subscript):
            owner = yield from ev(vm, f, target.value)
            index = yield from ev(vm, f, target.slice)
            f.node = target
            yield from _access.delete_item(vm, owner, index)


def _assert(vm: Vm, f: Frame, node: ast.Assert) -> Gen:
    if not (yield from truth(vm, (yield from ev(vm, f, node.test)))):
        args = () if node.msg is None else ((yield from ev(vm, f, node.msg)),)
        f.node = node.test
        raise error("AssertionError", *args)


def _nothing(vm: Vm, f: Frame, node: ast.stmt) -> Gen:
    yield from ()


def _ends(vm: Vm, f: Frame, node: ast.stmt) -> Gen:
    yield from ()
    return BREAK if type(node) is ast.Break else CONTINUE


_HOW: dict[type, Callable[..., Gen]] = {
    ast.Expr: _expr, ast.Assign: _assign, ast.AugAssign: _aug_assign, ast.AnnAssign: _ann_assign, ast.If: _if,
    ast.While: _while, ast.For: _for, ast.FunctionDef: _function, ast.ClassDef: _class, ast.Return: _return,
    ast.Raise: _raise, ast.Try: _try, ast.With: _with, ast.Delete: _delete, ast.Assert: _assert, ast.Pass: _nothing,
    ast.Global: _nothing, ast.Nonlocal: _nothing, ast.Break: _ends, ast.Continue: _ends, ast.Import: _imports.import_names,
    ast.ImportFrom: _imports.import_from,
}  # fmt: skip
