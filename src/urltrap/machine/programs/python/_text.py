"""str, repr, format and the % operator, for values of the host and ours."""

from __future__ import annotations

import re
import string as host_string
from collections import Counter, OrderedDict, deque
from typing import Any

from urltrap.machine.programs.python import _access, _calls
from urltrap.machine.programs.python._objects import (
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
    Module,
    Named,
    Native,
    Thing,
    class_of,
    error,
)
from urltrap.machine.programs.python._vm import Vm, native

_OURS = (Instance, Thing, Class, Function, Bound, Builtin, Native, Module, Descriptor)
_CONTAINERS = (list, tuple, dict, set, frozenset, deque)
_DEEPEST = 60
_WIDTHS = re.compile(r"\d{7,}")
_PERCENT = re.compile(r"%(?:\(([^()]*)\))?([-#0 +]*)(\*|\d+)?(?:\.(\*|\d+)?)?[hlL]?(.?)", re.DOTALL)


def address(value: Any) -> str:
    """Where a value seems to be in memory."""
    return f"0x7f{(id(value) * 2_654_435_761 >> 4) % (1 << 32):08x}{(id(value) >> 4) % 16 << 4:02x}"


def string(vm: Vm, value: Any) -> Gen:
    """str(value)."""
    if type(value) is str:
        return value
    if type(value) in (Instance, Named):
        found = value.cls.find("__str__")
        if found is not MISSING:
            text = yield from _calls.call(vm, found, (value,))
            if not isinstance(text, str):
                raise error("TypeError", f"__str__ returned non-string (type {class_of(text).name})")
            return text
        if EXCEPTIONS["BaseException"] in value.cls.mro:
            return (yield from exception_text(vm, value))
    if isinstance(value, Thing) and hasattr(value, "text"):
        return value.text()
    if isinstance(value, (*_OURS, *_CONTAINERS)):
        return (yield from represent(vm, value))
    return native(vm, str, value)


def exception_text(vm: Vm, value: Instance) -> Gen:
    """What str gives of an exception."""
    attributes = value.attributes
    args = attributes.get("args", ())
    if "__text__" in attributes:
        return attributes["__text__"]
    if "__pointed__" in attributes:
        return (
            f"{attributes['msg']} ({attributes['filename'].rpartition('/')[2]}, line {attributes['lineno']})"
        )
    if EXCEPTIONS["OSError"] in value.cls.mro and len(args) == 2:
        text = f"[Errno {args[0]}] {args[1]}"
        if attributes.get("filename") is not None:
            text += f": {(yield from represent(vm, attributes['filename']))}"
            if attributes.get("filename2") is not None:
                text += f" -> {(yield from represent(vm, attributes['filename2']))}"
        return text
    if EXCEPTIONS["KeyError"] in value.cls.mro and len(args) == 1:
        return (yield from represent(vm, args[0]))
    if not args:
        return ""
    if len(args) == 1:
        return (yield from string(vm, args[0]))
    return (yield from represent(vm, tuple(args)))


def represent(vm: Vm, value: Any, depth: int = 0) -> Gen:
    """repr(value)."""
    vm.steps += 1
    if not isinstance(value, _OURS) and not isinstance(value, _CONTAINERS):
        if isinstance(value, (str, bytes)):
            vm.steps += len(value) >> 8
        if type(value).__name__.endswith("iterator"):
            return f"<{type(value).__name__} object at {address(value)}>"
        return native(vm, repr, value)
    if isinstance(value, (Instance, Named)):
        found = value.cls.find("__repr__")
        if found is not MISSING:
            return (yield from _calls.call(vm, found, (value,)))
    if isinstance(value, _CONTAINERS):
        if depth > _DEEPEST:
            return "[...]" if isinstance(value, list) else "{...}"
        return (yield from _container(vm, value, depth))
    if isinstance(value, Instance):
        if EXCEPTIONS["BaseException"] in value.cls.mro:
            args = value.attributes.get("args", ())
            inner = []
            for each in args:
                inner.append((yield from represent(vm, each, depth + 1)))
            return f"{value.cls.name}({', '.join(inner)})"
        return f"<{value.cls.shown} object at {address(value)}>"
    return _shown(value) if not isinstance(value, Bound) else (yield from _bound(vm, value))


def _bound(vm: Vm, value: Bound) -> Gen:
    name = getattr(value.function, "qualname", getattr(value.function, "name", "?"))
    return f"<bound method {name} of {(yield from represent(vm, value.owner))}>"


