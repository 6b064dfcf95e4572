"""What travels from a sensor to a collector: a piece of one segment, and what is needed to put it in its place.

On the wire: one line of JSON, then the frames as one zstd frame. Whatever the way, it is the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import zstandard

from urltrap.journal.format import FRAME_HEAD, MAX_RECORD, BadFrame, frames
from urltrap.journal.position import Position

CHUNK_BYTES = 1_000_000
"""Frames of one chunk, uncompressed; a single longer record makes a longer chunk."""

MAX_FRAMES = MAX_RECORD + FRAME_HEAD
"""The longest chunk there is, uncompressed: one record of the greatest length."""

MAX_ENCODED = MAX_FRAMES + 100_000
"""The longest message, in bytes: a record that does not compress, with its head."""

COLLECTED = "fleet-"
"""What names of the journals begin with that collectors write; no sensor ships those on."""

_HEAD = 2000
_VERSION = 1
_SENSOR = re.compile(r"[a-z][a-z0-9-]{0,31}")
STREAM = re.compile(r"[0-9a-f]{16}")
_WRITER = re.compile(r"[a-z][a-z0-9_-]{0,63}")


class ChunkError(ValueError):
    """The bytes are no chunk: cut short, changed on the way, or of another version."""


def sensor_name(name: str) -> str:
    """`name`, if it can be a sensor's; ValueError otherwise."""
    if not _SENSOR.fullmatch(name):
        raise ValueError(
            f"not a sensor's name: {name[:40]!r}; take 1 to 32 lower-case letters, digits or '-', "
            "beginning with a letter"
        )
    return name


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole `frames` of segment `segment` from `offset` on; behind `after` there is nothing else before them.

    `stream` names the journal itself: a sensor that was installed anew begins again at segment 1.
    """

    sensor: str
    stream: str
    writer: str
    after: Position
    segment: int
    offset: int
    frames: bytes

    @property
    def end(self) -> Position:
        """The position behind the last record."""
        return Position(self.segment, self.offset + len(self.frames))

    def records(self) -> Iterator[bytes]:
        """The payload of every frame."""
        return (payload for payload, _ in frames(self.frames))


def encode_chunk(chunk: Chunk) -> bytes:
    """The message of a chunk."""
    head = {
        "chunk": _VERSION, "sensor": chunk.sensor, "stream": chunk.stream, "writer": chunk.writer,
        "after": chunk.after, "segment": chunk.segment, "offset": chunk.offset, "bytes": len(chunk.frames),
        "sha256": hashlib.sha256(chunk.frames).hexdigest(),
    }  # fmt: skip
    return json.dumps(head).encode() + b"\n" + zstandard.ZstdCompressor(level=3).compress(chunk.frames)


def decode_chunk(message: bytes) -> Chunk:
    """The chunk of a message, every checksum compared. ChunkError says what is wrong; memory is bounded by the head."""
    found = message.find(b"\n", 0, _HEAD)
    if found < 0:
        raise ChunkError("the message has no head")
    line, body = message[:found], message[found + 1 :]
    try:
        head = json.loads(line)
        if head["chunk"] != _VERSION:
            raise ChunkError(f"a chunk of version {head['chunk']!r}; update the collector")
        sensor, stream, writer, digest = (
            str(head[name]) for name in ("sensor", "stream", "writer", "sha256")
        )
        after, size = Position(*map(_natural, head["after"])), _natural(head["bytes"])
        segment, offset = _natural(head["segment"]), _natural(head["offset"])
    except ChunkError:
        raise
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ChunkError(f"the message's head is damaged ({type(error).__name__})") from error
    if not (_SENSOR.fullmatch(sensor) and STREAM.fullmatch(stream) and _WRITER.fullmatch(writer)):
        raise ChunkError("the message names no sensor, stream and writer")
    if not 0 < size <= MAX_FRAMES:
        raise ChunkError(f"a chunk has 1 to {MAX_FRAMES} bytes of records, not {size}")
    try:
        if zstandard.frame_content_size(body) != size:
            raise ChunkError("the records are not as long as the head says")
        content = zstandard.ZstdDecompressor().decompress(body)
    except zstandard.ZstdError as error:
        raise ChunkError(f"the records cannot be unpacked ({error})") from error
    if len(content) != size or hashlib.sha256(content).hexdigest() != digest:
        raise ChunkError("the records are not those that were sent: cut short or changed on the way")
    chunk = Chunk(sensor, stream, writer, after, segment, offset, content)
    try:
        for _ in chunk.records():
            pass
    except BadFrame as bad:
        raise ChunkError(f"a record is damaged: {bad.reason}") from bad
    if not after <= (segment, offset):
        raise ChunkError("the chunk lies before the place that it continues")
    return chunk


def _natural(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 62:
        raise ValueError("no natural number")
    return value
