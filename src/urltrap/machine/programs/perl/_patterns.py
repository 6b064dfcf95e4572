"""Perl's expressions as the host's `regex` has them, compiled once, matched within a bound of time."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import regex

from urltrap.machine.programs._matching import HEAVIEST, TooLong, weight
from urltrap.machine.programs.perl._values import Pattern, Ref, Unsupported, string

_SECONDS = 0.05
_MOST = 6_000
_QUOTED = re.compile(r"[^A-Za-z0-9_\u0080-\U0010ffff]")
_ERRORS = {
    "missing )": "Unmatched ( in regex; marked by <-- HERE in m/{0} <-- HERE {1}/",
    "unbalanced parenthesis": "Unmatched ) in regex; marked by <-- HERE in m/{0} <-- HERE {1}/",
    "nothing to repeat": "Quantifier follows nothing in regex; marked by <-- HERE in m/{0} <-- HERE {1}/",
    "multiple repeat": "Nested quantifiers in regex; marked by <-- HERE in m/{0} <-- HERE {1}/",
    "missing ]": "Unmatched [ in regex; marked by <-- HERE in m/{0} <-- HERE {1}/",
    "unterminated character set": "Unmatched [ in regex; marked by <-- HERE in m/{0} <-- HERE {1}/",
}


class BadPattern(Exception):
    """perl's complaint about an expression."""


def quotemeta(text: str) -> str:
    """quotemeta()."""
    return _QUOTED.sub(lambda found: "\\" + found[0], text)


def source_of(value: Any) -> tuple[str, str]:
    """A value as an expression, and the flags of a compiled one that stands alone."""
    if type(value) is Ref and isinstance(value.t, Pattern):
        return value.t.source, value.t.flags
    return string(value), ""


@lru_cache(maxsize=1024)
def compiled(source: str, flags: str) -> Any:
    """The host's expression; BadPattern, or Unsupported for what perl alone has."""
    if len(source) > _MOST or re.search(r"\{\d{5,}|\(\?\??\{|\(\*(?!SKIP|FAIL|F\b)", source):
        raise Unsupported("an expression that is too much")
    if weight(source) > HEAVIEST:
        raise Unsupported("an expression that is too much")
    found = 0
    for letter, flag in (("i", regex.I), ("m", regex.M), ("s", regex.S), ("x", regex.X)):
        if letter in flags:
            found |= flag
    if all(char < "\u0100" for char in source):
        found |= regex.A
    try:
        return regex.compile(_translated(source, "x" in flags), found | regex.V0)
    except regex.error as problem:
        told: Any = problem
        at = min(told.pos if told.pos is not None else len(source), len(source))
        words = _ERRORS.get(told.msg)
        if words is None:
            raise Unsupported("an expression that the host does not know") from None
        if "Unmatched (" in words or "Unmatched [" in words:
            at = max(source.rfind("(" if "(" in words else "["), 0) + 1
            raise BadPattern(words.format(source[:at], source[at:])) from None
        at = min(at + (1 if "Quantifier" in words or "Nested" in words or ")" in words else 0), len(source))
        raise BadPattern(words.format(source[:at], source[at:])) from None
    except (RecursionError, OverflowError, ValueError, IndexError):
        raise Unsupported("an expression that is too much") from None


