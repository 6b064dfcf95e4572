"""URLs and addresses that stand in a payload, plain or XORed with one byte, without knowing the key beforehand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice, pairwise

from urltrap.model.artifact import FoundText

MOST_FOUND = 500
"""Texts kept of one payload."""

_MOST_SEEN = 5000
_LONGEST_URL = 2048
_MOST_KEYS = 8
_URL = re.compile(rb"(?i)(?:https?|ftp|tftp)://[^\s\"'<>`\\\x00-\x20\x7f-\xff]{4,2040}")
_ADDRESS = re.compile(rb"(?<![\d.])(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})(:\d{1,5})?(?![\d.])")
_TAIL = b".,;:)]}|&"

# What bots hide. Two neighbouring bytes XORed with each other lose the key, so that one look finds every key.
_MARKS = (
    b"http://", b"https://", b"ftp://", b"tftp://", b"/bin/busybox", b"/proc/self", b"/proc/net/tcp",
    b"applet not found", b"/dev/watchdog", b"stratum+tcp", b"/etc/resolv.conf",
)  # fmt: skip


def find_texts(data: bytes, member: str = "") -> list[FoundText]:
    """URLs and public-looking addresses in `data`, in the order found, each once, at most `MOST_FOUND`.

    `member` is the name of the archive's file that `data` is, kept with each text.
    """
    found: dict[tuple[bytes, str], FoundText] = {}
    for how, layer in _layers(data):
        for kind, text in _texts(layer):
            if len(found) == MOST_FOUND:
                return list(found.values())
            found.setdefault(
                (text, kind),
                FoundText(text=text, kind="url" if kind == "url" else "address", how=how, member=member),
            )
    return list(found.values())


def _layers(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The payload as it is, then as each key makes it: one at a time, because each is as large as the payload."""
    yield "plain", data
    for key in xor_keys(data):
        yield f"xor-0x{key:02x}", data.translate(bytes(byte ^ key for byte in range(256)))


def xor_keys(data: bytes) -> list[int]:
    """Keys, other than 0, with which a mark of malware becomes readable; most hits first, at most eight."""
    if len(data) < 8:
        return []
    number = int.from_bytes(data, "little")
    steps = (number ^ (number >> 8)).to_bytes(len(data), "little")[:-1]
    hits: dict[int, int] = {}
    for mark in _MARKS:
        pattern = bytes(first ^ second for first, second in pairwise(mark))
        place = steps.find(pattern)
        for _ in range(64):
            if place < 0:
                break
            key = data[place] ^ mark[0]
            if key:
                hits[key] = hits.get(key, 0) + 1
            place = steps.find(pattern, place + 1)
    # A key of 0x20 turns text of the other case into a mark, and is what an upper-case text looks like.
    hits.pop(0x20, None)
    return sorted(hits, key=lambda key: (-hits[key], key))[:_MOST_KEYS]


def _texts(data: bytes) -> Iterator[tuple[str, bytes]]:
    for match in islice(_URL.finditer(data), _MOST_SEEN):
        yield "url", match[0].rstrip(_TAIL)[:_LONGEST_URL]
    for match in islice(_ADDRESS.finditer(data), _MOST_SEEN):
        if _is_worth(match[1]):
            yield "address", match[0]


def _is_worth(address: bytes) -> bool:
    """Whether four numbers may be a host: versions and the usual constants are not worth keeping."""
    octets = [int(part) for part in address.split(b".")]
    if any(octet > 255 or (len(part) > 1 and part[0:1] == b"0") for octet, part in
           zip(octets, address.split(b"."), strict=True)):  # fmt: skip
        return False
    first, second = octets[0], octets[1]
    if first in (0, 10, 127) or first >= 224 or (first, second) in ((192, 168), (169, 254)):
        return False
    return not (first == 172 and 16 <= second < 32) and octets[1:] != [0, 0, 0] and max(octets) > 9
