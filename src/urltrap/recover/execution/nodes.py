"""The nodes of an exploring tree: where a shell would decide, they run every way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from urltrap.machine.shell.ast import Assign, Compound, Word

ROUNDS, ENDLESS_ROUNDS = 32, 3
"""How often a ``while`` goes round at most; and one whose condition is always true."""


@dataclass(slots=True, eq=False)
class Tolerant:
    """Commands one after the other, each run whatever the one before it did; what follows an ``exit`` is only maybe."""

    items: tuple[Any, ...]


@dataclass(slots=True, eq=False)
class Chain:
    """``a && b || c`` with all parts run."""

    first: Any
    rest: tuple[tuple[str, Any], ...]


@dataclass(slots=True, eq=False)
class Branches(Compound):
    """``if``: conditions, then every body; the one that the shell would take last and for certain."""

    clauses: tuple[tuple[Any, Any], ...]
    otherwise: Any


@dataclass(slots=True, eq=False)
class Choices(Compound):
    """``case``."""

    word: Word
    items: tuple[tuple[tuple[Word, ...], Any, str], ...]


@dataclass(slots=True, eq=False)
class Rounds(Compound):
    """``while``/``until`` that ends."""

    condition: Any
    body: Any
    until: bool
    most: int = ROUNDS


@dataclass(slots=True, eq=False)
class Body:
    """The body of a function: notes that it was called."""

    name: str
    node: Any


@dataclass(slots=True, eq=False)
class Evaluated:
    """``eval``: the text is explored like any other."""

    words: tuple[Word | Assign, ...]


@dataclass(slots=True, eq=False)
class Sourced:
    """``. FILE``: the file is explored like any other text, in the same shell."""

    words: tuple[Word | Assign, ...]
