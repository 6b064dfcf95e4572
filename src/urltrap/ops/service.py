"""Telling systemd how it goes (sd_notify(3)): ready, alive, what is missing; nothing where it did not start us."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Mapping

import structlog

log = structlog.get_logger()


class ServiceManager:
    """Sends datagrams to the socket in ``NOTIFY_SOCKET``. `period` in seconds is half of what the watchdog allows."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        microseconds = environment.get("WATCHDOG_USEC", "")
        ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.period = int(microseconds) / 2e6 if microseconds.isdigit() and ours else 10.0
        self._complained = False

    def tell(self, *lines: str) -> None:
        """Send lines such as ``READY=1``; a manager that does not listen is told of once, and ends nothing."""
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.sendto("\n".join(lines).encode(), address)
        except OSError as error:
            if not self._complained:
                log.warning("systemd cannot be told how it goes", reason=error.strerror)
            self._complained = True

    async def keep_told(
        self, stop: asyncio.Event, is_up: Callable[[], bool], status: Callable[[], str]
    ) -> None:
        """Until `stop`: ready once everything is up, and alive as long as this event loop turns."""
        ready = False
        while not stop.is_set():
            lines = ["WATCHDOG=1", f"STATUS={status()}"]
            if not ready and is_up():
                ready = True
                lines.append("READY=1")
            self.tell(*lines)
            try:
                await asyncio.wait_for(stop.wait(), self.period if ready else min(1.0, self.period))
            except TimeoutError:
                continue
        self.tell("STOPPING=1")
