"""Regular expressions as awk writes them."""

from __future__ import annotations

from urltrap.machine.programs._regex import BadRegex, Matcher, compile_posix

_IN_BRACKETS = {"]": "[.].]", "\\": "\\", "^": "^", "-": "[.-.]"}
_MAWK = {
    "Unmatched ( or \\(": "missing ')'",
    "Unmatched [, [^, [:, [., or [=": "bad class -- [], [^] or [",
    "Invalid preceding regular expression": "missing operand",
}


def ere(source: str, busybox: bool) -> Matcher:
    """An expression as awk writes it: a backslash escapes inside of brackets too, and mawk's braces are
    characters. BadRegex.
    """
    out: list[str] = []
    pos, inside = 0, False
    while pos < len(source):
        char = source[pos]
        if inside and char == "\\" and pos + 1 < len(source):
            char = {"n": "\n", "t": "\t", "r": "\r"}.get(source[pos + 1], source[pos + 1])
            out.append(_IN_BRACKETS.get(char, char))
            pos += 2
            continue
        if char == "\\" and pos + 1 < len(source):
            following = source[pos + 1]
            out.append("\\" + following if following not in '"/&' else following)
            pos += 2
            continue
        if char == "[" and not inside:
            inside = True
            start = pos + 1
            start += source[start : start + 1] == "^"
            start += source[start : start + 1] == "]"
            out.append(source[pos:start])
            pos = start
            continue
        if inside and source.startswith("[:", pos) and (end := source.find(":]", pos)) > 0:
            out.append(source[pos : end + 2])
            pos = end + 2
            continue
        if char == "]":
            inside = False
        out.append("\\" + char if char in "{}" and not inside and not busybox else char)
        pos += 1
    return compile_posix("".join(out), True)


def mawk_words(problem: BadRegex) -> str:
    """What mawk says of a wrong expression."""
    return _MAWK.get(str(problem), str(problem).lower())
