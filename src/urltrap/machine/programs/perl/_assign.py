"""Assignments: of scalars and lists, with operators, ++ and --, local, state, and through substr."""

from __future__ import annotations

from typing import Any

from urltrap.machine.programs.perl import _eval, _operators, _places, _warnings
from urltrap.machine.programs.perl._values import (
    Array,
    Code,
    Gen,
    Glob,
    Hash,
    Magic,
    Node,
    Ref,
    Scalar,
    Unsupported,
    fresh,
    hash_of,
    string,
    truth,
    values,
    whole,
)
from urltrap.machine.programs.perl._vm import Frame, Vm


def scalar_assign(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    """$x = …"""
    value = yield from _eval.ev(vm, f, n.b)
    left = n.a
    if left.k == "*glob" or left.k == "*deref" or (left.k == "local" and left.a.k == "*glob"):
        yield from _assign_glob(vm, f, left, value)
        return [value] if w else value
    if left.k == "func" and left.a != "substr":
        if left.a != "pos":
            raise Unsupported(f"an assignment to {left.a}")
        from urltrap.machine.programs.perl._matching import set_position

        yield from set_position(vm, f, left, value)
        return [value] if w else value
    place = yield from _places.scalar(vm, f, left)
    try:
        place.set(value)
    except Exception as problem:
        raise _located(vm, problem) from None
    return [place] if w else value


def _located(vm: Vm, problem: Exception) -> Exception:
    from urltrap.machine.programs.perl._values import PerlDie

    if isinstance(problem, PerlDie) and not problem.located:
        return vm.die(str(problem.value))
    return problem


def _assign_glob(vm: Vm, f: Frame, left: Node, value: Any) -> Gen:
    if left.k == "local":
        yield from localize(vm, f, left.a)
        left = left.a
    if left.k == "*deref":
        name = string((yield from _eval.ev(vm, f, left.a))).removeprefix("*")
        name = name if "::" in name else f"main::{name}"
    else:
        name = left.a
    if isinstance(value, Glob):
        target, source = vm.glob(name), value
        target.io, target.dir = source.io, source.dir
        tables: tuple[dict[str, Any], ...] = (vm.scalars, vm.arrays, vm.hashes, vm.subs)
        for table in tables:
            if source.name in table:
                table[name] = table[source.name]
        return
    if type(value) is not Ref:
        raise Unsupported("an assignment to a glob")
    what = value.t
    if isinstance(what, Code):
        vm.subs[name] = what
        vm.compiling.subs.add(name)
    elif isinstance(what, Array):
        vm.arrays[name] = what
    elif isinstance(what, Hash):
        vm.hashes[name] = what
    elif isinstance(what, Glob):
        vm.glob(name).io = what.io
    else:
        vm.scalars[name] = what


def op_assign(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    """$x += …, and ||=, which looks first."""
    op = n.a
    if n.b.k[0] == "@" or (n.b.k == "list" and op == "x"):
        return (yield from _array_op(vm, f, n, w))
    place = yield from _places.scalar(vm, f, n.b)
    if op in ("||", "&&", "//"):
        value = place.v
        done = truth(value) if op == "||" else not truth(value) if op == "&&" else value is not None
        if not done:
            value = yield from _eval.ev(vm, f, n.c)
            place.set(value)
        return [place] if w else value
    right = yield from _eval.ev(vm, f, n.c)
    left = place.v
    if vm.warnings and (right is None or (left is None and op not in ("+", "-", ".", "|", "^"))):
        yield from _warnings.operands(
            vm, f, Node("bin", n.line, op, n.b, n.c), left if left is not None else "", right
        )
    value = _operators.binary(vm, op, left, right)
    place.set(value)
    return [place] if w else value


def _array_op(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    where = yield from _places.array(vm, f, n.b)
    if n.a == "x":
        times = whole((yield from _eval.ev(vm, f, n.c)))
        vm.grow(8 * len(where.a) * max(0, times))
        where.a = fresh(list(where.a) * times)
    elif n.a in ("||", "//"):
        if not where.a:
            where.a = fresh((yield from _eval.ev(vm, f, n.c, True)))
    else:
        raise Unsupported(f"@array {n.a}=")
    return list(where.a) if w else len(where.a)


def list_assign(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    """(…) = …: in scalar context the number of items on the right."""
    items = values((yield from _eval.ev(vm, f, n.b, True)))
    vm.grown += 64 * len(items)
    vm.steps += len(items) >> 2
    left = n.a
    kept: list[Any] = []
    yield from _spread(vm, f, left, list(items), kept)
    return kept if w else len(items)


def _spread(vm: Vm, f: Frame, left: Node, items: list[Any], kept: list[Any]) -> Gen:
    if left.k == "local":
        yield from localize(vm, f, left.a)
        left = left.a
    nodes = left.a if left.k in ("my", "list") else [left]
    declares = left.k == "my"
    for each in nodes:
        k = each.k
        if k == "func" and each.a == "undef" and not each.b:
            del items[:1]
        elif k[0] == "@" or (k == "my" and each.a[0].k[0] == "@"):
            where = _places.introduce(f, each) if declares else (yield from _places.array(vm, f, each))
            where.a = fresh(items)
            kept += where.a
            items.clear()
        elif k[0] == "%" or (k == "my" and each.a[0].k[0] == "%"):
            table = _places.introduce(f, each) if declares else (yield from _places.hash_(vm, f, each))
            table.h = hash_of(items)
            table.place = None
            kept += items
            items.clear()
        elif k in ("aslice", "hslice"):
            for place in (yield from _slice_places(vm, f, each)):
                place.set(items.pop(0) if items else None)
                kept.append(place)
        elif k in ("my", "list") and (k == "list" or each.b):
            yield from _spread(vm, f, each, items, kept)
        elif k == "local":
            yield from localize(vm, f, each.a)
            yield from _spread(vm, f, each.a, items, kept)
        else:
            place = _places.introduce(f, each) if declares else (yield from _places.scalar(vm, f, each))
            place.set(items.pop(0) if items else None)
            kept.append(place)


def _slice_places(vm: Vm, f: Frame, n: Node) -> Gen:
    keys = values((yield from _eval.ev(vm, f, n.b, True)))
    if n.k == "aslice":
        where = yield from _places.array(vm, f, n.a)
        return [where.at(whole(each)) for each in keys]
    table = yield from _places.hash_(vm, f, n.a)
    return [table.at(string(each)) for each in keys]


def state(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    """state $x = …: once."""
    key = (id(n), id(f.code))
    kept = vm.state.get(key)
    variables = n.a.a
    if kept is None:
        kept = vm.state[key] = [_places.introduce(f, each) for each in variables]
        if n.c:
            yield from list_assign(
                vm, f, Node("lassign", n.line, Node("list", n.line, variables, True), n.b), False
            )
        else:
            kept[0].set((yield from _eval.ev(vm, f, n.b)))
    for each, variable in zip(variables, kept, strict=True):
        f.pad[each.a] = variable
    return [kept[0]] if w else getattr(kept[0], "v", None)


def preop(vm: Vm, f: Frame, n: Node) -> Gen:
    """++$x"""
    place = yield from _places.scalar(vm, f, n.b)
    value = _operators.increment(place.v) if n.a == "++" else _operators.binary(vm, "-", place.v, 1)
    place.set(value)
    return value


def postop(vm: Vm, f: Frame, n: Node) -> Gen:
    """$x++"""
    place = yield from _places.scalar(vm, f, n.b)
    before = place.v
    place.set(_operators.increment(before) if n.a == "++" else _operators.binary(vm, "-", before, 1))
    return 0 if before is None else before


def substr_place(vm: Vm, f: Frame, n: Node) -> Gen:
    """substr() that is assigned to."""
    place = yield from _places.scalar(vm, f, n.b[0])
    offset = whole((yield from _eval.ev(vm, f, n.b[1])))
    size = None if len(n.b) < 3 else whole((yield from _eval.ev(vm, f, n.b[2])))

    def bounds() -> tuple[int, int]:
        length = len(string(place.v))
        start = max(0, offset + length if offset < 0 else min(offset, length))
        end = length if size is None else (start + size if size >= 0 else length + size)
        return start, max(start, min(end, length))

    def get() -> str:
        start, end = bounds()
        return string(place.v)[start:end]

    def put(value: Any) -> None:
        start, end = bounds()
        text = string(place.v)
        place.set(text[:start] + string(value) + text[end:])

    return Magic(get, put)


def localize(vm: Vm, f: Frame, n: Node) -> Gen:
    """local: the value comes back at the end of the block."""
    k = n.k
    if k == "list":
        for each in n.a:
            yield from localize(vm, f, each)
    elif k == "$glob":
        name = n.a
        before = vm.sv(name)
        if isinstance(before, Magic):
            kept = before.v
            vm.undo.append(_Restore("set", before, kept))
        else:
            vm.scalars[name] = Scalar()
            vm.undo.append(_Restore("entry", vm.scalars, name, before))
    elif k == "@glob":
        if n.a == "main::_":
            vm.undo.append(_Restore("items", f.args, f.args.a))
            f.args.a = []
        else:
            vm.undo.append(_Restore("entry", vm.arrays, n.a, vm.av(n.a)))
            vm.arrays[n.a] = Array()
    elif k == "%glob":
        vm.undo.append(_Restore("entry", vm.hashes, n.a, vm.hv(n.a)))
        vm.hashes[n.a] = Hash()
    elif k == "helem":
        table = yield from _places.hash_(vm, f, n.a)
        key = yield from _places.hash_key(vm, f, n.b)
        vm.undo.append(_Restore("key", table, key, table.h.get(key)))
        table.h[key] = Scalar()
    elif k == "aelem":
        where = yield from _places.array(vm, f, n.a)
        index = whole((yield from _eval.ev(vm, f, n.b)))
        before = where.at(index)
        vm.undo.append(_Restore("index", where, index, before))
        where.a[index] = Scalar()
    elif k == "*glob":
        vm.undo.append(_Restore("entry", vm.globs, n.a, vm.glob(n.a)))
        vm.globs[n.a] = Glob(n.a)
    elif k in ("sassign", "lassign"):
        yield from localize(vm, f, n.a)
        yield from _eval.ev(vm, f, n)
    else:
        raise Unsupported(f"local {k}")


class _Restore:
    """What the end of a block gives back."""

    __slots__ = ("how", "parts")

    def __init__(self, how: str, *parts: Any) -> None:
        self.how, self.parts = how, parts

    def __call__(self) -> None:
        one, *rest = self.parts
        if self.how == "set":
            one.set(rest[0])
        elif self.how == "entry":
            one[rest[0]] = rest[1]
        elif self.how == "items":
            one.a = rest[0]
        elif self.how == "index":
            if -len(one.a) <= rest[0] < len(one.a):
                one.a[rest[0]] = rest[1]
        elif rest[1] is None:
            one.h.pop(rest[0], None)
        else:
            one.h[rest[0]] = rest[1]


def unwind(vm: Vm, mark: int) -> None:
    """Give back what was made local since the mark."""
    while len(vm.undo) > mark:
        vm.undo.pop()()
