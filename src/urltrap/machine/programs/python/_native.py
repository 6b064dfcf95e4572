"""Methods of the host's own types, as far as they are safe to lend: none runs code or grows without bound."""

from __future__ import annotations

import ast
import re
from collections import deque
from typing import Any

from urltrap.machine.programs.python import _calls, _text
from urltrap.machine.programs.python._objects import (
    CLASSES,
    LENT,
    MISSING,
    Bound,
    Builtin,
    Class,
    Function,
    Gen,
    Instance,
    Native,
    Thing,
    Unsupported,
    error,
)
from urltrap.machine.programs.python._vm import LARGEST, Vm, native

_LENT = {
    *(each for each in CLASSES if each is not object), type({}.keys()), type({}.values()), type({}.items()),
}  # fmt: skip
_HASHES = frozenset({"HASH", "blake2b", "blake2s", "HMAC"})
_DUNDERS = frozenset({
    "__len__", "__contains__", "__getitem__", "__setitem__", "__delitem__", "__add__", "__mul__", "__eq__",
    "__ne__", "__lt__", "__gt__", "__hash__", "__str__", "__repr__", "__format__", "__sub__", "__iter__",
})  # fmt: skip
_OPERATORS: dict[str, type] = {"__add__": ast.Add, "__mul__": ast.Mult, "__sub__": ast.Sub}
CODECS = frozenset({
    "utf-8", "utf8", "ascii", "us-ascii", "latin-1", "latin1", "iso-8859-1", "cp1252", "utf-16", "utf-16-le",
    "utf-16-be", "utf-16le", "utf-16be", "utf-32", "utf-32-le", "utf-32-be", "utf-8-sig", "unicode_escape", "cp437",
    "unicode-escape", "raw_unicode_escape", "cp850", "koi8-r", "cp1251", "windows-1252", "utf_8", "iso8859-1",
    "latin_1", "utf_16", "gbk", "gb2312", "big5", "shift_jis", "euc-kr", "idna",
})  # fmt: skip


def host_attribute(value: Any, name: str) -> Any:
    """An attribute of a value of the host; MISSING where it has none that is lent."""
    kind = type(value)
    if name in ("__next__", "__iter__") and hasattr(value, "__next__"):
        return Native(value, name)
    whole = kind in LENT or kind.__name__ in _HASHES
    if not (whole or kind in _LENT) or not hasattr(value if whole else kind, name):
        return MISSING
    if name.startswith("_"):
        if name == "__doc__":
            return None
        return Native(value, name) if name in _DUNDERS else MISSING
    found = getattr(value, name)
    return Native(value, name) if callable(found) else found


def call_native(vm: Vm, owner: Any, name: str, args: list[Any], keywords: dict[str, Any]) -> Gen:
    """Call a method of the host's."""
    special = _SPECIAL.get((type(owner), name))
    if special is not None:
        return (yield from special(vm, owner, args, keywords))
    for at, each in enumerate(args):
        args[at] = yield from _calls.plain(vm, each)
    if name in _OPERATORS and len(args) == 1:
        from urltrap.machine.programs.python import _expressions

        return (yield from _expressions.binary(vm, _OPERATORS[name], owner, args[0]))
    if name == "__format__":
        return (yield from _text.formatted(vm, owner, *args))
    if name == "__repr__":
        return (yield from _text.represent(vm, owner))
    if name == "__str__":
        return (yield from _text.string(vm, owner))
    if isinstance(owner, range) and _calls.is_long(owner) and not all(type(each) is int for each in args):
        owner = yield from _calls.listed(vm, owner)
    if isinstance(owner, (str, bytes, bytearray)):
        _guard_text(owner, name, args, keywords)
        vm.steps += len(owner) >> 8
    elif name == "to_bytes" and args and isinstance(args[0], int) and args[0] > LARGEST:
        raise error("MemoryError")
    elif name == "strftime" and args and re.search(r"%[^a-zA-Z%]", str(args[0])):
        raise Unsupported("strftime")
    elif isinstance(owner, (list, set, dict, deque)):
        vm.steps += (
            len(owner) >> 7 if name in ("copy", "count", "index", "remove", "reverse", "insert") else 0
        )
        vm.grown += 64
        if name in ("extend", "update", "union") and args and hasattr(args[0], "__len__"):
            vm.grow(8 * len(args[0]))
        if len(owner) > LARGEST // 8:
            raise error("MemoryError")
    found = native(vm, getattr(owner, name), *args, **keywords)
    if isinstance(found, (str, bytes, list)) and len(found) > 512:
        vm.steps += len(found) >> 9
        vm.grow(len(found))
    return found


