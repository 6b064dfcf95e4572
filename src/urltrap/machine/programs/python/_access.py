"""Attributes and items: of instances, classes, modules, and of what the host's own values may show."""

from __future__ import annotations

from collections import deque
from typing import Any

from urltrap.machine.programs.python import _calls
from urltrap.machine.programs.python._native import host_attribute
from urltrap.machine.programs.python._objects import (
    CLASSES,
    EXCEPTIONS,
    MISSING,
    Bound,
    Builtin,
    Class,
    Defaults,
    Descriptor,
    Function,
    Gen,
    Instance,
    Iterator,
    Module,
    Named,
    Native,
    PyError,
    Thing,
    Unsupported,
    class_of,
    error,
)
from urltrap.machine.programs.python._vm import Vm, native


def attribute(vm: Vm, value: Any, name: str, default: Any = None) -> Gen:
    """`value.name`; AttributeError, or `default` where one is given (MISSING counts)."""
    found = yield from _find(vm, value, name)
    if found is not MISSING:
        return found
    if default is not None:
        return default
    cls = class_of(value.function if isinstance(value, Bound) else value)
    shown = (
        cls.shown if cls.module in ("re", "_io", "datetime") else cls.name
    )  # types of C are called with their module
    if isinstance(value, Module):
        missing_attribute(value, name)
        raise error("AttributeError", f"module '{value.name}' has no attribute '{name}'", name=name)
    if isinstance(value, Class):
        shown = value.shown if value.module == "datetime" else value.name
        raise error("AttributeError", f"type object '{shown}' has no attribute '{name}'", name=name)
    raise error("AttributeError", f"'{shown}' object has no attribute '{name}'", name=name)


def missing_attribute(made: Module, name: str) -> None:
    """Unsupported where the real module may have what ours has not: then nothing is said of it."""
    ours = made.file.startswith("/usr/lib/python") or (not made.file and made.name != "__main__")
    if ours and not name.startswith("__"):
        raise Unsupported(f"{made.name}.{name}")


def _find(vm: Vm, value: Any, name: str) -> Gen:
    if name == "__class__":
        return class_of(value)
    kind = type(value)
    if kind is Instance:
        return (yield from _of_instance(vm, value, name))
    if kind is Named:
        found = yield from _of_instance(vm, value, name)
        return found if found is not MISSING else host_attribute(tuple(value), name)
    if kind is Module:
        if name == "__dict__":
            return value.attributes
        return value.attributes.get(name, value.name if name == "__name__" else MISSING)
    if kind is Class:
        return _of_class(value, name)
    if kind is Function:
        if name in ("__name__", "__qualname__"):
            return value.attributes.get(name, value.name if name == "__name__" else value.qualname)
        if name in ("__doc__", "__module__", "__dict__"):
            return {"__dict__": value.attributes, "__module__": "__main__"}.get(
                name, value.attributes.get(name)
            )
        if name == "__globals__":
            return value.scope.globals
        return value.attributes.get(name, MISSING)
    if kind is Bound:
        if name == "__self__":
            return value.owner
        if name == "__func__":
            return value.function
        return (yield from _find(vm, value.function, name))
    if isinstance(value, Iterator):
        return _of_iterator(value, name)
    if isinstance(value, Thing):
        return value.attribute(name)
    if kind is Builtin or kind is Native:
        known = {"__name__": value.name, "__doc__": None, "__module__": getattr(value, "module", None)}
        if isinstance(value, Native):
            known["__self__"] = value.owner
        return known.get(name, MISSING)
    if kind is Descriptor:
        if name in ("setter", "getter", "deleter"):
            return Builtin(name, lambda vm, function: _with_setter(value, name, function))
        return MISSING
    return host_attribute(value, name)


def _with_setter(made: Descriptor, name: str, function: Any) -> Descriptor:
    if name == "setter":
        return Descriptor(made.kind, made.function, function)
    return Descriptor(made.kind, function if name == "getter" else made.function, made.setter)


def _of_instance(vm: Vm, value: Instance | Named, name: str) -> Gen:
    found = value.cls.find(name)
    if type(found) is Descriptor and found.kind == "property":
        return (yield from _calls.call(vm, found.function, (value,)))
    if name in value.attributes:
        return value.attributes[name]
    if found is not MISSING:
        if type(found) in (Function, Builtin):
            return Bound(found, value)
        if type(found) is Descriptor:
            return found.function if found.kind == "staticmethod" else Bound(found.function, value.cls)
        return found
    if name == "__dict__":
        return value.attributes
    if name == "__doc__":
        return None
    if EXCEPTIONS["BaseException"] in value.cls.mro:
        if name == "with_traceback":
            return Builtin(name, lambda vm, trace: value)
        if name == "add_note":
            return Builtin(name, lambda vm, note: None)
        if name in (
            "__traceback__",
            "__cause__",
            "__context__",
            "filename",
            "filename2",
            "errno",
            "strerror",
            "name",
        ):
            return None
        if name == "code" and EXCEPTIONS["SystemExit"] in value.cls.mro:
            args = value.attributes.get("args", ())
            return args[0] if len(args) == 1 else (args or None)
        if name == "value" and EXCEPTIONS["StopIteration"] in value.cls.mro:
            return next(iter(value.attributes.get("args", ())), None)
        if name in ("__str__", "__repr__"):
            from urltrap.machine.programs.python import _text

            how = _text.string if name == "__str__" else _text.represent
            return Builtin(name, lambda vm: how(vm, value))
    other = value.cls.find("__getattr__")
    if other is not MISSING:
        return (yield from _calls.call(vm, other, (value, name)))
    return MISSING


