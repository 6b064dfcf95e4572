"""POSIX basic and extended expressions as Python's, with a linear matcher where theirs takes too long."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from urltrap.machine.programs._matching import TooLong, bounded
from urltrap.machine.shell.regex import RegexError as _LinearError
from urltrap.machine.shell.regex import compile_regex

_CLASSES = {
    "alpha": "a-zA-Z", "digit": "0-9", "alnum": "a-zA-Z0-9", "upper": "A-Z", "lower": "a-z", "space": r" \t\n\r\v\f",
    "blank": r" \t", "punct": r"!-/:-@\[-`{-~", "cntrl": r"\x00-\x1f\x7f", "graph": "!-~", "print": " -~",
    "xdigit": "0-9a-fA-F",
}  # fmt: skip
_MAX_SOURCE = 8_000


class BadRegex(Exception):
    """The expression is not valid; the text is glibc's."""


@dataclass(frozen=True, slots=True)
class Found:
    """One match: spans by group, (-1, -1) where a group took no part."""

    spans: tuple[tuple[int, int], ...]

    @property
    def start(self) -> int:
        """Where it begins."""
        return self.spans[0][0]

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.spans[0][1]


class Matcher:
    """A compiled expression."""

    __slots__ = ("groups", "linear", "pattern")

    def __init__(self, pattern: re.Pattern[str], linear: str | None, fold: bool) -> None:
        self.pattern = pattern
        self.groups = pattern.groups
        self.linear = (linear, fold) if linear is not None else None

    def search(self, text: str, pos: int = 0) -> Found | None:
        """The leftmost match at or behind `pos`; none where even the linear matcher cannot tell in time."""
        try:
            found = bounded(self.pattern, "search", text, pos)
        except TooLong:
            return self._search_linear(text, pos)
        return None if found is None else Found(found.regs)

    def fullmatch(self, text: str, start: int, end: int) -> bool:
        """Whether the expression matches all between; no where that cannot be told in time."""
        try:
            return bounded(self.pattern, "fullmatch", text, start, end) is not None
        except TooLong:
            return False

    def _search_linear(self, text: str, pos: int) -> Found | None:
        if self.linear is None:  # back-references, or a Perl expression
            return None
        try:
            slots = compile_regex(*self.linear)._run(text[pos:].lower() if self.linear[1] else text[pos:])
        except _LinearError:
            return None
        if slots is None or (pos and self.linear[0].startswith("^")):
            return None
        groups = range(self.groups + 1)
        return Found(
            tuple((slots.get(2 * n, -1 - pos) + pos, slots.get(2 * n + 1, -1 - pos) + pos) for n in groups)
        )

    def all(self, text: str) -> Iterator[Found]:
        """All matches from left to right that do not overlap."""
        pos, last = 0, -1
        while pos <= len(text):
            found = self.search(text, pos)
            if found is None:
                return
            if found.end > found.start or found.start != last:
                yield found
            last = found.end
            pos = found.end if found.end > found.start else found.end + 1