def _guard_text(owner: Any, name: str, args: list[Any], keywords: dict[str, Any]) -> None:
    if name in ("ljust", "rjust", "center", "zfill", "expandtabs"):
        width = args[0] if args else keywords.get("tabsize", 8)
        times = owner.count("\t" if isinstance(owner, str) else b"\t") + 1 if name == "expandtabs" else 1
        if isinstance(width, int) and width * times > LARGEST:
            raise error("MemoryError")
    elif name == "replace" and len(args) >= 2 and all(isinstance(each, (str, bytes)) for each in args[:2]):
        count = (len(owner) + 1) if not args[0] else len(owner) // len(args[0])
        if count * len(args[1]) > LARGEST and owner.count(args[0]) * len(args[1]) > LARGEST:
            raise error("MemoryError")
    elif name == "translate" and args and isinstance(args[0], dict):
        longest = max((len(each) for each in args[0].values() if isinstance(each, str)), default=1)
        if len(owner) * longest > LARGEST:
            raise error("MemoryError")
    elif name in ("encode", "decode"):
        codec = str(args[0] if args else keywords.get("encoding", "utf-8"))
        if codec.lower() not in CODECS:
            check_codec(codec, name)


def check_codec(codec: str, does: str = "decode") -> None:
    """LookupError for a codec that is none for text."""
    plain = codec.lower().replace("_", "-")
    if plain in CODECS or plain.replace("-", "_") in CODECS:
        return
    if plain in ("hex", "base64", "rot13", "rot-13", "zlib", "bz2", "quopri", "uu", "zip", "hex-codec"):
        raise error(
            "LookupError",
            f"'{codec}' is not a text encoding; use codecs.{does}() to handle arbitrary codecs",
        )
    raise error("LookupError", f"unknown encoding: {codec}")


def _join(vm: Vm, owner: Any, args: list[Any], keywords: dict[str, Any]) -> Gen:
    if len(args) != 1:
        raise error(
            "TypeError", f"{type(owner).__name__}.join() takes exactly one argument ({len(args)} given)"
        )
    try:
        parts = yield from _calls.listed(vm, args[0])
    except Exception as problem:
        if "is not iterable" in str(getattr(problem, "value", problem)) or type(args[0]) in (
            int,
            float,
            type(None),
        ):
            raise error("TypeError", "can only join an iterable") from None
        raise
    total = sum(len(each) for each in parts if isinstance(each, (str, bytes))) + len(owner) * len(parts)
    vm.grow(total)
    vm.steps += total >> 9
    for at, each in enumerate(parts):
        if isinstance(owner, str) and not isinstance(each, str):
            from urltrap.machine.programs.python._objects import class_of

            raise error(
                "TypeError", f"sequence item {at}: expected str instance, {class_of(each).name} found"
            )
    return native(vm, owner.join, parts)


def _format(vm: Vm, owner: Any, args: list[Any], keywords: dict[str, Any]) -> Gen:
    return (yield from _text.format_method(vm, owner, args, keywords))


def _format_map(vm: Vm, owner: Any, args: list[Any], keywords: dict[str, Any]) -> Gen:
    return (yield from _text.format_method(vm, owner, None, args[0]))


def _sort(vm: Vm, owner: Any, args: list[Any], keywords: dict[str, Any]) -> Gen:
    found = yield from sorted_values(vm, owner, keywords.get("key"), bool(keywords.get("reverse")))
    owner[:] = found


def _extend(vm: Vm, owner: Any, args: list[Any], keywords: dict[str, Any]) -> Gen:
    owner.extend((yield from _calls.listed(vm, args[0])))


def _update(vm: Vm, owner: Any, args: list[Any], keywords: dict[str, Any]) -> Gen:
    for each in args:
        native(vm, owner.update, each if isinstance(each, dict) else (yield from _calls.listed(vm, each)))
    owner.update(keywords)


def sorted_values(vm: Vm, values: list[Any], key: Any, reverse: bool) -> Gen:
    """The values in order; TypeError where two cannot be compared."""
    from urltrap.machine.programs.python import _expressions

    keys = list(values)
    if key is not None:
        keys = []
        for each in values:
            keys.append((yield from _calls.call(vm, key, (each,))))
    vm.steps += len(keys) * max(1, len(keys).bit_length()) >> 3
    yield from vm.spend()
    if not any(isinstance(each, (Instance, Thing, Function, Class, Bound, Builtin)) for each in keys):
        order = native(vm, sorted, range(len(keys)), key=keys.__getitem__, reverse=reverse)
        return [values[at] for at in order]
    pairs = list(zip(keys, values, strict=True))
    # Merge sort with the program's own comparison.
    width = 1
    while width < len(pairs):
        merged: list[tuple[Any, Any]] = []
        for start in range(0, len(pairs), 2 * width):
            left, right = pairs[start : start + width], pairs[start + width : start + 2 * width]
            while left and right:
                first, second = (left, right) if reverse else (right, left)
                less = yield from _expressions.compare(vm, ast.Lt, first[0][0], second[0][0])
                merged.append((right if less else left).pop(0))
            merged += left + right
        pairs = merged
        width *= 2
    return [value for _, value in pairs]


_SPECIAL: dict[tuple[type, str], Any] = {
    (str, "join"): _join, (bytes, "join"): _join, (str, "format"): _format, (str, "format_map"): _format_map,
    (list, "sort"): _sort, (list, "extend"): _extend, (dict, "update"): _update,
}  # fmt: skip
