"""The bytes of a segment: a magic, a header frame, then one frame per record.

A frame is ``length`` (u32, little endian) ``crc32`` (u32 of the length field and the payload) ``payload``. The length
is part of the checksum, so that a run of zeros, as power cuts leave it, is no frame.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

MAGIC = b"urltrapJ"
FORMAT_VERSION = 1
MAX_RECORD = 16_000_000
"""Longest payload in bytes; a length field above it is damage. Below 2**24, so that every length has a zero byte."""

FRAME_HEAD = 8
_LENGTH = struct.Struct("<I")
_FRAME = struct.Struct("<II")
_VERSION = struct.Struct("<H")
HEADER_LIMIT = 4096
"""A segment's header with its magic is never longer than this, in bytes."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a segment says of itself: schema version of its events, writer, number, creation (ISO 8601, UTC)."""

    schema: int
    writer: str
    segment: int
    created: str


class BadFrame(Exception):
    """No whole frame at this place. `torn`: the data ends inside it, so that it may still be growing."""

    def __init__(self, offset: int, reason: str, torn: bool) -> None:
        super().__init__(reason)
        self.offset = offset
        self.reason = reason
        self.torn = torn


class OtherFormatError(ValueError):
    """The segment was written in a format version that this version of urltrap does not read."""


def frame(payload: bytes) -> bytes:
    """The frame of a payload; ValueError where it is empty or longer than MAX_RECORD."""
    size = len(payload)
    if not 0 < size <= MAX_RECORD:
        raise ValueError(f"a record has 1 to {MAX_RECORD} bytes, not {size}")
    length = _LENGTH.pack(size)
    return length + _LENGTH.pack(zlib.crc32(payload, zlib.crc32(length))) + payload


def unframe(data: bytes | memoryview, offset: int) -> tuple[bytes, int]:
    """The payload of the frame at `offset` and the offset behind it. BadFrame where there is none."""
    if len(data) - offset < FRAME_HEAD:
        raise BadFrame(offset, "the record's head is cut short", torn=True)
    size, checksum = _FRAME.unpack_from(data, offset)
    if not 0 < size <= MAX_RECORD:
        raise BadFrame(offset, f"the record's length is impossible ({size})", torn=False)
    start = offset + FRAME_HEAD
    end = start + size
    if end > len(data):
        raise BadFrame(offset, "the record is cut short", torn=True)
    payload = bytes(data[start:end])
    if zlib.crc32(payload, zlib.crc32(data[offset : offset + 4])) != checksum:
        raise BadFrame(offset, "the record's checksum is wrong", torn=False)
    return payload, end


def frame_size(data: bytes | memoryview, offset: int) -> int | None:
    """Length of the whole frame at `offset` as its head tells it; None where the head is not there or impossible."""
    if len(data) - offset < FRAME_HEAD:
        return None
    size: int = _LENGTH.unpack_from(data, offset)[0]
    return FRAME_HEAD + size if 0 < size <= MAX_RECORD else None


def frames(data: bytes | memoryview, offset: int = 0) -> Iterator[tuple[bytes, int]]:
    """Payloads from `offset` to the end of `data`, each with the offset behind it. BadFrame at the first damage."""
    end = len(data)
    while offset < end:
        payload, offset = unframe(data, offset)
        yield payload, offset


def next_frame(data: bytes, offset: int) -> int | None:
    """Offset of the first whole frame at or behind `offset`, None where there is none: the way past damage.

    Every record is a JSON object, so that only places before ``{"`` have to be tried. A frame that lies within
    another record's payload (an attacker who writes our format into a file name) cannot come out of it: every length
    has a zero byte, and JSON text has none.
    """
    place = data.find(b'{"', offset + FRAME_HEAD)
    while place >= 0:
        try:
            unframe(data, place - FRAME_HEAD)
        except BadFrame:
            place = data.find(b'{"', place + 1)
        else:
            return place - FRAME_HEAD
    return None


def encode_header(header: Header) -> bytes:
    """Magic, format version and header frame: the first bytes of a segment."""
    return MAGIC + _VERSION.pack(FORMAT_VERSION) + frame(json.dumps(asdict(header)).encode())


def decode_header(data: bytes) -> tuple[Header, int]:
    """The header at the beginning of a segment and the offset of its first record. ValueError with the reason."""
    if not data.startswith(MAGIC):
        raise ValueError("it does not begin like a journal segment")
    if len(data) < len(MAGIC) + _VERSION.size:
        raise ValueError("its header is cut short")
    version = _VERSION.unpack_from(data, len(MAGIC))[0]
    if version != FORMAT_VERSION:
        raise OtherFormatError(
            f"it has format version {version}, this version of urltrap reads {FORMAT_VERSION}"
        )
    try:
        payload, end = unframe(data, len(MAGIC) + _VERSION.size)
        fields: dict[str, Any] = json.loads(payload)
        header = Header(
            int(fields["schema"]), str(fields["writer"]), int(fields["segment"]), str(fields["created"])
        )
    except (BadFrame, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"its header is damaged ({error})") from error
    return header, end
