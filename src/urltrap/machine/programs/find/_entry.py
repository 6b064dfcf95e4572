"""What find walks over, and what a test of its expression is."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from urltrap.machine.api import Stat
from urltrap.machine.programs._cmd import Cmd


class Entry:
    """A file that was met, below the starting point `top`."""

    __slots__ = ("depth", "path", "pruned", "stat", "top")

    def __init__(self, path: str, stat: Stat, depth: int, top: str) -> None:
        self.path = path
        self.stat = stat
        self.depth = depth
        self.top = top
        self.pruned = False


Test = Callable[[Entry], Generator[Any, Any, bool]]
"""A part of the expression: runs what is to be run and says whether the next part is asked."""


class Wrong(Exception):
    """An expression that makes no sense; the text is find's. `usage`: BusyBox shows how it is used."""

    def __init__(self, words: str, usage: bool = False) -> None:
        super().__init__(words)
        self.usage = usage


class Done(Exception):
    """-quit was met."""


def quoted(c: Cmd, path: str) -> str:
    """A path in a message."""
    if c.bb:
        return path
    return c.lq(path) if path else "''"
