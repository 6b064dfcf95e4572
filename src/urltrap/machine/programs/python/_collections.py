"""collections and copy: the containers of the host's that are lent, named tuples, copies."""

from __future__ import annotations

import ast
import keyword
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from typing import Any

from urltrap.machine.programs.python import _calls
from urltrap.machine.programs.python._imports import functions, module
from urltrap.machine.programs.python._objects import (
    CLASSES,
    MISSING,
    Bound,
    Builtin,
    Class,
    Defaults,
    Descriptor,
    Enter,
    Function,
    Gen,
    Instance,
    Iterator,
    Module,
    Named,
    Scope,
    Thing,
    Unsupported,
    error,
    lend,
)
from urltrap.machine.programs.python._records import Record
from urltrap.machine.programs.python._vm import Vm, native


def _given(vm: Vm, values: Any) -> Gen:
    """Mappings as they are, other iterables as lists."""
    found = []
    for each in values:
        found.append(each if isinstance(each, dict) else (yield from _calls.listed(vm, each)))
    return found


def _container(host: type, base: type | None = None, name: str = "") -> Class:
    """The class of a container that is made of iterables and names; of its subclasses nothing is known."""
    made = lend(host, "collections", (CLASSES[base or object],), name)

    def new(vm: Vm, cls: Class, *values: Any, **given: Any) -> Gen:
        if cls is not made:
            raise Unsupported(f"a class derived from {made.name}")
        if host is not Defaults:
            return native(vm, host, *(yield from _given(vm, values)), **given)
        factory, *rest = values or (None,)
        found = native(vm, Defaults, *(yield from _given(vm, rest)), **given)
        found.factory = factory
        return found

    made.attributes["__new__"] = Builtin(made.name, new)
    return made


_COUNTER, _ORDERED, _DEFAULTS, _DEQUE = (
    _container(Counter, dict), _container(OrderedDict, dict), _container(Defaults, dict, "defaultdict"),
    _container(deque),
)  # fmt: skip


def _from_keys(vm: Vm, keys: Any, value: Any = None) -> Gen:
    return OrderedDict.fromkeys((yield from _calls.listed(vm, keys)), value)


_ORDERED.attributes["fromkeys"] = Builtin("fromkeys", _from_keys)


def _queue(vm: Vm, cls: Class, values: Any = (), maxlen: Any = None) -> Gen:
    if cls is not _DEQUE:
        raise Unsupported("a class derived from deque")
    return native(vm, deque, (yield from _calls.listed(vm, values)), maxlen)


_DEQUE.attributes["__new__"] = Builtin("deque", _queue)


# named tuples
def _named(cls: Class, values: Any) -> Named:
    made = Named(values)
    made.cls, made.attributes = cls, {}
    return made


def named_tuple(
    vm: Vm, typename: Any, field_names: Any, *, rename: Any = False, defaults: Any = None, module: Any = None
) -> Gen:
    """collections.namedtuple: the class, with CPython's complaints about its names."""
    if isinstance(field_names, str):
        field_names = field_names.replace(",", " ").split()
    fields = [str(each) for each in (yield from _calls.listed(vm, field_names))]
    if rename:
        for at, each in enumerate(fields):
            if not each.isidentifier() or keyword.iskeyword(each) or each[:1] == "_" or each in fields[:at]:
                fields[at] = f"_{at}"
    _check_names(str(typename), fields, bool(rename))
    given = [] if defaults is None else (yield from _calls.listed(vm, defaults))
    if len(given) > len(fields):
        raise error("TypeError", "Got more default values than field names")
    return _named_class(str(typename), tuple(fields), given, "__main__" if module is None else module)


def _check_names(typename: str, fields: list[str], rename: bool) -> None:
    for each in (typename, *fields):
        if not each.isidentifier():
            raise error("ValueError", f"Type names and field names must be valid identifiers: {each!r}")
        if keyword.iskeyword(each):
            raise error("ValueError", f"Type names and field names cannot be a keyword: {each!r}")
    for at, each in enumerate(fields):
        if each.startswith("_") and not rename:
            raise error("ValueError", f"Field names cannot start with an underscore: {each!r}")
        if each in fields[:at]:
            raise error("ValueError", f"Encountered duplicate field name: {each!r}")


