"""How tar gives up."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from urltrap.machine.programs._cmd import Cmd


def die(c: Cmd, text: str) -> Generator[Any, Any, int]:
    """Say why, and that it is over; the status."""
    yield from c.flush()
    yield from c.p.err(f"{c.name}: {text}\n")
    if not c.bb:
        yield from c.p.err(f"{c.name}: Error is not recoverable: exiting now\n")
        return 2
    return 1


def child_died(c: Cmd, text: str) -> Generator[Any, Any, int]:
    """What is said where the compressor's child cannot open the archive."""
    yield from c.flush()
    yield from c.p.err(
        f"{c.name} (child): {text}\n{c.name} (child): Error is not recoverable: exiting now\n"
        f"{c.name}: Child returned status 2\n{c.name}: Error is not recoverable: exiting now\n"
    )
    return 2


def previous_errors(c: Cmd) -> Generator[Any, Any, int]:
    """The last line where something failed on the way; the status."""
    yield from c.flush()
    yield from c.p.err(f"{c.name}: Exiting with failure status due to previous errors\n")
    return 2
