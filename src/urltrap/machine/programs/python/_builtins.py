"""The built-in functions and the constructors of the built-in types."""

from __future__ import annotations

import ast
from typing import Any

from urltrap.machine.programs.python import _access, _calls, _expressions, _text
from urltrap.machine.programs.python._evaluating import compile_, evaluate, execute
from urltrap.machine.programs.python._files import open_file
from urltrap.machine.programs.python._native import sorted_values
from urltrap.machine.programs.python._objects import (
    CLASSES,
    EXCEPTIONS,
    MISSING,
    OBJECT,
    TYPE,
    Bound,
    Builtin,
    Class,
    Descriptor,
    Function,
    Gen,
    Instance,
    Iterator,
    Module,
    Native,
    PyError,
    Thing,
    Unsupported,
    Yielded,
    class_of,
    error,
)
from urltrap.machine.programs.python._vm import Vm, native

_OURS = (Instance, Thing, Class, Function, Bound, Builtin, Native, Module)


def _print(
    vm: Vm, *values: Any, sep: Any = " ", end: Any = "\n", file: Any = None, flush: Any = False
) -> Gen:
    texts = []
    for each in values:
        texts.append((yield from _text.string(vm, each)))
    text = (" " if sep is None else sep).join(texts) + ("\n" if end is None else end)
    target = vm.modules["sys"].attributes.get("stdout", vm.stdout) if file is None else file
    if hasattr(target, "put"):
        yield from target.put(vm, text)
        if flush and hasattr(target, "m_flush"):
            yield from target.m_flush(vm)
    elif target is not None:
        yield from _calls.call(vm, (yield from _access.attribute(vm, target, "write")), (text,))


def _input(vm: Vm, prompt: Any = "") -> Gen:
    yield from vm.stdout.put(vm, (yield from _text.string(vm, prompt)))
    yield from vm.stdout.m_flush(vm)
    line = yield from vm.stdin.m_readline(vm)
    if not line:
        raise error("EOFError", "EOF when reading a line")
    return line.removesuffix("\n")


def _len(vm: Vm, value: Any) -> Gen:
    if isinstance(value, Instance) and (found := value.cls.find("__len__")) is not MISSING:
        return (yield from _calls.call(vm, found, (value,)))
    if isinstance(value, Thing) and hasattr(value, "length"):
        return value.length()
    if isinstance(value, _OURS):
        raise error("TypeError", f"object of type '{class_of(value).name}' has no len()")
    return native(vm, len, value)


def _isinstance(vm: Vm, value: Any, wanted: Any) -> bool:
    if isinstance(wanted, tuple):
        return any(_isinstance(vm, value, each) for each in wanted)
    if not isinstance(wanted, Class):
        raise error("TypeError", "isinstance() arg 2 must be a type, a tuple of types, or a union")
    return wanted is OBJECT or wanted in class_of(value).mro


def _issubclass(vm: Vm, cls: Any, wanted: Any) -> bool:
    if isinstance(wanted, tuple):
        return any(_issubclass(vm, cls, each) for each in wanted)
    if not isinstance(cls, Class):
        raise error("TypeError", "issubclass() arg 1 must be a class")
    return wanted in cls.mro


def _getattr(vm: Vm, value: Any, name: str, default: Any = MISSING) -> Gen:
    try:
        return (yield from _access.attribute(vm, value, name))
    except PyError as problem:
        if default is not MISSING and EXCEPTIONS["AttributeError"] in problem.value.cls.mro:
            return default
        raise


def _hasattr(vm: Vm, value: Any, name: str) -> Gen:
    return (yield from _getattr(vm, value, name, _NOTHING)) is not _NOTHING


_NOTHING = object()


def _setattr(vm: Vm, value: Any, name: str, given: Any) -> Gen:
    yield from _access.set_attribute(vm, value, name, given)


def _callable(vm: Vm, value: Any) -> bool:
    if isinstance(value, Instance):
        return value.cls.find("__call__") is not MISSING
    return isinstance(value, (Function, Builtin, Bound, Native, Class))


