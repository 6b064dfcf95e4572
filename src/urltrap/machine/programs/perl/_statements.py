"""Statements: blocks, conditions, loops; and the copy of what is still to run that fork needs."""

from __future__ import annotations

import copy
from typing import Any

from urltrap.machine.programs.perl import _assign, _eval
from urltrap.machine.programs.perl._values import (
    Gen,
    Jump,
    Node,
    Return,
    Scalar,
    Unsupported,
    truth,
    whole,
)
from urltrap.machine.programs.perl._vm import Frame, Vm


def block(vm: Vm, f: Frame, n: Node, start: int = 0) -> Gen:
    """Run the statements of a block, from the one at `start` on."""
    mark = len(vm.undo)
    cursor = ["block", n, start]
    f.cursors.append(cursor)
    try:
        for at in range(start, len(n.a)):
            cursor[2] = at
            each = n.a[at]
            vm.line = each.line
            how = _STATEMENTS.get(each.k)
            if how is None:
                yield from _eval.ev(vm, f, each)
            else:
                yield from how(vm, f, each)
    finally:
        f.cursors.pop()
        if n.b and len(vm.undo) > mark:
            _assign.unwind(vm, mark)


def value_block(vm: Vm, f: Frame, n: Node, want: Any) -> Gen:
    """Run a block for the value of its last statement: of a sub, do, eval, map."""
    if not n.a:
        return [] if want else None
    mark = len(vm.undo)
    cursor = ["value", n, 0]
    f.cursors.append(cursor)
    try:
        for at in range(len(n.a) - 1):
            cursor[2] = at
            each = n.a[at]
            vm.line = each.line
            how = _STATEMENTS.get(each.k)
            if how is None:
                yield from _eval.ev(vm, f, each)
            else:
                yield from how(vm, f, each)
        cursor[2] = len(n.a) - 1
        last = n.a[-1]
        vm.line = last.line
        if last.k == "if":
            return (yield from _if_value(vm, f, last, want))
        if last.k == "bare" and not last.c:
            return (yield from value_block(vm, f, last.a, want))
        how = _STATEMENTS.get(last.k)
        if how is None:
            found = yield from _eval.ev(vm, f, last, bool(want))
            if n.b and want:
                return [each.v if isinstance(each, Scalar) else each for each in found]
            return found
        yield from how(vm, f, last)
        return [] if want else None
    finally:
        f.cursors.pop()
        if n.b and len(vm.undo) > mark:
            _assign.unwind(vm, mark)


def _if_value(vm: Vm, f: Frame, n: Node, want: Any) -> Gen:
    value: Any = None
    for cond, body in n.a:
        value = yield from _eval.ev(vm, f, cond)
        if truth(value):
            return (yield from value_block(vm, f, body, want))
    if n.b is not None:
        return (yield from value_block(vm, f, n.b, want))
    return [value] if want else value


def _if(vm: Vm, f: Frame, n: Node) -> Gen:
    for cond, body in n.a:
        if truth((yield from _eval.ev(vm, f, cond))):
            yield from block(vm, f, body)
            return
    if n.b is not None:
        yield from block(vm, f, n.b)


def _bare(vm: Vm, f: Frame, n: Node) -> Gen:
    """A block of its own is a loop that runs once."""
    f.cursors.append(["loop", n, None])
    try:
        while True:
            try:
                yield from block(vm, f, n.a)
            except Jump as jump:
                if jump.label and jump.label != n.b:
                    raise
                if jump.how == "redo":
                    continue
            break
        if n.c is not None:
            yield from block(vm, f, n.c)
    finally:
        f.cursors.pop()


def _turn(vm: Vm, f: Frame, body: Node, label: str) -> Gen:
    """One turn of a loop; True where it was the last."""
    while True:
        try:
            yield from block(vm, f, body)
        except Jump as jump:
            if jump.label and jump.label != label:
                raise
            if jump.how == "redo":
                continue
            return jump.how == "last"
        return False


def _while(vm: Vm, f: Frame, n: Node) -> Gen:
    f.cursors.append(["loop", n, None])
    try:
        while truth((yield from _eval.ev(vm, f, n.a))):
            if (yield from _turn(vm, f, n.b, n.c)):
                break
            if n.d is not None:
                yield from block(vm, f, n.d)
            vm.line = n.line or vm.line
            if vm.steps > 400:
                yield from vm.spend()
            vm.steps += 4
    finally:
        f.cursors.pop()


def _do_while(vm: Vm, f: Frame, n: Node) -> Gen:
    f.cursors.append(["loop", n, None])
    try:
        while True:
            yield from _eval.ev(vm, f, n.a)
            vm.steps += 4
            if truth((yield from _eval.ev(vm, f, n.b))) is bool(n.c):
                break
    finally:
        f.cursors.pop()


def _for(vm: Vm, f: Frame, n: Node, begun: bool = False) -> Gen:
    label, step = n.d
    if n.a is not None and not begun:
        yield from _eval.ev(vm, f, n.a)
    f.cursors.append(["loop", n, None])
    vm.p.advance(begins=True)
    try:
        while truth((yield from _eval.ev(vm, f, n.b))):
            if (yield from _turn(vm, f, n.c, label)):
                break
            if step is not None:
                yield from _eval.ev(vm, f, step)
                vm.p.advance()
            vm.steps += 4
    finally:
        f.cursors.pop()


