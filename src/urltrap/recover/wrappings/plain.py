"""URLs in texts for people: mails, notes, log lines. Defanged forms are undone; redirects are followed by reading."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from urltrap.recover.static.text import trimmed

_DEFANGED = re.compile(
    rb"(?i)\b(?:h(?:xx|tt|\*\*|XX)ps?|fxp|ftp|tftp)\s?(?:\[:\]|:)(?://|\[//\]|\\/\\/)[^\s\"'<>`|^\x00-\x1f\x7f]{1,8200}"
)
_DOT = re.compile(rb"(?i)\[\.\]|\(\.\)|\{\.\}|\[dot\]|\(dot\)|\[\.|\.\]")
_ODD = re.compile(rb"[\[\](){}\\*]|(?i:\Ahxx|\Afxp)")
_SCHEME = re.compile(rb"(?i)\Ah(?:xx|\*\*)p")
_INNER = re.compile(rb"(?i)(?:https?(?::|%3a)(?:/|%2f){2})(?:[^\s\"'<>&|^]|&amp;)+")
_PARAMETER = re.compile(rb"(?i)[?&][\w.-]{1,40}=((?:https?(?::|%3a)(?:/|%2f){2})[^&#\s\"'<>]+)")


def refanged(url: bytes) -> bytes:
    """``hxxp://198.51.100[.]7/x`` as the URL that it stands for."""
    if not _ODD.search(url):
        return url
    url = _DOT.sub(b".", url)
    url = _SCHEME.sub(b"http", url)
    url = url.replace(b"[:]", b":").replace(b"[://]", b"://").replace(b"[//]", b"//").replace(b"\\/", b"/")
    return re.sub(rb"(?i)\Afxp:", b"ftp:", url)


def plain(text: bytes) -> Iterator[tuple[bytes, int]]:
    """(URL, where it begins) in a text; the targets of redirect parameters follow the URL that holds them."""
    for match in _DEFANGED.finditer(text):
        raw = trimmed(match[0])
        url = refanged(raw)
        if b"&amp;" in url:
            url = html.unescape(url.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        yield url, match.start()
        for inner in _PARAMETER.finditer(url):
            yield unquote_to_bytes(inner[1]) if b"%" in inner[1] else inner[1], match.start()
