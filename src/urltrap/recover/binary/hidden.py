"""Strings that a one-byte XOR hides: the way of Mirai's family and its descendants."""

from __future__ import annotations

import re
from collections.abc import Iterator

_MARKS = (b"http://", b"https://", b"/proc/", b"/bin/busybox", b"GET /", b"listening tun0", b"assword")
_LARGEST = 400_000
_RUN = re.compile(rb"[\x20-\x7e]{4,400}")
_DOMAIN = re.compile(
    rb"(?i)(?:[a-z0-9](?:[a-z0-9-]{0,40}[a-z0-9])?\.){1,4}(?:com|net|org|xyz|top|info|ru|su|cc|pw|ml|tk|ga|cf|gq|club|"
    rb"online|site|pro|biz|io|me|in|cn|eu|us|nl|de|li|ir|space|host|cloud)"
)
_WINDOW = 4096


def keys(data: bytes) -> list[int]:
    """The keys under which something that malware hides shows up, at most three.

    The XOR of neighbouring bytes does not depend on the key, so that one search finds a mark under every key.
    """
    data = data[:_LARGEST]
    found: list[int] = []
    steps = _steps(data)
    for mark in _MARKS:
        wanted, place = _steps(mark), -1
        while (place := steps.find(wanted, place + 1)) >= 0 and len(found) < 3:
            key = data[place] ^ mark[0]
            if key and key not in found:
                found.append(key)
    return found


def _steps(data: bytes) -> bytes:
    size = len(data) - 1
    if size < 1:
        return b""
    return (int.from_bytes(data[:-1], "big") ^ int.from_bytes(data[1:], "big")).to_bytes(size, "big")


def strings(data: bytes, key: int) -> Iterator[bytes]:
    """Readable strings of `data` under `key`, around the places where a mark shows."""
    data = data[:_LARGEST]
    table = bytes(byte ^ key for byte in range(256))
    seen: set[bytes] = set()
    for mark in _MARKS:
        place = data.find(mark.translate(table))
        if place < 0:
            continue
        plain = data[max(0, place - _WINDOW) : place + _WINDOW].translate(table)
        for match in _RUN.finditer(plain):
            if match[0] not in seen:
                seen.add(match[0])
                yield match[0]


def domains(text: bytes) -> Iterator[bytes]:
    """Host names that a hidden string is."""
    match = _DOMAIN.fullmatch(text.strip())
    if match:
        yield match[0]
