"""Waiting for another process, without guessing how long it takes."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import time
from collections.abc import Callable

SECONDS = 90.0
"""A bound for a machine that is busy with something else; nothing is asserted about time."""


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(done: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Return when `done`; AssertionError where the process ends before."""
    deadline = time.monotonic() + SECONDS
    while not done():
        assert process.poll() is None, f"{process.args!r} ended with {process.returncode}"
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


async def eventually(done: Callable[[], bool]) -> None:
    """`until` for what happens in this process, on this event loop or in a thread."""
    deadline = time.monotonic() + SECONDS
    while not done():
        assert time.monotonic() < deadline, "it never happened"
        await asyncio.sleep(0.002)


def until_listening(port: int, process: subprocess.Popen[bytes], datagrams: bool = False) -> None:
    """Return when somebody listens on the port."""
    until(lambda: _taken(port, datagrams), process)


def _taken(port: int, datagrams: bool) -> bool:
    if datagrams:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return True
            return False
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
