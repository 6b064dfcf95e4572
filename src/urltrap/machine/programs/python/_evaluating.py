"""eval, exec and compile."""

from __future__ import annotations

from typing import Any

from urltrap.machine.programs.python import _expressions, _statements
from urltrap.machine.programs.python._objects import Gen, Scope, Thing
from urltrap.machine.programs.python._source import parse
from urltrap.machine.programs.python._vm import Frame, Vm


def evaluate(vm: Vm, source: Any, around: Any = None, names: Any = None) -> Gen:
    """eval."""
    if isinstance(source, Code):
        tree: Any = source.tree
    else:
        tree = parse(vm, source.strip(" \t") if isinstance(source, str) else source, "<string>", "eval")
    frame = _inner_frame(vm, around, names)
    return (yield from vm.enter(frame, _expressions.ev(vm, frame, tree.body)))


def execute(vm: Vm, source: Any, around: Any = None, names: Any = None) -> Gen:
    """exec."""
    tree: Any = source.tree if isinstance(source, Code) else parse(vm, source, "<string>", "exec")
    frame = _inner_frame(vm, around, names)
    if not isinstance(tree.body, list):
        yield from vm.enter(frame, _expressions.ev(vm, frame, tree.body))
        return
    yield from vm.enter(frame, _statements.block(vm, frame, tree.body))


def _inner_frame(vm: Vm, around: Any, names: Any) -> Frame:
    scope = vm.frame.scope
    if around is not None:
        scope = Scope(around if names is None else names, around)
    inner = Scope(scope.vars, scope.globals, scope.parent)
    return Frame(inner, "<module>", "<string>")


class Code(Thing):
    """What compile gives."""

    type_name = "code"

    def __init__(self, tree: Any) -> None:
        self.tree = tree


def compile_(vm: Vm, source: Any, filename: str, mode: str, *rest: Any, **given: Any) -> Code:
    """compile."""
    return Code(parse(vm, source, filename, mode))