class _Translator:
    def __init__(self, source: str, extended: bool) -> None:
        self.source = source
        self.extended = extended
        self.pos = 0
        self.out: list[str] = []
        self.linear: list[str] = []
        self.groups = 0
        self.closed: set[int] = set()
        self.references = False

    def emit(self, text: str, linear: str | None = None) -> None:
        self.out.append(text)
        self.linear.append(text if linear is None else linear)

    def run(self) -> None:
        source = self.source
        last = -1  # index in `out` where the last atom starts; -1: none
        starts: list[tuple[int, int]] = []
        while self.pos < len(source):
            char = source[self.pos]
            special = None
            if char == "\\":
                if self.pos + 1 >= len(source):
                    raise BadRegex("Trailing backslash")
                following = source[self.pos + 1]
                if not self.extended and following in "(){}|+?":
                    special = following
                    self.pos += 2
                else:
                    last = len(self.out)
                    self._escape(following)
                    self.pos += 2
                    continue
            elif (self.extended and char in "(){}|+?*") or (not self.extended and char == "*"):
                special = char
                self.pos += 1
            if special is None:
                self.pos += 1
                if char == "[":
                    last = len(self.out)
                    self._bracket()
                elif char == ".":
                    last = len(self.out)
                    self.emit(".")
                elif char == "^" and (self.extended or self._at_start()):
                    self.emit("^")
                    last = -1
                elif char == "$" and (self.extended or self._at_end()):
                    self.emit(r"\Z", "$")
                    last = -1
                else:
                    last = len(self.out)
                    self.emit(re.escape(char), ("\\" + char) if char in "\\^$.[]|()*+?{}" else char)
                continue
            if special == "(":
                self.groups += 1
                starts.append((len(self.out), self.groups))
                self.emit("(")
                last = -1
            elif special == ")":
                if not starts:
                    if self.extended:
                        last = len(self.out)
                        self.emit(r"\)")
                        continue
                    raise BadRegex("Unmatched ) or \\)")
                last, number = starts.pop()
                self.closed.add(number)
                self.emit(")")
            elif special == "|":
                self.emit("|")
                last = -1
            elif special in "*+?":
                if last < 0:
                    if self.extended:
                        continue
                    last = len(self.out)
                    self.emit("\\" + special)
                    continue
                self._wrap(last, special)
            elif special == "{":
                if not self._interval(last):
                    last = len(self.out)
                    self.emit(r"\{")
            else:  # "}"
                last = len(self.out)
                self.emit(r"\}")
        if starts:
            raise BadRegex("Unmatched ( or \\(")

    def _wrap(self, last: int, suffix: str) -> None:
        """Repeat the atom that begins at `last`; one that is repeated already becomes a group first."""
        grouped = self.out[last] == "(" and self.out[-1] == ")"
        repeated = self.out[-1] in ("*", "+", "?") or self.out[-1].startswith("{")
        if (repeated or len(self.out) - last > 1) and not grouped:
            self.out.insert(last, "(?:")
            self.out.append(")")
            self.linear.insert(last, "")
            self.linear.append("")
            if suffix in "*+" and self.linear[-2] in ("*", "+"):
                self.emit(suffix, "")
                return
        self.emit(suffix)

    def _interval(self, last: int) -> bool:
        """Take an interval; False where the brace stands for itself."""
        close = "}" if self.extended else "\\}"
        end = self.source.find(close, self.pos)
        body = self.source[self.pos : end] if end >= 0 else ""
        match = re.fullmatch(r"(\d*)(,?)(\d*)", body)
        if end < 0 or match is None or not (match[1] or match[2]):
            if self.extended:
                return False
            raise BadRegex("Unmatched \\{" if end < 0 else "Invalid content of \\{\\}")
        if last < 0:
            if self.extended:
                return False
            raise BadRegex("Invalid preceding regular expression")
        low, high = int(match[1][:6] or 0), int(match[3][:6]) if match[3] else None
        if not match[2]:
            high = low
        if low > 32767 or (high or 0) > 32767:
            raise BadRegex("Regular expression too big")
        if high is not None and high < low:
            raise BadRegex("Invalid content of \\{\\}")
        self.pos = end + len(close)
        suffix = f"{{{low},{'' if high is None else high}}}"
        self._wrap(last, suffix)
        return True

    def _at_start(self) -> bool:
        """Whether the "^" just read is an anchor in a basic expression."""
        before = self.source[: self.pos - 1]
        return not before or before.endswith(("\\(", "\\|"))

    def _at_end(self) -> bool:
        rest = self.source[self.pos :]
        return not rest or rest.startswith(("\\)", "\\|"))

    def _escape(self, char: str) -> None:
        if char.isdecimal() and char != "0" and char.isascii():
            if int(char) not in self.closed:
                raise BadRegex("Invalid back reference")
            self.references = True
            self.emit(f"(?:\\{char})")
        elif char in "wWsSbB":
            self.emit("\\" + char)
        elif char == "<":
            self.emit(r"\b(?=\w)", "\\<")
        elif char == ">":
            self.emit(r"\b(?<=\w)", "\\>")
        elif char == "`":
            self.emit(r"\A", "^")
        elif char == "'":
            self.emit(r"\Z", "$")
        elif char == "n":
            self.emit("\\n", "\n")
        elif char == "t":
            self.emit("\\t", "\t")
        else:
            self.emit(re.escape(char), "\\" + char)

    def _bracket(self) -> None:
        source, begin = self.source, self.pos - 1
        at = self.pos
        negate = source[at : at + 1] == "^"
        if negate:
            at += 1
        parts: list[str] = []
        first = True
        while True:
            if at >= len(source):
                raise BadRegex("Unmatched [, [^, [:, [., or [=")
            char = source[at]
            if char == "]" and not first:
                break
            first = False
            if char == "[" and source[at + 1 : at + 2] in (":", ".", "="):
                kind = source[at + 1]
                close = source.find(kind + "]", at + 2)
                if close < 0:
                    raise BadRegex("Unmatched [, [^, [:, [., or [=")
                name = source[at + 2 : close]
                at = close + 2
                if kind == ":":
                    if name not in _CLASSES:
                        raise BadRegex("Invalid character class name")
                    parts.append(_CLASSES[name])
                    continue
                if len(name) != 1:
                    raise BadRegex("Invalid collation character")
                char = name
            else:
                at += 1
            if source[at : at + 1] == "-" and source[at + 1 : at + 2] not in ("]", ""):
                high = source[at + 1]
                at += 2
                if high == "[" and source[at : at + 1] in (".", "="):
                    close = source.find(source[at] + "]", at + 1)
                    if close < 0:
                        raise BadRegex("Unmatched [, [^, [:, [., or [=")
                    high = source[at + 1 : close] or high
                    at = close + 2
                if len(high) != 1 or ord(high) < ord(char):
                    raise BadRegex("Invalid range end")
                parts.append(f"{_set_char(char)}-{_set_char(high)}")
            else:
                parts.append(_set_char(char))
        self.pos = at + 1
        self.emit(f"[{'^' if negate else ''}{''.join(parts)}]", source[begin : at + 1])


