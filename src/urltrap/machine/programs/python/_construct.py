"""The constructors of the built-in types."""

from __future__ import annotations

from typing import Any

from urltrap.machine.programs.python import _calls, _expressions, _text
from urltrap.machine.programs.python._native import CODECS, check_codec
from urltrap.machine.programs.python._objects import (
    MISSING,
    OBJECT,
    Bound,
    Builtin,
    Class,
    Function,
    Gen,
    Instance,
    Iterator,
    Module,
    Native,
    Thing,
    class_of,
    error,
)
from urltrap.machine.programs.python._vm import Vm, native

_OURS = (Instance, Thing, Class, Function, Bound, Builtin, Native, Module)


def construct(cls: Class) -> Any:
    """The function that makes values of a built-in class."""
    return _CONSTRUCT[cls.name]


def _make_str(vm: Vm, value: Any = "", encoding: Any = MISSING, errors: str = "strict") -> Gen:
    if encoding is not MISSING:
        if str(encoding).lower() not in CODECS:
            check_codec(str(encoding))
        return bytes(value).decode(str(encoding), errors)
    return (yield from _text.string(vm, value))


def _make_int(vm: Vm, value: Any = 0, base: Any = MISSING) -> Gen:
    if isinstance(value, Instance):
        for name in ("__int__", "__index__"):
            if (found := value.cls.find(name)) is not MISSING:
                return (yield from _calls.call(vm, found, (value,)))
    if isinstance(value, (*_OURS, list, dict, tuple, set, type(None))):
        raise error(
            "TypeError",
            "int() argument must be a string, a bytes-like object or a real number, "
            f"not '{class_of(value).name}'",
        )
    return native(vm, int, value) if base is MISSING else native(vm, int, value, base)


def _make_float(vm: Vm, value: Any = 0.0) -> Gen:
    if isinstance(value, Instance) and (found := value.cls.find("__float__")) is not MISSING:
        return (yield from _calls.call(vm, found, (value,)))
    if isinstance(value, (*_OURS, list, dict, tuple, type(None))):
        raise error(
            "TypeError", f"float() argument must be a string or a real number, not '{class_of(value).name}'"
        )
    return native(vm, float, value)


def _make_bool(vm: Vm, value: Any = False) -> Gen:
    return (yield from _expressions.truth(vm, value))


def _collection(kind: Any) -> Any:
    def make(vm: Vm, value: Any = ()) -> Gen:
        return native(vm, kind, (yield from _calls.listed(vm, value)))

    return make


def _make_dict(vm: Vm, value: Any = (), /, **given: Any) -> Gen:
    known = yield from _calls.mapping(vm, value)
    found = native(vm, dict, known if known is not MISSING else (yield from _pairs(vm, value)))
    found.update(given)
    return found


def _pairs(vm: Vm, value: Any) -> Gen:
    pairs = []
    for each in (yield from _calls.listed(vm, value)):
        pairs.append((yield from _calls.listed(vm, each)) if isinstance(each, Iterator) else each)
    return pairs


def _make_bytes(kind: Any) -> Any:
    def make(vm: Vm, value: Any = b"", encoding: Any = MISSING, errors: str = "strict") -> Gen:
        if isinstance(value, str):
            if encoding is MISSING:
                raise error("TypeError", "string argument without an encoding")
            if str(encoding).lower() not in CODECS:
                check_codec(str(encoding))
            return kind(value.encode(str(encoding), errors))
        if isinstance(value, int):
            vm.grow(value)
            return native(vm, kind, value)
        if isinstance(value, (bytes, bytearray, memoryview)):
            return kind(value)
        return native(vm, kind, (yield from _calls.listed(vm, value)))

    return make


def _make_type(vm: Vm, *args: Any, **given: Any) -> Any:
    if len(args) == 1:
        return class_of(args[0])
    name, bases, names = args
    return Class(name, tuple(bases) or (OBJECT,), dict(names), module="__main__")


_CONSTRUCT: dict[str, Any] = {
    "str": _make_str, "int": _make_int, "float": _make_float, "bool": _make_bool, "list": _collection(list),
    "tuple": _collection(tuple), "set": _collection(set), "frozenset": _collection(frozenset), "dict": _make_dict,
    "bytes": _make_bytes(bytes), "bytearray": _make_bytes(bytearray), "type": _make_type,
    "range": lambda vm, *args: range(*args), "slice": lambda vm, *args: slice(*args),
    "complex": lambda vm, *args: complex(*args), "object": lambda vm: Instance(OBJECT),
    "memoryview": lambda vm, value: memoryview(bytes(value)), "NoneType": lambda vm: None,
    "ellipsis": lambda vm: ..., "NotImplementedType": lambda vm: NotImplemented,
}  # fmt: skip
