"""The boxes of all attackers: one per address, kept until its time is over, never more than this machine bears."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from urltrap.sandbox.changes import Changes
from urltrap.sandbox.driver import Box, Driver, SandboxError
from urltrap.sandbox.uplink.link import Link

_SESSIONS = 200
"""Sessions of one box that are told apart."""


@dataclass(slots=True)
class Kept:
    """A box with its age, the changes told so far, and how many programs of its attacker are attached."""

    box: Box
    born: float
    changes: Changes
    used: float = 0.0
    attached: int = 0
    session: str = ""
    """The attacker's session that ran a program last."""
    connections: dict[str, str] = field(default_factory=dict)
    """What $SSH_CONNECTION is in each of his sessions."""
    link: Link | None = None
    looking: asyncio.Lock = field(default_factory=asyncio.Lock)

    def ran(self, session: str, environment: Mapping[str, str]) -> None:
        """A program of this session is started with this environment."""
        self.session = session
        connection = environment.get("SSH_CONNECTION", "")
        if connection and len(self.connections) < _SESSIONS:
            self.connections[connection] = session

    def session_of(self, environment: bytes) -> str:
        """The session of a process with this environment (as /proc shows it): where it says nothing, the last one's."""
        for each in environment.split(b"\0"):
            name, _, value = each.partition(b"=")
            if name == b"SSH_CONNECTION":
                return self.connections.get(value.decode("ascii", "replace"), self.session)
        return self.session


class Boxes:
    """Gives each address its box. `uplink`: the socket of the process to which the boxes' wires are handed, where there
    is one. `most`: boxes at once; `seconds`: how old one gets; `idle_seconds`: how long it waits
    for its attacker to come back."""

    def __init__(
        self,
        driver: Driver,
        *,
        most: int,
        seconds: float,
        idle_seconds: float,
        uplink: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._driver = driver
        self._uplink = uplink
        self._most = most
        self._seconds = seconds
        self._idle_seconds = idle_seconds
        self._clock = clock
        self._kept: dict[str, Kept] = {}
        self._making: dict[str, asyncio.Lock] = {}
        self._pending = 0

    def __len__(self) -> int:
        return len(self._kept)

    async def attach(self, address: str) -> Kept:
        """The box of an address, for one more program. SandboxError where there is no room or it cannot be made."""
        lock = self._making.setdefault(address, asyncio.Lock())
        try:
            async with lock:
                kept = self._kept.get(address)
                if kept is not None and not kept.box.alive:
                    await self._destroy(address)
                    kept = None
                if kept is None:
                    kept = await self._make(address)
                kept.attached += 1
                kept.used = self._clock()
        finally:
            if not lock.locked():
                self._making.pop(address, None)
        return kept

    def detach(self, kept: Kept) -> None:
        """A program of it has ended."""
        kept.attached -= 1
        kept.used = self._clock()

    async def _make(self, address: str) -> Kept:
        self._pending += 1
        try:
            if len(self._kept) + self._pending > self._most:
                await self._make_room()
            # A number that says nothing about the attacker: it is seen in the mount table of the box.
            box = await self._driver.create(secrets.token_hex(6))
        finally:
            self._pending -= 1
        now = self._clock()
        kept = self._kept[address] = Kept(box, now, Changes(box.upper, box.devices), now)
        if self._uplink is not None and box.wire is not None:
            kept.link = Link(self._uplink, box, address, kept.session_of)
        return kept

    async def _make_room(self) -> None:
        idle = [address for address, kept in self._kept.items() if not kept.attached]
        if not idle:
            raise SandboxError(f"all {self._most} boxes are in use (machine.sandbox.boxes)")
        await self._destroy(min(idle, key=lambda address: self._kept[address].used))

    async def expire(self) -> None:
        """Destroy those whose time is over, or that have ended."""
        now = self._clock()
        for address, kept in list(self._kept.items()):
            idle = not kept.attached and now - kept.used > self._idle_seconds
            if idle or now - kept.born > self._seconds or not kept.box.alive:
                await self._destroy(address)

    async def close(self) -> None:
        """Destroy all."""
        for address in list(self._kept):
            await self._destroy(address)

    async def _destroy(self, address: str) -> None:
        kept = self._kept.pop(address, None)
        if kept is not None:
            kept.changes.close()
            if kept.link is not None:
                await kept.link.close()
            await kept.box.destroy()
