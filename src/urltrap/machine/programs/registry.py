"""Programs by name: one module per program in this package, registered by decorator, imported at the first look-up.

    @program("grep", "egrep", "fgrep")
    def grep(p: Process) -> Run: ...

`Image` says which name a file runs (`ProgramContent.program`); the kernel asks `lookup` for it.
"""

from __future__ import annotations

import importlib
import importlib.resources
from collections.abc import Callable
from functools import cache

from urltrap.machine.api import Program

_PROGRAMS: dict[str, Program] = {}


def program(name: str, *aliases: str) -> Callable[[Program], Program]:
    """Register a generator function as the program of these names; ValueError where one is taken already."""

    def register(entry: Program) -> Program:
        for each in (name, *aliases):
            known = _PROGRAMS.get(each)
            if known is not None and known is not entry:
                raise ValueError(f"two programs are called {each!r}: rename or remove one of the modules")
            _PROGRAMS[each] = entry
        return entry

    return register


@cache
def load_all() -> frozenset[str]:
    """Import every module and sub-package of this package once; the names of programs that they registered.

    A trap calls this at start so that no attacker waits for imports.
    """
    package = __package__ or "urltrap.machine.programs"
    for entry in sorted(importlib.resources.files(package).iterdir(), key=lambda found: found.name):
        name = entry.name.removesuffix(".py")
        is_module = entry.name.endswith(".py") and entry.is_file()
        if (
            name.startswith("_")
            or name == "registry"
            or not (is_module or entry.joinpath("__init__.py").is_file())
        ):
            continue
        importlib.import_module(f"{package}.{name}")
    return frozenset(_PROGRAMS)


def lookup(name: str) -> Program | None:
    """The program registered under a name; None where nobody wrote it yet."""
    found = _PROGRAMS.get(name)
    if found is None:
        load_all()
        found = _PROGRAMS.get(name)
    return found
