"""Sessions to an hpfeeds broker, in the form that collectors of Cowrie's channel read: one JSON object per session.

Publishing takes three kinds of message (greeting, log-in, publication) of a four-byte length and a one-byte kind;
the protocol's own Python library installs a package called `tests` beside itself, which no project can live with.
Source: the protocol's description at hpfeeds.org.
"""

from __future__ import annotations

import hashlib
import json
import socket
import struct
from collections.abc import Sequence
from typing import Any

from urltrap.exchange.cowrie.writing import CowrieWriter
from urltrap.exchange.outputs.output import OutputError
from urltrap.model.event import Event

_SECONDS = 5.0
_HEAD = struct.Struct("!iB")
_ERROR, _INFO, _AUTH, _PUBLISH = 0, 1, 2, 3
_LARGEST = 1_000_000
_OPEN_AT_ONCE = 2_000
_MOST = 1_000

Summary = dict[str, Any]


class Hpfeeds:
    """`broker` is host:port; `ident` and `secret` are the broker's account. ValueError where one is missing."""

    name = "hpfeeds"

    def __init__(self, broker: str, ident: str, secret: str, channel: str) -> None:
        host, _, port = broker.rpartition(":")
        if not host or not port.isdigit() or not ident or not secret:
            raise ValueError(
                "outputs.hpfeeds: give host:port, and hpfeeds_ident and hpfeeds_secret of the account"
            )
        self._address = (host.strip("[]"), int(port))
        self._ident = ident.encode()
        self._secret = secret.encode()
        self._channel = channel.encode()
        self._cowrie = CowrieWriter(_OPEN_AT_ONCE)
        self._open: dict[str, Summary] = {}
        self._socket: socket.socket | None = None

    def deliver(self, events: Sequence[Event]) -> None:
        """Publish the sessions that ended among `events`."""
        ended = [summary for event in events for summary in self._add(event)]
        if not ended:
            return
        try:
            connection = self._connected()
            for summary in ended:
                connection.sendall(
                    self._message(_PUBLISH, self._named(self._channel), json.dumps(summary).encode())
                )
            self._require_no_error(connection)
        except OSError as error:
            self.close()
            for summary in ended:
                self._open[summary["session"]] = summary  # so that the events' repetition ends them again
            raise OutputError(f"hpfeeds broker at {self._address[0]}: {error.strerror or error}") from error

    def memory(self) -> Any:
        """The open sessions."""
        return {"sessions": self._cowrie.memory(), "open": self._open}

    def recall(self, memory: Any) -> None:
        """The open sessions of another process."""
        self._cowrie.recall(memory["sessions"])
        self._open = dict(memory["open"])

    def close(self) -> None:
        """Free the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _add(self, event: Event) -> list[Summary]:
        ended = []
        for line in self._cowrie.records(event):
            kind, session = line["eventid"], line["session"]
            if kind == "cowrie.session.connect":
                self._open[session] = _begun(line)
                if len(self._open) > _OPEN_AT_ONCE:
                    del self._open[next(iter(self._open))]
                continue
            summary = self._open.get(session)
            if summary is None:
                continue
            _note(summary, kind, line)
            if kind == "cowrie.session.closed":
                ended.append(self._open.pop(session))
        return ended

    def _connected(self) -> socket.socket:
        if self._socket is not None:
            self._require_no_error(self._socket)
            return self._socket
        connection = socket.create_connection(self._address, _SECONDS)
        try:
            kind, body = _read(connection)
            if kind != _INFO:
                raise ConnectionError("it does not greet as a broker does")
            nonce = body[1 + body[0] :]
            digest = hashlib.sha1(nonce + self._secret, usedforsecurity=False).digest()
            connection.sendall(
                _HEAD.pack(5 + 1 + len(self._ident) + 20, _AUTH) + self._named(self._ident) + digest
            )
        except BaseException:
            connection.close()
            raise
        self._socket = connection
        return connection

    def _require_no_error(self, connection: socket.socket) -> None:
        """A broker says nothing unless it refuses; then it closes."""
        connection.settimeout(0.2)
        try:
            if not connection.recv(1, socket.MSG_PEEK):
                raise ConnectionError("it closed the connection")
            kind, body = _read(connection)
        except TimeoutError:
            return
        finally:
            connection.settimeout(_SECONDS)
        raise ConnectionError(
            ascii(body[:200].decode("utf-8", "replace")) if kind == _ERROR else "an unasked message"
        )

    def _message(self, kind: int, *parts: bytes) -> bytes:
        body = self._named(self._ident) + b"".join(parts)
        return _HEAD.pack(_HEAD.size + len(body), kind) + body

    @staticmethod
    def _named(name: bytes) -> bytes:
        return bytes([len(name)]) + name


def _read(connection: socket.socket) -> tuple[int, bytes]:
    """One message: its kind and body."""
    length, kind = _HEAD.unpack(_exactly(connection, _HEAD.size))
    if not _HEAD.size <= length <= _LARGEST:
        raise ConnectionError("a message of an impossible length")
    return kind, _exactly(connection, length - _HEAD.size)


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ConnectionError("it closed the connection")
        data += part
    return data


def _begun(line: Summary) -> Summary:
    return {
        "session": line["session"], "startTime": line["timestamp"], "endTime": "", "peerIP": line["src_ip"],
        "peerPort": line["src_port"], "hostIP": line["dst_ip"], "hostPort": line["dst_port"], "loggedin": None,
        "credentials": [], "commands": [], "unknownCommands": [], "urls": [], "version": None, "ttylog": None,
        "hashes": [], "protocol": line["protocol"], "hassh": None,
    }  # fmt: skip


def _note(summary: Summary, kind: str, line: Summary) -> None:
    """What one line adds to its session's summary."""
    if kind == "cowrie.login.success":
        summary["loggedin"] = [line["username"], line["password"]]
    elif kind == "cowrie.login.failed":
        _append(summary["credentials"], [line["username"], line["password"]])
    elif kind == "cowrie.command.input":
        _append(summary["commands"], line["input"])
    elif kind == "cowrie.command.failed":
        _append(summary["unknownCommands"], line["input"])
    elif kind in ("cowrie.session.file_download", "cowrie.session.file_upload"):
        _append(summary["hashes"], line["shasum"])
        if line.get("url"):
            _append(summary["urls"], line["url"])
    elif kind == "cowrie.session.file_download.failed":
        _append(summary["urls"], line["url"])
    elif kind == "cowrie.client.version":
        summary["version"] = line["version"]
    elif kind == "cowrie.client.kex":
        summary["hassh"] = line["hassh"]
    elif kind == "cowrie.session.closed":
        summary["endTime"] = line["timestamp"]


def _append(entries: list[Any], value: Any) -> None:
    if value not in entries and len(entries) < _MOST:
        entries.append(value)
