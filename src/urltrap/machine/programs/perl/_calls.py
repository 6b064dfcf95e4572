"""Calls of subs and methods."""

from __future__ import annotations

from types import GeneratorType
from typing import Any

from urltrap.machine.programs.perl import _assign, _eval, _places, _statements
from urltrap.machine.programs.perl._values import (
    Array,
    Code,
    Enter,
    Gen,
    Glob,
    Node,
    Ref,
    Return,
    Scalar,
    Unsupported,
    string,
    value_of,
)
from urltrap.machine.programs.perl._vm import Frame, Vm


def closure(vm: Vm, f: Frame, n: Node) -> Code:
    """The sub of a node, with the variables around it that it uses."""
    package, prototype = n.d
    made = Code(n.a, package, n.b)
    made.size = n.c.size
    made.prototype = prototype
    made.captured = capture(f, n.c)
    # What is captured before its `my` ran stays the same variable when it runs.
    return made


def capture(f: Frame, sub: Any, ahead: bool = False) -> list[tuple[int, Any]]:
    """Variables of a frame for a sub that is made in it; with `ahead` those whose `my` is still to come, too."""
    found: list[tuple[int, Any]] = []
    names = {slot: name for name, slot in sub.top.names.items() if isinstance(slot, int)}
    for outer, inner in sub.captured:
        variable = f.pad[outer]
        if variable is None:
            variable = _places.pad(f, outer, names[inner][0])
            if ahead:
                f.pre.add(outer)
        found.append((inner, variable))
    return found


def define(vm: Vm, f: Frame, sub: Any) -> None:
    """Define the named subs of a program, a sub or a string that is about to run."""
    for n in sub.named:
        package, prototype = n.d
        made = vm.subs.get(n.a)
        if made is None or made.body is not None or made.native is not None:
            made = vm.subs[n.a] = Code(n.a.rpartition("::")[2], package)
        made.package, made.prototype = package, prototype
        made.body, made.size = n.b, n.c.size
        made.captured = capture(f, n.c, True)
        made.native = None
        define_nested(vm, n)


def begin(vm: Vm, f: Frame, sub: Any) -> Gen:
    """What comes before the first statement: subs are defined, BEGIN runs, END is kept."""
    define(vm, f, sub)
    for n in sub.ends:
        code = closure(vm, f, n)
        code.captured = capture(f, n.c, True)
        vm.at_end.append(code)
    for n in sub.begins:
        code = closure(vm, f, n)
        code.captured = capture(f, n.c, True)
        yield from call_code(vm, code, [], None)


def define_nested(vm: Vm, n: Node) -> None:
    """Named subs within a named sub are there from the start, too."""
    for inner in n.c.named:
        package, prototype = inner.d
        made = vm.subs[inner.a] = Code(inner.a.rpartition("::")[2], package, inner.b)
        made.size, made.prototype = inner.c.size, prototype


def run_code(vm: Vm, code: Code, args: list[Any], want: Any, line: int) -> Gen:
    """The body of a sub, to be driven by `Vm.drive`."""
    found = [each if isinstance(each, Scalar) else Scalar(each) for each in args]
    frame = Frame(code.size, Array(found), want, code, vm.package, line)
    for slot, variable in code.captured:
        if slot < len(frame.pad):
            frame.pad[slot] = variable
    mark = len(vm.undo)
    package, vm.package = vm.package, code.package
    matched = vm.match
    vm.frames.append(frame)
    try:
        return (yield from _statements.value_block(vm, frame, code.body, want))
    except Return as left:
        return left.value
    finally:
        if len(vm.undo) > mark:
            _assign.unwind(vm, mark)
        vm.frames.pop()
        vm.package = package
        vm.line = line
        vm.match = matched


def call(vm: Vm, value: Any, args: list[Any], want: Any) -> Gen:
    """Call what a value refers to."""
    return (yield from call_code(vm, _places.code(vm, value), args, want))


def call_code(vm: Vm, code: Code, args: list[Any], want: Any) -> Gen:
    """Call a sub: a list where `want`."""
    vm.steps += 10
    if code.native is not None:
        try:
            found = code.native(vm, args, want)
            if type(found) is GeneratorType:
                found = yield from found
        except (IndexError, ValueError, AttributeError) as problem:
            # Too few arguments, or of a kind that nobody wrote an answer for.
            raise Unsupported(f"arguments of {code.name}") from problem
        if want:
            return found if isinstance(found, list) else [found]
        return value_of(found[-1] if found else None) if isinstance(found, list) else found
    if code.body is None:
        raise vm.die(f"Undefined subroutine &{code.package}::{code.name} called")
    found = yield Enter(run_code(vm, code, args, want, vm.line))
    if want:
        return [each.v if isinstance(each, Scalar) else each for each in found] if found is not None else []
    return found


