"""URLs with a scheme that stand in plain text."""

from __future__ import annotations

import re
from collections.abc import Iterator

# Bounded, so that a megabyte without an end is cut rather than kept.
URL = re.compile(rb"(?i)(?<![a-z0-9+.-])(?:https?|ftp|tftp)://[^\s\"'<>`|\\^\x00-\x1f\x7f]{1,8200}")
_PAIRS = {b")": b"(", b"]": b"[", b"}": b"{"}
_TRAILING = {bytes([byte]) for byte in b".,:;!?&*)]}>"}


def plain_urls(text: bytes) -> Iterator[bytes]:
    """URLs of a text, without the punctuation of the sentence around them."""
    for match in URL.finditer(text):
        yield trimmed(match[0])


def trimmed(raw: bytes) -> bytes:
    """Without the punctuation of the sentence around it; a closing bracket stays where one opens."""
    while raw and raw[-1:] in _TRAILING:
        last = raw[-1:]
        opening = _PAIRS.get(last)
        if opening and raw.count(opening) >= raw.count(last):
            break
        raw = raw[:-1]
    return raw


def mentions(lowered: bytes, *words: bytes) -> bool:
    """Whether a text in lower case holds one of `words`: far cheaper to know than to search for a pattern in vain."""
    return any(word in lowered for word in words)
