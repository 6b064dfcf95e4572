"""What trap and box process say to each other: JSON packets on a Unix socket (SOCK_SEQPACKET), descriptors beside them.

One connection is one program. The trap sends `Run`, then any number of signals; the box process answers with the
program's descriptors, tells what was written, and how it ended; or why there is no box. A connection that closes
hangs the program up.
"""

from __future__ import annotations

import array
import asyncio
import json
import os
import socket
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from urltrap.model.base import Model, RawBytes

MAX_PACKET = 1 << 17
"""Bytes of one packet: a command line of Linux (MAX_ARG_STRLEN) fits."""
SOCKET = Path("run") / "box.sock"
UPLINK_SOCKET = Path("run") / "uplink.sock"


class Run(Model):
    """Run this in the box of `address`. `terminal`: (columns, rows) or none."""

    kind: Literal["run"] = "run"
    address: str
    argv: list[RawBytes]
    environment: dict[str, str]
    uid: int
    gid: int
    groups: list[int]
    folder: str
    terminal: tuple[int, int] | None = None
    session: str = ""


class Signal(Model):
    """A signal for the program, by number."""

    kind: Literal["signal"] = "signal"
    number: int


class Started(Model):
    """It runs; with it come the terminal's master, or standard input, output and error."""

    kind: Literal["started"] = "started"


class Refused(Model):
    """There is no box for it."""

    kind: Literal["refused"] = "refused"
    why: str


class Written(Model):
    """A file was written in the box; with it comes a descriptor to read it from."""

    kind: Literal["written"] = "written"
    path: RawBytes
    mode: int
    size: int


class Ended(Model):
    """How it ended: 0-255, or 128 + signal."""

    kind: Literal["ended"] = "ended"
    status: int


class Opened(Model):
    """From the box process to the uplink: a box's wire, of the attacker at `address`; with it come the sockets of
    `uplink.namespace.Wire`. The connection is the box: it closes with it."""

    kind: Literal["opened"] = "opened"
    box: str
    address: str


class Who(Model):
    """From the uplink: whose is the socket that sends from `port` of the box to `remote` (address, port)?"""

    kind: Literal["who"] = "who"
    number: int
    udp: bool
    port: int
    remote: tuple[str, int]


class Owner(Model):
    """The answer to the question of this number: the program, where it is still there, and whose session it is of."""

    kind: Literal["owner"] = "owner"
    number: int
    argv: list[RawBytes]
    session: str


_KINDS: dict[str, type[Model]] = {
    each.model_fields["kind"].default: each
    for each in (Run, Signal, Started, Refused, Written, Ended, Opened, Who, Owner)
}


class BadPacket(Exception):
    """A packet that is none of this protocol."""


def send(sock: socket.socket, message: Model, files: Sequence[int] = ()) -> None:
    """Send one message. OSError where the other side is gone or does not read; ValueError where it is too long."""
    data = message.model_dump_json().encode()
    if len(data) > MAX_PACKET:
        raise ValueError(f"a message of {len(data)} bytes, at most {MAX_PACKET} are taken")
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))] if files else []
    sock.sendmsg([data], ancillary)


def receive(sock: socket.socket) -> tuple[Any, tuple[int, ...]] | None:
    """The next message with its descriptors, which are the caller's to close; None at the end.

    Raises BadPacket, BlockingIOError, OSError; no descriptor is left open then.
    """
    data, ancillary, flags, _ = sock.recvmsg(MAX_PACKET, socket.CMSG_SPACE(4 * 8), socket.MSG_CMSG_CLOEXEC)
    files = array.array("i")
    for level, kind, body in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            files.frombytes(body[: len(body) - len(body) % files.itemsize])
    try:
        if not data:
            message = None
        elif flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            raise BadPacket("a packet is too long, or has too many descriptors")
        else:
            message = _message(data)
    except BadPacket:
        close_files(files)
        raise
    if message is None:
        close_files(files)
        return None
    return message, tuple(files)


def _message(data: bytes) -> Any:
    try:
        return _KINDS[json.loads(data)["kind"]].model_validate_json(data)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadPacket("not a message of this protocol") from error


def close_files(files: Iterable[int]) -> None:
    """Close descriptors that came with a message and are of no use."""
    for file in files:
        os.close(file)


def seqpacket() -> socket.socket:
    """A socket of this protocol, that does not block, with room for the longest message."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * MAX_PACKET)
    return sock


async def readable(sock: socket.socket) -> None:
    """Wait until there is something to read."""
    loop = asyncio.get_running_loop()
    await _until(sock, loop.add_reader, loop.remove_reader)


async def writable(sock: socket.socket) -> None:
    """Wait until there is room for a message."""
    loop = asyncio.get_running_loop()
    await _until(sock, loop.add_writer, loop.remove_writer)


async def _until(sock: socket.socket, add: Callable[..., object], remove: Callable[[int], object]) -> None:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not future.done():
            future.set_result(None)

    add(sock.fileno(), wake)
    try:
        await future
    finally:
        remove(sock.fileno())