def _iter(vm: Vm, value: Any, sentinel: Any = MISSING) -> Gen:
    if sentinel is MISSING:
        return (yield from _calls.iterate(vm, value))
    if not _callable(vm, value):
        raise error("TypeError", "iter(v, w): v must be callable")

    def body() -> Gen:
        while True:
            found = yield from _calls.call(vm, value)
            if (yield from _expressions.compare(vm, ast.Eq, found, sentinel)):
                return
            yield Yielded(found)

    return Iterator(body(), "callable_iterator")


def _next(vm: Vm, it: Any, default: Any = MISSING) -> Gen:
    if isinstance(it, Thing) and hasattr(it, "m___next__"):
        return (yield from vm.call_builtin(Builtin("next", it.m___next__), (), {}))
    if not isinstance(it, (Iterator, Instance)) and not hasattr(it, "__next__"):
        raise error("TypeError", f"'{class_of(it).name}' object is not an iterator")
    found = yield from _calls.following(vm, it)
    if found is MISSING:
        if default is not MISSING:
            return default
        result = it.result if isinstance(it, Iterator) and it.result is not None else MISSING
        raise error("StopIteration", *(() if result is MISSING else (result,)))
    return found


def _map_body(vm: Vm, function: Any, its: list[Any]) -> Gen:
    while True:
        args = []
        for it in its:
            value = yield from _calls.following(vm, it)
            if value is MISSING:
                return
            args.append(value)
        vm.steps += 3
        yield Yielded((yield from _calls.call(vm, function, args)) if function is not None else tuple(args))


def _map(vm: Vm, function: Any, *iterables: Any) -> Gen:
    if not iterables:
        raise error("TypeError", "map() must have at least two arguments.")
    its = []
    for each in iterables:
        its.append((yield from _calls.iterate(vm, each)))
    return Iterator(_map_body(vm, function, its), "map")


def _zip(vm: Vm, *iterables: Any, strict: bool = False) -> Gen:
    its = []
    for each in iterables:
        its.append((yield from _calls.iterate(vm, each)))
    return Iterator(_map_body(vm, None, its) if its else _empty(), "zip")


def _empty() -> Gen:
    return
    yield


def _filter(vm: Vm, function: Any, iterable: Any) -> Gen:
    it = yield from _calls.iterate(vm, iterable)

    def body() -> Gen:
        while (value := (yield from _calls.following(vm, it))) is not MISSING:
            vm.steps += 3
            kept = value if function is None else (yield from _calls.call(vm, function, (value,)))
            if (yield from _expressions.truth(vm, kept)):
                yield Yielded(value)

    return Iterator(body(), "filter")


def _enumerate(vm: Vm, iterable: Any, start: int = 0) -> Gen:
    it = yield from _calls.iterate(vm, iterable)

    def body() -> Gen:
        number = start
        while (value := (yield from _calls.following(vm, it))) is not MISSING:
            yield Yielded((number, value))
            number += 1

    return Iterator(body(), "enumerate")


def _reversed(vm: Vm, value: Any) -> Any:
    if isinstance(value, _OURS):
        raise error("TypeError", f"'{class_of(value).name}' object is not reversible")
    return reversed(value)


def _sorted(vm: Vm, iterable: Any, *, key: Any = None, reverse: Any = False) -> Gen:
    values = yield from _calls.listed(vm, iterable)
    return (yield from sorted_values(vm, values, key, bool(reverse)))


def _sum(vm: Vm, iterable: Any, start: Any = 0) -> Gen:
    it = yield from _calls.iterate(vm, iterable)
    total = start
    if isinstance(start, str):
        raise error("TypeError", "sum() can't sum strings [use ''.join(seq) instead]")
    while (value := (yield from _calls.following(vm, it))) is not MISSING:
        vm.steps += 2
        total = yield from _expressions.binary(vm, ast.Add, total, value)
        if vm.steps > 400:
            yield from vm.spend()
    return total


