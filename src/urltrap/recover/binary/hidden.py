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
    """The keys under which something that malware hides shows up, at most three."""
    data = data[:_LARGEST]
    found = []
    for key in range(1, 256):
        if any(data.find(bytes(byte ^ key for byte in mark)) >= 0 for mark in _MARKS):
            found.append(key)
            if len(found) == 3:
                break
    return found


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
