"""A TFTP server that sends one file (RFC 1350, 2347-2349, 7440 is not offered), and takes in what is sent to it."""

from __future__ import annotations

from dataclasses import dataclass, field

READ, WRITE, DATA, ACK, ERROR, OPTIONS = 1, 2, 3, 4, 5, 6
_BLOCK = 512
_MAX_BLOCK = 1428
KEPT = 4096
"""Bytes of an uploaded file that are kept; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Request:
    """A first packet. `options`: those that were asked for, names in small letters."""

    write: bool
    name: bytes
    options: dict[bytes, bytes]


def request(data: bytes) -> Request | None:
    """The request in a first packet; None where it is none."""
    if len(data) < 6 or data[0] or data[1] not in (READ, WRITE):
        return None
    name, *rest = data[2:].split(b"\0")
    if not name or len(name) > 1024 or not rest or rest[0].lower() not in (b"octet", b"netascii", b"mail"):
        return None
    options = {key.lower(): value for key, value in zip(rest[1::2], rest[2::2], strict=False) if key}
    return Request(data[1] == WRITE, name, options)


def failure(code: int, words: bytes) -> bytes:
    """An error packet; 0 not defined, 1 file not found (RFC 1350 appendix)."""
    return b"\0\x05" + code.to_bytes(2, "big") + words + b"\0"


@dataclass(slots=True)
class Sending:
    """Sends `content`, block after block. `receive` gives the next packet; `packet` is the one to send again."""

    content: bytes
    asked: Request
    packet: bytes = b""
    done: bool = False
    _size: int = _BLOCK
    _number: int = 0

    def begin(self) -> bytes:
        """The first packet."""
        told = b""
        wanted = self.asked.options.get(b"blksize", b"")
        if wanted.isdigit() and int(wanted[:6]) >= 8:
            self._size = min(int(wanted[:6]), _MAX_BLOCK)
            told += b"blksize\0%d\0" % self._size
        if b"tsize" in self.asked.options:
            told += b"tsize\0%d\0" % len(self.content)
        if told:
            self.packet = b"\0\x06" + told
        else:
            self._next()
        return self.packet

    def receive(self, data: bytes) -> bytes:
        """The next packet, where this acknowledges the last one; nothing for anything else."""
        if len(data) < 4 or self.done:
            return b""
        kind = int.from_bytes(data[:2], "big")
        if kind == ERROR:
            self.done = True
            return b""
        if kind != ACK or int.from_bytes(data[2:4], "big") != self._number & 0xFFFF:
            return b""
        if self._number and len(self.packet) - 4 < self._size:
            self.done = True
            return b""
        self._next()
        return self.packet

    def _next(self) -> None:
        start = self._number * self._size
        self._number += 1
        number = (self._number & 0xFFFF).to_bytes(2, "big")
        self.packet = b"\0\x03" + number + self.content[start : start + self._size]


@dataclass(slots=True)
class Receiving:
    """Takes a file in. `first`: its beginning; `size`: all of it so far."""

    first: bytes = b""
    size: int = 0
    packet: bytes = field(default=b"\0\x04\0\0")
    done: bool = False
    _number: int = 0

    def begin(self) -> bytes:
        """The first packet: options are not taken up."""
        return self.packet

    def receive(self, data: bytes) -> bytes:
        """The acknowledgement of a block, also of one that comes again."""
        if len(data) < 4 or int.from_bytes(data[:2], "big") != DATA:
            self.done = self.done or data[:2] == b"\0\x05"
            return b""
        number = int.from_bytes(data[2:4], "big")
        if number == (self._number + 1) & 0xFFFF and not self.done:
            self._number += 1
            self.first += data[4:][: KEPT - len(self.first)]
            self.size += len(data) - 4
            self.done = len(data) - 4 < _BLOCK
        elif number != self._number & 0xFFFF:
            return b""
        self.packet = b"\0\x04" + data[2:4]
        return self.packet
