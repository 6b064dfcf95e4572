"""Events to a syslog server: RFC 5424 messages whose text is the event as JSON, over UDP, TCP, TLS or a local socket.

Over TCP and TLS messages are framed by their length (RFC 6587 §3.4.1, RFC 5425).
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from urltrap.exchange.outputs.output import OutputError
from urltrap.model.event import Event, encode_event

_SECONDS = 5.0
_LARGEST_DATAGRAM = 8_000
_FACILITY = 10  # security (authpriv)
_SEVERITIES = {
    "login.tried": 5,
    "command.entered": 5,
    "download.asked": 4,
    "file.uploaded": 4,
    "url.captured": 4,
}
_INFORMATIONAL = 6
_PORTS = {"udp": 514, "tcp": 601, "tls": 6514}


class Syslog:
    """`target` is udp://host[:port], tcp://…, tls://… or unix:///dev/log. ValueError for anything else."""

    name = "syslog"

    def __init__(self, target: str, host_name: str = "") -> None:
        parts = urlsplit(target)
        self._scheme = parts.scheme
        if parts.scheme == "unix":
            self._address: Any = parts.path
        elif parts.scheme in _PORTS and parts.hostname:
            self._address = (parts.hostname, parts.port or _PORTS[parts.scheme])
        else:
            raise ValueError(
                f"{target!r} names no syslog server; write udp://host:514, tcp://, tls:// or unix:///dev/log"
            )
        self._target = target
        self._host = host_name or socket.gethostname()
        self._socket: socket.socket | None = None

    def deliver(self, events: Sequence[Event]) -> None:
        """One message for each event; what is longer than a datagram may be is cut there over UDP."""
        try:
            connection = self._connected()
            for event in events:
                self._send(connection, self.message(event))
        except OSError as error:
            self.close()
            raise OutputError(f"syslog at {self._target}: {error.strerror or error}") from error

    def message(self, event: Event) -> bytes:
        """The event as an RFC 5424 message."""
        priority = _FACILITY * 8 + _SEVERITIES.get(event.kind, _INFORMATIONAL)
        at = f"{event.at:%Y-%m-%dT%H:%M:%S.%f}Z"
        head = (
            f"<{priority}>1 {at} {_token(self._host, 255)} urltrap {os.getpid()} {_token(event.kind, 32)} - "
        )
        return head.encode("ascii") + encode_event(event)

    def memory(self) -> Any:
        """Nothing is remembered."""
        return None

    def recall(self, memory: Any) -> None:
        """Nothing is remembered."""

    def close(self) -> None:
        """Free the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, connection: socket.socket, message: bytes) -> None:
        if self._scheme in ("tcp", "tls"):
            connection.sendall(b"%d " % len(message) + message)
        else:
            connection.send(message[:_LARGEST_DATAGRAM])

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self._socket = self._connect()
        elif self._scheme in ("tcp", "tls"):
            self._require_alive(self._socket)
        return self._socket

    def _connect(self) -> socket.socket:
        if self._scheme == "unix":
            local = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            local.connect(self._address)
            return local
        host, port = self._address
        if self._scheme == "udp":
            family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
            datagrams = socket.socket(family, kind, protocol)
            datagrams.connect(address)
            return datagrams
        stream = socket.create_connection((host, port), _SECONDS)
        if self._scheme == "tls":
            return ssl.create_default_context().wrap_socket(stream, server_hostname=host)
        return stream

    def _require_alive(self, connection: socket.socket) -> None:
        """A server that went away is noticed before events are written into its dead connection."""
        connection.settimeout(0)
        try:
            if connection.recv(1) == b"":
                raise ConnectionResetError("the server closed the connection")
        except (BlockingIOError, ssl.SSLWantReadError):
            pass  # nothing to read: it is there
        finally:
            connection.settimeout(_SECONDS)


def _token(text: str, most: int) -> str:
    """A name in a message's head: printable ASCII without blanks."""
    return "".join(char for char in text if "!" <= char <= "~")[:most] or "-"
