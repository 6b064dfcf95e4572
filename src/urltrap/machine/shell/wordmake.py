"""Words from their parts: what can be known of them before they are expanded."""

from __future__ import annotations

import re

from urltrap.machine.shell.ast import DoubleQuoted, Lit, Part, Quoted, Word

_ACTIVE = re.compile(r"[*?~\[{(]")


def make_word(parts: tuple[Part, ...], raw: str, braces: bool) -> Word:
    """A word with what can be known before it is expanded."""
    if len(parts) == 1:
        part = parts[0]
        if isinstance(part, Lit):
            text = part.text
            if _ACTIVE.search(text) is None or text in ("{", "}", "[", "[[", "]", "]]", "!"):
                return Word(parts, text, text, raw)
            return Word(parts, None if _alive(text, braces) else text, text, raw)
        if isinstance(part, Quoted):
            return Word(parts, part.text, None, raw)
    plain: list[str] = []
    bare = True
    for part in parts:
        if isinstance(part, Lit):
            if _ACTIVE.search(part.text):
                break
            plain.append(part.text)
        elif isinstance(part, Quoted):
            bare = False
            plain.append(part.text)
        elif isinstance(part, DoubleQuoted):
            bare = False
            inner = [each.text for each in part.parts if isinstance(each, Quoted)]
            if len(inner) != len(part.parts):
                break
            plain.extend(inner)
        else:
            break
    else:
        value = "".join(plain)
        return Word(parts, value, value if bare else None, raw)
    all_literal = all(isinstance(part, Lit) for part in parts)
    return Word(
        parts, None, "".join(p.text for p in parts if isinstance(p, Lit)) if all_literal else None, raw
    )


def _alive(text: str, braces: bool) -> bool:
    """True where tilde, pathname or brace expansion could change `text`."""
    if "*" in text or "?" in text or "(" in text:
        return True
    if "[" in text and "]" in text:
        return True
    if text.startswith("~") or "=~" in text or ":~" in text:
        return True
    return braces and "{" in text and "}" in text and ("," in text or ".." in text)
