"""Where the supervisor's processes come from: a parent that has loaded what they need, and forks.

Python modules are most of what a process of urltrap is made of. Loaded once and shared, they cost a small machine their
memory and its start their time once, not eight times. `multiprocessing`'s fork server would hand its own environment,
passwords of other programs included, to whoever faces attackers, and tells no reason of an end; hence this one.

The nursery (`nursery_process`) never sees a setting or a secret: those go from the supervisor to the new process by a
pipe. It is started anew when it has died; the processes that it made live on meanwhile, for they watch the supervisor.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import signal
import socket
import sys
import weakref
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

MESSAGE_BYTES = 4096
_LOST = "the process that makes the others has ended"


class Child(Protocol):
    """A process of the supervisor's, as `asyncio.subprocess.Process` is one."""

    @property
    def pid(self) -> int: ...
    @property
    def stdout(self) -> asyncio.StreamReader | None: ...
    async def wait(self) -> int: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


class Forked:
    """One process that the nursery has made. Signals go by its descriptor, so never to another of the same number."""

    def __init__(self, pid: int, descriptor: int, stdout: asyncio.StreamReader) -> None:
        self.pid = pid
        self.stdout: asyncio.StreamReader | None = stdout
        self._descriptor = descriptor
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def wait(self) -> int:
        """Its status as `subprocess` tells it: negative where a signal ended it."""
        return await asyncio.shield(self._ended)

    def terminate(self) -> None:
        """SIGTERM."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self._signal(signal.SIGKILL)

    def end(self, status: int) -> None:
        """Tell who waits for it; called once it is gone."""
        if not self._ended.done():
            self._ended.set_result(status)
            os.close(self._descriptor)

    def watch(self) -> None:
        """Notice its end without the nursery, which would have known the status: it counts as killed."""
        loop = asyncio.get_running_loop()

        def gone() -> None:
            loop.remove_reader(self._descriptor)
            self.end(-signal.SIGKILL)

        if not self._ended.done():
            loop.add_reader(self._descriptor, gone)

    def _signal(self, number: int) -> None:
        if not self._ended.done():
            with contextlib.suppress(ProcessLookupError):  # it ends just now
                signal.pidfd_send_signal(self._descriptor, number)


class Nursery:
    """Makes processes that run `urltrap.ops.worker`.

    `kinds` are those whose modules are loaded before the first; `environment` is what every process starts with.
    """

    def __init__(self, kinds: Sequence[str], environment: Mapping[str, str]) -> None:
        self._kinds = list(kinds)
        self._environment = dict(environment)
        self._process: asyncio.subprocess.Process | None = None
        self._channel: socket.socket | None = None
        self._births: dict[int, asyncio.Future[tuple[int, int]]] = {}
        self._children: dict[int, Forked] = {}
        self._early: dict[int, int] = {}
        self._lock = asyncio.Lock()
        self._number = 0
        self._pipes: weakref.WeakSet[asyncio.ReadTransport] = weakref.WeakSet()

    async def spawn(self, reading: int, name: str) -> Forked:
        """A new process that reads its launch from the descriptor `reading`, called `name` in lists of processes.

        OSError where there can be none; the descriptor stays the caller's.
        """
        async with self._lock:
            if self._channel is None:
                await self._start()
        channel = self._channel
        if channel is None:
            raise OSError(errno.EPIPE, _LOST)
        self._number += 1
        birth = self._births[self._number] = asyncio.get_running_loop().create_future()
        stdout, writing = os.pipe()
        with os.fdopen(writing, "wb"), contextlib.ExitStack() as undo:
            said = undo.enter_context(os.fdopen(stdout, "rb", buffering=0))
            body = json.dumps({"id": self._number, "name": name}).encode()
            try:
                socket.send_fds(channel, [body], [reading, writing])
            except OSError as error:  # it has just died, and we have not heard it yet
                self._births.pop(self._number, None)
                raise OSError(errno.EPIPE, _LOST) from error
            pid, descriptor = await birth
            reader = asyncio.StreamReader()
            undo.pop_all()  # the transport closes it
            pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(reader), said
            )
            self._pipes.add(pipe)
        child = Forked(pid, descriptor, reader)
        if pid in self._early:
            child.end(self._early.pop(pid))
        elif self._channel is channel:
            self._children[pid] = child
        else:
            child.watch()
        return child

    async def close(self) -> None:
        """End the nursery; its processes end by themselves, by what the supervisor tells them."""
        if self._channel is not None:
            self._lose()
        for pipe in list(self._pipes):
            pipe.close()
        if self._process is not None:
            await self._process.wait()

    async def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "urltrap.ops.nursery_process", str(theirs.fileno()), *self._kinds,
                stdin=asyncio.subprocess.DEVNULL, pass_fds=[theirs.fileno()], env=self._environment,
                start_new_session=True,
            )  # fmt: skip
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self._channel = ours
        asyncio.get_running_loop().add_reader(ours, self._hear)

    def _hear(self) -> None:
        assert self._channel is not None
        try:
            data, descriptors, _, _ = socket.recv_fds(self._channel, MESSAGE_BYTES, 1)
        except OSError:
            data, descriptors = b"", []
        if not data:
            self._lose()
            return
        message: dict[str, Any] = json.loads(data)
        if "status" in message:
            pid, status = int(message["pid"]), int(message["status"])
            if (child := self._children.pop(pid, None)) is not None:
                child.end(status)
            else:
                self._early[pid] = status
            return
        birth = self._births.pop(int(message["id"]))
        if "error" in message:
            failure = OSError(message["error"], os.strerror(message["error"]))
            if not birth.done():
                birth.set_exception(failure)
        elif birth.done():  # nobody waits any more; what reads its pipe ends when the other end closes
            os.close(descriptors[0])
        else:
            birth.set_result((int(message["pid"]), descriptors[0]))

    def _lose(self) -> None:
        assert self._channel is not None
        asyncio.get_running_loop().remove_reader(self._channel)
        self._channel.close()
        self._channel = None
        for birth in self._births.values():
            if not birth.done():
                birth.set_exception(OSError(errno.EPIPE, _LOST))
        self._births.clear()
        for child in self._children.values():
            child.watch()
        self._children.clear()