def _shown(value: Any) -> str:
    if isinstance(value, Class):
        return f"<class '{value.shown}'>"
    if isinstance(value, Function):
        return f"<function {value.qualname} at {address(value)}>"
    if isinstance(value, Module):
        return (
            f"<module '{value.name}' from '{value.file}'>"
            if value.file
            else f"<module '{value.name}' (built-in)>"
        )
    if isinstance(value, Builtin):
        if value.module == "python":
            return f"<function {value.name} at {address(value)}>"
        return f"<built-in function {value.name}>"
    if isinstance(value, Native):
        return (
            f"<built-in method {value.name} of {type(value.owner).__name__} object at {address(value.owner)}>"
        )
    if isinstance(value, Thing):
        return value.shown()
    return f"<{class_of(value).shown} object at {address(value)}>"


def _container(vm: Vm, value: Any, depth: int) -> Gen:
    kind = type(value)
    if len(value) > 64:
        vm.steps += len(value) >> 2
        yield from vm.spend()
    if isinstance(value, dict):
        pairs = []
        for key, each in _items(value):
            shown = yield from represent(vm, key, depth + 1)
            pairs.append((shown, (yield from represent(vm, each, depth + 1))))
        inner = "{" + ", ".join(f"{key}: {each}" for key, each in pairs) + "}"
        if kind is OrderedDict:
            if vm.version < (3, 12):
                inner = f"[{', '.join(f'({key}, {each})' for key, each in pairs)}]"
            return f"OrderedDict({inner if pairs else ''})"
        if isinstance(value, Defaults):
            return f"defaultdict({(yield from represent(vm, value.factory))}, {inner})"
        return f"Counter({inner if pairs else ''})" if kind is Counter else inner
    parts = []
    for each in list(value):
        parts.append((yield from represent(vm, each, depth + 1)))
    inner = ", ".join(parts)
    vm.grow(len(inner))
    if kind is list:
        return f"[{inner}]"
    if kind is deque:
        return f"deque([{inner}])" if value.maxlen is None else f"deque([{inner}], maxlen={value.maxlen})"
    if kind is Named:
        fields = zip(value.cls.find("_fields"), parts, strict=True)
        return f"{value.cls.name}({', '.join(f'{name}={each}' for name, each in fields)})"
    if kind is tuple:
        return f"({inner},)" if len(parts) == 1 else f"({inner})"
    if kind is set:
        return f"{{{inner}}}" if parts else "set()"
    return f"frozenset({{{inner}}})" if parts else "frozenset()"


def _items(value: dict[Any, Any]) -> list[tuple[Any, Any]]:
    """What repr goes through: of a Counter the most frequent first, where they can be compared."""
    if isinstance(value, Counter):
        try:
            return value.most_common()
        except TypeError:
            return list(value.items())
    return list(value.items())


def to_ascii(text: str) -> str:
    """What ascii makes of a repr."""
    return text.encode("ascii", "backslashreplace").decode("ascii")


def formatted(vm: Vm, value: Any, spec: str) -> Gen:
    """format(value, spec)."""
    if isinstance(value, Instance):
        found = value.cls.find("__format__")
        if found is not MISSING:
            return (yield from _calls.call(vm, found, (value, spec)))
    if not spec:
        return (yield from string(vm, value))
    if isinstance(value, (*_OURS, *_CONTAINERS, bytes, type(None))):
        raise error("TypeError", f"unsupported format string passed to {class_of(value).name}.__format__")
    if _WIDTHS.search(spec):
        raise error("MemoryError")
    return native(vm, format, value, spec)


def format_method(vm: Vm, template: str, args: Any, keywords: Any) -> Gen:
    """template.format(*args, **keywords)."""
    return (yield from _format_parts(vm, template, args, keywords, [0], 0))


def _format_parts(vm: Vm, template: str, args: Any, keywords: Any, counter: list[int], depth: int) -> Gen:
    if depth > 2:
        raise error("ValueError", "Max string recursion exceeded")
    out: list[str] = []
    for literal, field, spec, conversion in native(vm, lambda: list(host_string.Formatter().parse(template))):
        out.append(literal)
        if field is None:
            continue
        value = yield from _field(vm, field, args, keywords, counter)
        if conversion == "r":
            value = yield from represent(vm, value)
        elif conversion == "a":
            value = to_ascii((yield from represent(vm, value)))
        elif conversion == "s":
            value = yield from string(vm, value)
        elif conversion is not None:
            raise error("ValueError", f"Unknown conversion specifier {conversion}")
        given = spec or ""
        if "{" in given:
            given = yield from _format_parts(vm, given, args, keywords, counter, depth + 1)
        out.append((yield from formatted(vm, value, given)))
    text = "".join(out)
    vm.grow(len(text))
    return text