def _translated(source: str, loose: bool) -> str:
    out: list[str] = []
    at, size = 0, len(source)
    in_class = False
    while at < size:
        char = source[at]
        if char == "\\" and at + 1 < size:
            letter = source[at + 1]
            made, at = _escape(source, at, letter, in_class)
            out.append(made)
            continue
        if in_class:
            if char == "]":
                in_class = False
            elif char == "[" and source.startswith("[:", at) and (end := source.find(":]", at)) > 0:
                out.append(source[at : end + 2])
                at = end + 2
                continue
            elif char == "[":
                out.append("\\[")
                at += 1
                continue
            out.append(char)
            at += 1
            continue
        if char == "[":
            in_class = True
            out.append("[")
            at += 1
            if source.startswith("^", at):
                out.append("^")
                at += 1
            if source.startswith("]", at):
                out.append("\\]")
                at += 1
            continue
        if char == "(" and source.startswith("(?^", at):
            end = at + 3
            while end < size and source[end].isalpha():
                end += 1
            flags = source[at + 3 : end].replace("u", "").replace("a", "").replace("l", "").replace("d", "")
            off = "".join(each for each in "imsx" if each not in flags)
            out.append(f"(?{flags}" + (f"-{off}" if off else ""))
            at = end
            continue
        if char == "(" and (
            named := re.compile(r"\(\?<([A-Za-z_]\w*)>|\(\?'([A-Za-z_]\w*)'").match(source, at)
        ):
            out.append(f"(?P<{named[1] or named[2]}>")
            at = named.end()
            continue
        if char == "{" and not re.compile(r"\{\d+(?:,\d*)?\}").match(source, at):
            out.append("\\{")
            at += 1
            continue
        if char == "$" and not loose and source[at + 1 : at + 2] not in ("", ")", "|", "\n"):
            out.append("$")
            at += 1
            continue
        out.append(char)
        at += 1
    return "".join(out)


_CHANGED = {"z": r"\Z", "Z": r"(?=\n?\Z)", "h": r"[ \t]", "H": r"[^ \t]", "v": r"[\n\x0b\f\r]", "V": r"[^\n\x0b\f\r]",
            "N": r"[^\n]", "e": r"\x1b", "K": r"\K", "R": r"(?:\r\n|[\n\x0b\f\r])"}  # fmt: skip


def _escape(source: str, at: int, letter: str, in_class: bool) -> tuple[str, int]:
    if letter == "x" and (found := re.compile(r"\{([0-9A-Fa-f]+)\}").match(source, at + 2)):
        return f"\\U{min(int(found[1], 16), 0x10FFFF):08x}", found.end()
    if letter == "x" and (found := re.compile(r"[0-9A-Fa-f]{0,2}").match(source, at + 2)):
        return f"\\x{int(found[0] or '0', 16):02x}", found.end()
    if letter == "g" and (found := re.compile(r"\{?(-?\d+|[A-Za-z_]\w*)\}?").match(source, at + 2)):
        if found[1].startswith("-"):
            groups = len(re.findall(r"(?<!\\)\((?!\?)|\(\?<[A-Za-z]", source[:at]))
            return f"(?:\\{groups + 1 + int(found[1])})", found.end()
        return (f"(?:\\{found[1]})" if found[1].isdecimal() else f"(?P={found[1]})"), found.end()
    if letter == "k" and (found := re.compile(r"[{<']([A-Za-z_]\w*)[}>']").match(source, at + 2)):
        return f"(?P={found[1]})", found.end()
    if letter == "o" and (found := re.compile(r"\{([0-7]+)\}").match(source, at + 2)):
        return f"\\U{int(found[1], 8):08x}", found.end()
    if letter == "c" and at + 2 < len(source):
        return f"\\x{ord(source[at + 2].upper()) ^ 64:02x}", at + 3
    if letter in "pP" and (found := re.compile(r"\{\^?\w+(?:[=:]\w+)?\}").match(source, at + 2)):
        return source[at : found.end()], found.end()
    if letter in _CHANGED:
        made = _CHANGED[letter]
        if in_class:
            made = made[1:-1] if made.startswith("[") and not made.startswith("[^") else made
        return made, at + 2
    if letter.isalpha() and letter.lower() not in "abdfnrstwpguxqe" and letter not in "GKXzZAB":
        return letter, at + 2
    return source[at : at + 2], at + 2


def search(pattern: Any, text: str, at: int = 0) -> Any:
    """The first match from a place on, or None; TooLong where that cannot be told in time."""
    try:
        return pattern.search(text, at, timeout=_SECONDS)
    except TimeoutError:
        raise TooLong from None


__all__ = ["BadPattern", "TooLong", "compiled", "quotemeta", "search", "source_of"]
