"""The right side of sed's s command: parsed once, filled for every match."""

from __future__ import annotations

from urltrap.machine.programs._regex import Found, Matcher

Part = int | str
"""A group's number, literal text, or one of \\U, \\L, \\E, \\u, \\l."""
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}
_HEX = "0123456789abcdefABCDEF"


class BadReference(Exception):
    """A group that the expression does not have; the text is its number."""


def parse_replacement(text: str, matcher: Matcher | None) -> list[Part]:
    """The parts of a replacement. BadReference."""
    parts: list[Part] = []
    literal: list[str] = []
    pos = 0

    def close() -> None:
        if literal:
            parts.append("".join(literal))
            literal.clear()

    while pos < len(text):
        char = text[pos]
        pos += 1
        if char == "&":
            close()
            parts.append(0)
        elif char == "\\" and pos < len(text):
            following = text[pos]
            pos += 1
            if following.isascii() and following.isdecimal():
                if matcher is not None and int(following) > matcher.groups:
                    raise BadReference(following)
                close()
                parts.append(int(following))
            elif following in "ULEul":
                close()
                parts.append("\\" + following)
            elif (
                following == "x" and (digits := text[pos : pos + 2]) and all(each in _HEX for each in digits)
            ):
                literal.append(chr(int(digits, 16)))
                pos += len(digits)
            else:
                literal.append(_ESCAPES.get(following, following))
        else:
            literal.append(char)
    close()
    return parts


def fill(parts: list[Part], found: Found, text: str) -> str:
    """What a match is replaced by."""
    out: list[str] = []
    case, once = "", ""
    for part in parts:
        if isinstance(part, int):
            if part >= len(found.spans):
                continue
            begin, end = found.spans[part]
            piece = text[begin:end] if begin >= 0 else ""
        elif part in ("\\U", "\\L", "\\E"):
            case = part if part != "\\E" else ""
            continue
        elif part in ("\\u", "\\l"):
            once = part
            continue
        else:
            piece = part
        if case:
            piece = piece.upper() if case == "\\U" else piece.lower()
        if once and piece:
            piece = (piece[0].upper() if once == "\\u" else piece[0].lower()) + piece[1:]
            once = ""
        out.append(piece)
    return "".join(out)
