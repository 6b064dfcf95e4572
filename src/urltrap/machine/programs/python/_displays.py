"""Displays of lists, tuples, sets and dictionaries, and comprehensions."""

from __future__ import annotations

import ast
from typing import Any

from urltrap.machine.programs.python import _calls, _expressions
from urltrap.machine.programs.python._objects import (
    EXCEPTIONS,
    MISSING,
    Gen,
    Iterator,
    PyError,
    Scope,
    Unsupported,
    Yielded,
    class_of,
    error,
)
from urltrap.machine.programs.python._vm import LARGEST, Frame, Vm, came_through, native


def items(vm: Vm, f: Frame, nodes: list[ast.expr], function: Any = MISSING) -> Gen:
    """The values of a display, or of the arguments of a call of `function`."""
    found: list[Any] = []
    for each in nodes:
        if type(each) is ast.Starred:
            value = yield from _expressions.ev(vm, f, each.value)
            try:
                found += yield from _calls.listed(vm, value)
            except PyError as problem:
                if EXCEPTIONS["TypeError"] not in problem.value.cls.mro or problem.places:
                    raise
                kind = class_of(value).name
                if function is MISSING:
                    raise error("TypeError", f"Value after * must be an iterable, not {kind}") from None
                shown = _calls.shown_name(function)
                raise error(
                    "TypeError", f"{shown} argument after * must be an iterable, not {kind}"
                ) from None
        else:
            found.append((yield from _expressions.ev(vm, f, each)))
    return found


def list_display(vm: Vm, f: Frame, node: ast.List) -> Gen:
    return (yield from items(vm, f, node.elts))


def tuple_display(vm: Vm, f: Frame, node: ast.Tuple) -> Gen:
    return tuple((yield from items(vm, f, node.elts)))


def set_display(vm: Vm, f: Frame, node: ast.Set) -> Gen:
    found = yield from items(vm, f, node.elts)
    f.node = node
    return native(vm, set, found)


def dict_display(vm: Vm, f: Frame, node: ast.Dict) -> Gen:
    found: dict[Any, Any] = {}
    for key, value in zip(node.keys, node.values, strict=True):
        given = yield from _expressions.ev(vm, f, value)
        if key is None:
            known = yield from _calls.mapping(vm, given)
            if known is MISSING:
                raise error("TypeError", f"'{class_of(given).name}' object is not a mapping")
            found.update(known)
        else:
            made = yield from _expressions.ev(vm, f, key)
            f.node = node
            native(vm, found.__setitem__, made, given)
    return found


def comprehension(vm: Vm, f: Frame, node: Any) -> Gen:
    first = yield from _calls.iterate(vm, (yield from _expressions.ev(vm, f, node.generators[0].iter)))
    scope = Scope({}, f.scope.globals, f.scope)
    shown = {ast.ListComp: "<listcomp>", ast.SetComp: "<setcomp>", ast.DictComp: "<dictcomp>"}.get(
        type(node), "<genexpr>"
    )
    inner = Frame(scope, shown, f.filename)
    if type(node) is ast.GeneratorExp:
        return Iterator(_lazy(vm, inner, node, first), name="<genexpr>")
    found: Any = {ast.ListComp: list, ast.SetComp: set, ast.DictComp: dict}[type(node)]()
    body = _rounds(vm, inner, node, 0, first)
    while (each := (yield from _next_round(vm, f, inner, body, node))) is not MISSING:
        if type(node) is ast.ListComp:
            found.append(each)
        elif type(node) is ast.SetComp:
            native(vm, found.add, each)
        else:
            native(vm, found.__setitem__, *each)
        if len(found) > LARGEST // 8:
            raise error("MemoryError")
    vm.grow(8 * len(found))
    return found


def _next_round(vm: Vm, f: Frame, inner: Frame, body: Gen, node: ast.expr) -> Gen:
    """Drive a comprehension to its next element; calls that it makes are passed on."""
    value: Any = None
    problem: PyError | None = None
    while True:
        try:
            asked = body.throw(problem) if problem is not None else body.send(value)
        except StopIteration:
            return MISSING
        except PyError as raised:
            if vm.version >= (3, 12):  # comprehensions are inlined since
                f.node = inner.node
            else:
                came_through(raised, inner)
                f.node = node
            raise
        if type(asked) is Yielded:
            return asked.value
        problem = None
        try:
            value = yield asked
        except PyError as raised:
            problem = raised


def _lazy(vm: Vm, inner: Frame, node: ast.GeneratorExp, first: Any) -> Gen:
    yield from _rounds(vm, inner, node, 0, first)


def _rounds(vm: Vm, f: Frame, node: Any, level: int, it: Any) -> Gen:
    """The loops of a comprehension, each element as `Yielded`."""
    from urltrap.machine.programs.python import _statements

    part = node.generators[level]
    if part.is_async:
        raise Unsupported("async")
    while (value := (yield from _calls.following(vm, it))) is not MISSING:
        vm.steps += 3
        yield from _statements.assign(vm, f, part.target, value)
        wanted = True
        for condition in part.ifs:
            if not (yield from _expressions.truth(vm, (yield from _expressions.ev(vm, f, condition)))):
                wanted = False
                break
        if not wanted:
            continue
        if level + 1 < len(node.generators):
            deeper = yield from _calls.iterate(
                vm, (yield from _expressions.ev(vm, f, node.generators[level + 1].iter))
            )
            yield from _rounds(vm, f, node, level + 1, deeper)
        elif type(node) is ast.DictComp:
            key = yield from _expressions.ev(vm, f, node.key)
            yield Yielded((key, (yield from _expressions.ev(vm, f, node.value))))
        else:
            yield Yielded((yield from _expressions.ev(vm, f, node.elt)))
