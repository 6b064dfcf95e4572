"""The box process' side of the socket: each connection of a trap runs one program in its attacker's box."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import structlog

from urltrap.model.base import Model
from urltrap.sandbox.boxes import Boxes, Kept
from urltrap.sandbox.bundle import Command
from urltrap.sandbox.driver import Running, SandboxError
from urltrap.sandbox.messages import (
    BadPacket,
    Ended,
    Refused,
    Run,
    Signal,
    Started,
    Written,
    close_files,
    readable,
    receive,
    send,
    seqpacket,
    writable,
)

log = structlog.get_logger("box")
LOOK_SECONDS = 2.0
"""How often the files of a box are looked over while a program runs in it."""
SWEEP_SECONDS = 5.0
SEND_SECONDS = 30.0
"""How long a trap may take to make room for a message."""
FILES_AT_ONCE = 50
"""Files that are open at once for one look at a box; the next look goes on."""


class BoxServer:
    """Serves `path` until it is closed. `owner`: (uid, gid) of those who may connect."""

    def __init__(self, boxes: Boxes, path: Path, owner: tuple[int, int] | None) -> None:
        self._boxes = boxes
        self._path = path
        self._owner = owner
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: socket.socket | None = None
        self._loop = asyncio.get_running_loop()

    def start(self) -> None:
        """Listen; OSError where the path cannot be had."""
        self._path.unlink(missing_ok=True)  # only one box process runs: this is what a killed one left
        self._listener = seqpacket()
        mask = os.umask(0o177)
        try:
            self._listener.bind(str(self._path))
        finally:
            os.umask(mask)
        if self._owner is not None:  # the folder is theirs: this may be a link by now
            os.chown(self._path, *self._owner, follow_symlinks=False)
        self._listener.listen(256)
        self._loop.add_reader(self._listener.fileno(), self._accept)
        self._spawn(self._keep_time())

    async def close(self) -> None:
        """End everything."""
        if self._listener is not None:
            self._loop.remove_reader(self._listener.fileno())
            self._listener.close()
            self._path.unlink(missing_ok=True)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._boxes.close()

    def _spawn(self, work: object) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _accept(self) -> None:
        assert self._listener is not None
        with contextlib.suppress(BlockingIOError, ConnectionError):
            connection, _ = self._listener.accept()
            connection.setblocking(False)
            self._spawn(self._serve(connection))

    async def _keep_time(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                await self._boxes.expire()
            except Exception as error:  # one box that will not go must not keep the others
                log.error("a box cannot be removed", exc_info=error)

    async def _serve(self, connection: socket.socket) -> None:
        kept: Kept | None = None
        try:
            await readable(connection)
            first = receive(connection)
            if first is None:
                return
            request = first[0]
            close_files(first[1])  # a trap has none to send
            if not isinstance(request, Run):
                raise BadPacket("the first packet is no command")
            kept = await self._boxes.attach(request.address)
            await self._run(connection, kept, request)
        except SandboxError as error:
            log.warning("no box", reason=str(error))
            self._tell(connection, Refused(why=str(error)))
        except BadPacket as error:
            log.warning("a packet that is none of ours", reason=str(error))
        except OSError as error:  # a TimeoutError is one
            log.info("a trap has gone or does not listen", reason=error.strerror or "it makes no room")
        except Exception as error:
            log.error("an error of our own", exc_info=error)
            self._tell(connection, Refused(why=type(error).__name__))
        finally:
            if kept is not None:
                self._boxes.detach(kept)
            connection.close()

    async def _run(self, connection: socket.socket, kept: Kept, request: Run) -> None:
        kept.ran(request.session, request.environment)
        running = await kept.box.run(
            Command(
                [os.fsdecode(word) for word in request.argv],
                request.environment,
                request.uid,
                request.gid,
                request.groups,
                request.folder,
                request.terminal,
            )
        )
        try:
            send(connection, Started(), running.files)
        finally:
            for file in running.files:
                os.close(file)
        ended = asyncio.ensure_future(running.wait())
        listening = asyncio.ensure_future(_listen(connection, running))
        try:
            while not ended.done() and not listening.done():
                await asyncio.wait(
                    {ended, listening}, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                await self._look(connection, kept)
            if ended.done():
                await self._send(connection, Ended(status=ended.result()))
                # Until the trap closes: a signal that it sent meanwhile and nobody read would reset the connection, and
                # it would not hear of the end.
                await asyncio.wait({listening}, timeout=SEND_SECONDS)
            else:
                running.signal(signal.SIGHUP)  # its terminal or client is gone; what ignores that goes on
        finally:
            listening.cancel()
            await asyncio.wait({listening})  # it lets go of the descriptor before that is closed
            ended.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _look(self, connection: socket.socket, kept: Kept) -> None:
        async with kept.looking:
            found = await asyncio.to_thread(lambda: list(islice(kept.changes.new(), FILES_AT_ONCE)))
            try:
                for changed in found:
                    message = Written(path=changed.path, mode=changed.mode, size=changed.size)
                    await self._send(connection, message, (changed.file,))
            finally:
                for changed in found:
                    os.close(changed.file)

    async def _send(self, connection: socket.socket, message: Model, files: tuple[int, ...] = ()) -> None:
        """Tell a trap, when it has room: it takes files slower than a box can write them."""
        async with asyncio.timeout(SEND_SECONDS):
            while True:
                try:
                    send(connection, message, files)
                    return
                except BlockingIOError:
                    await writable(connection)

    def _tell(self, connection: socket.socket, message: Model, files: tuple[int, ...] = ()) -> None:
        try:
            send(connection, message, files)
        except OSError as error:  # a trap that is gone, or one that does not read: it hears no more
            log.info("a trap does not listen", reason=error.strerror)


async def _listen(connection: socket.socket, running: Running) -> None:
    """Pass signals on until the trap closes the connection."""
    while True:
        await readable(connection)
        message = receive(connection)
        if message is None:
            return
        close_files(message[1])
        if isinstance(message[0], Signal):
            running.signal(message[0].number)


async def serve(
    boxes: Boxes, path: Path, owner: tuple[int, int] | None, ready: Callable[[], None], stop: asyncio.Event
) -> None:
    """Serve until `stop` is set; every box is gone afterwards."""
    server = BoxServer(boxes, path, owner)
    server.start()
    try:
        ready()
        await stop.wait()
    finally:
        await server.close()
