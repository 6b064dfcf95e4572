"""Quotes that interpolate: strings, expressions, replacements, and the lists of tr///."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from urltrap.machine.programs.perl._values import Node, Unsupported

if TYPE_CHECKING:
    from urltrap.machine.programs.perl._parser import Parser

_SIMPLE = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "b": "\b", "a": "\a", "e": "\x1b"}
_VARIABLE = re.compile(r"\$(?:\w|::\w|\{|#(?:\w|\{|\$)|\$+(?:\w|\{|::)|[&`'+!?/\\,;.@0-9\[\]<>(|\"^-])|\$\$")
_IN_PATTERN = re.compile(r"\$(?:[A-Za-z_]\w*|::\w|\{|\$+(?:[A-Za-z_{])|[&0-9,;.!@])")
_ARRAY = re.compile(r"@(?:[A-Za-z_]\w*|::\w|\{|\$+\w|\$*\{|_\b)|@\$")
_INDEX = re.compile(r"\[(?:-?\d+|\$#?\w+(?:\s*[-+]\s*\d+)?|\$#\{?\$?\w+\}?)\]")
_CASES = {"U": "uc", "L": "lc", "Q": "quotemeta", "F": "fc"}


def interpolated(parser: Parser, text: str, line: int, *, pattern: bool = False) -> Node:
    """A node whose value is the text with its escapes and variables; in a pattern escapes stay as they are."""
    if "$" not in text and "@" not in text and "\\" not in text:
        return Node("const", line, text)
    inner = parser.within(text, line)
    parts: list[Any] = []
    # Each open \U, \L or \Q: what to apply, and the parts before it.
    open_cases: list[tuple[str, list[Any], str]] = []
    once = ""

    def add(node: Any) -> None:
        nonlocal once
        if once:
            if isinstance(node, str):
                node = (node[:1].upper() if once == "u" else node[:1].lower()) + node[1:]
            else:
                node = Node("func", line, "ucfirst" if once == "u" else "lcfirst", [node])
            once = ""
        if isinstance(node, str) and parts and isinstance(parts[-1], str):
            parts[-1] += node
        else:
            parts.append(node)

    def close() -> None:
        nonlocal parts, once
        case, before, once = open_cases.pop()
        inside = joined(parts, line)
        parts = before
        add(Node("func", line, case, [inside]))

    at, size = 0, len(text)
    while at < size:
        char = text[at]
        if char == "\\" and at + 1 < size:
            letter = text[at + 1]
            if letter in _CASES:
                if letter != "Q" and open_cases and open_cases[-1][0] in ("uc", "lc"):
                    close()
                open_cases.append((_CASES[letter], parts, once))
                parts, once = [], ""
                at += 2
            elif letter == "E":
                if open_cases:
                    close()
                at += 2
            elif letter in "ul":
                once = letter
                at += 2
            elif pattern:
                quoting = any(case == "quotemeta" for case, _, _ in open_cases)
                add("\\" if quoting and letter not in "\\/" else text[at : at + 2])
                at += 1 if quoting and letter not in "\\/" else 2
            else:
                made, at = _escape(text, at)
                add(made)
        elif char == "$" and _starts(text, at, pattern):
            inner.pos = at
            add(inner.quoted_variable(pattern))
            at = inner.pos
        elif char == "@" and _ARRAY.match(text, at):
            inner.pos = at
            add(Node("joinarray", line, inner.quoted_array()))
            at = inner.pos
        else:
            start = at
            at += 1
            while at < size and text[at] not in "\\$@":
                at += 1
            add(text[start:at])
    while open_cases:
        close()
    return joined(parts, line)


def _starts(text: str, at: int, pattern: bool) -> bool:
    if pattern:
        if text.startswith(("$)", "$|"), at) or at + 1 >= len(text):
            return False
        return _IN_PATTERN.match(text, at) is not None
    return _VARIABLE.match(text, at) is not None


def joined(parts: list[Any], line: int) -> Node:
    """Parts of a string as one node."""
    nodes = [Node("const", line, each) if isinstance(each, str) else each for each in parts]
    if not nodes:
        return Node("const", line, "")
    if len(nodes) == 1 and nodes[0].k in ("const", "joinarray", "func"):
        return nodes[0]
    return Node("interp", line, nodes)


def _escape(text: str, at: int) -> tuple[str, int]:
    letter = text[at + 1]
    if letter in _SIMPLE:
        return _SIMPLE[letter], at + 2
    if letter == "x":
        found = re.compile(r"\{\s*([0-9A-Fa-f_]*)[^}]*\}|([0-9A-Fa-f]{0,2})").match(text, at + 2)
        assert found is not None  # both hexadecimal forms may be empty
        digits = (found[1] if found[1] is not None else found[2]).replace("_", "")
        return _character(int(digits or "0", 16)), found.end()
    if letter in "01234567":
        digits = re.compile(r"[0-7]{1,3}").match(text, at + 1)[0]  # type: ignore[index]
        return _character(int(digits, 8)), at + 1 + len(digits)
    if letter == "o" and (found := re.compile(r"\{([0-7]+)\}").match(text, at + 2)):
        return _character(int(found[1], 8)), found.end()
    if letter == "c" and at + 2 < len(text):
        return chr(ord(text[at + 2].upper()) ^ 64), at + 3
    if letter == "N" and (found := re.compile(r"\{U\+([0-9A-Fa-f]+)\}").match(text, at + 2)):
        return _character(int(found[1], 16)), found.end()
    return letter, at + 2


def _character(code: int) -> str:
    if code > 0x10FFFF:
        raise Unsupported("a character beyond Unicode")
    return chr(code)


def tr_list(text: str) -> list[int]:
    """The characters of a list of tr///, ranges spelled out."""
    out: list[int] = []
    at = 0
    escaped: list[bool] = []
    while at < len(text):
        if text[at] == "\\" and at + 1 < len(text):
            if text[at + 1] == "-":
                made, at = "-", at + 2
                out.append(ord("-"))
                escaped.append(True)
                continue
            made, at = _escape(text, at)
        else:
            made, at = text[at], at + 1
            if made == "-" and out and at < len(text) and not escaped[-1]:
                if text[at] == "\\" and at + 1 < len(text):
                    last, at = _escape(text, at)
                else:
                    last, at = text[at], at + 1
                if ord(last) - out[-1] > 100_000:
                    raise Unsupported("a range of tr")
                more = range(out[-1] + 1, ord(last) + 1)
                out.extend(more)
                escaped.extend([True] * len(more))
                continue
        out.append(ord(made))
        escaped.append(False)
    return out


def is_index(text: str, at: int) -> bool:
    """Whether a bracket behind a variable in a pattern is an index rather than a class."""
    return _INDEX.match(text, at) is not None
