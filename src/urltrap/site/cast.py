"""Our recording of a terminal as asciicast v2, which asciinema-player and the asciinema tools play.

Source: the asciicast v2 file format: a JSON header line, then one ``[seconds, code, text]`` per line.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from datetime import datetime

from urltrap.model.views import Recording

MEDIA_TYPE = "application/x-asciicast"
_LARGEST = 500
"""Columns or rows; a client may claim millions, and the player would make a cell of each."""


def asciicast(recording: Recording, started: datetime) -> Iterator[str]:
    """The lines of the recording, counted from its first frame. Bytes that are not UTF-8 become U+FFFD.

    A character that was cut in two by a packet's end is put together again.
    """
    first = recording.frames[0][0] if recording.frames else 0
    header = {
        "version": 2,
        "width": max(1, min(recording.columns, _LARGEST)),
        "height": max(1, min(recording.rows, _LARGEST)),
        "timestamp": int(started.timestamp()) + first // 1000,
        "title": f"urltrap session {recording.session}",
    }
    yield json.dumps(header) + "\n"
    decoders = {code: codecs.getincrementaldecoder("utf-8")("replace") for code in ("i", "o")}
    at = first
    for at, code, data in recording.frames:
        text = decoders[code].decode(data)
        if text:
            yield json.dumps([round((at - first) / 1000, 3), code, text]) + "\n"
    for left, decoder in decoders.items():
        rest = decoder.decode(b"", final=True)
        if rest:
            yield json.dumps([round((at - first) / 1000, 3), left, rest]) + "\n"
