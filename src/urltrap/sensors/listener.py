"""Accepting connections: all that wait, what is shed before anything is built for them, none without descriptors."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import time
from collections.abc import Callable

from urltrap.journal.errors import JournalError
from urltrap.sensors.admission import Admission, Ticket
from urltrap.sensors.session import Endpoints, ErrorLog

BACKLOG = 4096
"""Connections that the kernel keeps for us (it takes net.core.somaxconn where that is less)."""
_MOST_AT_ONCE = 500
_SECONDS_AT_ONCE = 0.02
"""The loop looks at those who are inside after this; a queue that overflows costs newcomers a second or more."""
_OUT_OF = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_PAUSE_SECONDS = 0.5
_PAUSES = 10
_RESUME_AT = 0.9


class Listener:
    """Serves one listening socket: `make` builds the protocol of a connection that `admission` lets in.

    Others are told `refusal` and closed, as inetd and sshd do it: one system call each, no transport, no session. Where
    descriptors or memory for sockets run out the kernel's queue does the waiting, until a tenth of the connections has
    ended or five seconds have passed.
    """

    def __init__(
        self,
        sock: socket.socket,
        admission: Admission,
        make: Callable[[Ticket], asyncio.Protocol],
        errors: ErrorLog,
        refusal: bytes = b"",
    ) -> None:
        self._sock = sock
        self._admission = admission
        self._make = make
        self._errors = errors
        self._refusal = refusal
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        sock.setblocking(False)
        sock.listen(BACKLOG)
        self._loop.add_reader(sock.fileno(), self._accept)

    @property
    def paused(self) -> bool:
        """Whether nothing is accepted for want of descriptors."""
        return self._timer is not None

    async def close(self) -> None:
        """Accept nothing more; connections that were let in go on."""
        if self._closed:
            return
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        else:
            self._loop.remove_reader(self._sock.fileno())
        self._sock.close()
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    def _accept(self) -> None:
        end = time.monotonic() + _SECONDS_AT_ONCE
        for _ in range(_MOST_AT_ONCE):
            try:
                sock, address = self._sock.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _OUT_OF:
                    self._errors.report("accepting connections (raise the limit of open files)", error)
                    self._pause()
                    return
                continue  # accept(2): of a client that is gone already
            ticket = self._admission.enter(address[0])
            if ticket is None:
                self._turn_away(sock)
            else:
                ticket.endpoints = Endpoints(*address[:2], *sock.getsockname()[:2])
                task = self._loop.create_task(self._serve(sock, ticket))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            if time.monotonic() >= end:
                return

    def _turn_away(self, sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError):  # gone already, which is just as well
            if self._refusal:
                sock.setblocking(False)
                sock.send(self._refusal)

    async def _serve(self, sock: socket.socket, ticket: Ticket) -> None:
        sock.setblocking(False)
        try:
            protocol = self._make(ticket)
            await self._loop.connect_accepted_socket(lambda: protocol, sock)
        except (OSError, JournalError) as error:
            # No room for a record of it, no memory for its socket: who is not recorded is not served.
            self._errors.report("accepting connections", error)
            self._admission.shed(ticket.endpoints.src_ip)
            ticket.leave()
            self._turn_away(sock)

    def _pause(self) -> None:
        self._loop.remove_reader(self._sock.fileno())
        self._wait(int(self._admission.inside * _RESUME_AT), _PAUSES)

    def _wait(self, enough: int, left: int) -> None:
        self._timer = self._loop.call_later(_PAUSE_SECONDS, self._look, enough, left - 1)

    def _look(self, enough: int, left: int) -> None:
        if self._admission.inside > enough and left:
            self._wait(enough, left)
            return
        self._timer = None
        self._loop.add_reader(self._sock.fileno(), self._accept)
