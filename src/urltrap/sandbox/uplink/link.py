"""The box process' side of a wire: hands its sockets to the uplink, and says whose a socket in the box is."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import structlog

from urltrap.sandbox.driver import Box
from urltrap.sandbox.messages import (
    BadPacket,
    Opened,
    Owner,
    Who,
    close_files,
    readable,
    receive,
    send,
    seqpacket,
)
from urltrap.sandbox.uplink.owners import environment, find, words

log = structlog.get_logger("box")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 5.0


class Link:
    """Keeps a box's wire served: an uplink that was restarted gets it anew. `session_of`: the session of a process with
    this environment. Belongs to the event loop that it is made in."""

    def __init__(self, path: Path, box: Box, address: str, session_of: Callable[[bytes], str]) -> None:
        self._path = path
        self._box = box
        self._address = address
        self._session_of = session_of
        self._task = asyncio.ensure_future(self._keep())

    async def close(self) -> None:
        """Take the wire away from the uplink."""
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _keep(self) -> None:
        pause = _FIRST_PAUSE
        while (wire := self._box.wire) is not None:
            try:
                with seqpacket() as connection:
                    connection.connect(str(self._path))
                    send(connection, Opened(box=self._box.id, address=self._address), wire.files)
                    pause = _FIRST_PAUSE
                    while True:
                        await readable(connection)
                        heard = receive(connection)
                        if heard is None:
                            break
                        close_files(heard[1])
                        if isinstance(heard[0], Who):
                            answer = await asyncio.to_thread(self._owner, heard[0])
                            with contextlib.suppress(
                                BlockingIOError
                            ):  # it does not listen: it can do without
                                send(connection, answer)
            except (OSError, BadPacket) as error:
                if pause == _FIRST_PAUSE:  # once, and not each time
                    log.warning("the uplink is not there: a box's network is dead", reason=str(error))
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _owner(self, question: Who) -> Owner:
        box = self._box
        pid = find(box.pid, box.processes(), question.udp, question.port, question.remote)
        if pid is None:
            return Owner(number=question.number, argv=[], session=self._session_of(b""))
        return Owner(number=question.number, argv=words(pid), session=self._session_of(environment(pid)))
