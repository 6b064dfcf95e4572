"""A program in a box as the sensors drive it: the `Job` of `machine.effects` over a connection to the box process."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import struct
import termios
from collections import deque
from collections.abc import Callable
from pathlib import Path

import structlog

from urltrap.machine.api import decode
from urltrap.machine.effects import BytesContent, Effect, Fact, FetchReply, FileClosed, Job, Output
from urltrap.model.event import CommandEntered
from urltrap.sandbox.messages import (
    BadPacket,
    Ended,
    Refused,
    Run,
    Signal,
    Started,
    Written,
    close_files,
    receive,
    send,
    seqpacket,
)
from urltrap.sandbox.typed import TypedLines

log = structlog.get_logger("sandbox")
_PIECE = 65_536
_MAX_WAITING = 1 << 18
"""Bytes of output that wait for the client; the program has to wait then, as on a full pipe."""


def _content(file: int, limit: int) -> bytes:
    try:
        with open(file, "rb", closefd=False) as reader:
            return reader.read(limit)
    finally:
        os.close(file)


class BoxJob:
    """One program in a box; what runs instead, where there is no box, is made by `instead` and takes its place.

    `typed`: whether its standard input is command lines, which are journalled as they are entered; `file_limit`: bytes
    of a written file that are kept. Belongs to the event loop that it is made in.
    """

    def __init__(
        self, path: Path, run: Run, instead: Callable[[], Job], *, typed: TypedLines | None, file_limit: int
    ) -> None:
        self._run = run
        self._instead = instead
        self._typed = typed
        self._file_limit = file_limit
        self._loop = asyncio.get_running_loop()
        self._effects: deque[Effect] = deque()
        self._waiting = 0
        self._deaf = False
        self._input = bytearray()
        self._input_ended = False
        self._files: dict[int, int] = {}
        self._stdin: int | None = None
        self._writing = False
        self._status: int | None = None
        self._size = run.terminal
        self._other: Job | None = None
        self._wake: Callable[[], None] = lambda: None
        self._socket: socket.socket | None = seqpacket()
        try:
            self._socket.connect(str(path))
            send(self._socket, run)
        except (OSError, ValueError) as error:
            self._give_up(f"the box process cannot be asked: {error}")
        else:
            self._loop.add_reader(self._socket.fileno(), self._hear)

    # ---- the box process ----

    def _hear(self) -> None:
        assert self._socket is not None
        try:
            heard = receive(self._socket)
        except (BlockingIOError, ConnectionResetError):
            return  # reset: it closed with a signal unread; told once, before what it had sent and the end
        except (BadPacket, OSError) as error:
            log.warning("the box process said something odd", reason=str(error))
            heard = None
        if heard is None:
            self._lost()
        else:
            self._take(*heard)
        self._wake()

    def _take(self, message: object, files: tuple[int, ...]) -> None:
        if len(files) != self._descriptors_of(message):
            # What it is to be read from is missing, or something came that nobody would close.
            log.warning(
                "the box process said something odd",
                reason=f"{type(message).__name__.lower()} with {len(files)} descriptors",
            )
            close_files(files)
            self._lost()
        elif isinstance(message, Started):
            self._begin(files)
        elif isinstance(message, Refused):
            self._give_up(message.why)
        elif isinstance(message, Written):
            self._keep(message, files[0])
        elif isinstance(message, Ended):
            self._status = message.status
            self._drop_socket()

    def _keep(self, message: Written, file: int) -> None:
        """Read a file in a thread: some are large, and other attackers are served meanwhile. Nothing more is heard
        until a step has taken it, so one file at a time is in memory, and the box process waits."""
        assert self._socket is not None
        self._loop.remove_reader(self._socket.fileno())
        reading = self._loop.run_in_executor(None, _content, file, self._file_limit)

        def done(read: asyncio.Future[bytes]) -> None:
            if read.cancelled() or self._socket is None:  # the loop or the job has ended meanwhile
                return
            if (error := read.exception()) is not None:
                log.warning("a file of a box cannot be read", path=decode(message.path), reason=str(error))
                self._loop.add_reader(self._socket.fileno(), self._hear)
                return
            self._deaf = True
            content = BytesContent(read.result())
            self._effects.append(FileClosed(decode(message.path), content, message.mode))
            self._wake()

        reading.add_done_callback(done)

    def _descriptors_of(self, message: object) -> int:
        """How many descriptors come with a message of this kind."""
        if isinstance(message, Started):
            return 1 if self._run.terminal is not None else 3
        return 1 if isinstance(message, Written) else 0

    def _begin(self, files: tuple[int, ...]) -> None:
        for file in files:
            os.set_blocking(file, False)
        if self._run.terminal is not None:
            self._stdin, self._files = files[0], {files[0]: 1}
            if self._size is not None and self._size != self._run.terminal:
                self.resize(*self._size)
        else:
            self._stdin, self._files = files[0], {files[1]: 1, files[2]: 2}
        self._watch()
        self._write()

    def _give_up(self, why: str) -> None:
        """Go on with the emulated machine: an attacker who finds a box missing would be lost."""
        log.error("no sandbox: this attacker gets the emulated machine", reason=why)
        self._drop_socket()
        self._other = other = self._instead()
        if hasattr(other, "on_wake"):
            other.on_wake = lambda: self._wake()
        if self._size is not None and self._size != self._run.terminal:
            other.resize(*self._size)
        if self._input:
            other.receive(bytes(self._input))
            self._input.clear()
        if self._input_ended:
            other.receive_eof()

    def _lost(self) -> None:
        """The box process is gone, and the box with it."""
        if self._status is None and not self._files and self._other is None:
            self._give_up("the box process went away")
            return
        self._drop_socket()
        if self._status is None:
            self._status = 128 + signal.SIGKILL

    def _drop_socket(self) -> None:
        if self._socket is not None:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None

    # ---- what it reads and writes ----

    def _watch(self) -> None:
        for file in self._files:
            self._loop.add_reader(file, self._read, file)

    def _read(self, file: int) -> None:
        try:
            data = os.read(file, _PIECE)
        except BlockingIOError:
            return
        except OSError:  # EIO: the last one who had the terminal open is gone
            data = b""
        if data:
            self._effects.append(Output(data, self._files[file]))
            self._waiting += len(data)
            if self._waiting > _MAX_WAITING:
                for each in self._files:
                    self._loop.remove_reader(each)
        else:
            self._forget(file)
        self._wake()

    def _forget(self, file: int) -> None:
        del self._files[file]
        self._loop.remove_reader(file)
        if file == self._stdin:
            self._stop_writing()
            self._stdin = None
        os.close(file)

    def _write(self) -> None:
        if self._stdin is None:
            return
        while self._input:
            try:
                count = os.write(self._stdin, self._input[:_PIECE])
            except BlockingIOError:
                if not self._writing:
                    self._writing = True
                    self._loop.add_writer(self._stdin, self._write)
                return
            except OSError:  # EPIPE, EIO: nobody reads it any more
                self._input.clear()
                break
            del self._input[:count]
        self._stop_writing()
        if self._input_ended and self._stdin not in self._files:
            os.close(self._stdin)
            self._stdin = None
        self._wake()

    def _stop_writing(self) -> None:
        if self._writing and self._stdin is not None:
            self._writing = False
            self._loop.remove_writer(self._stdin)

    # ---- Job ----

    @property
    def on_wake(self) -> Callable[[], None]:
        """Called when there is something to `step` for."""
        return self._wake

    @on_wake.setter
    def on_wake(self, wake: Callable[[], None]) -> None:
        self._wake = wake

    def receive(self, data: bytes) -> None:
        """Bytes for standard input."""
        if self._other is not None:
            self._other.receive(data)
            return
        if self._typed is not None:
            for line in self._typed.feed(data):
                self._effects.append(Fact(CommandEntered, {"mode": "shell", "text": line}))
        if self._status is None:
            self._input += data
            self._write()

    def receive_eof(self) -> None:
        """No more input; a terminal is told nothing, it is hung up later."""
        if self._other is not None:
            self._other.receive_eof()
        elif self._run.terminal is None:
            self._input_ended = True
            self._write()

    def receive_signal(self, name: str) -> None:
        """A signal by its name without SIG."""
        if self._other is not None:
            self._other.receive_signal(name)
        elif self._socket is not None and (number := getattr(signal, f"SIG{name}", None)) is not None:
            with contextlib.suppress(OSError):  # the box process has just gone: `_hear` is told
                send(self._socket, Signal(number=int(number)))

    def resize(self, columns: int, rows: int) -> None:
        """The window changed."""
        self._size = (columns, rows)
        if self._other is not None:
            self._other.resize(columns, rows)
        elif self._stdin is not None and self._run.terminal is not None:
            with contextlib.suppress(OSError):  # the terminal has just been closed
                fcntl.ioctl(self._stdin, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def fetched(self, id: int, reply: FetchReply) -> None:
        """An answer for the emulated machine that took the box's place."""
        if self._other is not None:
            self._other.fetched(id, reply)

    def hang_up(self) -> None:
        """The connection is gone: its terminal closes, and the kernel and the box process tell the program."""
        if self._other is not None:
            self._other.hang_up()

    def step(self, now: float, budget: int = 20_000) -> list[Effect]:
        """What has come since the last step."""
        effects = list(self._effects)
        self._effects.clear()
        if self._deaf:
            self._deaf = False
            if self._socket is not None:
                self._loop.add_reader(self._socket.fileno(), self._hear)
        if self._waiting > _MAX_WAITING:
            self._watch()
        self._waiting = 0
        if self._other is not None:
            effects += self._other.step(now, budget)
        return effects

    @property
    def runnable(self) -> bool:
        """Whether something waits to be stepped for."""
        return bool(self._effects) or (self._other is not None and self._other.runnable)

    @property
    def wake_at(self) -> float | None:
        """Only the emulated machine knows when it goes on."""
        return self._other.wake_at if self._other is not None else None

    @property
    def exit_status(self) -> int | None:
        """None until it has ended and all that it wrote is taken."""
        if self._other is not None:
            return self._other.exit_status
        return self._status if not self._effects and not self._drain() else None

    def _drain(self) -> bool:
        """Whether output is still to come of a program that has ended; what it left running may hold its pipes."""
        if self._status is None or self._waiting > _MAX_WAITING:
            return True
        for file in list(self._files):
            if file in self._files:
                self._read(file)
        return bool(self._effects)

    @property
    def killed_by(self) -> str | None:
        """The name without SIG of the signal that ended it."""
        if self._other is not None:
            return self._other.killed_by
        return None  # the runtime tells 128 + signal, which a shell's own status may be as well

    @property
    def lingering(self) -> bool:
        """What goes on in a box needs no steps."""
        return self._other is not None and self._other.lingering

    @property
    def waiting_for_fetch(self) -> bool:
        """Only the emulated machine asks the fetcher."""
        return self._other is not None and self._other.waiting_for_fetch

    @property
    def backlog(self) -> int:
        """Bytes that the program has not read yet."""
        return self._other.backlog if self._other is not None else len(self._input)

    def end(self) -> None:
        """Close everything; the box process hangs the program up, and the box lives on until its time is over."""
        if self._other is not None:
            self._other.end()
        self._drop_socket()
        for file in list(self._files):
            self._forget(file)
        if self._stdin is not None:
            self._stop_writing()
            os.close(self._stdin)
            self._stdin = None