def _named_class(name: str, fields: tuple[str, ...], defaults: list[Any], place: str) -> Class:
    arguments = ast.arguments(
        posonlyargs=[], args=[ast.arg(each) for each in ("_cls", *fields)], kwonlyargs=[], kw_defaults=[],
        defaults=[],
    )  # fmt: skip
    signature = Function(
        "__new__", arguments, [], Scope({}, {}), defaults, {}, frozenset(), {}, False, "", f"{name}.__new__"
    )

    def new(vm: Vm, cls: Class, *args: Any, **given: Any) -> Named:
        found = _calls.bind(signature, (cls, *args), given).vars
        return _named(cls, [found[each] for each in fields])

    def made_of(vm: Vm, cls: Class, iterable: Any) -> Gen:
        values = yield from _calls.listed(vm, iterable)
        if len(values) != len(fields):
            raise error("TypeError", f"Expected {len(fields)} arguments, got {len(values)}")
        return _named(cls, values)

    def replaced(vm: Vm, self: Named, **given: Any) -> Named:
        values = [given.pop(each, value) for each, value in zip(fields, self, strict=True)]
        if given:
            raise error("ValueError", f"Got unexpected field names: {list(given)!r}")
        return _named(self.cls, values)

    attributes: dict[str, Any] = {
        "__new__": Builtin(name, new), "_make": Descriptor("classmethod", Builtin("_make", made_of)),
        "_replace": Builtin("_replace", replaced), "_fields": fields, "__match_args__": fields,
        "_asdict": Builtin("_asdict", lambda vm, self: dict(zip(fields, self, strict=True))),
        "_field_defaults": dict(zip(fields[len(fields) - len(defaults) :], defaults, strict=True)),
        "__doc__": f"{name}({', '.join(fields)})",
        **{each: Descriptor("property", Builtin(each, _field(at))) for at, each in enumerate(fields)},
    }  # fmt: skip
    return Class(name, (CLASSES[tuple],), attributes, module=place)


def _field(at: int) -> Callable[..., Any]:
    return lambda vm, self: self[at]


@module("collections")
def _collections(vm: Vm) -> dict[str, Any]:
    classes = {each.name: each for each in (_COUNTER, _ORDERED, _DEFAULTS, _DEQUE)}
    return {**classes, **functions("collections", namedtuple=named_tuple)}


# copies
_SAME = (Function, Builtin, Bound, Class, Record)


def _refused(value: Any) -> None:
    """TypeError where CPython has it for what holds a part of the system; nothing where a copy is possible."""
    if isinstance(value, Module):
        raise error("TypeError", "cannot pickle 'module' object")
    if isinstance(value, Iterator):
        raise error("TypeError", f"cannot pickle '{value.type_name}' object")
    if isinstance(value, Thing) and not isinstance(value, Record):
        raise Unsupported(f"copy of {value.type_name}")


def shallow(vm: Vm, value: Any) -> Gen:
    """copy.copy."""
    if isinstance(value, Instance):
        hook = value.cls.find("__copy__")
        if hook is not MISSING:
            return (yield from _calls.call(vm, hook, (value,)))
        return Instance(value.cls, dict(value.attributes))
    _refused(value)
    if isinstance(value, (list, dict, set, bytearray, deque)):
        vm.grow(8 * len(value))
        return value.copy()
    return value


def deep(vm: Vm, value: Any, memo: Any = None) -> Gen:
    """copy.deepcopy; what was met before is in `memo` by its id."""
    memo = {} if memo is None else memo
    vm.steps += 4
    if vm.steps > 400:
        yield from vm.spend()
    if id(value) in memo:
        return memo[id(value)]
    if not isinstance(value, (list, dict, tuple, set, frozenset, deque, bytearray, Instance)):
        _refused(value)
        return value
    made = yield Enter(_copied(vm, value, memo))
    memo[id(value)] = made
    memo.setdefault(id(memo), []).append(value)  # an id stays that of this value for as long as it lives
    return made


def _copied(vm: Vm, value: Any, memo: dict[int, Any]) -> Gen:
    if isinstance(value, Instance):
        hook = value.cls.find("__deepcopy__")
        if hook is not MISSING:
            return (yield from _calls.call(vm, hook, (value, memo)))
        made: Any = Instance(value.cls)
        memo[id(value)] = made
        for name, each in list(value.attributes.items()):
            made.attributes[name] = yield from deep(vm, each, memo)
        return made
    if isinstance(value, dict):
        made = value.copy()
        made.clear()
        memo[id(value)] = made
        for key, each in list(value.items()):
            made[(yield from deep(vm, key, memo))] = yield from deep(vm, each, memo)
        return made
    if isinstance(value, (list, deque)):
        made = [] if isinstance(value, list) else deque(maxlen=value.maxlen)
        memo[id(value)] = made
        for each in list(value):
            made.append((yield from deep(vm, each, memo)))
        return made
    parts = []
    for each in value:
        parts.append((yield from deep(vm, each, memo)))
    if isinstance(value, Named):
        return _named(value.cls, parts)
    if isinstance(value, tuple):
        same = all(one is other for one, other in zip(parts, value, strict=True))
        return memo.get(id(value), value if same else tuple(parts))
    return type(value)(parts)


@module("copy")
def _copy(vm: Vm) -> dict[str, Any]:
    return functions("copy", copy=shallow, deepcopy=deep)
