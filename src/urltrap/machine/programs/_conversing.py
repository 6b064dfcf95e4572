"""Carrying bytes between two pairs of descriptors at once, as nc does between its terminal and a connection."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from urltrap.machine.api import Process, Run
from urltrap.machine.errors import SysError


def carry(p: Process, fd: int, *, idle: float | None = None, ends_with_input: bool = False) -> Run:
    """Standard input to `fd` and what comes back to standard output, until the other end closes, or for `idle`
    seconds nothing came. A child reads standard input meanwhile; where that ends, the other side is told (and with
    `ends_with_input` nothing more is waited for)."""

    def sends(child: Process) -> Run:
        try:
            while data := (yield from child.read(0)):
                yield from child.write(fd, data)
            child.shut(fd)
        except SysError:
            return 1  # the other end is gone
        return 0

    sender = p.fork(sends)
    try:
        while heard := (yield from p.read(fd, timeout=idle)):
            yield from p.write(1, heard)
            if ends_with_input and (yield from p.wait(sender, block=False)) is not None:
                break
    except SysError:
        return 1  # it waited long enough, or the other side broke off
    finally:
        _end(p, sender)
    return 0


def _end(p: Process, child: int) -> None:
    try:
        p.kill(child, 9)
    except SysError:
        pass  # it ended by itself


def inherit(p: Process, fd: int, argv: list[str]) -> Generator[Any, Any, int]:
    """A program whose standard streams are the connection, as ``nc -e`` starts it."""
    for number in (0, 1, 2):
        p.dup2(fd, number)
    return (yield from p.exec(argv))
