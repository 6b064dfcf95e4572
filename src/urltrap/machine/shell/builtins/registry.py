"""Which names are builtins in which dialect. The families' modules register themselves by decorator."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell

Builtin = Callable[["Shell", list[str]], "Gen[int]"]

_FAMILIES = (
    "flow", "output", "printf", "variables", "declare", "directories", "evaluation", "options", "jobs", "reading",
    "testing", "describing", "aliases", "limits", "help", "history", "signals", "getopts",
)  # fmt: skip
_BUILTINS: dict[tuple[str, str], Builtin] = {}


def builtin(*names: str, dialects: str = "bash dash ash") -> Callable[[Builtin], Builtin]:
    """Register a generator function as the builtin of these names in these dialects."""

    def register(run: Builtin) -> Builtin:
        for dialect in dialects.split():
            for name in names:
                _BUILTINS[dialect, name] = run
        return run

    return register


@cache
def _load() -> None:
    for family in _FAMILIES:
        importlib.import_module(f"urltrap.machine.shell.builtins.{family}")


def lookup(dialect: str, name: str) -> Builtin | None:
    """The builtin, or None."""
    _load()
    return _BUILTINS.get((dialect, name))


def names(dialect: str) -> list[str]:
    """All builtins of a dialect, sorted."""
    _load()
    return sorted(name for owner, name in _BUILTINS if owner == dialect)