def _field(vm: Vm, field: str, args: Any, keywords: Any, counter: list[int]) -> Gen:
    first = re.split(r"[.\[]", field, maxsplit=1)[0]
    rest = field[len(first) :]
    if not first:
        if counter[0] < 0:
            raise error(
                "ValueError", "cannot switch from manual field specification to automatic field numbering"
            )
        index, counter[0] = counter[0], counter[0] + 1
    elif first.isdecimal():
        if counter[0] > 0:
            raise error(
                "ValueError", "cannot switch from automatic field numbering to manual field specification"
            )
        index, counter[0] = int(first[:9]), -1
    else:
        index = -1
    if index >= 0:
        if args is None:
            raise error("ValueError", "Format string contains positional fields")
        if index >= len(args):
            raise error("IndexError", f"Replacement index {index} out of range for positional args tuple")
        value = args[index]
    else:
        value = native(vm, keywords.__getitem__, first)
    for name, key in re.findall(r"\.([^.\[]+)|\[([^\]]+)\]", rest):
        if name:
            value = yield from _access.attribute(vm, value, name)
        else:
            value = yield from _access.item(vm, value, int(key) if key.isdecimal() else key)
    return value


def percent(vm: Vm, template: Any, right: Any) -> Gen:
    """template % right."""
    if isinstance(template, bytes):
        if any(int(each) > 1_000_000 for each in re.findall(rb"\d{1,20}", template)):
            raise error("MemoryError")
        return native(vm, lambda: template % right)
    mapping = isinstance(right, dict)
    values: list[Any] = list(right) if isinstance(right, tuple) else [right]
    used = 0
    out: list[str] = []
    last = 0

    def take() -> Any:
        nonlocal used
        if used >= len(values):
            raise error("TypeError", "not enough arguments for format string")
        used += 1
        return values[used - 1]

    for match in _PERCENT.finditer(template):
        if match.start() < last:
            continue
        out.append(template[last : match.start()])
        last = match.end()
        key, flags, width, precision, letter = match.groups()
        if letter == "%":
            out.append("%")
            continue
        if not letter:
            raise error("ValueError", "incomplete format")
        if width == "*":
            width = str(native(vm, int, take()))
        if precision == "*":
            precision = str(native(vm, int, take()))
        if (width and abs(int(width)) > 1_000_000) or (precision and int(precision) > 1_000_000):
            raise error("MemoryError")
        if key is not None:
            if not mapping:
                raise error("TypeError", "format requires a mapping")
            value = native(vm, right.__getitem__, key)
            used = 1
        else:
            value = take()
        point = (
            ""
            if "." not in match[0][: match.end() - match.start() - 1].rpartition(")")[2]
            else f".{precision or ''}"
        )
        spec = f"%{flags}{width or ''}{point}"
        if letter in "sra":
            text = yield from (string(vm, value) if letter == "s" else represent(vm, value))
            if letter == "a":
                text = to_ascii(text)
            out.append(native(vm, lambda spec=spec, text=text: (spec + "s") % text))
            continue
        if letter not in "diouxXeEfFgGc":
            shown = template[match.end() - 1]
            raise error(
                "ValueError",
                f"unsupported format character '{shown}' (0x{ord(shown):x}) at index {match.end() - 1}",
            )
        if isinstance(value, _OURS):
            if letter in "eEfFgG":
                raise error("TypeError", f"must be real number, not {class_of(value).name}")
            raise error(
                "TypeError", f"%{letter} format: a real number is required, not {class_of(value).name}"
            )
        out.append(native(vm, lambda spec=spec, value=value, letter=letter: (spec + letter) % (value,)))
    out.append(template[last:])
    # What can be indexed counts as a mapping here, of which nobody has to take anything.
    if used < len(values) and not isinstance(right, (dict, list, bytes, bytearray, range)):
        raise error("TypeError", "not all arguments converted during string formatting")
    text = "".join(out)
    vm.grow(len(text))
    return text
