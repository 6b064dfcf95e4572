"""Which variable a name means where it stands: lexical ones have a place in the pad of their sub, others are global."""

from __future__ import annotations

import re
from typing import Any

_SPECIAL = re.compile(r"\W.*|\d+|\^\w+|ENV|ARGV|INC|STDIN|STDOUT|STDERR|ARGVOUT|_", re.DOTALL)


class SubScope:
    """A sub while it is compiled: how many places its pad has, and what it takes from the sub around it."""

    def __init__(self, outer: Scope | None) -> None:
        self.size = 0
        self.outer = outer
        self.captured: list[tuple[int, int]] = []
        self.named: list[Any] = []
        self.pending: list[tuple[Scope, str, int]] = []
        self.begins: list[Any] = []
        self.ends: list[Any] = []
        self.top = Scope(None, self)


class Scope:
    """A block while it is compiled."""

    def __init__(self, parent: Scope | None, sub: SubScope) -> None:
        self.parent = parent
        self.sub = sub
        self.names: dict[str, int | str] = {}
        self.local = False

    def declare(self, name: str) -> int:
        """A new lexical variable, "$x"; its place in the pad."""
        slot = self.sub.size
        self.sub.size += 1
        self.names[name] = slot
        return slot

    def introduce(self) -> None:
        """The names that the statement before has declared can be used from here on."""
        for scope, name, slot in self.sub.pending:
            scope.names[name] = slot
        self.sub.pending.clear()

    def find(self, name: str) -> int | str | None:
        """The place of a lexical variable, the full name of one declared with our, None for any other."""
        scope: Scope | None = self
        while scope is not None:
            found = scope.names.get(name)
            if found is not None:
                return found
            scope = scope.parent
        if self.sub.outer is None:
            return None
        found = self.sub.outer.find(name)
        if isinstance(found, int):
            slot = self.sub.top.declare(name)
            self.sub.captured.append((found, slot))
            return slot
        return found


def full_name(name: str, package: str) -> str:
    """The name with its package; names of perl's own are always in main."""
    name = name.replace("'", "::") if len(name) > 1 else name
    if name.startswith("::"):
        name = "main" + name
    if "::" in name:
        return name.removeprefix("main::") if name.startswith("main::main::") else name
    if _SPECIAL.fullmatch(name):
        return "main::" + name
    return f"{package}::{name}"


def is_special(name: str) -> bool:
    """Whether strict vars lets the name pass."""
    return "::" in name or "'" in name[1:] or name in ("a", "b") or _SPECIAL.fullmatch(name) is not None
