"""The machines behind the sensors: one per attacker's address, kept while it is used and for a while afterwards."""

from __future__ import annotations

import hashlib
import os
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from urltrap.sensors.ports import Machine
from urltrap.sensors.session import ErrorLog

MAX_IDLE = 64
"""Machines kept in memory without a session."""
MACHINE_DOWN = "the machine is down"
"""Why a connection ended whose user had rebooted his machine or switched it off."""


class MachineMaker(Protocol):
    """Makes machines, and turns what was changed on one into bytes."""

    def make(self, address: str, saved: bytes | None) -> Machine:
        """A machine for an address, with the changes of an earlier visit; ValueError where they cannot be read."""
        ...

    def dump(self, machine: Machine, now: float) -> bytes | None:
        """The changes as bytes; None where there are none worth keeping."""
        ...


@dataclass(slots=True)
class _Live:
    machine: Machine
    users: int = 0


class Machines:
    """Live machines by address, and the folder of those that are not live."""

    def __init__(
        self,
        maker: MachineMaker,
        folder: Path,
        secret: bytes,
        *,
        keep_hours: float,
        max_bytes: int,
        errors: ErrorLog,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._maker = maker
        self._folder = folder
        self._secret = hashlib.blake2b(secret, person=b"overlays").digest()
        self._keep_seconds = keep_hours * 3600
        self._max_bytes = max_bytes
        self._errors = errors
        self._clock = clock
        self._live: OrderedDict[str, _Live] = OrderedDict()

    def take(self, address: str) -> Machine:
        """The machine of an address, for one more session; `release` it when that ends."""
        live = self._find(address) or self._add(address, self._saved(address))
        live.users += 1
        return live.machine

    def peek(self, address: str) -> Machine | None:
        """The machine of an address where it has one, live or saved."""
        live = self._find(address)
        if live is None and (saved := self._saved(address)) is not None:
            live = self._add(address, saved)
            self._trim()
        return live.machine if live else None

    def is_down(self, address: str) -> bool:
        """Whether the machine of an address that was here lately is switched off or starting."""
        live = self._live.get(address)
        return live is not None and live.machine.down_until(self._clock()) is not None

    def release(self, address: str) -> None:
        """A session on it has ended."""
        live = self._live.get(address)
        if live is None:
            return
        live.users -= 1
        if live.users <= 0:
            self._save(address, live.machine)
        self._trim()

    def close(self) -> None:
        """Save everything."""
        for address, live in self._live.items():
            if live.users > 0:
                self._save(address, live.machine)
        self._live.clear()

    def sweep(self) -> None:
        """Delete what is older than its time."""
        for path in self._folder.glob("*.overlay"):
            try:
                if self._clock() - path.stat().st_mtime > self._keep_seconds:
                    path.unlink()
            except FileNotFoundError:
                continue  # another worker swept it

    def _find(self, address: str) -> _Live | None:
        live = self._live.get(address)
        if live is not None:
            self._live.move_to_end(address)
        return live

    def _add(self, address: str, saved: bytes | None) -> _Live:
        try:
            machine = self._maker.make(address, saved)
        except ValueError as error:
            self._errors.report("reading a saved machine", error)
            machine = self._maker.make(address, None)
        live = self._live[address] = _Live(machine)
        return live

    def _trim(self) -> None:
        idle = [address for address, live in self._live.items() if live.users <= 0]
        for address in idle[: max(0, len(idle) - MAX_IDLE)]:
            del self._live[address]

    def _path(self, address: str) -> Path:
        name = hashlib.blake2b(address.encode(), key=self._secret, digest_size=16).hexdigest()
        return self._folder / f"{name}.overlay"

    def _saved(self, address: str) -> bytes | None:
        path = self._path(address)
        try:
            if self._clock() - path.stat().st_mtime > self._keep_seconds:
                return None
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            self._errors.report("reading a saved machine", error)
            return None

    def _save(self, address: str, machine: Machine) -> None:
        try:
            data = self._maker.dump(machine, self._clock())
            if data is None or len(data) > self._max_bytes:
                return
            path = self._path(address)
            temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
            temporary.write_bytes(data)
            os.replace(temporary, path)
        except OSError as error:
            self._errors.report("saving a machine", error)