def call_named(vm: Vm, f: Frame, name: str, args: list[Any], want: bool, line: int) -> Gen:
    """Call a sub by its full name; AUTOLOAD where it has one."""
    code = vm.subs.get(name)
    if code is None or (code.body is None and code.native is None):
        auto = vm.subs.get(name.rpartition("::")[0] + "::AUTOLOAD")
        if auto is None:
            raise vm.die(f"Undefined subroutine &{name} called")
        vm.sv(name.rpartition("::")[0] + "::AUTOLOAD").v = name
        code = auto
    return (yield from call_code(vm, code, args, want))


def call_node(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    """name(…), &name(…), &name;"""
    args = f.args.a if n.c else (yield from _eval.listed(vm, f, n.b))
    return (yield from call_named(vm, f, n.a, list(args), w, n.line))


def call_value_node(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    """$code->(…), &$code(…)"""
    value = yield from _eval.ev(vm, f, n.a)
    args = f.args.a if n.c else (yield from _eval.listed(vm, f, n.b))
    return (yield from call_code(vm, _places.code(vm, value, bool(n.d)), list(args), w))


# methods
def parents(vm: Vm, package: str) -> list[str]:
    """A class and those that it inherits from, in the order of a look-up."""
    found: list[str] = []
    pending = [package]
    while pending and len(found) < 100:
        name = pending.pop(0)
        if name in found:
            continue
        found.append(name)
        isa = vm.arrays.get(name + "::ISA")
        if isa is not None:
            pending[:0] = [string(each.v) for each in isa.a]
    return found


def find_method(vm: Vm, package: str, name: str) -> Code | None:
    """The sub that a method call means."""
    for each in (*parents(vm, package), "UNIVERSAL"):
        found = vm.subs.get(f"{each}::{name}")
        if found is not None and (found.body is not None or found.native is not None):
            return found
    return None


def method_node(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    """$object->name(…), Class->name(…)"""
    owner = yield from _eval.ev(vm, f, n.a)
    args = yield from _eval.listed(vm, f, n.c)
    if isinstance(n.b, Node):
        name_value = yield from _eval.ev(vm, f, n.b)
        if type(name_value) is Ref and isinstance(name_value.t, Code):
            return (yield from call_code(vm, name_value.t, [owner, *args], w))
        name = string(name_value)
    else:
        name = n.b
    return (yield from call_method(vm, owner, name, args, w))


def call_method(vm: Vm, owner: Any, name: str, args: list[Any], w: Any) -> Gen:
    """Call a method by its name."""
    if type(owner) is Ref:
        package = owner.t.bless
        if package is None and isinstance(owner.t, Glob):
            package = "IO::File"
        if package is None:
            raise vm.die(f'Can\'t call method "{name}" on unblessed reference')
    elif isinstance(owner, Glob):
        package = "IO::File"
    elif owner is None:
        raise vm.die(f'Can\'t call method "{name}" on an undefined value')
    else:
        package = string(owner)
        if package == "":
            raise vm.die(f'Can\'t call method "{name}" without a package or object reference')
        if f"main::{package}" in vm.globs and vm.globs[f"main::{package}"].io is not None:
            owner, package = vm.globs[f"main::{package}"], "IO::File"
    package = package.removeprefix("main::") if package != "main" else package
    if name.startswith("SUPER::"):
        name = name.removeprefix("SUPER::")
        code = None
        for each in parents(vm, vm.package)[1:]:
            code = find_method(vm, each, name)
            if code is not None:
                break
        package = vm.package
    elif "::" in name:
        code = vm.subs.get(name)
    else:
        code = find_method(vm, package, name)
    if code is None:
        return (yield from _no_method(vm, owner, package, name, args, w))
    return (yield from call_code(vm, code, [owner, *args], w))


def _no_method(vm: Vm, owner: Any, package: str, name: str, args: list[Any], w: Any) -> Gen:
    for each in parents(vm, package):
        if (auto := vm.subs.get(f"{each}::AUTOLOAD")) is not None:
            vm.sv(f"{each}::AUTOLOAD").v = f"{package}::{name}"
            return (yield from call_code(vm, auto, [owner, *args], w))
    if name == "import" or name == "unimport":
        return [] if w else None
    from urltrap.machine.programs.perl._modules import LOADED

    if package in LOADED and f"{package}::" in vm.state.get((-1, 0), set()):
        raise Unsupported(f"{package}->{name}")
    known = (
        package == "main"
        or any(each.startswith(f"{package}::") for each in vm.subs)
        or f"{package}::ISA" in vm.arrays
    )
    if known or type(owner) is Ref:
        raise vm.die(f'Can\'t locate object method "{name}" via package "{package}"')
    raise vm.die(
        f'Can\'t locate object method "{name}" via package "{package}" (perhaps you forgot to load "{package}"?)'
    )
