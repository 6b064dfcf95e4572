"""perl's functions on arrays, hashes and lists; sort, map and grep; references, defined, die, eval, caller."""

from __future__ import annotations

from functools import cmp_to_key
from typing import Any

from urltrap.machine.programs.perl import _assign, _calls, _eval, _places, _statements
from urltrap.machine.programs.perl._functions import function, listy, unary
from urltrap.machine.programs.perl._values import (
    Code,
    Enter,
    Gen,
    Hash,
    Node,
    PerlDie,
    Ref,
    Return,
    Scalar,
    Unsupported,
    fresh,
    num,
    string,
    truth,
    value_of,
    values,
    whole,
)
from urltrap.machine.programs.perl._vm import Frame, Vm


def _target(f: Frame, n: Node) -> Node:
    """The array that shift and pop take where none is named."""
    if n.b:
        found: Node = n.b[0]
        return found
    return Node("@glob", n.line, "main::_" if f.code is not None else "main::ARGV")


@function("push", "unshift")
def _push(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    where = yield from _places.array(vm, f, n.b[0])
    items = fresh((yield from _eval.listed(vm, f, n.b[1:])))
    vm.grown += 72 * len(items)
    if n.a == "push":
        where.a += items
    else:
        where.a[:0] = items
        vm.steps += len(where.a) >> 6
    if len(where.a) > 1_000_000:
        raise vm.die("Out of memory during array extend")
    return [len(where.a)] if w else len(where.a)


@function("shift", "pop")
def _shift(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    where = yield from _places.array(vm, f, _target(f, n))
    value = None
    if where.a:
        value = where.a.pop(0 if n.a == "shift" else -1).v
        vm.steps += len(where.a) >> 10 if n.a == "shift" else 0
    return [value] if w else value


@function("splice")
def _splice(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    where = yield from _places.array(vm, f, n.b[0])
    size = len(where.a)
    offset = whole((yield from _eval.ev(vm, f, n.b[1]))) if len(n.b) > 1 else 0
    offset = min(max(offset + size if offset < 0 else offset, 0), size)
    length = whole((yield from _eval.ev(vm, f, n.b[2]))) if len(n.b) > 2 else size - offset
    end = max(offset, size + length if length < 0 else min(offset + length, size))
    items = fresh((yield from _eval.listed(vm, f, n.b[3:])))
    removed = [each.v for each in where.a[offset:end]]
    where.a[offset:end] = items
    return removed if w else (removed[-1] if removed else None)


@function("reverse")
def _reverse(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    items = yield from _eval.listed(vm, f, n.b)
    if w:
        return items[::-1]
    return "".join(map(string, values(items) if n.b else [vm.sv("main::_").v]))[::-1]


@function("wantarray")
def _wantarray(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    yield from ()
    value = None if f.want is None else (1 if f.want else 0)
    return [value] if w else value


@function("scalar")
def _scalar(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    value = yield from _eval.ev(vm, f, n.b[0])
    return [value] if w else value


@function("keys", "values", "each")
def _keys(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    node = n.b[0]
    if node.k[0] == "@":
        where = yield from _places.array(vm, f, node)
        found: list[Any] = list(range(len(where.a))) if n.a == "keys" else list(where.a)
        if n.a == "each":
            at = vm.state.get((id(where), 3), 0)
            if at >= len(where.a):
                vm.state.pop((id(where), 3), None)
                return [] if w else None
            vm.state[(id(where), 3)] = at + 1
            return [at, where.a[at]] if w else at
        return found if w else len(found)
    table: Hash = yield from _places.hash_(vm, f, node)
    vm.steps += len(table.h) >> 3
    if n.a == "each":
        if table.place is None:
            table.place = list(table.h)
        while table.place:
            key = table.place.pop(0)
            if key in table.h:
                return [key, table.h[key]] if w else key
        table.place = None
        return [] if w else None
    table.place = None
    if not w:
        return len(table.h)
    return list(table.h) if n.a == "keys" else list(table.h.values())


@function("exists", "delete")
def _exists(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    node = n.b[0]
    removes = n.a == "delete"
    value: Any = "" if not removes else None
    if node.k == "local":
        raise Unsupported("delete local")
    if node.k == "helem":
        table = yield from _places.hash_(vm, f, node.a)
        key = yield from _places.hash_key(vm, f, node.b)
        found = table.h.pop(key, None) if removes else table.h.get(key)
        value = (found.v if removes else 1) if found is not None else value
    elif node.k == "aelem":
        where = yield from _places.array(vm, f, node.a)
        index = whole((yield from _eval.ev(vm, f, node.b)))
        if -len(where.a) <= index < len(where.a):
            value = where.a[index].v if removes else 1
            if removes:
                if index in (-1, len(where.a) - 1):
                    where.a.pop()
                else:
                    where.a[index] = Scalar()
    elif node.k == "hslice" and removes:
        table = yield from _places.hash_(vm, f, node.a)
        gone = [
            table.h.pop(string(value_of(key)), None) for key in (yield from _eval.ev(vm, f, node.b, True))
        ]
        return (
            [None if each is None else each.v for each in gone] if w else value_of(gone[-1] if gone else None)
        )
    elif node.k == "call":
        value = 1 if node.a in vm.subs else ""
    else:
        raise Unsupported(f"{n.a} of {node.k}")
    return [value] if w else value


@function("defined")
def _defined(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    node = n.b[0] if n.b else Node("$glob", n.line, "main::_")
    if node.k == "call" and node.d and node.c:
        code = vm.subs.get(node.a)
        found = code is not None and (code.body is not None or code.native is not None)
    elif node.k[0] == "@" and node.k != "@deref":
        found = bool((yield from _places.array(vm, f, node)).a)
    elif node.k[0] == "%" and node.k != "%deref":
        found = bool((yield from _places.hash_(vm, f, node)).h)
    elif node.k == "bareword" and node.b not in vm.subs:
        found = vm.glob(node.b).io is not None
    else:
        found = (yield from _eval.ev(vm, f, node)) is not None
    value = 1 if found else ""
    return [value] if w else value


@function("undef")
def _undef(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    if n.b:
        node = n.b[0]
        if node.k[0] == "@":
            (yield from _places.array(vm, f, node)).a = []
        elif node.k[0] == "%":
            (yield from _places.hash_(vm, f, node)).h = {}
        elif node.k == "call":
            vm.subs.pop(node.a, None)
        else:
            (yield from _places.scalar(vm, f, node)).set(None)
    return [None] if w else None


@unary("ref")
def _ref(vm: Vm, v: Any) -> str:
    return _places.ref_kind(v.t) if type(v) is Ref else ""


@unary("prototype")
def _prototype(vm: Vm, v: Any) -> Any:
    code = (
        v.t
        if type(v) is Ref and isinstance(v.t, Code)
        else vm.subs.get(string(v) if "::" in string(v) else f"main::{string(v)}")
    )
    return code.prototype if code is not None else None


@listy("bless")
def _bless(vm: Vm, args: list[Any]) -> Any:
    if not args or type(args[0]) is not Ref:
        raise vm.die("Can't bless non-reference value")
    package = args[1] if len(args) > 1 else vm.package
    args[0].t.bless = package.t.bless if type(package) is Ref else string(package) or "main"
    return args[0]


# sort, map, grep
def _sort(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    items = values((yield from _eval.listed(vm, f, n.b)))
    vm.steps += len(items) * max(1, len(items).bit_length()) >> 2
    body = n.a
    if body is None:
        return sorted(items, key=string)
    simple = _simple_order(body)
    if simple is not None:
        key, backwards = simple
        made = sorted(items, key=key, reverse=False) if not backwards else _backwards(items, key)
        return made
    package = "main::" if f.code is None else f"{f.code.package}::"
    package = f"{vm.package}::" if vm.package != "main" else package
    first, second = vm.sv(package + "a"), vm.sv(package + "b")
    first = vm.scalars[package + "a"] = Scalar()
    second = vm.scalars[package + "b"] = Scalar()
    code: Code | None = None
    if body.k == "subname":
        code = vm.subs.get(body.a)
        if code is None:
            raise vm.die(f'Undefined sort subroutine "{body.a}" called')
    elif body.k != "block":
        code = _places.code(vm, (yield from _eval.ev(vm, f, body)))
    # Merge sort with the program's own comparison.
    runs = [[each] for each in items]
    while len(runs) > 1:
        merged_runs = []
        for at in range(0, len(runs), 2):
            if at + 1 == len(runs):
                merged_runs.append(runs[at])
                continue
            left, right = runs[at], runs[at + 1]
            merged: list[Any] = []
            one = other = 0
            while one < len(left) and other < len(right):
                first.v, second.v = left[one], right[other]
                if code is not None:
                    order = yield from _calls.call_code(vm, code, [], False)
                else:
                    order = yield from _statements.value_block(vm, f, body, False)
                if num(order) <= 0:
                    merged.append(left[one])
                    one += 1
                else:
                    merged.append(right[other])
                    other += 1
            merged_runs.append(merged + left[one:] + right[other:])
        runs = merged_runs
    found = runs[0] if runs else []
    return found if w else len(found)


def _backwards(items: list[Any], key: Any) -> list[Any]:
    order = cmp_to_key(lambda a, b: (key(b) > key(a)) - (key(b) < key(a)))
    return sorted(items, key=order)


def _simple_order(body: Node) -> tuple[Any, bool] | None:
    """{ $a <=> $b } and the like, which need no interpreter."""
    if body.k != "block" or len(body.a) != 1 or body.a[0].k != "bin" or body.a[0].a not in ("<=>", "cmp"):
        return None
    one, other = body.a[0].b, body.a[0].c
    if one.k != "$glob" or other.k != "$glob":
        return None
    names = one.a.rpartition("::")[2] + other.a.rpartition("::")[2]
    if names not in ("ab", "ba"):
        return None
    return (num if body.a[0].a == "<=>" else string), names == "ba"


def _each_item(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    items = yield from _eval.listed(vm, f, n.b)
    body = n.a
    found: list[Any] = []
    before = vm.sv("main::_")
    maps = n.k == "map"
    try:
        for each in items:
            place = each if isinstance(each, Scalar) else Scalar(each)
            vm.scalars["main::_"] = place
            vm.steps += 2
            if body.k == "block":
                value = yield from _statements.value_block(vm, f, body, maps)
            else:
                value = yield from _eval.ev(vm, f, body, maps)
            if maps:
                found += [item.v if isinstance(item, Scalar) else item for item in value]
                vm.grown += 40
            elif truth(value):
                found.append(place)
    finally:
        vm.scalars["main::_"] = before
    return found if w else len(found)


# die, warn, eval, do
def _message(vm: Vm, args: list[Any], empty: str) -> Any:
    if len(args) == 1 and type(args[0]) is Ref:
        return args[0]
    text = "".join(map(string, args))
    if not text:
        text = empty
    return text if text.endswith("\n") else text + vm.place() + "\n"


@listy("die")
def _die(vm: Vm, args: list[Any]) -> Gen:
    value = _message(vm, args, "Died")
    handler = vm.hv("main::SIG").h.get("__DIE__")
    if handler is not None and type(handler.v) is Ref:
        kept, handler.v = handler.v, None
        try:
            yield from _calls.call(vm, kept, [value], False)
        finally:
            handler.v = kept
    raise PerlDie(value)


@listy("warn")
def _warn(vm: Vm, args: list[Any]) -> Gen:
    yield from vm.warn(string(_message(vm, args, "Warning: something's wrong")))
    return 1


def _do(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    return (yield from _statements.value_block(vm, f, n.a, w))


def _caught(vm: Vm, problem: PerlDie) -> Any:
    if not problem.located:
        return f"{string(problem.value)}{vm.place()}\n"
    return problem.value


def _guarded(vm: Vm, f: Frame, body: Gen, w: bool) -> Gen:
    """Run the body of eval; what dies in it goes to $@."""
    mark, depth, cursors = len(vm.undo), len(vm.frames), len(f.cursors)
    package = vm.package
    vm.eval_places.append((len(vm.frames), vm.line))
    try:
        found = yield Enter(body)
    except PerlDie as problem:
        value = _caught(vm, problem)
        _assign.unwind(vm, mark)
        del vm.frames[depth:]
        del f.cursors[cursors:]
        vm.package = package
        vm.sv("main::@").v = value
        return [] if w else None
    finally:
        vm.eval_places.pop()
    vm.sv("main::@").v = ""
    return found


def _eval_block(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    line = vm.line

    def body() -> Gen:
        try:
            found = yield from _statements.value_block(vm, f, n.a, w)
        except Return as left:
            return left.value
        return values(found) if w else found

    found = yield from _guarded(vm, f, body(), w)
    vm.line = line
    return found


def _eval_string(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    from urltrap.machine.programs.perl._compile import compile_string

    text = string((yield from _eval.ev(vm, f, n.a)))
    line, name = vm.line, vm.name
    number = vm.state[(-3, 0)] = vm.state.get((-3, 0), 0) + 1

    def body() -> Gen:
        vm.name = f"(eval {number})"
        tree, sub = compile_string(vm, text, n.b, vm.package)
        frame = Frame(sub.size, f.args, w, f.code, vm.package, line)
        for slot, variable in _calls.capture(f, sub, True):
            frame.pad[slot] = variable
        vm.frames.append(frame)
        try:
            yield from _calls.begin(vm, frame, sub)
            found = yield from _statements.value_block(vm, frame, tree, w)
        except Return as left:
            found = left.value
        finally:
            vm.name = name
            if frame in vm.frames:
                vm.frames.remove(frame)
        return values(found) if w and found is not None else found

    try:
        return (yield from _guarded(vm, f, body(), w))
    finally:
        vm.name, vm.line = name, line


@function("caller")
def _caller(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    depth = whole((yield from _eval.ev(vm, f, n.b[0]))) if n.b else 0
    calls = [each for each in vm.frames if each.code is not None]
    if depth >= len(calls):
        return [] if w else None
    frame = calls[-1 - depth]
    if not w:
        return frame.package
    found: list[Any] = [frame.package, vm.name, frame.line]
    if n.b and frame.code is not None:
        found += [f"{frame.code.package}::{frame.code.name}", 1, frame.want]
    return found


_eval.extend({
    "sort": _sort, "map": _each_item, "grep": _each_item, "do": _do, "evalblock": _eval_block, "evalstr": _eval_string,
})  # fmt: skip
