"""The name that a TLS client asks for (RFC 8446 4.1.2, RFC 6066 3)."""

from __future__ import annotations

_HANDSHAKE, _CLIENT_HELLO, _SERVER_NAME, _HOST_NAME = 22, 1, 0, 0


def is_hello(data: bytes) -> bool:
    """Whether this begins like a TLS client's first record."""
    return len(data) >= 3 and data[0] == _HANDSHAKE and data[1] == 3 and data[2] <= 4


def wanted(data: bytes) -> int:
    """Bytes of the first record with its head, as it says itself; what is no record says nothing (0)."""
    return 5 + int.from_bytes(data[3:5], "big") if is_hello(data) and len(data) >= 5 else 0


def server_name(data: bytes) -> str:
    """The server's name in a first record; empty where there is none, or where it is cut or broken."""
    reader = _Reader(data)
    try:
        if reader.number(1) != _HANDSHAKE:
            return ""
        reader.skip(4)  # version, length of the record
        if reader.number(1) != _CLIENT_HELLO:
            return ""
        reader.skip(3 + 2 + 32)  # length, version, random
        for size in (1, 2, 1):  # session, cipher suites, compression
            reader.skip(reader.number(size))
        end = reader.number(2) + reader.at
        while reader.at + 4 <= end:
            kind, length = reader.number(2), reader.number(2)
            if kind != _SERVER_NAME:
                reader.skip(length)
                continue
            reader.skip(2)  # length of the list, which has one entry
            if reader.number(1) != _HOST_NAME:
                return ""
            return reader.bytes(reader.number(2)).decode("ascii")
    except (IndexError, UnicodeDecodeError):
        pass
    return ""


class _Reader:
    """Reads on from a place; IndexError where there is not enough."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def bytes(self, count: int) -> bytes:
        part = self._data[self.at : self.at + count]
        if len(part) < count:
            raise IndexError
        self.at += count
        return part

    def number(self, count: int) -> int:
        return int.from_bytes(self.bytes(count), "big")

    def skip(self, count: int) -> None:
        self.bytes(count)
