"""How GNU programs complain of a word that is none of an option's (gnulib's argmatch)."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from urltrap.machine.programs._cmd import Cmd


def bad_choice(
    c: Cmd, text: str, option: str, choices: Sequence[str], status: int = 1, *, ambiguous: bool = False
) -> Generator[Any, Any, int]:
    """Say what the valid arguments are; words that mean the same stand in one choice, divided by blanks. `status`."""
    wrong = "ambiguous" if ambiguous else "invalid"
    yield from c.warn(f"{wrong} argument {c.lq(text)} for {c.lq(option)}")
    rows = "".join("  - " + ", ".join(c.lq(word) for word in each.split()) + "\n" for each in choices)
    yield from c.p.err(f"Valid arguments are:\n{rows}")
    return (yield from c.usage("", status))