def _of_class(value: Class, name: str) -> Any:
    found = value.find(name)
    if type(found) is Descriptor and found.kind != "property":
        return found.function if found.kind == "staticmethod" else Bound(found.function, value)
    if found is not MISSING:
        return found
    special: dict[str, Any] = {
        "__name__": value.name, "__qualname__": value.name, "__module__": value.module, "__bases__": value.bases,
        "__mro__": value.mro, "__doc__": None, "__dict__": value.attributes, "__base__": next(iter(value.bases), None),
    }  # fmt: skip
    if name in special:
        return special[name]
    if name == "mro":
        return Builtin("mro", lambda vm: list(value.mro))
    if name == "__subclasses__":
        known = [*CLASSES.values(), *EXCEPTIONS.values()]
        return Builtin(name, lambda vm: [each for each in known if value in each.bases])
    if name == "__init__":
        return Builtin(name, lambda vm, *args, **keywords: _set_args(args))
    if value.native is not None and value.native is not object:
        return _of_native_class(value, name)
    return MISSING


def _set_args(args: tuple[Any, ...]) -> None:
    if args and isinstance(args[0], Instance) and EXCEPTIONS["BaseException"] in args[0].cls.mro:
        args[0].attributes["args"] = args[1:]


_CLASS_METHODS = {
    dict: ("fromkeys",), bytes: ("fromhex", "maketrans"), str: ("maketrans",), int: ("from_bytes",),
    bytearray: ("fromhex",), float: ("fromhex",),
}  # fmt: skip


def _of_native_class(value: Class, name: str) -> Any:
    assert value.native is not None
    if name in _CLASS_METHODS.get(value.native, ()):
        return Builtin(
            name, lambda vm, *args, **given: _of_host(vm, getattr(value.native, name), args, given)
        )
    # str.upper(text): the method of a class, called with its object.
    if host_attribute(_EMPTY.get(value.native), name) is MISSING:
        return MISSING
    return Builtin(name, lambda vm, owner, *args, **given: _calls.call(vm, Native(owner, name), args, given))


def _of_host(vm: Vm, does: Any, args: tuple[Any, ...], given: dict[str, Any]) -> Gen:
    values = []
    for each in args:
        values.append((yield from _calls.plain(vm, each)))
    return native(vm, does, *values, **given)


_EMPTY: dict[Any, Any] = {
    str: "", bytes: b"", list: [], dict: {}, int: 0, float: 0.0, set: set(), tuple: (), bytearray: bytearray(),
    frozenset: frozenset(), bool: False, complex: 0j,
}  # fmt: skip


def _of_iterator(value: Iterator, name: str) -> Any:
    if name == "__next__":
        return Builtin(name, lambda vm: _next(vm, value))
    if name == "__iter__":
        return Builtin(name, lambda vm: value)
    if value.type_name == "generator":
        if name == "send":
            return Builtin(name, lambda vm, sent: _next(vm, value, sent))
        if name == "throw":
            return Builtin(name, lambda vm, what, *rest: _throw(vm, value, what, *rest))
        if name == "close":
            return Builtin(name, lambda vm: _close(vm, value))
    return MISSING


def _throw(vm: Vm, value: Iterator, what: Any, given: Any = None, trace: Any = None) -> Gen:
    if isinstance(what, Class):
        what = (
            given
            if isinstance(given, Instance)
            else (yield from _calls.call(vm, what, () if given is None else (given,)))
        )
    if not isinstance(what, Instance) or EXCEPTIONS["BaseException"] not in what.cls.mro:
        shown = class_of(what).name
        raise error(
            "TypeError", f"exceptions must be classes or instances deriving from BaseException, not {shown}"
        )
    return (yield from _next(vm, value, problem=PyError(what)))


def _close(vm: Vm, value: Iterator) -> Gen:
    if not value.began:
        value.stack.clear()
        return
    try:
        found = yield from vm.resume(value, problem=error("GeneratorExit"))
    except PyError as problem:
        if {EXCEPTIONS["GeneratorExit"], EXCEPTIONS["StopIteration"]}.isdisjoint(problem.value.cls.mro):
            raise
        return
    if found is not MISSING:
        raise error("RuntimeError", "generator ignored GeneratorExit")