def _any(vm: Vm, iterable: Any) -> Gen:
    it = yield from _calls.iterate(vm, iterable)
    while (value := (yield from _calls.following(vm, it))) is not MISSING:
        vm.steps += 2
        if (yield from _expressions.truth(vm, value)):
            return True
    return False


def _all(vm: Vm, iterable: Any) -> Gen:
    it = yield from _calls.iterate(vm, iterable)
    while (value := (yield from _calls.following(vm, it))) is not MISSING:
        vm.steps += 2
        if not (yield from _expressions.truth(vm, value)):
            return False
    return True


def _extreme(largest: bool) -> Any:
    name = "max" if largest else "min"

    def extreme(vm: Vm, *values: Any, key: Any = None, default: Any = MISSING) -> Gen:
        found = (yield from _calls.listed(vm, values[0])) if len(values) == 1 else list(values)
        if not found:
            if default is not MISSING:
                return default
            iterable = "iterable " if vm.version >= (3, 12) else ""
            text = (
                f"{name}() {iterable}argument is empty" if iterable else f"{name}() arg is an empty sequence"
            )
            raise error("ValueError", text)
        keys = found if key is None else []
        if key is not None:
            for each in found:
                keys.append((yield from _calls.call(vm, key, (each,))))
        best = 0
        for at in range(1, len(keys)):
            vm.steps += 1
            if (yield from _expressions.compare(vm, ast.Gt if largest else ast.Lt, keys[at], keys[best])):
                best = at
        return found[best]

    return Builtin(name, extreme)


def _round(vm: Vm, number: Any, digits: Any = None) -> Any:
    if digits is None:
        return round(number)
    if isinstance(number, int) and isinstance(digits, int) and -digits > number.bit_length():
        return 0  # the host would make 10 ** -digits first
    return round(number, digits)


def _dir(vm: Vm, *value: Any) -> list[str]:
    if not value:
        return sorted(vm.frame.scope.vars)
    found = value[0]
    if isinstance(found, (Module, Instance, Class)):
        names = set(found.attributes)
        for each in found.cls.mro if isinstance(found, Instance) else ():
            names |= set(each.attributes)
        return sorted(names)
    if isinstance(found, Thing):
        return sorted(name[2:] for name in dir(found) if name.startswith("m_"))
    return dir(found)


def _vars(vm: Vm, *value: Any) -> Any:
    if not value:
        return vm.frame.scope.vars
    if isinstance(value[0], (Instance, Module, Class)):
        return value[0].attributes
    raise error("TypeError", "vars() argument must have __dict__ attribute")


def _import(vm: Vm, name: str, *rest: Any, **given: Any) -> Gen:
    from urltrap.machine.programs.python._imports import load

    module = yield from load(vm, name)
    return (
        module if given.get("fromlist") or (len(rest) > 2 and rest[2]) else vm.modules[name.partition(".")[0]]
    )


class Quitter(Thing):
    """exit and quit, which say how to use them."""

    type_name, module = "Quitter", "_sitebuiltins"

    def __init__(self, name: str) -> None:
        self.name = name

    def m___call__(self, vm: Vm, code: Any = None) -> None:
        """Leave."""
        raise error("SystemExit", code)

    def shown(self) -> str:
        """repr."""
        return f"Use {self.name}() or Ctrl-D (i.e. EOF) to exit"


def _super(vm: Vm, *args: Any) -> Any:
    if args:
        owner, value = args[0], args[1]
    else:
        frame = vm.frame
        if frame.function is None or frame.scope.owner is None:
            raise error("RuntimeError", "super(): no arguments")
        owner = frame.scope.owner
        first = next(iter((*frame.function.args.posonlyargs, *frame.function.args.args)), None)
        value = frame.scope.vars[first.arg] if first is not None else None
    return Super(owner, value)


