# ruff: noqa: E501 - tables of names read best with several on a line
"""What the interpreter's values are: Python's own immutable and container types, and these for everything else.

Nothing here is ever run by the host: a function of the attacker is its syntax tree (`Function`), a class a table of
names (`Class`), an exception an `Instance` of one of the classes of `EXCEPTIONS`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

Gen = Generator[Any, Any, Any]
MISSING: Any = object()
"""No value: the end of an iterator, an argument that was not given."""


class Unsupported(Exception):
    """The program needs a part of the language or of its library that this interpreter does not have."""


@dataclass(slots=True, eq=False)
class Class:
    """A class: built in (`native` is the host type that its values have) or defined by the program."""

    name: str
    bases: tuple[Class, ...] = ()
    attributes: dict[str, Any] = field(default_factory=dict)
    module: str = "builtins"
    native: type | None = None
    mro: tuple[Class, ...] = ()

    def __post_init__(self) -> None:
        self.mro = _linear(self)

    def find(self, name: str) -> Any:
        """An attribute along the order of resolution; MISSING where nobody has it."""
        for each in self.mro:
            if name in each.attributes:
                return each.attributes[name]
        return MISSING

    def derives(self, other: Class) -> bool:
        """issubclass."""
        return other in self.mro

    @property
    def shown(self) -> str:
        """The name with its module, as repr gives it."""
        place = self.attributes.get("__module__", self.module)
        return self.name if place == "builtins" else f"{place}.{self.name}"


def _linear(made: Class) -> tuple[Class, ...]:
    """The order of resolution (C3 merge; what cannot be merged keeps the order of the bases)."""
    sequences = [list(base.mro) for base in made.bases] + [list(made.bases)]
    out = [made]
    while any(sequences):
        sequences = [each for each in sequences if each]
        head = next(
            (each[0] for each in sequences if not any(each[0] in other[1:] for other in sequences)),
            sequences[0][0],
        )
        out.append(head)
        sequences = [[one for one in each if one is not head] for each in sequences]
    return tuple(out)


@dataclass(slots=True, eq=False)
class Instance:
    """A value of a class of the program, or an exception (its `args` are an attribute)."""

    cls: Class
    attributes: dict[str, Any] = field(default_factory=dict)


class Named(tuple[Any, ...]):
    """A value of a class that namedtuple made: a tuple to the host, of a class of the program."""

    cls: Class
    attributes: dict[str, Any]


class Defaults(dict[Any, Any]):
    """A defaultdict: `factory` is a callable of the program, or None."""

    factory: Any = None

    def copy(self) -> Defaults:
        """copy."""
        made = Defaults(self)
        made.factory = self.factory
        return made


class Scope:
    """The variables of one call, and where those outside of it are."""

    __slots__ = ("globals", "locals", "owner", "parent", "shared", "vars")

    def __init__(self, names: dict[str, Any], around: dict[str, Any], parent: Scope | None = None) -> None:
        self.vars = names
        self.globals = around
        self.parent = parent
        self.locals: frozenset[str] = frozenset()
        self.shared: dict[str, str] = {}  # names declared global or nonlocal
        self.owner: Class | None = None


@dataclass(slots=True, eq=False)
class Function:
    """A function of the program."""

    name: str
    args: ast.arguments
    body: list[ast.stmt] | ast.expr
    scope: Scope
    defaults: list[Any]
    keyword_defaults: dict[str, Any]
    names: frozenset[str]
    shared: dict[str, str]
    is_generator: bool
    filename: str
    qualname: str
    owner: Class | None = None
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Bound:
    """A method with its object."""

    function: Any
    owner: Any


@dataclass(slots=True, eq=False)
class Builtin:
    """A function of ours: called with the interpreter in front; it may answer a generator, which is driven."""

    name: str
    call: Callable[..., Any]
    module: str = ""


@dataclass(slots=True, eq=False)
class Native:
    """A method of a value of a host type, by name."""

    owner: Any
    name: str


@dataclass(slots=True, eq=False)
class Descriptor:
    """property, staticmethod, classmethod."""

    kind: str
    function: Any
    setter: Any = None


@dataclass(slots=True, eq=False)
class Module:
    """An imported module."""

    name: str
    attributes: dict[str, Any]
    file: str = ""


class Thing:
    """A value of a built-in type that we wrote: files, sockets, matches. Subclasses name their type and attributes.

    `attribute` answers MISSING for what it has not; methods are its `m_NAME`, called as a `Builtin` is.
    """

    type_name = "object"
    module = "builtins"

    def attribute(self, name: str) -> Any:
        """The value of an attribute."""
        method = getattr(self, f"m_{name}", None)
        return MISSING if method is None else Builtin(name, method)

    def assign(self, name: str, value: Any) -> bool:
        """Set an attribute; False where it has none of this name."""
        return False

    def shown(self) -> str:
        """repr."""
        return f"<{self.type_name} object at 0x{0x7F0000000000 + id(self) % 0xFFFFFFFFFF:012x}>"


class Iterator(Thing):
    """A generator of the program, or a lazy iterator of ours: `stack` is what runs, innermost last."""

    type_name = "generator"

    def __init__(self, body: Gen, type_name: str = "generator", name: str = "") -> None:
        self.stack: list[Gen] = [body]
        self.type_name = type_name
        self.name = name
        self.running = self.began = False
        self.result: Any = None

    def shown(self) -> str:
        """repr."""
        place = 0x7F0000000000 + id(self) % 0xFFFFFFFFFF
        if self.type_name == "generator":
            return f"<generator object {self.name} at 0x{place:012x}>"
        return f"<{self.type_name} object at 0x{place:012x}>"


@dataclass(slots=True)
class Enter:
    """Asks whoever drives to run this first and to answer with what it returns: a call that must not nest."""

    body: Gen


@dataclass(slots=True)
class Yielded:
    """What a generator of the program gives."""

    value: Any


@dataclass(slots=True)
class Place:
    """One line of a traceback."""

    filename: str
    node: ast.AST
    name: str


class PyError(Exception):
    """An exception of the program on its way: the instance, and where it came through (innermost first)."""

    def __init__(self, value: Instance) -> None:
        super().__init__(value.cls.name)
        self.value = value
        self.places: list[Place] = value.attributes.setdefault("__traceback__", [])
        self.again = False


OBJECT = Class("object", native=object)
TYPE = Class("type", (OBJECT,), native=type)


def _builtin(name: str, native: type, base: Class = OBJECT) -> Class:
    return Class(name, (base,), native=native)


INT = _builtin("int", int)
CLASSES: dict[type, Class] = {
    object: OBJECT,
    int: INT,
    bool: _builtin("bool", bool, INT),
    **{
        each: _builtin(each.__name__, each)
        for each in (
            float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset, range, slice, type(None),
            type(...), type(NotImplemented), memoryview,
        )
    },
}  # fmt: skip
"""The classes of values that are the host's own."""