def _next(vm: Vm, value: Iterator, sent: Any = None, problem: PyError | None = None) -> Gen:
    if sent is not None and not value.began:
        raise error("TypeError", "can't send non-None value to a just-started generator")
    found = yield from vm.resume(value, sent, problem)
    if found is MISSING:
        raise error("StopIteration", *(() if value.result is None else (value.result,)))
    return found


def set_attribute(vm: Vm, owner: Any, name: str, value: Any) -> Gen:
    """`owner.name = value`."""
    if type(owner) is Instance:
        found = owner.cls.find(name)
        if type(found) is Descriptor and found.kind == "property":
            if found.setter is None:
                raise error("AttributeError", f"property '{name}' of '{owner.cls.name}' object has no setter")
            yield from _calls.call(vm, found.setter, (owner, value))
            return
        owner.attributes[name] = value
    elif isinstance(owner, (Function, Module)) or (
        isinstance(owner, Named)
        and "_fields" not in owner.cls.attributes
        and name not in owner.cls.find("_fields")
    ):
        owner.attributes[name] = value
    elif isinstance(owner, Class):
        if owner.module != "__main__":
            raise error("TypeError", f"cannot set '{name}' attribute of immutable type '{owner.name}'")
        owner.attributes[name] = value
    elif not (isinstance(owner, Thing) and owner.assign(name, value)):
        shown = class_of(owner).name
        if isinstance(owner, Named) and name in owner.cls.find("_fields"):
            raise error("AttributeError", "can't set attribute")
        found = host_attribute(owner, name)
        if found is not MISSING and not isinstance(found, Native):
            raise error("AttributeError", f"attribute '{name}' of '{shown}' objects is not writable")
        if found is not MISSING:
            raise error("AttributeError", f"'{shown}' object attribute '{name}' is read-only")
        raise error("AttributeError", f"'{shown}' object has no attribute '{name}'")


def delete_attribute(owner: Any, name: str) -> None:
    """`del owner.name`."""
    if not isinstance(owner, (Instance, Class, Module, Function)) or name not in owner.attributes:
        kind = (
            f"type object '{owner.name}'" if isinstance(owner, Class) else f"'{class_of(owner).name}' object"
        )
        raise error("AttributeError", f"{kind} has no attribute '{name}'")
    del owner.attributes[name]


def item(vm: Vm, owner: Any, index: Any) -> Gen:
    """`owner[index]`."""
    if isinstance(owner, Instance):
        found = owner.cls.find("__getitem__")
        if found is not MISSING:
            return (yield from _calls.call(vm, found, (owner, index)))
    elif isinstance(owner, Thing) and hasattr(owner, "item"):
        return native(vm, owner.item, index)
    elif isinstance(owner, Class) and owner.native in (list, dict, tuple, set, type):
        return owner  # list[int] in an annotation
    elif not isinstance(owner, (Thing, Class, Function, Bound, Builtin, Native, Module)):
        if (
            isinstance(owner, Defaults)
            and owner.factory is not None
            and native(vm, lambda: index not in owner)
        ):
            made = owner[index] = yield from _calls.call(vm, owner.factory)
            vm.grown += 64
            return made
        found = native(vm, lambda: owner[index])
        if isinstance(index, slice) and isinstance(found, (str, bytes, list)):
            vm.steps += len(found) >> 9
            vm.grow(len(found) >> 3)
        return found
    raise error("TypeError", f"'{class_of(owner).name}' object is not subscriptable")


def set_item(vm: Vm, owner: Any, index: Any, value: Any) -> Gen:
    """`owner[index] = value`."""
    if isinstance(owner, Instance):
        found = owner.cls.find("__setitem__")
        if found is not MISSING:
            yield from _calls.call(vm, found, (owner, index, value))
            return
    elif isinstance(owner, Thing) and hasattr(owner, "set_item"):
        native(vm, owner.set_item, vm, index, value)
        return
    elif isinstance(owner, (list, dict, bytearray, deque)):
        if isinstance(index, slice):
            value = yield from _calls.listed(vm, value)
        vm.grown += 64
        native(vm, owner.__setitem__, index, value)
        return
    raise error("TypeError", f"'{class_of(owner).name}' object does not support item assignment")


def delete_item(vm: Vm, owner: Any, index: Any) -> Gen:
    """`del owner[index]`."""
    if isinstance(owner, Instance):
        found = owner.cls.find("__delitem__")
        if found is not MISSING:
            yield from _calls.call(vm, found, (owner, index))
            return
    elif isinstance(owner, Thing) and hasattr(owner, "delete_item"):
        native(vm, owner.delete_item, vm, index)
        return
    elif isinstance(owner, (list, dict, bytearray, deque)):
        native(vm, owner.__delitem__, index)
        return
    how = "doesn't" if isinstance(owner, (Instance, Class, tuple, str, bytes, range)) else "does not"
    raise error("TypeError", f"'{class_of(owner).name}' object {how} support item deletion")
