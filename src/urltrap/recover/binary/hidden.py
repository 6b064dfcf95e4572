"""Strings that a one-byte XOR hides: the way of Mirai's family and its descendants."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

_MARKS = (b"http://", b"https://", b"/proc/", b"/bin/busybox", b"GET /", b"listening tun0", b"assword")
_LARGEST = 400_000
_RUN = re.compile(rb"[\x20-\x7e]{4,400}")
_DOMAIN = re.compile(
    rb"(?i)(?:[a-z0-9](?:[a-z0-9-]{0,40}[a-z0-9])?\.){1,4}(?:com|net|org|xyz|top|info|ru|su|cc|pw|ml|tk|ga|cf|gq|club|"
    rb"online|site|pro|biz|io|me|in|cn|eu|us|nl|de|li|ir|space|host|cloud)"
    rb"(?::[0-9]{1,5})?"
)
_ADDRESS = re.compile(rb"(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?::[0-9]{1,5})?")
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
    # A NUL is the end of a string before it is hidden as well as after it.
    ended = b"\0" + table[1:]
    seen: set[bytes] = set()
    for mark in _MARKS:
        place = data.find(mark.translate(table))
        if place < 0:
            continue
        plain = data[max(0, place - _WINDOW) : place + _WINDOW].translate(ended)
        for match in _RUN.finditer(plain):
            if match[0] not in seen:
                seen.add(match[0])
                yield match[0]


def hosts(text: bytes) -> Iterator[bytes]:
    """The host, or HOST:PORT, that a hidden string is: an entry of a bot's table of where it reports to."""
    text = text.strip()
    match = _DOMAIN.fullmatch(text) or _ADDRESS.fullmatch(text)
    if not match:
        return
    host = match[0].partition(b":")[0].decode()
    try:
        if not ipaddress.IPv4Address(host).is_global:
            return
    except ValueError:
        pass  # a name
    yield match[0]
