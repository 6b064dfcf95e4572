"""re: the host's matcher, for expressions that cannot run away with it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

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
from urltrap.machine.programs.python._vm import Vm, native

_WORK = 20_000_000
_ERROR = Class("error", (EXCEPTIONS["Exception"],), module="re")


@lru_cache(maxsize=256)
def risk(source: str) -> int:
    """The highest power of the text's length that matching may take; 9 where it may be exponential."""
    unbounded, stack = 0, [0]
    at = 0
    while at < len(source):
        char = source[at]
        if char == "\\":
            at += 2
            continue
        if char == "[":
            at += 2 if source[at + 1 : at + 2] != "^" else 3
            while at < len(source) and source[at] != "]":
                at += 2 if source[at] == "\\" else 1
        elif char == "(":
            stack.append(0)
        elif char == ")" and len(stack) > 1:
            inner = stack.pop()
            behind = source[at + 1 : at + 2]
            if behind in ("*", "+", "{") and behind and inner:
                return 9
            stack[-1] += inner
        elif char in "*+" or (char == "{" and re.match(r"\{\d*,\d*\}", source[at:])):
            unbounded += 1
            stack[-1] += 1
        elif char == "|" and len(stack) > 1:
            stack[-1] += 1
        at += 1
    return unbounded


def guard(vm: Vm, source: Any, text: Any) -> None:
    """Unsupported where matching could take too long."""
    shown = source if isinstance(source, str) else bytes(source).decode("latin-1")
    power = risk(shown)
    size = max(len(text), 1)
    if (power >= 9 and size > 20) or float(size) ** max(1, min(power, 8)) > _WORK:
        raise Unsupported("an expression that may take for ever")
    vm.steps += 4 + (len(text) >> 5)


class Match(Thing):
    """A match."""

    type_name, module = "Match", "re"

    def __init__(self, found: re.Match[Any]) -> None:
        self.host = found

    def attribute(self, name: str) -> Any:
        """The methods of the host's."""
        if name in ("group", "groups", "groupdict", "start", "end", "span", "expand"):
            return Builtin(name, lambda vm, *args: getattr(self.host, name)(*args))
        if name in ("string", "pos", "endpos", "lastindex", "lastgroup"):
            return getattr(self.host, name)
        if name == "re":
            return Pattern(self.host.re)
        return super().attribute(name)

    def item(self, index: Any) -> Any:
        """match[1]."""
        return self.host[index]

    def shown(self) -> str:
        """repr."""
        return repr(self.host)


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


def _text(vm: Vm, host: re.Pattern[Any], text: Any) -> Any:
    if not isinstance(text, (str, bytes, bytearray)):
        raise error("TypeError", f"expected string or bytes-like object, got '{class_of(text).name}'"
                    if vm.version >= (3, 11) else "expected string or bytes-like object")  # fmt: skip
    guard(vm, host.pattern, text)
    return text


def _one(vm: Vm, host: re.Pattern[Any], how: str, text: Any, *rest: Any) -> Any:
    found = native(vm, getattr(host, how), _text(vm, host, text), *rest)
    return None if found is None else Match(found)


def _all(vm: Vm, host: re.Pattern[Any], text: Any) -> Any:
    found = native(vm, host.findall, _text(vm, host, text))
    vm.grow(len(found) * 8)
    return found


def _iter(vm: Vm, host: re.Pattern[Any], text: Any) -> Any:
    found = native(vm, lambda: list(host.finditer(_text(vm, host, text))))

    def body() -> Gen:
        for each in found:
            vm.steps += 2
            yield Yielded(Match(each))

    return _calls.lazily(body(), "callable_iterator")


def _split(vm: Vm, host: re.Pattern[Any], text: Any, most: int = 0) -> Any:
    return native(vm, host.split, _text(vm, host, text), most)


def _sub(vm: Vm, host: re.Pattern[Any], repl: Any, text: Any, count: int = 0, how: str = "sub") -> Gen:
    text = _text(vm, host, text)
    parts: list[Any] = []
    last = done = 0
    for found in native(vm, lambda: list(host.finditer(text))):
        if count and done >= count:
            break
        parts.append(text[last : found.start()])
        if isinstance(repl, (str, bytes)):
            try:
                parts.append(found.expand(repl))
            except re.error as problem:
                raise PyError(Instance(_ERROR, {"args": (str(problem),)})) from None
        else:
            parts.append((yield from _calls.call(vm, repl, (Match(found),))))
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
