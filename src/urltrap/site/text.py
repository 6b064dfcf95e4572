"""Attackers' text for pages: escaped HTML in which nothing is invisible, nothing acts, and nothing is endless."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from markupsafe import Markup, escape

CELL = 160
"""Characters of an attacker's text that a table cell shows."""
BLOCK = 6000
"""Characters of an attacker's text that a page shows in full."""

# Letters and signs by category that show nothing: fillers, blank Braille, variation selectors.
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0\u034f") | {chr(c) for c in range(0xFE00, 0xFE10)}
_COMBINING_RUN = 2


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes [start, end) of a text that are a URL; `link` is a path of this site, empty for none."""

    start: int
    end: int
    link: str = ""


def decoded(value: bytes | str) -> str:
    """Text of attackers' bytes: UTF-8, with bytes that are not as lone surrogates (shown as ``\\xff``)."""
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value


def plain(value: bytes | str, limit: int = CELL, *, lines: bool = False) -> str:
    """The text with everything that cannot be seen as escapes, cut with an ellipsis: for attributes and titles."""
    text = decoded(value)
    shown = "".join(_pieces(text[:limit], lines))
    return shown + "…" if len(text) > limit else shown


def visible(value: bytes | str, limit: int = CELL, *, lines: bool = False) -> Markup:
    """Escaped HTML of the text; control, bidi and zero-width characters are marked escapes, the rest is cut and said.

    `lines`: line feeds and tabs stay what they are (for blocks of preformatted text).
    """
    text = decoded(value)
    if len(text) <= limit + limit // 4:  # cutting off the last few would cost as much room
        return Markup('<bdi dir="ltr">%s</bdi>') % _html(text, lines)
    return Markup('<bdi dir="ltr">%s</bdi>%s') % (
        _html(text[:limit], lines),
        _gap(len(text) - limit, "characters"),
    )


def marked(text: bytes, spans: Iterable[Span], limit: int = BLOCK, *, lines: bool = True) -> Markup:
    """The text as `visible` shows it, with each span in a mark (and a link).

    Spans out of bounds or overlapping an earlier one are left out. Where the text is longer than `limit` bytes, its
    beginning is shown, or the surroundings of the first span where that lies further on; what was cut is said.
    """
    chosen: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if 0 <= span.start < span.end <= len(text) and (not chosen or span.start >= chosen[-1].end):
            chosen.append(span)
    begin = 0
    if len(text) > limit and chosen and chosen[0].end > limit:
        begin = max(0, chosen[0].start - limit // 4)
    end = min(len(text), begin + limit)
    parts: list[Markup] = [_gap(begin)] if begin else []
    at = begin
    for span in chosen:
        if span.start >= end:
            break
        parts.append(_html(decoded(text[at : span.start]), lines))
        stop = min(span.end, end)
        inner = _html(decoded(text[span.start : stop]), lines)
        if span.link:
            inner = Markup('<a href="%s">%s</a>') % (span.link, inner)
        parts.append(Markup("<mark>%s</mark>") % inner)
        at = stop
    parts.append(_html(decoded(text[at:end]), lines))
    if end < len(text):
        parts.append(_gap(len(text) - end))
    return Markup('<bdi dir="ltr">%s</bdi>') % Markup("").join(parts)


def _html(text: str, lines: bool) -> Markup:
    return Markup("").join(
        Markup('<span class="esc">%s</span>') % piece if escaped else escape(piece)
        for escaped, piece in _runs(text, lines)
    )


def _gap(count: int, what: str = "bytes") -> Markup:
    return Markup('<span class="cut" title="%s more %s">… %s more</span>') % (count, what, f"{count:,}")


def _runs(text: str, lines: bool) -> Iterator[tuple[bool, str]]:
    """(is an escape, text) in as few pieces as possible."""
    clear: list[str] = []
    hidden: list[str] = []
    for char, piece in zip(text, _pieces(text, lines), strict=True):
        if piece == char:
            if hidden:
                yield True, "".join(hidden)
                hidden = []
            clear.append(piece)
        else:
            if clear:
                yield False, "".join(clear)
                clear = []
            hidden.append(piece)
    if clear:
        yield False, "".join(clear)
    if hidden:
        yield True, "".join(hidden)


def _pieces(text: str, lines: bool) -> Iterator[str]:
    combining = 0
    for char in text:
        if " " <= char <= "~" or (lines and char in "\n\t"):
            combining = 0
            yield char
            continue
        category = unicodedata.category(char)
        # A pile of combining marks climbs over the lines around it.
        combining = combining + 1 if category in ("Mn", "Me") else 0
        hidden = not char.isprintable() or char in _BLANK or combining > _COMBINING_RUN
        yield _escape(char) if hidden else char


def _escape(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if char in "\n\r\t":
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[char]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
