"""Cowrie's recordings of terminals (`log/tty/…`), which are those of User-mode Linux, as our frames."""

from __future__ import annotations

import struct
from typing import Literal

Frame = tuple[int, Literal["i", "o"], bytes]

_HEAD = struct.Struct("<iLiiLL")  # operation, terminal, length, direction, seconds, microseconds
_WRITE = 3
_INPUT = 1
_LATEST = 2**31 - 1


def frames(recording: bytes, started_ms: int) -> list[Frame]:
    """The frames of a recording as (milliseconds since `started_ms`, "i" or "o", bytes).

    `started_ms` is the session's begin in unix milliseconds. A recording that is cut short gives what is there.
    """
    found: list[Frame] = []
    place = 0
    while place + _HEAD.size <= len(recording):
        operation, _, length, direction, seconds, micros = _HEAD.unpack_from(recording, place)
        place += _HEAD.size
        if length < 0 or (operation == _WRITE and place + length > len(recording)):
            break
        if operation == _WRITE:
            at = seconds * 1000 + micros // 1000 - started_ms
            way: Literal["i", "o"] = "i" if direction == _INPUT else "o"
            found.append((min(max(at, 0), _LATEST), way, recording[place : place + length]))
            place += length
    return found


def in_pieces(found: list[Frame], most: int = 65_536) -> list[list[Frame]]:
    """The frames in lists of about `most` bytes, each of which fits one event; long frames are divided."""
    pieces: list[list[Frame]] = [[]]
    held = 0
    for at, way, data in found:
        for start in range(0, max(len(data), 1), most):
            part = data[start : start + most]
            if held + len(part) > most and pieces[-1]:
                pieces.append([])
                held = 0
            pieces[-1].append((at, way, part))
            held += len(part)
    return [piece for piece in pieces if piece]