def _set_char(char: str) -> str:
    return "\\" + char if char in "\\]^-[&~|" else "\\n" if char == "\n" else char


@lru_cache(maxsize=256)
def compile_posix(source: str, extended: bool = False, fold: bool = False) -> Matcher:
    """A basic or extended expression; BadRegex with glibc's words where it is not valid."""
    if len(source) > _MAX_SOURCE:
        raise BadRegex("Regular expression too big")
    translator = _Translator(source, extended)
    translator.run()
    return _compiled("".join(translator.out), translator, fold)


def _compiled(text: str, translator: _Translator, fold: bool) -> Matcher:
    try:
        # re warns of sets that could change their meaning one day; ours are escaped.
        pattern = re.compile(text, re.IGNORECASE * fold | re.DOTALL)
    except (re.error, OverflowError, RecursionError):
        raise BadRegex("Invalid regular expression") from None
    return Matcher(pattern, None if translator.references else "".join(translator.linear), fold)


@lru_cache(maxsize=64)
def compile_perl(source: str, fold: bool = False) -> Matcher:
    """A Perl-compatible expression, as far as Python's dialect goes; BadRegex."""
    if len(source) > _MAX_SOURCE:
        raise BadRegex("regular expression is too large")
    body = (
        source.replace("\\h", "[ \\t]")
        .replace("(?<", "(?P<")
        .replace("(?P<=", "(?<=")
        .replace("(?P<!", "(?<!")
    )
    prefix = ""
    if "\\K" in body:
        prefix, _, body = body.partition("\\K")
    for name, members in _CLASSES.items():
        body = body.replace(f"[:{name}:]", members)
        prefix = prefix.replace(f"[:{name}:]", members)
    try:
        if prefix:
            re.compile(prefix)
            body = f"(?:{prefix})(?P<K_>)(?:{body})"
        pattern = re.compile(body, re.IGNORECASE * fold)
    except (re.error, OverflowError, RecursionError) as problem:
        open_group = "unterminated subpattern" in str(problem)
        words = "missing closing parenthesis" if open_group else "unmatched or unknown construct"
        raise BadRegex(words) from None
    return Matcher(pattern, None, fold)


def keep_start(matcher: Matcher, found: Found) -> int:
    """Where a match begins for output: behind ``\\K`` where the expression has one."""
    number = matcher.pattern.groupindex.get("K_")
    return found.start if number is None else found.spans[number][0]
