"""The socket behind ``/dev/tcp/HOST/PORT``: an HTTP request that is written to it is asked of the fetcher.

The machine connects nowhere. What is written is kept until it is a whole GET or HEAD request; reading gives the answer
as it would come from the wire. Any other use meets a peer that closes at once.
"""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING

from urltrap.machine.api import S_IFSOCK, Stat, encode
from urltrap.machine.effects import Fetch, FetchReply
from urltrap.machine.errors import SysError
from urltrap.machine.kernel.files import File
from urltrap.machine.kernel.waiting import WaitQueue
from urltrap.machine.reach import greeting, retort
from urltrap.model.capture import FetchRequest
from urltrap.model.event import DownloadAnswered, DownloadAsked

if TYPE_CHECKING:
    from urltrap.machine.kernel.state import ProcessState

CLIENT = "dev-tcp"
_REQUEST_MAX = 65_536
_GRACE = 120.0
"""Seconds after which a service hangs up on a client that says nothing (LoginGraceTime)."""
_REQUEST = re.compile(rb"\A(GET|HEAD) (\S{1,8192}) HTTP/1\.[01]\r?\n((?:[^\r\n]+\r?\n)*)\r?\n")
_HOP_BY_HOP = frozenset((b"transfer-encoding", b"content-encoding", b"connection", b"keep-alive"))


class HttpSocket(File):
    """One connection of a shell."""

    __slots__ = ("_answer", "_host", "_inode", "_number", "_port", "_sent", "_url")

    def __init__(self, host: str, port: int, inode: int) -> None:
        super().__init__(f"socket:[{inode}]", 2)
        self._host = host
        self._port = port
        self._inode = inode
        self._sent = bytearray()
        self._number = 0
        self._answer: bytes | None = None
        self._url = b""

    def stat(self) -> Stat:
        """fstat(2)."""
        return Stat(S_IFSOCK | 0o777, 0, inode=self._inode)

    def try_write(self, process: ProcessState, data: bytes) -> int:
        """Takes everything; asks where the request is whole now."""
        if len(self._sent) + len(data) > _REQUEST_MAX:
            raise SysError(errno.EPIPE, self.path)
        self._sent += data
        found = _REQUEST.match(self._sent) if not self._number else None
        if found is not None:
            self._ask(process, found[1], found[2], found[3])
        return len(data)

    def try_read(self, process: ProcessState, length: int) -> bytes | None:
        """The answer; the end at once where nothing was asked."""
        if self._answer is None:
            if not self._number:
                return b""
            reply = process.job.replies.pop(self._number, None)
            if reply is None:
                return None
            self._answer = _as_sent(reply)
            capture = reply.capture
            process.fact(DownloadAnswered, url=self._url, outcome=capture.outcome, status=capture.status,
                         sha256=capture.sha256, size=capture.size)  # fmt: skip
        data, self._answer = self._answer[:length], self._answer[length:]
        return data

    def _ask(self, process: ProcessState, method: bytes, target: bytes, lines: bytes) -> None:
        headers = [
            (name.strip(), value.strip())
            for name, colon, value in (line.partition(b":") for line in lines.splitlines())
            if colon
        ]
        place = encode(f"[{self._host}]" if ":" in self._host else self._host)
        if self._port != 80:
            place += b":%d" % self._port
        absolute = target.lower().startswith(b"http://")
        self._url = (
            target if absolute else b"http://" + place + (target if target[:1] == b"/" else b"/" + target)
        )
        agent = next((value for name, value in headers if name.lower() == b"user-agent"), b"")
        argv = [encode(each) for each in process.argv]
        process.fact(DownloadAsked, url=self._url, client=CLIENT, argv=argv, output=b"")
        request = FetchRequest(
            url=self._url, client=CLIENT, user_agent=agent, method="HEAD" if method == b"HEAD" else "GET",
            headers=headers, follow_redirects=False,
        )  # fmt: skip
        self._number, queue = process.job.ask()
        self.read_queue = queue
        process.job.effects.append(Fetch(self._number, request))

    def released(self, process: ProcessState) -> None:
        """Nobody waits for the answer any more."""
        if self._number:
            process.job.forget(self._number)


class LocalSocket(File):
    """A connection to one of the machine's own services, which says its words and hangs up."""

    __slots__ = ("_closed", "_inode", "_port", "_said", "_sent", "_until", "_waiting")

    def __init__(self, port: int, inode: int, now: float) -> None:
        super().__init__(f"socket:[{inode}]", 2)
        self._port = port
        self._until = now + _GRACE
        self._inode = inode
        self._sent = bytearray()
        self._said: bytes | None = None
        self._closed = False
        self._waiting = WaitQueue()
        self.read_queue = self._waiting

    @property
    def deadline(self) -> float | None:
        """When the service hangs up by itself."""
        return self._until

    def stat(self) -> Stat:
        """fstat(2)."""
        return Stat(S_IFSOCK | 0o777, 0, inode=self._inode)

    def try_write(self, process: ProcessState, data: bytes) -> int:
        """Takes what comes; the service answers once it has heard enough."""
        if self._closed:
            raise SysError(errno.EPIPE, self.path)
        self._sent += data[: _REQUEST_MAX - len(self._sent)]
        answer = retort(process, self._port, bytes(self._sent))
        if answer is not None or len(self._sent) >= _REQUEST_MAX:
            self._said = (self._greeting(process) if self._said is None else self._said) + (answer or b"")
            self._closed = True
            self._waiting.wake()
        return len(data)

    def try_read(self, process: ProcessState, length: int) -> bytes | None:
        """What the service said; None while it waits, nothing once it hung up."""
        if self._said is None:
            self._said = self._greeting(process)
        data, self._said = self._said[:length], self._said[length:]
        return data if data or self._closed or process.now() >= self._until else None

    def _greeting(self, process: ProcessState) -> bytes:
        return greeting(process, self._port)


def _as_sent(reply: FetchReply) -> bytes:
    """The answer as bytes of the wire; empty (a closed connection) where none came."""
    capture = reply.capture
    if capture.status is None:
        return b""
    head = b"HTTP/1.1 %d %s\r\n" % (capture.status, capture.reason)
    for name, value in capture.headers:
        if name.lower() not in _HOP_BY_HOP:
            head += name + b": " + value + b"\r\n"
    body = reply.body.read(0, reply.body.size) if reply.body is not None else b""
    return head + b"Connection: close\r\n\r\n" + body
