"""Variables as places: the scalar, array or hash that a node of the tree means, made where there is none yet."""

from __future__ import annotations

from typing import Any

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
    kind_of,
    string,
    value_of,
    whole,
)
from urltrap.machine.programs.perl._vm import Frame, Vm

_MAKE: dict[str, Any] = {"$": Scalar, "@": Array, "%": Hash}
_KINDS = {"$": "a SCALAR", "@": "an ARRAY", "%": "a HASH"}
_VIVIFY = frozenset({"$pad", "$glob", "$deref", "aelem", "helem", "my"})


def pad(f: Frame, slot: int, sigil: str) -> Any:
    """A lexical variable."""
    found = f.pad[slot]
    if found is None:
        found = f.pad[slot] = _MAKE[sigil]()
    return found


def introduce(f: Frame, node: Node) -> Any:
    """my: a new variable, or the one that a sub has captured ahead of it."""
    slot = node.a
    if slot in f.pre:
        f.pre.discard(slot)
        return pad(f, slot, node.k[0])
    made = f.pad[slot] = _MAKE[node.k[0]]()
    return made


def scalar(vm: Vm, f: Frame, n: Node) -> Gen:
    """The variable that an assignment to the node would change."""
    from urltrap.machine.programs.perl import _assign, _eval

    k = n.k
    if k == "$pad":
        return pad(f, n.a, "$")
    if k == "$glob":
        return vm.sv(n.a)
    if k == "aelem":
        where = yield from array(vm, f, n.a)
        index = whole((yield from _eval.ev(vm, f, n.b)))
        return where.at(index)
    if k == "helem":
        table = yield from hash_(vm, f, n.a)
        key = yield from hash_key(vm, f, n.b)
        vm.grown += 40
        return table.at(key)
    if k == "$deref":
        return (yield from deref(vm, f, n, "$"))
    if k == "my":
        if n.b or n.a[0].k[0] != "$":
            raise Unsupported("a list as a scalar variable")
        return introduce(f, n.a[0])
    if k == "local":
        yield from _assign.localize(vm, f, n.a)
        return (yield from scalar(vm, f, n.a))
    if k in ("sassign", "opassign", "preop", "state"):
        yield from _eval.ev(vm, f, n)
        return (yield from scalar(vm, f, n.b if k == "opassign" or k == "preop" else _declared(n.a)))
    if k == "cond":
        test = yield from _eval.true(vm, f, n.a)
        return (yield from scalar(vm, f, n.b if test else n.c))
    if k == "list" and len(n.a) == 1:
        return (yield from scalar(vm, f, n.a[0]))
    if k == "alen":
        where = yield from array(vm, f, n.a)
        return Magic(lambda: len(where.a) - 1, lambda v: _set_length(where, whole(v) + 1))
    if k == "func" and n.a == "substr":
        return (yield from _assign.substr_place(vm, f, n))
    if k == "lassign":
        yield from _eval.ev(vm, f, n, True)
        left = n.a.a if n.a.k in ("my", "list") else [n.a]
        if len(left) == 1 and left[0].k[0] == "$":
            return (yield from scalar(vm, f, left[0]))
    if k == "do":
        value = yield from _eval.ev(vm, f, n)
        return Scalar(value)
    found = yield from _eval.ev(vm, f, n, True)
    return found[-1] if found and isinstance(found[-1], Scalar) else Scalar(found[-1] if found else None)


def _declared(n: Node) -> Node:
    if n.k == "my":
        found: Node = n.a[0]
        return found
    return n.a if n.k == "local" else n


def _set_length(where: Array, size: int) -> None:
    if size < len(where.a):
        del where.a[max(size, 0) :]
    elif size:
        where.at(size - 1)


def array(vm: Vm, f: Frame, n: Node) -> Gen:
    """The array of a node."""
    k = n.k
    if k == "@pad":
        return pad(f, n.a, "@")
    if k == "@glob":
        if n.a == "main::_":
            return f.args
        return vm.av(n.a)
    if k == "@deref":
        return (yield from deref(vm, f, n, "@"))
    return (yield from _other(vm, f, n, "@"))


def hash_(vm: Vm, f: Frame, n: Node) -> Gen:
    """The hash of a node."""
    k = n.k
    if k == "%pad":
        return pad(f, n.a, "%")
    if k == "%glob":
        return vm.hv(n.a)
    if k == "%deref":
        return (yield from deref(vm, f, n, "%"))
    return (yield from _other(vm, f, n, "%"))


