"""The uplink process: takes the boxes' wires from the box process and serves them, as an ordinary user."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
import socket
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import structlog

from urltrap.egress.client import FetcherClient
from urltrap.egress.switch import SOCKET_FILE
from urltrap.journal import JournalWriter
from urltrap.model.settings import Settings
from urltrap.quarantine import Quarantine
from urltrap.sandbox.messages import (
    UPLINK_SOCKET,
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
from urltrap.sandbox.uplink.authority import Authority
from urltrap.sandbox.uplink.downloads import Downloads
from urltrap.sandbox.uplink.internet import Internet, Surroundings
from urltrap.sandbox.uplink.record import BoxRecord, Recorder
from urltrap.sandbox.uplink.visit import Address

log = structlog.get_logger("uplink")
_OWNER_SECONDS = 2.0
_SOCKETS = 5


def top_levels() -> frozenset[str]:
    """The top levels that there are (the public suffix list's)."""
    with (files("publicsuffixlist") / "public_suffix_list.dat").open("rb") as listed:
        names = (line.decode().strip() for line in listed)
        return frozenset(
            name.rpartition(".")[2].encode("idna").decode()
            for name in names
            if name and not name.startswith("//")
        )


class BoxConnection:
    """One connection of the box process: one box's wire."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[tuple[list[bytes], str]]] = {}
        self._session = ""

    async def ask(self, udp: bool, port: int, remote: Address) -> tuple[list[bytes], str]:
        """Whose a socket in the box is; nobody's, in the last session that is known, where no answer comes."""
        number = next(self._numbers)
        future: asyncio.Future[tuple[list[bytes], str]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            send(self._connection, Who(number=number, udp=udp, port=port, remote=remote))
            async with asyncio.timeout(_OWNER_SECONDS):
                return await future
        except (OSError, TimeoutError):
            return [], self._session
        finally:
            del self._waiting[number]

    async def serve(
        self, open_internet: Callable[[Opened, tuple[int, ...], BoxConnection], Internet]
    ) -> None:
        """Until the box is gone. BadPacket, OSError."""
        first = None
        await readable(self._connection)
        first = receive(self._connection)
        if first is None:
            return
        opened, sockets = first
        if not isinstance(opened, Opened) or len(sockets) != _SOCKETS:
            close_files(sockets)
            raise BadPacket("the first packet is no box")
        internet = open_internet(opened, sockets, self)
        try:
            while True:
                await readable(self._connection)
                heard = receive(self._connection)
                if heard is None:
                    return
                close_files(heard[1])
                answer = heard[0]
                if isinstance(answer, Owner):
                    self._session = answer.session
                    future = self._waiting.get(answer.number)
                    if future is not None and not future.done():
                        future.set_result((answer.argv, answer.session))
        finally:
            await internet.close()


async def run_uplink(
    settings: Settings,
    data: Path,
    authority: Authority,
    *,
    ready: Callable[[], None],
    stop: asyncio.Event,
) -> None:
    """Serve ``DATA/run/uplink.sock`` until `stop` is set. OSError where it cannot be had, JournalError where the
    journal cannot be written."""
    quarantine = Quarantine(data / "quarantine", settings.journal.free_bytes_reserve // 2)
    secret = hashlib.blake2b(authority.pem, person=b"uplink").digest()
    shared = Surroundings(secret, authority, top_levels().__contains__)
    path = data / UPLINK_SOCKET
    tasks: set[asyncio.Task[None]] = set()
    loop = asyncio.get_running_loop()
    with JournalWriter(data / "journal", "uplink", settings.journal) as writer:
        recorder = Recorder(writer)
        async with FetcherClient(data / SOCKET_FILE) as fetcher:

            def open_internet(opened: Opened, sockets: tuple[int, ...], box: BoxConnection) -> Internet:
                return Internet(
                    tuple(socket.socket(fileno=file) for file in sockets),
                    shared,
                    BoxRecord(recorder, opened.address),
                    Downloads(fetcher, quarantine),
                    box.ask,
                )

            async def serve(connection: socket.socket) -> None:
                with connection:
                    try:
                        await BoxConnection(connection).serve(open_internet)
                    except (BadPacket, OSError) as error:
                        log.warning("a box's wire is lost", reason=str(error))
                    except Exception as error:
                        log.error("an error of our own", exc_info=error)

            def accept() -> None:
                try:
                    connection, _ = listener.accept()
                except (BlockingIOError, ConnectionError):
                    return
                connection.setblocking(False)
                task = asyncio.ensure_future(serve(connection))
                tasks.add(task)
                task.add_done_callback(tasks.discard)

            path.unlink(missing_ok=True)
            listener = seqpacket()
            mask = os.umask(0o177)
            try:
                listener.bind(str(path))
            finally:
                os.umask(mask)
            listener.listen(256)
            loop.add_reader(listener.fileno(), accept)
            try:
                ready()
                await stop.wait()
            finally:
                loop.remove_reader(listener.fileno())
                listener.close()
                path.unlink(missing_ok=True)
                for task in list(tasks):
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
