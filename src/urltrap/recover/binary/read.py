"""ELF files: downloader stubs (address from the code, path from the strings), URLs and hosts in strings."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from urltrap.recover.ask import Ask
from urltrap.recover.binary.addresses import Endpoint, endpoints
from urltrap.recover.binary.hidden import hosts, keys, strings
from urltrap.recover.binary.immediates import constants
from urltrap.recover.static.text import plain_urls

_SMALL = 65_536
"""A stub is smaller than this; in larger files constants are too many to mean anything."""
_LARGEST = 2_000_000
_GET = re.compile(rb"(?:GET|POST) (/[!-~]{0,300})(?: HTTP/1\.[01])?")
_HOST = re.compile(rb"(?i)Host: ?([A-Za-z0-9.:-]{4,100})")
_DOTTED = re.compile(rb"(?<![0-9.])((?:[0-9]{1,3}\.){3}[0-9]{1,3})(?::([0-9]{1,5}))?(?![0-9.])")
_BOILERPLATE = re.compile(
    rb"(?i)https?://(?:[\w.-]+\.)?(?:gnu\.org|w3\.org|debian\.org|ubuntu\.com|upx\.sf\.net|schemas\.\w+\.(?:org|com)|"
    rb"curl\.se|openssl\.org|bugs\.launchpad\.net|golang\.org)"
)


def read_binary(data: bytes) -> Iterator[Ask]:
    """What an ELF file would fetch or call back to, as far as its bytes say. Nothing where it is none or cut short."""
    data = data[:_LARGEST]
    for url in plain_urls(data):
        if not _BOILERPLATE.match(url) and b"%" not in url.partition(b"://")[2].partition(b"/")[0]:
            yield Ask(url, "elf")
    for key in keys(data):
        for text in strings(data, key):
            for url in plain_urls(text):
                yield Ask(url, "elf-xor")
            for host in hosts(text):
                yield Ask(b"tcp://" + host, "elf-xor", kind="callback")
    if len(data) <= _SMALL:
        yield from _stub(data)


def _stub(data: bytes) -> Iterator[Ask]:
    paths = list(dict.fromkeys(match[1] for match in _GET.finditer(data)))
    header = _header(data)
    found: list[Endpoint] = []
    named = _HOST.search(data)
    for match in _DOTTED.finditer(data):
        found.append(Endpoint(match[1].decode(), int(match[2] or 0), sure=bool(match[2])))
    if header is not None:
        machine, big, segments = header
        for offset, address, size in segments:
            code = data[offset : offset + size]
            listed = list(constants(code, machine, big))
            found += endpoints(listed, big, address, size)
    if named and paths:
        yield Ask(b"http://" + named[1] + paths[0], "elf", from_words=True)
        return
    if not found:
        return
    host = found[0]
    if not paths:
        if host.sure:
            yield Ask(f"tcp://{host.host}:{host.port}".encode(), "elf", kind="callback", from_words=True)
        return
    suffix = f":{host.port}" if host.port not in (0, 80) else ""
    for path in paths[:8]:
        yield Ask(f"http://{host.host}{suffix}".encode() + path, "elf", from_words=True)


def _header(data: bytes) -> tuple[int, bool, list[tuple[int, int, int]]] | None:
    """(machine, big-endian, executable segments as offset, address, size); the whole file where there are none."""
    if data[:4] != b"\x7fELF" or len(data) < 52:
        return None
    wide, big = data[4] == 2, data[5] == 2
    order = ">" if big else "<"
    try:
        (machine,) = struct.unpack_from(order + "H", data, 18)
        at = struct.unpack_from(order + ("Q" if wide else "I"), data, 32 if wide else 28)[0]
        entry, count = struct.unpack_from(order + "HH", data, 54 if wide else 42)
        segments = []
        for number in range(min(count, 16)):
            place = at + number * entry
            if wide:
                kind, flags, offset, address, _, size = struct.unpack_from(order + "IIQQQQ", data, place)
            else:
                kind, offset, address, _, size, _, flags = struct.unpack_from(order + "7I", data, place)
            if kind == 1 and flags & 1:
                start = max(offset, at + entry * count if offset < at + entry * count else offset)
                start += -start % 4
                segments.append(
                    (start, address + start - offset, max(0, min(size, len(data)) - (start - offset)))
                )
    except struct.error:
        return _without_tables(data, order, big)
    return machine, big, segments or [(52, 0, len(data) - 52)]


def _without_tables(data: bytes, order: str, big: bool) -> tuple[int, bool, list[tuple[int, int, int]]]:
    """A header whose tables are not there (a cut file): all of it counts as code."""
    (machine,) = struct.unpack_from(order + "H", data, 18)
    return machine, big, [(52, 0, len(data) - 52)]
