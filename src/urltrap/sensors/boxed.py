"""Machines whose programs run in boxes, made as emulated ones are and kept by the same rules."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from urltrap.model.settings import SessionLimits
from urltrap.sandbox.login import BoxMachine
from urltrap.sensors.emulated import EmulatedMachines
from urltrap.sensors.ports import Machine


class BoxedMachines:
    """Puts a box before each emulated machine; `path` is the box process' socket."""

    def __init__(self, emulated: EmulatedMachines, path: Path, limits: SessionLimits) -> None:
        self._emulated = emulated
        self._path = path
        self._limits = limits

    def make(self, address: str, saved: bytes | None) -> Machine:
        """The machine of an address; ValueError where what was saved cannot be read."""
        return BoxMachine(self._path, self._emulated.make_emulated(address, saved), self._limits)

    def dump(self, machine: Machine, now: float) -> bytes | None:
        """What was changed on the emulated machine; the box keeps its own until its time is over."""
        inner = _inner(machine)
        return None if inner is None else self._emulated.dump(inner, now)

    def password_answer(self, machine: Machine | None, user: bytes, password: bytes) -> bool | None:
        """As the emulated machine says."""
        return self._emulated.password_answer(_inner(machine), user, password)

    def authorized_keys(self, machine: Machine | None, user: bytes) -> Iterable[bytes]:
        """As the emulated machine says."""
        return self._emulated.authorized_keys(_inner(machine), user)


def _inner(machine: Machine | None) -> Machine | None:
    return machine.emulated if isinstance(machine, BoxMachine) else None
