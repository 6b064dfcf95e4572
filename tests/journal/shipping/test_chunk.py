from __future__ import annotations

import json

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from urltrap.journal import Position
from urltrap.journal.format import frame
from urltrap.journal.shipping.chunk import (
    MAX_FRAMES,
    Chunk,
    ChunkError,
    decode_chunk,
    encode_chunk,
    sensor_name,
)

FRAMES = b"".join(frame(b'{"seq":%d}' % number) for number in range(40))
CHUNK = Chunk("campus-1", "0123456789abcdef", "trap-0", Position(3, 500), 4, 120, FRAMES)
MESSAGE = encode_chunk(CHUNK)


def test_a_chunk_comes_back_as_it_was_sent() -> None:
    assert decode_chunk(MESSAGE) == CHUNK
    assert CHUNK.end == Position(4, 120 + len(FRAMES))


@pytest.mark.parametrize("end", range(0, len(MESSAGE), 7))
def test_a_chunk_that_was_cut_short_is_none(end: int) -> None:
    with pytest.raises(ChunkError):
        decode_chunk(MESSAGE[:end])


@given(st.integers(0, len(MESSAGE) - 1), st.integers(1, 255))
def test_a_chunk_that_was_changed_on_the_way_is_none_or_the_same_records(place: int, change: int) -> None:
    changed = MESSAGE[:place] + bytes([MESSAGE[place] ^ change]) + MESSAGE[place + 1 :]
    try:
        assert decode_chunk(changed).frames == FRAMES
    except ChunkError:
        pass


@given(st.binary(max_size=300))
def test_any_bytes_are_a_chunk_or_an_error(data: bytes) -> None:
    with pytest.raises(ChunkError):
        decode_chunk(data)


def altered(body: bytes | None = None, **fields: object) -> bytes:
    line, _, rest = MESSAGE.partition(b"\n")
    return json.dumps({**json.loads(line), **fields}).encode() + b"\n" + (rest if body is None else body)


@pytest.mark.parametrize(
    "message",
    [
        altered(sensor="../../etc"),
        altered(writer="a/b"),
        altered(stream="x"),
        altered(bytes=MAX_FRAMES + 1),
        altered(bytes=0),
        altered(bytes=True),
        altered(segment=-1),
        altered(after=[4, 121]),
        altered(after=[1]),
        altered(chunk=2),
        altered(body=zstandard.compress(bytes(MAX_FRAMES * 4))),
        altered(body=zstandard.compress(FRAMES[:-1] + b"x")),
    ],
)
def test_a_head_that_cannot_be_is_refused(message: bytes) -> None:
    with pytest.raises(ChunkError):
        decode_chunk(message)


def test_records_that_are_no_whole_frames_are_refused_though_the_checksum_is_right() -> None:
    with pytest.raises(ChunkError, match="damaged"):
        decode_chunk(encode_chunk(Chunk("a", "0" * 16, "trap-0", Position(0, 0), 1, 50, FRAMES[:-3])))


@pytest.mark.parametrize("name", ["", "Campus", "a/b", "a_b", "1a", "a" * 33, "a\n"])
def test_what_could_be_a_path_or_another_subject_is_no_sensors_name(name: str) -> None:
    with pytest.raises(ValueError, match="not a sensor's name"):
        sensor_name(name)
