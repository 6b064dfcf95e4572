"""Expressions: the value of each kind of node, in scalar or in list context.

`ev(vm, f, n)` gives a value; `ev(vm, f, n, True)` a list whose items are values, or `Scalar` where they are variables.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from urltrap.machine.programs.perl import _assign, _calls, _operators, _places, _warnings
from urltrap.machine.programs.perl._values import (
    LARGEST,
    Array,
    Code,
    Gen,
    Glob,
    Jump,
    Magic,
    Node,
    Ref,
    Return,
    Scalar,
    Unsupported,
    fresh,
    string,
    truth,
    value_of,
    values,
    whole,
)
from urltrap.machine.programs.perl._vm import Frame, Vm


def ev(vm: Vm, f: Frame, n: Node, w: bool = False) -> Gen:
    """The value of an expression; a list where `w`."""
    vm.steps += 4
    if vm.steps > 400:
        yield from vm.spend()
    k = n.k
    if k == "const":
        return [n.a] if w else n.a
    if k == "$pad":
        found = f.pad[n.a]
        if found is None:
            found = f.pad[n.a] = Scalar()
        return [found] if w else found.v
    how = _SCALARS.get(k)
    if how is not None:
        value = yield from how(vm, f, n)
        return [value] if w else value
    either = _CONTEXT.get(k)
    if either is None:
        raise Unsupported(k)
    return (yield from either(vm, f, n, w))


def true(vm: Vm, f: Frame, n: Node) -> Gen:
    """Whether an expression is true."""
    return truth((yield from ev(vm, f, n)))


def listed(vm: Vm, f: Frame, nodes: list[Node]) -> Gen:
    """The items of several expressions."""
    found: list[Any] = []
    for each in nodes:
        found += yield from ev(vm, f, each, True)
    if len(found) > LARGEST // 8:
        raise vm.die("Out of memory!")
    return found


# variables
def _global(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    yield from ()
    found = vm.sv(n.a)
    return [found] if w else found.v


def _array(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    k = n.k
    if k == "@deref" and not w:
        found = yield from _places.deref(vm, f, n, "@", False)
    else:
        found = yield from _places.array(vm, f, n)
    vm.steps += len(found.a) >> 4
    return list(found.a) if w else len(found.a)


def _hash(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    found = yield from _places.hash_(vm, f, n)
    if not w:
        return len(found.h)
    items: list[Any] = []
    for key, each in found.h.items():
        items += (key, each)
    vm.steps += len(items) >> 3
    return items


def _deref(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    found = yield from _places.deref(vm, f, n, "$", False)
    return [found] if w else found.v


def _alen(vm: Vm, f: Frame, n: Node) -> Gen:
    return len((yield from _places.array(vm, f, n.a)).a) - 1


def _aelem(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    if n.a.k == "@deref" and n.a.a.k not in ("aelem", "helem"):
        value = yield from ev(vm, f, n.a.a)
        if value is None:
            place = yield from _places.scalar(vm, f, n.a.a) if n.a.a.k[0] == "$" else ev(vm, f, n.a.a)
            where = _places.resolve(vm, None, "@", bool(n.a.b), place if isinstance(place, Scalar) else None)
        else:
            where = _places.resolve(vm, value, "@", bool(n.a.b))
    else:
        where = yield from _places.array(vm, f, n.a)
    index = whole((yield from ev(vm, f, n.b)))
    if w:
        if -len(where.a) <= index < len(where.a):
            return [where.a[index]]
        return [None]
    return where.get(index)


def _helem(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    table = yield from _places.hash_(vm, f, n.a)
    key = yield from _places.hash_key(vm, f, n.b)
    found = table.h.get(key)
    if found is None and table.magic is not None:
        value = table.magic(vm, key)
        return [value] if w else value
    if w:
        return [found]
    return found.v if found is not None else None


def _aslice(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    where = yield from _places.array(vm, f, n.a)
    found: list[Any] = []
    for each in (yield from ev(vm, f, n.b, True)):
        index = whole(value_of(each))
        found.append(where.a[index] if -len(where.a) <= index < len(where.a) else None)
    return found if w else (value_of(found[-1]) if found else None)


def _hslice(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    table = yield from _places.hash_(vm, f, n.a)
    found: list[Any] = []
    for each in (yield from ev(vm, f, n.b, True)):
        key = string(value_of(each))
        if n.k == "kvslice":
            found.append(key)
        found.append(table.h.get(key))
    return found if w else (value_of(found[-1]) if found else None)


def _lslice(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    items = yield from ev(vm, f, n.a, True)
    found: list[Any] = []
    for each in (yield from ev(vm, f, n.b, True)):
        index = whole(value_of(each))
        found.append(items[index] if -len(items) <= index < len(items) else None)
    if not items:
        found = []
    return found if w else (value_of(found[-1]) if found else None)


def _glob(vm: Vm, f: Frame, n: Node) -> Gen:
    if n.k == "*deref":
        value = yield from ev(vm, f, n.a)
        if type(value) is Ref and isinstance(value.t, Glob):
            return value.t
        return (
            value
            if isinstance(value, Glob)
            else vm.glob(f"main::{string(value)}" if "::" not in string(value) else string(value))
        )
    return vm.glob(n.a)


def _handle(vm: Vm, f: Frame, n: Node) -> Gen:
    yield from ()
    return vm.glob(n.a)


# operators
def _bin(vm: Vm, f: Frame, n: Node) -> Gen:
    # "a" . "b" . … of hundreds leans to the left: it is walked, not nested.
    chain = [n]
    while chain[-1].b.k == "bin":
        chain.append(chain[-1].b)
    left = yield from ev(vm, f, chain[-1].b)
    for each in reversed(chain):
        right = yield from ev(vm, f, each.c)
        if vm.warnings:
            yield from _warnings.operands(vm, f, each, left, right)
        left = _operators.binary(vm, each.a, left, right)
        if vm.steps > 400:
            yield from vm.spend()
    return left


def _and(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    left = yield from ev(vm, f, n.a)
    if not truth(left):
        return [left] if w else left
    return (yield from ev(vm, f, n.b, w))


def _or(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    left = yield from ev(vm, f, n.a)
    if truth(left):
        return [left] if w else left
    return (yield from ev(vm, f, n.b, w))


def _dor(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    left = yield from ev(vm, f, n.a)
    if left is not None:
        return [left] if w else left
    return (yield from ev(vm, f, n.b, w))


def _xor(vm: Vm, f: Frame, n: Node) -> Gen:
    left = yield from true(vm, f, n.a)
    return 1 if left != (yield from true(vm, f, n.b)) else ""


def _not(vm: Vm, f: Frame, n: Node) -> Gen:
    return "" if (yield from true(vm, f, n.a)) else 1


def _neg(vm: Vm, f: Frame, n: Node) -> Gen:
    value = yield from ev(vm, f, n.a)
    return _operators.complement(value) if n.b else _operators.negative(value)


def _cond(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    return (yield from ev(vm, f, n.b if (yield from true(vm, f, n.a)) else n.c, w))


def _list(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    if w:
        return (yield from listed(vm, f, n.a))
    value: Any = None
    for each in n.a:
        value = yield from ev(vm, f, each)
    return value


def _range(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    if not w:
        return (yield from _operators.flip_flop(vm, f, n))
    first, last = (yield from ev(vm, f, n.a)), (yield from ev(vm, f, n.b))
    found = _operators.span(vm, first, last)
    vm.steps += len(found) >> 2
    vm.grow(8 * len(found))
    return found


def _repeat(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    items = values((yield from ev(vm, f, n.a, True)))
    times = max(0, whole((yield from ev(vm, f, n.b))))
    if not w:
        return _operators.binary(vm, "x", items[-1] if items else None, times)
    vm.grow(8 * len(items) * times)
    return items * times


def _interp(vm: Vm, f: Frame, n: Node) -> Gen:
    out: list[str] = []
    for each in n.a:
        if each.k == "const":
            out.append(each.a)
            continue
        value = yield from ev(vm, f, each)
        if value is None and vm.warnings:
            what = "concatenation (.) or string" if len(n.a) > 1 else "string"
            yield from _warnings.undefined(vm, f, each, what)
        out.append(string(value))
    text = "".join(out)
    if len(text) > 512:
        vm.grow(len(text))
    return text


def _joinarray(vm: Vm, f: Frame, n: Node) -> Gen:
    items = yield from ev(vm, f, n.a, True)
    text = string(vm.sv('main::"').v).join(string(value_of(each)) for each in items)
    vm.grow(len(text))
    return text


def _my(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    yield from ()
    found: list[Any] = []
    for each in n.a:
        if each.k == "func":
            continue
        made = _places.introduce(f, each) if not n.c else _places.pad(f, each.a, each.k[0])
        if isinstance(made, Scalar):
            found.append(made)
    return found if w else (found[-1].v if found else None)


def _local(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    yield from _assign.localize(vm, f, n.a)
    return (yield from ev(vm, f, n.a, w))


# references and calls
def _refgen(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    inner = n.a
    if inner.k == "list" and inner.b:
        made = []
        for each in inner.a:
            if each.k[0] == "@" and len(inner.a) == 1:
                made += [
                    Ref(item if isinstance(item, Scalar) else Scalar(item))
                    for item in (yield from ev(vm, f, each, True))
                ]
            else:
                made.append((yield from _one_ref(vm, f, each)))
        return made if w else (made[-1] if made else None)
    if inner.k == "my" and inner.b:
        yield from ev(vm, f, inner, True)
        made = [Ref(_places.pad(f, each.a, each.k[0])) for each in inner.a]
        return made if w else made[-1]
    found = yield from _one_ref(vm, f, inner)
    return [found] if w else found


def _one_ref(vm: Vm, f: Frame, n: Node) -> Gen:
    k = n.k
    if k[0] == "@" or (k in ("my", "local") and (n.a[0] if k == "my" else n.a).k[0] == "@"):
        return Ref((yield from _places.array(vm, f, n)))
    if k[0] == "%" or (k in ("my", "local") and (n.a[0] if k == "my" else n.a).k[0] == "%"):
        return Ref((yield from _places.hash_(vm, f, n)))
    if k == "call" and n.d and n.c:
        found = vm.subs.get(n.a)
        if found is None:
            found = Code(n.a.rpartition("::")[2], n.a.rpartition("::")[0], None)
            vm.subs[n.a] = found
        return Ref(found)
    if k == "dyncall" and n.c:
        return Ref(_places.code(vm, (yield from ev(vm, f, n.a))))
    if k in ("*glob", "*deref"):
        return Ref((yield from ev(vm, f, n)))
    if k == "anonsub":
        return Ref(Scalar((yield from ev(vm, f, n))))
    if k == "const":
        return Ref(Magic(_Constant(n.a)))
    if k in ("$pad", "$glob", "$deref", "aelem", "helem", "my", "local", "sassign"):
        return Ref((yield from _places.scalar(vm, f, n)))
    found_list = yield from ev(vm, f, n, True)
    last = found_list[-1] if found_list else None
    return Ref(last if isinstance(last, Scalar) else Scalar(last))


class _Constant:
    """Gives a value that cannot be changed."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __call__(self) -> Any:
        return self.value