LENT: dict[type, Class] = {}
"""The classes of further values and exceptions of the host's that modules give out (see `lend`)."""


def lend(host: type, module: str, bases: tuple[Class, ...] = (OBJECT,), name: str = "") -> Class:
    """Make the class that values of a host type show; `new(vm, cls, …)` as its `__new__` makes them."""
    LENT[host] = made = Class(name or host.__name__, bases, module=module)
    return made


KINDS: dict[str, Class] = {
    name: Class(name, (OBJECT,), module=module)
    for name, module in (
        ("function", "builtins"), ("builtin_function_or_method", "builtins"), ("method", "builtins"),
        ("module", "builtins"), ("generator", "builtins"), ("property", "builtins"),
        ("staticmethod", "builtins"), ("classmethod", "builtins"),
    )
}  # fmt: skip

_HIERARCHY = """\
BaseException
 SystemExit KeyboardInterrupt GeneratorExit Exception
Exception
 StopIteration StopAsyncIteration ArithmeticError AssertionError AttributeError BufferError EOFError ImportError
 LookupError MemoryError NameError OSError ReferenceError RuntimeError SyntaxError SystemError TypeError ValueError Warning
ArithmeticError
 FloatingPointError OverflowError ZeroDivisionError
ImportError
 ModuleNotFoundError
LookupError
 IndexError KeyError
NameError
 UnboundLocalError
OSError
 BlockingIOError ChildProcessError ConnectionError FileExistsError FileNotFoundError InterruptedError IsADirectoryError
 NotADirectoryError PermissionError ProcessLookupError TimeoutError
ConnectionError
 BrokenPipeError ConnectionAbortedError ConnectionRefusedError ConnectionResetError
RuntimeError
 NotImplementedError RecursionError
SyntaxError
 IndentationError
IndentationError
 TabError
ValueError
 UnicodeError
UnicodeError
 UnicodeDecodeError UnicodeEncodeError UnicodeTranslateError
Warning
 DeprecationWarning UserWarning RuntimeWarning SyntaxWarning FutureWarning ResourceWarning ImportWarning
"""


def _exceptions() -> dict[str, Class]:
    found = {"BaseException": Class("BaseException", (OBJECT,))}
    base = ""
    for line in _HIERARCHY.splitlines():
        if not line.startswith(" "):
            base = line
            continue
        for name in line.split():
            found[name] = Class(name, (found[base],))
    found["EnvironmentError"] = found["IOError"] = found["OSError"]
    return found


EXCEPTIONS = _exceptions()
"""The built-in exceptions by name."""


def error(name: str, /, *args: Any, **attributes: Any) -> PyError:
    """An exception to raise, by the name of its class."""
    return PyError(Instance(EXCEPTIONS[name], {"args": args, **attributes}))


def class_of(value: Any) -> Class:
    """The class of a value."""
    found = CLASSES.get(type(value)) or LENT.get(type(value))
    if found is not None:
        return found
    if isinstance(value, (Instance, Named)):
        return value.cls
    if isinstance(value, Class):
        return TYPE
    kind = {
        Function: "function", Builtin: "builtin_function_or_method", Native: "builtin_function_or_method",
        Bound: "method", Module: "module",
    }.get(type(value))  # fmt: skip
    if isinstance(value, Descriptor):
        kind = value.kind
    if kind is not None:
        return KINDS[kind]
    if isinstance(value, Thing):
        return thing_class(value.type_name, value.module)
    return thing_class(type(value).__name__, "builtins")


def thing_class(name: str, module: str) -> Class:
    """The class of values that we wrote, made when it is first asked for."""
    key = f"{module}.{name}"
    found = KINDS.get(name if module == "builtins" else key)
    if found is None:
        found = KINDS[name if module == "builtins" else key] = Class(name, (OBJECT,), module=module)
    return found
