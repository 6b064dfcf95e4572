# ruff: noqa: E501 - tables of names read best with several on a line
"""Expressions: each kind of node of the syntax tree, as a generator that answers its value."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

from urltrap.machine.programs.python import _access, _calls, _displays, _text
from urltrap.machine.programs.python._objects import (
    MISSING,
    Bound,
    Class,
    Function,
    Gen,
    Instance,
    Iterator,
    PyError,
    Scope,
    Thing,
    Unsupported,
    Yielded,
    class_of,
    error,
)
from urltrap.machine.programs.python._vm import LARGEST, Frame, Vm, native

_OURS = (Instance, Thing, Class, Function, Bound)
_BITS = 1_000_000


def ev(vm: Vm, f: Frame, node: ast.expr) -> Gen:
    """The value of an expression."""
    vm.steps += 4
    if vm.steps > 400:
        yield from vm.spend()
    kind = type(node)
    if kind is ast.Constant:
        return node.value  # type: ignore[attr-defined]
    if kind is ast.Name:
        return name(vm, f, node)  # type: ignore[arg-type]
    how = _HOW.get(kind)
    if how is None:
        raise Unsupported(kind.__name__)
    return (yield from how(vm, f, node))


def name(vm: Vm, f: Frame, node: ast.Name) -> Any:
    """The value of a name."""
    wanted = node.id
    scope: Scope | None = f.scope
    assert scope is not None
    found = scope.vars.get(wanted, MISSING)
    if found is not MISSING and wanted not in scope.shared:
        return found
    if wanted in scope.locals:
        f.node = node
        raise error(
            "UnboundLocalError",
            f"cannot access local variable '{wanted}' where it is not associated with a value",
        )
    how = scope.shared.get(wanted)
    if how != "global":
        scope = scope.parent
        while scope is not None:
            if wanted in scope.vars:
                return scope.vars[wanted]
            scope = scope.parent
    found = f.scope.globals.get(wanted, MISSING)
    if found is MISSING:
        found = vm.builtins.get(wanted, MISSING)
        if found is MISSING:
            f.node = node
            raise error("NameError", f"name '{wanted}' is not defined", name=wanted, __scope__=f.scope)
    return found


def store(f: Frame, wanted: str, value: Any) -> None:
    """Assign to a name."""
    scope = f.scope
    how = scope.shared.get(wanted) if scope.shared else None
    if how == "global":
        scope.globals[wanted] = value
    elif how == "nonlocal":
        outer = scope.parent
        while outer is not None and wanted not in outer.vars:
            outer = outer.parent
        (outer or scope).vars[wanted] = value
    else:
        scope.vars[wanted] = value


# operators
_OPERATORS: dict[type, tuple[Callable[[Any, Any], Any], str, str]] = {
    ast.Add: (operator.add, "+", "add"), ast.Sub: (operator.sub, "-", "sub"), ast.Mult: (operator.mul, "*", "mul"),
    ast.Div: (operator.truediv, "/", "truediv"), ast.FloorDiv: (operator.floordiv, "//", "floordiv"),
    ast.Mod: (operator.mod, "%", "mod"), ast.Pow: (operator.pow, "** or pow()", "pow"),
    ast.LShift: (operator.lshift, "<<", "lshift"), ast.RShift: (operator.rshift, ">>", "rshift"),
    ast.BitAnd: (operator.and_, "&", "and"), ast.BitOr: (operator.or_, "|", "or"),
    ast.BitXor: (operator.xor, "^", "xor"), ast.MatMult: (operator.matmul, "@", "matmul"),
}  # fmt: skip
_IN_PLACE: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.iadd, ast.Mult: operator.imul, ast.BitOr: operator.ior, ast.BitAnd: operator.iand,
    ast.Sub: operator.isub, ast.BitXor: operator.ixor,
}  # fmt: skip


def binary(vm: Vm, kind: type, left: Any, right: Any, in_place: bool = False) -> Gen:
    """A binary operator on two values."""
    does, sign, method = _OPERATORS[kind]
    if in_place and isinstance(left, list) and kind is ast.Add and type(right) is not list:
        left.extend((yield from _calls.listed(vm, right)))
        return left
    ours = isinstance(left, _OURS) or isinstance(right, _OURS)
    if ours:
        if in_place and type(left) is Instance and (found := left.cls.find(f"__i{method}__")) is not MISSING:
            value = yield from _calls.call(vm, found, (left, right))
            if value is not NotImplemented:
                return value
        for one, other, called in ((left, right, f"__{method}__"), (right, left, f"__r{method}__")):
            if type(one) is Instance and (found := one.cls.find(called)) is not MISSING:
                value = yield from _calls.call(vm, found, (one, other))
                if value is not NotImplemented:
                    return value
        for one, other, back in ((left, right, False), (right, left, True)):
            if isinstance(one, Thing) and hasattr(one, "binary"):
                value = one.binary(vm, method, other, back)
                if value is not NotImplemented:
                    return value
        if kind is ast.Mod and isinstance(left, (str, bytes)):
            return (yield from _text.percent(vm, left, right))
        if isinstance(left, (str, bytes, list, tuple)) and kind is ast.Add:
            shown = type(left).__name__
            raise error(
                "TypeError", f'can only concatenate {shown} (not "{class_of(right).name}") to {shown}'
                if not isinstance(left, bytes) else f"can't concat {class_of(right).name} to bytes",
            )  # fmt: skip
        equals = "=" if in_place else ""
        raise error(
            "TypeError",
            f"unsupported operand type(s) for {sign if not in_place else sign.partition(' ')[0]}{equals}: "
            f"'{class_of(left).name}' and '{class_of(right).name}'",
        )
    if kind is ast.Mod and isinstance(left, (str, bytes)):
        return (yield from _text.percent(vm, left, right))
    _guard(vm, kind, left, right)
    if in_place and kind in _IN_PLACE:
        does = _IN_PLACE[kind]
    value = native(vm, does, left, right)
    if isinstance(value, (str, bytes, list, tuple, bytearray)) and len(value) > 512:
        vm.steps += len(value) >> 9
        vm.grow(len(value))
    return value


def _guard(vm: Vm, kind: type, left: Any, right: Any) -> None:
    """MemoryError before the host would try: products and powers without bounds."""
    if kind is ast.Mult:
        for one, times in ((left, right), (right, left)):
            if isinstance(one, (str, bytes, list, tuple, bytearray)) and isinstance(times, int):
                if len(one) * times > LARGEST:
                    raise error("MemoryError")
                vm.steps += max(0, len(one) * times) >> 9
        if isinstance(left, int) and isinstance(right, int):
            bits = left.bit_length() + right.bit_length()
            if bits > _BITS:
                raise error("MemoryError")
            vm.steps += bits * bits >> 22
    elif kind is ast.Pow and isinstance(left, int) and isinstance(right, int) and right > 0:
        bits = left.bit_length() * right
        if bits > _BITS and abs(left) > 1:
            raise error("MemoryError")
        vm.steps += bits * bits >> 22
    elif kind is ast.LShift and isinstance(right, int) and isinstance(left, int):
        if right > _BITS and left:
            raise error("MemoryError")
    elif kind in (ast.FloorDiv, ast.Mod) and isinstance(left, int) and isinstance(right, int):
        vm.steps += left.bit_length() * right.bit_length() >> 22


def _bin_op(vm: Vm, f: Frame, node: ast.BinOp) -> Gen:
    # "a" + "b" + … of hundreds leans to the left: it is walked, not nested.
    chain = [node]
    while type(chain[-1].left) is ast.BinOp:
        chain.append(chain[-1].left)
    left = yield from ev(vm, f, chain[-1].left)
    for each in reversed(chain):
        right = yield from ev(vm, f, each.right)
        f.node = each
        left = yield from binary(vm, type(each.op), left, right)
    return left


def _unary(vm: Vm, f: Frame, node: ast.UnaryOp) -> Gen:
    value = yield from ev(vm, f, node.operand)
    f.node = node
    kind = type(node.op)
    if kind is ast.Not:
        return not (yield from truth(vm, value))
    does, sign, method = {
        ast.USub: (operator.neg, "-", "__neg__"), ast.UAdd: (operator.pos, "+", "__pos__"),
        ast.Invert: (operator.invert, "~", "__invert__"),
    }[kind]  # fmt: skip
    if isinstance(value, _OURS):
        if type(value) is Instance and (found := value.cls.find(method)) is not MISSING:
            return (yield from _calls.call(vm, found, (value,)))
        raise error("TypeError", f"bad operand type for unary {sign}: '{class_of(value).name}'")
    return native(vm, lambda: does(value))  # type: ignore[operator]


def truth(vm: Vm, value: Any) -> Gen:
    """Whether a value is true."""
    if type(value) is Instance:
        for method in ("__bool__", "__len__"):
            if (found := value.cls.find(method)) is not MISSING:
                return bool((yield from _calls.call(vm, found, (value,))))
        return True
    if isinstance(value, _OURS):
        return value.truth() if hasattr(value, "truth") else True
    return bool(value)


def _bool_op(vm: Vm, f: Frame, node: ast.BoolOp) -> Gen:
    ends = type(node.op) is ast.Or
    value: Any = None
    for each in node.values:
        value = yield from ev(vm, f, each)
        if (yield from truth(vm, value)) is ends:
            return value
    return value


_COMPARISONS: dict[type, tuple[Callable[[Any, Any], Any], str, str, str]] = {
    ast.Eq: (operator.eq, "==", "__eq__", "__eq__"), ast.NotEq: (operator.ne, "!=", "__ne__", "__ne__"),
    ast.Lt: (operator.lt, "<", "__lt__", "__gt__"), ast.LtE: (operator.le, "<=", "__le__", "__ge__"),
    ast.Gt: (operator.gt, ">", "__gt__", "__lt__"), ast.GtE: (operator.ge, ">=", "__ge__", "__le__"),
}  # fmt: skip


def compare(vm: Vm, kind: type, left: Any, right: Any) -> Gen:
    """One comparison."""
    if kind is ast.Is:
        return left is right
    if kind is ast.IsNot:
        return left is not right
    if kind in (ast.In, ast.NotIn):
        return (yield from _contains(vm, right, left)) is (kind is ast.In)
    does, sign, method, mirrored = _COMPARISONS[kind]
    if isinstance(left, _OURS) or isinstance(right, _OURS):
        for one, other, called in ((left, right, method), (right, left, mirrored)):
            if type(one) is Instance and (found := one.cls.find(called)) is not MISSING:
                value = yield from _calls.call(vm, found, (one, other))
                if value is not NotImplemented:
                    return value
            if isinstance(one, Thing) and hasattr(one, "compare"):
                value = one.compare(called, other)
                if value is not NotImplemented:
                    return value
        if kind is ast.NotEq and type(left) is Instance and left.cls.find("__eq__") is not MISSING:
            return not (yield from compare(vm, ast.Eq, left, right))
        if kind in (ast.Eq, ast.NotEq):
            return (left is right) is (kind is ast.Eq)
        raise error(
            "TypeError",
            f"'{sign}' not supported between instances of '{class_of(left).name}' and '{class_of(right).name}'",
        )
    if isinstance(left, (str, bytes, list, tuple)) and len(left) > 4096:
        vm.steps += len(left) >> 10
    return native(vm, does, left, right)


def _contains(vm: Vm, container: Any, wanted: Any) -> Gen:
    if type(container) is Instance and (found := container.cls.find("__contains__")) is not MISSING:
        return (yield from truth(vm, (yield from _calls.call(vm, found, (container, wanted)))))
    if isinstance(container, Thing) and hasattr(container, "contains"):
        return bool(container.contains(wanted))
    walked = isinstance(container, range) and _calls.is_long(container) and not isinstance(wanted, int)
    if walked or isinstance(container, (Instance, Iterator)) or hasattr(container, "__next__"):
        it = yield from _calls.iterate(vm, container)
        while (each := (yield from _calls.following(vm, it))) is not MISSING:
            vm.steps += 3
            if vm.steps > 400:
                yield from vm.spend()
            if (yield from compare(vm, ast.Eq, each, wanted)):
                return True
        return False
    if isinstance(container, _OURS):
        raise error("TypeError", f"argument of type '{class_of(container).name}' is not iterable")
    if isinstance(container, (list, tuple, str, bytes)):
        vm.steps += len(container) >> 6
    if isinstance(container, str) and isinstance(wanted, _OURS):
        raise error(
            "TypeError", f"'in <string>' requires string as left operand, not {class_of(wanted).name}"
        )
    return native(vm, operator.contains, container, wanted)


def _compare_node(vm: Vm, f: Frame, node: ast.Compare) -> Gen:
    left = yield from ev(vm, f, node.left)
    value: Any = True
    for op, each in zip(node.ops, node.comparators, strict=True):
        right = yield from ev(vm, f, each)
        f.node = node
        value = yield from compare(vm, type(op), left, right)
        if not (yield from truth(vm, value)):
            return value
        left = right
    return value


def _call(vm: Vm, f: Frame, node: ast.Call) -> Gen:
    function = yield from ev(vm, f, node.func)
    args = yield from _displays.items(vm, f, node.args, function)
    keywords: dict[str, Any] = {}
    for each in node.keywords:
        value = yield from ev(vm, f, each.value)
        if each.arg is not None:
            value = {each.arg: value}
        f.node = node
        known = yield from _calls.mapping(vm, value)
        if known is MISSING:
            shown = _calls.shown_name(function)
            raise error(
                "TypeError", f"{shown} argument after ** must be a mapping, not {class_of(value).name}"
            )
        for name_, one in known.items():
            if not isinstance(name_, str):
                raise error("TypeError", "keywords must be strings")
            if name_ in keywords:
                shown = _calls.shown_name(function)
                raise error("TypeError", f"{shown} got multiple values for keyword argument '{name_}'")
            keywords[name_] = one
    f.node = node
    vm.steps += 6
    return (yield from _calls.call(vm, function, args, keywords))


def _attribute(vm: Vm, f: Frame, node: ast.Attribute) -> Gen:
    value = yield from ev(vm, f, node.value)
    f.node = node
    return (yield from _access.attribute(vm, value, node.attr))


def _subscript(vm: Vm, f: Frame, node: ast.Subscript) -> Gen:
    value = yield from ev(vm, f, node.value)
    index = yield from ev(vm, f, node.slice)
    f.node = node
    return (yield from _access.item(vm, value, index))


def _slice(vm: Vm, f: Frame, node: ast.Slice) -> Gen:
    parts = []
    for each in (node.lower, node.upper, node.step):
        parts.append(None if each is None else (yield from ev(vm, f, each)))
    return slice(*parts)


def _if_exp(vm: Vm, f: Frame, node: ast.IfExp) -> Gen:
    holds = yield from truth(vm, (yield from ev(vm, f, node.test)))
    return (yield from ev(vm, f, node.body if holds else node.orelse))


def _lambda(vm: Vm, f: Frame, node: ast.Lambda) -> Gen:
    from urltrap.machine.programs.python import _statements

    return (yield from _statements.make_function(vm, f, "<lambda>", node.args, node.body))


def _named(vm: Vm, f: Frame, node: ast.NamedExpr) -> Gen:
    value = yield from ev(vm, f, node.value)
    store(f, node.target.id, value)
    return value


def _joined(vm: Vm, f: Frame, node: ast.JoinedStr) -> Gen:
    out: list[str] = []
    for each in node.values:
        if type(each) is ast.Constant:
            out.append(str(each.value))
        else:
            out.append((yield from _formatted(vm, f, each)))  # type: ignore[arg-type]
    text = "".join(out)
    vm.grow(len(text))
    return text


def _formatted(vm: Vm, f: Frame, node: ast.FormattedValue) -> Gen:
    value = yield from ev(vm, f, node.value)
    f.node = node
    if node.conversion in (114, 97):
        value = yield from _text.represent(vm, value)
        if node.conversion == 97:
            value = _text.to_ascii(value)
    elif node.conversion == 115:
        value = yield from _text.string(vm, value)
    spec = "" if node.format_spec is None else (yield from ev(vm, f, node.format_spec))
    return (yield from _text.formatted(vm, value, spec))


def _yield(vm: Vm, f: Frame, node: ast.Yield) -> Gen:
    value = None if node.value is None else (yield from ev(vm, f, node.value))
    return (yield Yielded(value))


def _yield_from(vm: Vm, f: Frame, node: ast.YieldFrom) -> Gen:
    it = yield from _calls.iterate(vm, (yield from ev(vm, f, node.value)))
    sent: Any = None
    thrown: PyError | None = None
    while True:
        if isinstance(it, Iterator):
            each = yield from vm.resume(it, sent, thrown)
        elif thrown is not None:
            raise thrown
        else:
            each = yield from _calls.following(vm, it)
        if each is MISSING:
            return it.result if isinstance(it, Iterator) else None
        thrown = None
        try:
            sent = yield Yielded(each)
        except PyError as problem:
            thrown = problem


_HOW: dict[type, Callable[..., Gen]] = {
    ast.BinOp: _bin_op, ast.UnaryOp: _unary, ast.BoolOp: _bool_op, ast.Compare: _compare_node, ast.List: _displays.list_display,
    ast.Tuple: _displays.tuple_display, ast.Set: _displays.set_display, ast.Dict: _displays.dict_display, ast.ListComp: _displays.comprehension, ast.SetComp: _displays.comprehension,
    ast.DictComp: _displays.comprehension, ast.GeneratorExp: _displays.comprehension, ast.Call: _call, ast.Attribute: _attribute,
    ast.Subscript: _subscript, ast.Slice: _slice, ast.IfExp: _if_exp, ast.Lambda: _lambda, ast.NamedExpr: _named,
    ast.JoinedStr: _joined, ast.FormattedValue: _formatted, ast.Yield: _yield, ast.YieldFrom: _yield_from,
}  # fmt: skip