class Super(Thing):
    """The attributes of the classes behind one in the order of resolution."""

    type_name = "super"

    def __init__(self, owner: Class, value: Any) -> None:
        self.owner = owner
        self.value = value

    def attribute(self, name: str) -> Any:
        """A method of a base, bound to the object."""
        mro = class_of(self.value).mro if not isinstance(self.value, Class) else self.value.mro
        for each in mro[mro.index(self.owner) + 1 :]:
            if name in each.attributes:
                found = each.attributes[name]
                return Bound(found, self.value) if isinstance(found, (Function, Builtin)) else found
        if name == "__init__":
            return Builtin(name, lambda vm, *args, **given: self._start(args))
        return MISSING

    def _start(self, args: tuple[Any, ...]) -> None:
        if isinstance(self.value, Instance) and EXCEPTIONS["BaseException"] in self.value.cls.mro:
            self.value.attributes["args"] = args


def _chr(vm: Vm, number: Any) -> str:
    return chr(number)


def _pow(vm: Vm, base: Any, power: Any, modulus: Any = None) -> Gen:
    if modulus is None:
        return (yield from _expressions.binary(vm, ast.Pow, base, power))
    vm.steps += int(power).bit_length() * int(modulus).bit_length() ** 2 >> 22
    return native(vm, pow, base, power, modulus)


def _represent(vm: Vm, value: Any) -> Gen:
    return (yield from _text.represent(vm, value))


def _ascii(vm: Vm, value: Any) -> Gen:
    return _text.to_ascii((yield from _text.represent(vm, value)))


def _format(vm: Vm, value: Any, spec: str = "") -> Gen:
    return (yield from _text.formatted(vm, value, spec))


def _divmod(vm: Vm, left: Any, right: Any) -> Any:
    return divmod(left, right)


def table() -> dict[str, Any]:
    """The names that need no import."""
    functions: dict[str, Any] = {
        "print": _print, "input": _input, "len": _len, "isinstance": _isinstance, "issubclass": _issubclass,
        "getattr": _getattr, "hasattr": _hasattr, "setattr": _setattr, "callable": _callable, "iter": _iter,
        "next": _next, "map": _map, "zip": _zip, "filter": _filter, "enumerate": _enumerate, "reversed": _reversed,
        "sorted": _sorted, "sum": _sum, "any": _any, "all": _all, "round": _round, "dir": _dir, "vars": _vars,
        "eval": evaluate, "exec": execute, "compile": compile_, "__import__": _import, "open": open_file,
        "chr": _chr, "pow": _pow, "repr": _represent, "ascii": _ascii,
        "format": _format, "divmod": _divmod, "super": _super,
        "abs": lambda vm, value: abs(value), "ord": lambda vm, value: ord(value),
        "hex": lambda vm, value: hex(value), "oct": lambda vm, value: oct(value),
        "bin": lambda vm, value: bin(value), "hash": lambda vm, value: hash(value),
        "id": lambda vm, value: int(_text.address(value), 16),
        "globals": lambda vm: vm.frame.scope.globals, "locals": lambda vm: vm.frame.scope.vars,
        "help": _help, "delattr": lambda vm, value, name: _access.delete_attribute(value, name),
    }  # fmt: skip
    names: dict[str, Any] = {name: Builtin(name, call) for name, call in functions.items()}
    names["exit"], names["quit"] = Quitter("exit"), Quitter("quit")
    names["max"], names["min"] = _extreme(True), _extreme(False)
    for kind in CLASSES.values():
        if kind.name not in ("NoneType", "ellipsis", "NotImplementedType"):
            names[kind.name] = kind
    names["type"] = TYPE
    names.update(EXCEPTIONS)
    for each in ("property", "staticmethod", "classmethod"):
        names[each] = Builtin(each, _descriptor(each))
    names.update(NotImplemented=NotImplemented, Ellipsis=..., __name__="builtins")
    return names


def _descriptor(kind: str) -> Any:
    return lambda vm, function=None, setter=None: Descriptor(kind, function, setter)


def _help(vm: Vm, *what: Any) -> Any:
    raise Unsupported("help")