def _other(vm: Vm, f: Frame, n: Node, sigil: str) -> Gen:
    from urltrap.machine.programs.perl import _assign

    if n.k == "my":
        return introduce(f, n.a[0])
    if n.k == "local":
        yield from _assign.localize(vm, f, n.a)
        return (yield from (array if sigil == "@" else hash_)(vm, f, n.a))
    if n.k == "list" and len(n.a) == 1:
        return (yield from (array if sigil == "@" else hash_)(vm, f, n.a[0]))
    if n.k in ("lassign",):
        from urltrap.machine.programs.perl import _eval

        yield from _eval.ev(vm, f, n, True)
        return (yield from (array if sigil == "@" else hash_)(vm, f, _declared(n.a)))
    raise Unsupported(f"{n.k} as {sigil}")


def hash_key(vm: Vm, f: Frame, n: Node) -> Gen:
    """The key of an element."""
    from urltrap.machine.programs.perl import _eval

    if n.k == "const":
        return string(n.a)
    if n.k == "list" and len(n.a) > 1:
        items = yield from _eval.ev(vm, f, n, True)
        return string(vm.sv("main::;").v).join(string(value_of(each)) for each in items)
    return string((yield from _eval.ev(vm, f, n)))


def deref(vm: Vm, f: Frame, n: Node, sigil: str, create: bool = True) -> Gen:
    """What a reference refers to; an undefined variable becomes a reference to something new."""
    from urltrap.machine.programs.perl import _eval

    inner = n.a
    place: Scalar | None = None
    if create and inner.k in _VIVIFY:
        place = yield from scalar(vm, f, inner)
        value = place.v
    else:
        value = yield from _eval.ev(vm, f, inner)
    return resolve(vm, value, sigil, bool(n.b), place)


def resolve(vm: Vm, value: Any, sigil: str, strict: bool, place: Scalar | None = None) -> Any:
    """What a value refers to as a scalar, an array or a hash; perl's complaint where it cannot."""
    wanted = _MAKE[sigil]
    if type(value) is Ref:
        target = value.t
        if isinstance(target, wanted):
            return target
        if isinstance(target, Glob):
            return _of_glob(vm, target, sigil)
        raise vm.die(f"Not {_KINDS[sigil]} reference")
    if isinstance(value, Glob):
        return _of_glob(vm, value, sigil)
    if value is None:
        if place is not None:
            made = wanted()
            place.set(Ref(made))
            return made
        raise vm.die(f"Can't use an undefined value as {_KINDS[sigil]} reference")
    name = string(value)
    if strict:
        cut = name[:32]
        more = "..." if len(name) > 32 else ""
        raise vm.die(f'Can\'t use string ("{cut}"{more}) as {_KINDS[sigil]} ref while "strict refs" in use')
    full = name.removeprefix("*") if "::" in name else f"main::{name}"
    return {"$": vm.sv, "@": vm.av, "%": vm.hv}[sigil](full)


def _of_glob(vm: Vm, glob: Glob, sigil: str) -> Any:
    if sigil == "%":
        glob.slots = glob.slots or Hash()
        return glob.slots
    return vm.sv(glob.name) if sigil == "$" else vm.av(glob.name)


def code(vm: Vm, value: Any, strict: bool = False) -> Code:
    """The sub that a value refers to."""
    if type(value) is Ref:
        if isinstance(value.t, Code):
            return value.t
        raise vm.die("Not a CODE reference")
    if value is None:
        raise vm.die("Can't use an undefined value as a subroutine reference")
    name = string(value).removeprefix("&")
    if strict:
        raise vm.die(f'Can\'t use string ("{name[:32]}") as a subroutine ref while "strict refs" in use')
    full = name if "::" in name else f"main::{name}"
    found = vm.subs.get(full)
    if found is None:
        raise vm.die(f"Undefined subroutine &{full} called")
    return found


def make_array(items: list[Any]) -> Ref:
    """[…]"""
    return Ref(Array(fresh(items)))


def make_hash(items: list[Any]) -> Ref:
    """{…}"""
    return Ref(Hash(hash_of(items)))


def ref_kind(target: Any) -> str:
    """ref()."""
    return target.bless or kind_of(target)
