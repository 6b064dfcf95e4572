"""A program outside of the boxes that is given exactly the descriptors that it is to have, and waited for."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
from collections.abc import Sequence


class Child:
    """Started by `spawn`; `returncode` as subprocess has it, None while it runs."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int] = self._loop.create_future()
        self._file = os.pidfd_open(pid)
        self._loop.add_reader(self._file, self._reap)

    def _reap(self) -> None:
        self._loop.remove_reader(self._file)
        os.close(self._file)
        _, status = os.waitpid(self.pid, 0)
        self.returncode = os.waitstatus_to_exitcode(status)
        self._ended.set_result(self.returncode)

    async def wait(self) -> int:
        """Its status, negative where a signal ended it."""
        return await asyncio.shield(self._ended)

    def kill(self) -> None:
        """End it now."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


def spawn(argv: Sequence[str], files: Sequence[int]) -> Child:
    """Start `argv[0]` (a path) in a session of its own with `files` as its descriptors 0, 1, 2 and so on. OSError
    where it cannot be started."""
    # A source that an earlier target overwrites would be lost: all are copied out of the targets' way.
    copies: list[int] = []
    try:
        for file in files:
            copies.append(fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, len(files)))
        actions = [(os.POSIX_SPAWN_DUP2, copy, number) for number, copy in enumerate(copies)]
        return Child(os.posix_spawn(argv[0], list(argv), os.environ, file_actions=actions, setsid=True))
    finally:
        for copy in copies:
            os.close(copy)
