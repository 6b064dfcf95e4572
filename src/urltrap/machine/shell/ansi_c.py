"""Backslash escapes: $'…' of bash and BusyBox, echo -e, printf formats and %b."""

from __future__ import annotations

from urltrap.machine.api import decode, encode

_SIMPLE = {"a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
           "\\": "\\"}  # fmt: skip
_HEX = frozenset("0123456789abcdefABCDEF")
_OCTAL = frozenset("01234567")


def _digits(text: str, pos: int, limit: int, allowed: frozenset[str]) -> int:
    end = pos
    while end < len(text) and end - pos < limit and text[end] in allowed:
        end += 1
    return end


def unescape_dollar_quote(text: str, pos: int) -> tuple[str, int]:
    """The body of $'…' that starts at `pos`, and the position behind its closing quote (-1 where there is none)."""
    out = bytearray()
    size = len(text)
    ended = False  # a NUL ends the string, as in C
    while pos < size:
        char = text[pos]
        if char == "'":
            return decode(bytes(out)), pos + 1
        if char != "\\" or pos + 1 >= size:
            end = pos + 1
            while end < size and text[end] not in "'\\":
                end += 1
            if not ended:
                out += encode(text[pos:end])
            pos = end
            continue
        data, pos = _escape(text, pos + 1, quote=True)
        if data == b"\0":
            ended = True
        elif not ended:
            out += data
    return "", -1


def _escape(text: str, pos: int, *, quote: bool) -> tuple[bytes, int]:
    """One escape of $'…' whose letter is at `pos`: its bytes and the position behind it."""
    char = text[pos]
    if char in _SIMPLE:
        return _SIMPLE[char].encode(), pos + 1
    if quote and char in "'\"?":
        return char.encode(), pos + 1
    if char in _OCTAL:
        end = _digits(text, pos, 3, _OCTAL)
        return bytes([int(text[pos:end], 8) & 255]), end
    if char == "x":
        end = _digits(text, pos + 1, 2, _HEX)
        if end > pos + 1:
            return bytes([int(text[pos + 1 : end], 16)]), end
    elif char in "uU":
        end = _digits(text, pos + 1, 4 if char == "u" else 8, _HEX)
        if end > pos + 1:
            return _utf8(int(text[pos + 1 : end], 16)), end
    elif char == "c" and pos + 1 < len(text):
        return bytes([ord(text[pos + 1]) & 0x1F]), pos + 2
    return encode("\\" + char), pos + 1


def _utf8(code: int) -> bytes:
    if code > 0x10FFFF:
        return b"\xef\xbf\xbd"
    return chr(code).encode("utf-8", "surrogatepass")


def unescape_echo(
    text: str, *, octal_needs_zero: bool = True, hex_escapes: bool = True, unicode: bool = True
) -> tuple[bytes, bool]:
    """What ``echo -e`` (and printf's %b) makes of `text`, and whether ``\\c`` ended the output.

    bash: \\0nnn, \\xHH, \\uHHHH; dash: only the POSIX ones (`hex_escapes` False).
    """
    if "\\" not in text:
        return encode(text), False
    out = bytearray()
    pos, size = 0, len(text)
    while pos < size:
        at = text.find("\\", pos)
        if at < 0 or at + 1 >= size:
            out += encode(text[pos:])
            break
        out += encode(text[pos:at])
        char = text[at + 1]
        pos = at + 2
        if char == "c":
            return bytes(out), True
        if char == "0" or (not octal_needs_zero and char in _OCTAL):
            begin = pos if char == "0" else pos - 1
            end = _digits(text, begin, 3, _OCTAL)
            out.append(int(text[begin:end] or "0", 8) & 255)
            pos = end
        elif char in _SIMPLE and (hex_escapes or char != "E"):
            out += _SIMPLE[char].encode()
        elif char == "x" and hex_escapes and (end := _digits(text, pos, 2, _HEX)) > pos:
            out.append(int(text[pos:end], 16))
            pos = end
        elif (
            char in "uU"
            and hex_escapes
            and unicode
            and (end := _digits(text, pos, 4 if char == "u" else 8, _HEX)) > pos
        ):
            out += _utf8(int(text[pos:end], 16))
            pos = end
        else:
            out += encode("\\" + char)
    return bytes(out), False


def format_escape(text: str, pos: int, *, hex_escapes: bool = True) -> tuple[bytes, int]:
    """One escape of a printf format whose letter is at `pos`: its bytes and the position behind it."""
    if pos >= len(text):
        return b"\\", pos
    char = text[pos]
    if char == "c":
        return b"\\c", pos + 1
    if char in "'\"?":
        return char.encode() if char in "'\"" or hex_escapes else b"\\?", pos + 1
    if not hex_escapes and char in "xuUeE":
        return encode("\\" + char), pos + 1
    return _escape(text, pos, quote=False)