class _Items:
    """The items of a foreach, and how far it came."""

    __slots__ = ("all", "at")

    def __init__(self, items: Any) -> None:
        self.all = items
        self.at = 0


def _foreach(vm: Vm, f: Frame, n: Node, items: Any = None) -> Gen:
    label, after = n.d
    if items is None:
        source = n.b.a[0] if n.b.k == "list" and len(n.b.a) == 1 else n.b
        if source.k == "range":
            first, last = (yield from _eval.ev(vm, f, source.a)), (yield from _eval.ev(vm, f, source.b))
            if isinstance(first, (int, float)) and isinstance(last, (int, float)):
                items = range(whole(first), whole(last) + 1)
        if items is None:
            items = yield from _eval.ev(vm, f, n.b, True)
        items = _Items(items)
    cursor = ["loop", n, items]
    f.cursors.append(cursor)
    vm.p.advance(begins=True)
    var = n.a
    lexical = var.k == "$pad"
    before = f.pad[var.a] if lexical else vm.sv(var.a)
    try:
        while items.at < len(items.all):
            each = items.all[items.at]
            items.at += 1
            place = each if isinstance(each, Scalar) else Scalar(each)
            if lexical:
                f.pad[var.a] = place
            else:
                vm.scalars[var.a] = place
            if (yield from _turn(vm, f, n.c, label)):
                break
            vm.p.advance()
            if after is not None:
                yield from block(vm, f, after)
            vm.steps += 4
    finally:
        f.cursors.pop()
        if lexical:
            f.pad[var.a] = before
        else:
            vm.scalars[var.a] = before


def _sub(vm: Vm, f: Frame, n: Node) -> Gen:
    """A named sub is defined before anything runs."""
    yield from ()
    return


def _package(vm: Vm, f: Frame, n: Node) -> Gen:
    yield from ()
    vm.package = n.a
    return


def _phase(vm: Vm, f: Frame, n: Node) -> Gen:
    """INIT and CHECK run in their place."""
    from urltrap.machine.programs.perl import _calls

    yield from _calls.call_code(vm, _calls.closure(vm, f, n.a), [], False)


_STATEMENTS: dict[str, Any] = {
    "if": _if, "bare": _bare, "while": _while, "dowhile": _do_while, "for": _for, "foreach": _foreach, "sub": _sub,
    "nop": _sub, "package": _package, "phase": _phase,
}  # fmt: skip


# fork
def twin(vm: Vm) -> tuple[Vm, list[tuple[Frame, list[list[Any]]]]]:
    """A copy of all variables and of how far each call has come; Unsupported where that cannot be said."""
    state: list[tuple[Frame, list[list[Any]]]] = []
    for frame in vm.frames:
        state.append((frame, frame.cursors))
    try:
        made, frames = copy.deepcopy((vm, state))
    except (RecursionError, TypeError) as problem:
        raise Unsupported("fork") from problem
    return made, frames


def go_on(vm: Vm, frames: list[tuple[Frame, list[list[Any]]]]) -> Gen:
    """Run what is left of a program that was copied in the middle, the statement that forked first."""
    for depth in range(len(frames) - 1, -1, -1):
        frame, cursors = frames[depth]
        vm.frames[:] = [each for each, _ in frames[: depth + 1]]
        innermost = depth == len(frames) - 1
        frame.cursors = []
        try:
            yield from _resume(vm, frame, cursors, 0, innermost)
        except Return:
            if depth == 0:
                raise
    vm.frames[:] = [frames[0][0]]


def _inside(vm: Vm, f: Frame, cursors: list[list[Any]], at: int, again: bool) -> Gen:
    """What is left within a block or loop, which stays known for the next fork."""
    f.cursors.append(cursors[at])
    try:
        yield from _resume(vm, f, cursors, at + 1, again)
    finally:
        f.cursors.pop()


def _resume(vm: Vm, f: Frame, cursors: list[list[Any]], at: int, again: bool) -> Gen:
    """The rest from the cursor at `at` inwards, then what follows it; `again` runs the innermost statement anew."""
    if at >= len(cursors):
        return
    kind, n, where = cursors[at]
    if kind in ("block", "value"):
        if at + 1 < len(cursors):
            yield from _inside(vm, f, cursors, at, again)
            yield from block(vm, f, n, where + 1)
        else:
            if not again and n.a[where].k not in ("call", "sassign", "method", "and", "or", "bareword", "if"):
                raise Unsupported("fork within an expression")
            yield from block(vm, f, n, where if again else where + 1)
        return
    label = n.c if n.k == "while" else n.b if n.k == "bare" else n.d[0] if isinstance(n.d, tuple) else ""
    ended = False
    try:
        yield from _inside(vm, f, cursors, at, again)
    except Jump as jump:
        if jump.label and jump.label != label:
            raise
        ended = jump.how == "last"
    if ended or n.k == "bare":
        return
    if n.k == "while":
        yield from _while(vm, f, n)
    elif n.k == "for":
        if n.d[1] is not None:
            yield from _eval.ev(vm, f, n.d[1])
        yield from _for(vm, f, n, True)
    elif n.k == "foreach":
        yield from _foreach(vm, f, n, where)
    elif n.k == "dowhile":
        yield from _do_while(vm, f, n)
