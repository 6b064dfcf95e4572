"""One run of GNU wget: where its log goes, how much it says, what it has fetched so far."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from urltrap.machine.api import encode
from urltrap.machine.programs._cmd import Cmd, quotes


class Session:
    """One run of GNU wget."""

    def __init__(self, c: Cmd) -> None:
        self.c = c
        self.p = c.p
        self.left, self.right = quotes(c.p)
        self.log = 2
        short = c.values("n")
        self.quiet = c.has("q")
        self.terse = not self.quiet and (c.has("nv") or any("v" in each for each in short)) and not c.has("v")
        self.no_clobber = c.has("nc") or any("c" in each for each in short)
        self.status = 0
        self.bytes = 0
        self.files = 0
        self.appended = False

    def say(self, text: str, *, terse: bool = False) -> Generator[Any, Any, None]:
        """A line of the log."""
        if self.quiet or (self.terse and not terse):
            return
        yield from self.p.write(self.log, encode(text))

    def worse(self, status: int) -> None:
        """Keep the gravest status: the lowest number but 0, as exits.c does."""
        self.status = status if not self.status else min(self.status, status)

    def named(self, name: str) -> str:
        """A name in the locale's quotes."""
        return f"{self.left}{name}{self.right}"