def _anon_array(vm: Vm, f: Frame, n: Node) -> Gen:
    items = yield from ev(vm, f, n.a, True)
    vm.grown += 64 * len(items) + 64
    return Ref(Array(fresh(items)))


def _anon_hash(vm: Vm, f: Frame, n: Node) -> Gen:
    items = yield from ev(vm, f, n.a, True)
    vm.grown += 64 * len(items) + 64
    return _places.make_hash(items)


def _anon_sub(vm: Vm, f: Frame, n: Node) -> Gen:
    yield from ()
    return Ref(_calls.closure(vm, f, n))


def _return(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    want = f.want
    if n.a is None:
        raise Return([] if want else None)
    raise Return((yield from ev(vm, f, n.a, bool(want))))


def _jump(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    yield from ()
    raise Jump(n.a, n.b)


def _bareword(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    if n.b in vm.subs:
        return (yield from _calls.call_named(vm, f, n.b, [], w, n.line))
    if n.c:
        raise vm.die(f'Bareword "{n.a}" not allowed while "strict subs" in use')
    return [n.a] if w else n.a


def _class(vm: Vm, f: Frame, n: Node) -> Gen:
    yield from ()
    return n.a


def _func(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    from urltrap.machine.programs.perl._functions import FUNCTIONS

    how = FUNCTIONS.get(n.a)
    if how is None:
        raise Unsupported(n.a)
    vm.steps += 4
    return (yield from how(vm, f, n, w))


_SCALARS: dict[str, Callable[[Vm, Frame, Node], Gen]] = {
    "alen": _alen, "bin": _bin, "xor": _xor, "not": _not, "neg": _neg, "interp": _interp, "joinarray": _joinarray,
    "anonarray": _anon_array, "anonhash": _anon_hash, "anonsub": _anon_sub, "*glob": _glob, "*deref": _glob,
    "handle": _handle, "class": _class,
}  # fmt: skip
_CONTEXT: dict[str, Callable[[Vm, Frame, Node, bool], Gen]] = {
    "$glob": _global, "@pad": _array, "@glob": _array, "@deref": _array, "%pad": _hash, "%glob": _hash, "%deref": _hash,
    "$deref": _deref, "aelem": _aelem, "helem": _helem, "aslice": _aslice, "hslice": _hslice, "kvslice": _hslice,
    "lslice": _lslice, "and": _and, "or": _or, "dor": _dor, "cond": _cond, "list": _list, "range": _range,
    "repeat": _repeat, "my": _my, "local": _local, "refgen": _refgen, "return": _return, "jump": _jump,
    "bareword": _bareword, "func": _func,
}  # fmt: skip


def extend(kinds: dict[str, Callable[[Vm, Frame, Node, bool], Gen]]) -> None:
    """Add kinds of nodes that other modules evaluate; called once while they are imported."""
    _CONTEXT.update(kinds)
