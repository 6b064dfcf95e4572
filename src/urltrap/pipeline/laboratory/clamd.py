"""ClamAV, where a clamd is configured: payloads over its INSTREAM command, answers as three kinds and no others.

Source: clamd(8), "INSTREAM": chunks with their length before them, a length of zero at the end.
"""

from __future__ import annotations

import socket
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

_CHUNK = 1 << 16
_LONGEST_ANSWER = 4096


@dataclass(frozen=True, slots=True)
class Scanned:
    """ "found" with the signature's name, "clean", or "error" with why: a scan that failed is no clean one."""

    result: Literal["found", "clean", "error"]
    detail: str = ""


class Clamd:
    """A client of one clamd. `address`: ``HOST:PORT``, or the path of its Unix socket. A connection per payload."""

    def __init__(self, address: str, seconds: float = 30.0) -> None:
        self._address = address
        self._seconds = seconds

    def scan(self, data: bytes) -> Scanned:
        """What clamd says of these bytes. Never raises for what clamd answers or does not answer."""
        try:
            with closing(self._connect()) as connection:
                answer = _ask(connection, data)
        except OSError as error:
            return Scanned("error", f"clamd at {self._address}: {error or type(error).__name__}")
        return _read(answer)

    def _connect(self) -> socket.socket:
        if "/" in self._address:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.settimeout(self._seconds)
            try:
                connection.connect(self._address)
            except OSError:
                connection.close()
                raise
            return connection
        host, _, port = self._address.rpartition(":")
        return socket.create_connection((host.strip("[]"), int(port)), self._seconds)


def _ask(connection: socket.socket, data: bytes) -> bytes:
    try:
        connection.sendall(b"zINSTREAM\0")
        for start in range(0, len(data), _CHUNK):
            chunk = data[start : start + _CHUNK]
            connection.sendall(len(chunk).to_bytes(4, "big") + chunk)
        connection.sendall(bytes(4))
    except (BrokenPipeError, ConnectionResetError):
        pass  # over its size limit clamd answers and closes before it has everything: what it said is read below
    answer = b""
    while b"\0" not in answer and len(answer) < _LONGEST_ANSWER:
        chunk = connection.recv(1024)
        if not chunk:
            break
        answer += chunk
    return answer


def _read(answer: bytes) -> Scanned:
    text = answer.split(b"\0", 1)[0].decode("utf-8", "replace").strip().removeprefix("stream: ")
    if text == "OK":
        return Scanned("clean")
    if text.endswith(" FOUND"):
        return Scanned("found", text.removesuffix(" FOUND")[:200])
    return Scanned("error", f"clamd answered {text[:200]!a}" if text else "clamd closed without an answer")
