"""re: expressions as the host understands them, matched within a bound of time."""

from __future__ import annotations

import re
from typing import Any

from urltrap.machine.programs._matching import TEMPLATE_ERRORS, TooLong, bounded
from urltrap.machine.programs.python import _calls
from urltrap.machine.programs.python._imports import lent, module
from urltrap.machine.programs.python._objects import (
    EXCEPTIONS,
    Builtin,
    Class,
    Gen,
    Instance,
    PyError,
    Thing,
    Unsupported,
    Yielded,
    class_of,
    error,
)
from urltrap.machine.programs.python._vm import LARGEST, Vm, native

_ERROR = Class("error", (EXCEPTIONS["Exception"],), module="re")


def match(vm: Vm, host: re.Pattern[Any], how: str, text: Any, *rest: Any) -> Any:
    """What `bounded` finds in a text that may be one; Unsupported where that takes too long."""
    if not isinstance(text, (str, bytes, bytearray)):
        raise error("TypeError", f"expected string or bytes-like object, got '{class_of(text).name}'"
                    if vm.version >= (3, 11) else "expected string or bytes-like object")  # fmt: skip
    vm.steps += 4 + (len(text) >> 5)
    try:
        return native(vm, bounded, host, how, text, *rest)
    except TooLong:
        raise Unsupported("an expression that takes too long") from None


class Match(Thing):
    """A match."""

    type_name, module = "Match", "re"

    def __init__(self, found: re.Match[Any], pattern: re.Pattern[Any]) -> None:
        self.host, self.pattern = found, pattern

    def attribute(self, name: str) -> Any:
        """The methods of the host's."""
        if name in ("group", "groups", "groupdict", "start", "end", "span", "expand"):
            return Builtin(name, lambda vm, *args: getattr(self.host, name)(*args))
        if name in ("string", "pos", "endpos", "lastindex"):
            return getattr(self.host, name)
        if name == "lastgroup":
            names = {number: key for key, number in self.pattern.groupindex.items()}
            return names.get(self.host.lastindex or 0)
        if name == "re":
            return Pattern(self.pattern)
        return super().attribute(name)

    def item(self, index: Any) -> Any:
        """match[1]."""
        return self.host[index]

    def shown(self) -> str:
        """repr."""
        return f"<re.Match object; span={self.host.span()}, match={self.host.group()!r}>"


class Pattern(Thing):
    """A compiled expression."""

    type_name, module = "Pattern", "re"

    def __init__(self, host: re.Pattern[Any]) -> None:
        self.host = host

    def attribute(self, name: str) -> Any:
        """pattern, flags, groups, and the functions of the module."""
        if name in ("pattern", "flags", "groups"):
            return getattr(self.host, name)
        if name in ("search", "match", "fullmatch"):
            return Builtin(name, lambda vm, text, *rest: _one(vm, self.host, name, text, *rest))
        if name == "findall":
            return Builtin(name, lambda vm, text: _all(vm, self.host, text))
        if name == "finditer":
            return Builtin(name, lambda vm, text: _iter(vm, self.host, text))
        if name == "split":
            return Builtin(name, lambda vm, text, maxsplit=0: _split(vm, self.host, text, maxsplit))
        if name in ("sub", "subn"):
            return Builtin(name, lambda vm, repl, text, count=0: _sub(vm, self.host, repl, text, count, name))
        return super().attribute(name)

    def shown(self) -> str:
        """repr."""
        return repr(self.host)


def compiled(vm: Vm, pattern: Any, flags: int = 0) -> re.Pattern[Any]:
    """The host's own; re.error in its words."""
    if isinstance(pattern, Pattern):
        return pattern.host
    if not isinstance(pattern, (str, bytes)):
        raise error("TypeError", "first argument must be string or compiled pattern")
    if len(pattern) > 20_000 or len(re.findall(r"\d{5,}", str(pattern))) > 0:
        raise Unsupported("an expression that is too large")
    try:
        return re.compile(pattern, flags & ~re.DEBUG)
    except re.error as problem:
        raise PyError(Instance(_ERROR, {"args": (str(problem),), "msg": problem.msg})) from None
    except (RecursionError, OverflowError):
        raise error("RecursionError", "maximum recursion depth exceeded") from None


def _one(vm: Vm, host: re.Pattern[Any], how: str, text: Any, *rest: Any) -> Any:
    found = match(vm, host, how, text, *rest)
    return None if found is None else Match(found, host)


def _all(vm: Vm, host: re.Pattern[Any], text: Any) -> Any:
    found = match(vm, host, "findall", text)
    vm.grow(len(found) * 8)
    return found


def _iter(vm: Vm, host: re.Pattern[Any], text: Any) -> Any:
    found = match(vm, host, "finditer", text)

    def body() -> Gen:
        for each in found:
            vm.steps += 2
            yield Yielded(Match(each, host))

    return _calls.lazily(body(), "callable_iterator")


def _split(vm: Vm, host: re.Pattern[Any], text: Any, most: int = 0) -> Any:
    return match(vm, host, "split", text, most)


def _sub(vm: Vm, host: re.Pattern[Any], repl: Any, text: Any, count: int = 0, how: str = "sub") -> Gen:
    parts: list[Any] = []
    last = done = grown = 0
    is_template = "\\" in repl if isinstance(repl, str) else isinstance(repl, bytes) and b"\\" in repl
    for found in match(vm, host, "finditer", text):
        if count and done >= count:
            break
        parts.append(text[last : found.start()])
        if isinstance(repl, (str, bytes)):
            try:
                parts.append(found.expand(repl) if is_template else repl)
            except TEMPLATE_ERRORS as problem:
                raise PyError(Instance(_ERROR, {"args": (str(problem),)})) from None
        else:
            parts.append((yield from _calls.call(vm, repl, (Match(found, host),))))
        grown += len(parts[-1])
        if grown > LARGEST:
            raise error("MemoryError")
        last = found.end()
        done += 1
        vm.steps += 3
    parts.append(text[last:])
    joined = native(vm, text[:0].join, parts)
    vm.grow(len(joined))
    return joined if how == "sub" else (joined, done)


@module("re")
def _re(vm: Vm) -> dict[str, Any]:
    names: dict[str, Any] = {
        each: int(getattr(re, each))
        for each in (
            "I",
            "IGNORECASE",
            "M",
            "MULTILINE",
            "S",
            "DOTALL",
            "X",
            "VERBOSE",
            "A",
            "ASCII",
            "U",
            "UNICODE",
        )
    }

    def bound(name: str) -> Builtin:
        def call(vm: Vm, pattern: Any, *args: Any, flags: int = 0, **given: Any) -> Any:
            many = {"sub": 3, "subn": 3, "split": 2}.get(name, 1)
            if len(args) > many:
                flags, args = args[many], args[:many]
            return Pattern(compiled(vm, pattern, flags)).attribute(name).call(vm, *args, **given)

        return Builtin(name, call, "python")

    for each in ("search", "match", "fullmatch", "findall", "finditer", "split", "sub", "subn"):
        names[each] = bound(each)
    names["compile"] = Builtin(
        "compile", lambda vm, pattern, flags=0: Pattern(compiled(vm, pattern, flags)), "python"
    )
    names.update(lent(escape=re.escape))
    names["purge"] = Builtin("purge", lambda vm: None)
    names["error"] = _ERROR
    return names
