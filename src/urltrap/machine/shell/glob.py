"""Shell patterns: compiled once, matched in time linear in the text (Thompson's simulation, no backtracking).

A pattern is given as text in which a backslash quotes the next character (`quote_pattern` makes quoted text such).
Extended patterns ``@(…) ?(…) *(…) +(…) !(…)`` are understood where asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from urltrap.machine.errors import BudgetError
from urltrap.machine.shell.bracket import CharSet, bracket_end, parse_set

MAX_WORK = 400_000
"""States looked at for one match or replacement; patterns that have to be tried everywhere end here."""


def quote_pattern(text: str) -> str:
    """`text` as a pattern that matches just itself."""
    if not any(char in text for char in "*?[]\\()|!@+-^"):
        return text
    return "".join("\\" + char if char in "*?[]\\()|!@+-^" else char for char in text)


def has_magic(pattern: str, extglob: bool = False) -> bool:
    """True where the pattern could match something other than one text."""
    pos, size = 0, len(pattern)
    while pos < size:
        char = pattern[pos]
        if char == "\\":
            pos += 2
            continue
        if char in "*?":
            return True
        if char == "[" and bracket_end(pattern, pos) > 0:
            return True
        if extglob and char in "@+!" and pattern[pos + 1 : pos + 2] == "(":
            return True
        pos += 1
    return False


def unquote_pattern(pattern: str) -> str:
    """The text of a pattern without magic."""
    if "\\" not in pattern:
        return pattern
    out: list[str] = []
    pos, size = 0, len(pattern)
    while pos < size:
        if pattern[pos] == "\\" and pos + 1 < size:
            pos += 1
        out.append(pattern[pos])
        pos += 1
    return "".join(out)


@dataclass(slots=True, eq=False)
class _State:
    """One state: `test` is a character, None (any), a CharSet or "" for states that only lead on."""

    test: str | CharSet | None
    out: int
    epsilon: tuple[int, ...] = ()
    negated: Pattern | None = None


class Pattern:
    """A compiled pattern. All methods take time O(text · pattern)."""

    def __init__(self, pattern: str, *, extglob: bool = False, fold: bool = False) -> None:
        self.source = pattern
        self.fold = fold
        self.literal: str | None = None
        if not has_magic(pattern, extglob):
            self.literal = unquote_pattern(pattern)
            if fold:
                self.literal = self.literal.lower()
        self._between: list[str] | None = None
        if self.literal is None and not any(char in pattern for char in ("?[\\(" if extglob else "?[\\")):
            self._between = (pattern.lower() if fold else pattern).split("*")
        self._states: list[_State] = []
        self._extglob = extglob
        self._start = self._add(_State("", -1))
        end, _ = self._sequence(pattern, 0, self._start, "")
        self._accept = end
        self.work = 0
        self._start_set = self._closure([self._start])

    # -- building

    def _add(self, state: _State) -> int:
        self._states.append(state)
        return len(self._states) - 1

    def _link(self, source: int, target: int) -> None:
        self._states[source].epsilon += (target,)

    def _char(self, at: int, test: str | CharSet | None) -> int:
        """From state `at` over one character to a new state."""
        node = self._add(_State(test, -1))
        self._link(at, node)
        target = self._add(_State("", -1))
        self._states[node].out = target
        return target

    def _sequence(self, pattern: str, pos: int, at: int, stops: str) -> tuple[int, int]:
        size = len(pattern)
        while pos < size:
            char = pattern[pos]
            if stops and char in stops:
                return at, pos
            if self._extglob and char in "@?*+!" and pattern[pos + 1 : pos + 2] == "(":
                grouped = self._group(pattern, pos, at)
                if grouped is not None:
                    at, pos = grouped
                    continue
            if char == "\\" and pos + 1 < size:
                at = self._char(at, pattern[pos + 1].lower() if self.fold else pattern[pos + 1])
                pos += 2
            elif char == "?":
                at = self._char(at, None)
                pos += 1
            elif char == "*":
                loop = self._add(_State(None, -1))
                hub = self._add(_State("", -1))
                self._link(at, hub)
                self._link(hub, loop)
                self._states[loop].out = hub
                at = hub
                pos += 1
            elif char == "[" and (end := bracket_end(pattern, pos)) > 0:
                at = self._char(at, parse_set(pattern, pos, end))
                pos = end + 1
            else:
                at = self._char(at, char.lower() if self.fold else char)
                pos += 1
        return at, pos

    def _group(self, pattern: str, pos: int, at: int) -> tuple[int, int] | None:
        kind = pattern[pos]
        alternatives: list[tuple[int, int]] = []
        begin = pos + 2
        cursor = begin
        depth = 1
        bounds = [begin]
        while cursor < len(pattern) and depth:
            char = pattern[cursor]
            if char == "\\":
                cursor += 1
            elif char == "(":
                depth += 1
            elif char == ")":
                depth -= 1
            elif char == "|" and depth == 1:
                bounds.append(cursor + 1)
            cursor += 1
        if depth:
            return None
        bounds.append(cursor)
        pieces = [pattern[bounds[i] : bounds[i + 1] - 1] for i in range(len(bounds) - 1)]
        end = self._add(_State("", -1))
        if kind == "!":
            inner = Pattern("@(" + "|".join(pieces) + ")", extglob=True, fold=self.fold)
            node = self._add(_State("", end, negated=inner))
            self._link(at, node)
            return end, cursor
        for piece in pieces:
            entry = self._add(_State("", -1))
            self._link(at, entry)
            leave, _ = self._sequence(piece, 0, entry, "")
            self._link(leave, end)
            alternatives.append((entry, leave))
        if kind in "?*":
            self._link(at, end)
        if kind in "*+":
            for entry, _ in alternatives:
                self._link(end, entry)
        return end, cursor

    # -- running

    def _closure(self, seeds: list[int]) -> list[int]:
        seen = set(seeds)
        stack = list(seeds)
        result: list[int] = []
        while stack:
            state = stack.pop()
            result.append(state)
            for target in self._states[state].epsilon:
                if target not in seen:
                    seen.add(target)
                    stack.append(target)
        return result

    def ends(self, text: str, begin: int = 0) -> list[int]:
        """All positions at which a match that starts at `begin` can end, ascending."""
        if self.literal is not None:
            folded = text.lower() if self.fold else text
            return [begin + len(self.literal)] if folded.startswith(self.literal, begin) else []
        if self.fold:
            text = text.lower()
        states = self._states
        current = self._start_set
        waiting: dict[int, set[int]] = {}
        found: list[int] = []
        pos, size = begin, len(text)
        while True:
            self.work += len(current) + 1
            if self.work > MAX_WORK:
                raise BudgetError("pattern steps", MAX_WORK)
            if waiting:
                arrived = waiting.pop(pos, None)
                if arrived:
                    current = self._closure(list(set(current) | arrived))
            current = self._negations(current, text, pos, waiting)
            if self._accept in current:
                found.append(pos)
            if pos >= size or not (current or waiting):
                return found
            char = text[pos]
            seeds: set[int] = set()
            for index in current:
                state = states[index]
                test = state.test
                if test == "":
                    continue
                if test is None or test == char or (not isinstance(test, str) and test.holds(char)):
                    seeds.add(state.out)
            current = self._closure(list(seeds)) if seeds else []
            pos += 1

    def _negations(self, current: list[int], text: str, pos: int, waiting: dict[int, set[int]]) -> list[int]:
        """Leave ``!(…)`` states towards every position that the group does not match from here."""
        here: set[int] = set()
        for index in current:
            state = self._states[index]
            if state.negated is not None:
                forbidden = set(state.negated.ends(text, pos))
                for end in range(pos, len(text) + 1):
                    if end in forbidden:
                        continue
                    if end == pos:
                        here.add(state.out)
                    else:
                        waiting.setdefault(end, set()).add(state.out)
        if here - set(current):
            return self._closure(list(set(current) | here))
        return current

    def matches(self, text: str) -> bool:
        """True where the pattern matches all of `text`."""
        if self.literal is not None:
            return (text.lower() if self.fold else text) == self.literal
        if self._between is not None:
            return _around_stars(text.lower() if self.fold else text, self._between)
        self.work = 0
        ends = self.ends(text)
        return bool(ends) and ends[-1] == len(text)

    def longest(self, text: str, begin: int) -> int | None:
        """The end of the longest match at `begin`."""
        ends = self.ends(text, begin)
        return ends[-1] if ends else None


def _around_stars(text: str, pieces: list[str]) -> bool:
    """A match of literals with stars between them: each piece at its first place behind the one before."""
    first, last = pieces[0], pieces[-1]
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for piece in pieces[1:-1]:
        at = text.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True


@lru_cache(maxsize=1024)
def compile_pattern(pattern: str, extglob: bool = False, fold: bool = False) -> Pattern:
    """A compiled pattern from a cache."""
    return Pattern(pattern, extglob=extglob, fold=fold)


def remove_prefix(text: str, pattern: str, longest: bool, extglob: bool = False) -> str:
    """``${x#p}`` and ``${x##p}``."""
    if pattern == "*":
        return "" if longest else text
    if longest and pattern.startswith("*") and not has_magic(pattern[1:], extglob):
        literal = unquote_pattern(pattern[1:])
        at = text.rfind(literal)
        return text if at < 0 else text[at + len(literal) :]
    compiled = compile_pattern(pattern, extglob)
    compiled.work = 0
    ends = compiled.ends(text)
    if not ends:
        return text
    return text[ends[-1] if longest else ends[0] :]


def remove_suffix(text: str, pattern: str, longest: bool, extglob: bool = False) -> str:
    """``${x%p}`` and ``${x%%p}``."""
    if pattern == "*":
        return "" if longest else text
    compiled = compile_pattern(pattern, extglob)
    compiled.work = 0
    if compiled.literal is not None:
        return text.removesuffix(compiled.literal)
    if pattern.endswith("*") and not pattern.endswith("\\*") and not has_magic(pattern[:-1], extglob):
        literal = unquote_pattern(pattern[:-1])
        at = text.find(literal) if longest else text.rfind(literal)
        return text if at < 0 else text[:at]
    size = len(text)
    order = range(size + 1) if longest else range(size, -1, -1)
    for begin in order:
        ends = compiled.ends(text, begin)
        if ends and ends[-1] == size:
            return text[:begin]
    return text


def replace(text: str, pattern: str, new: str, op: str, extglob: bool = False) -> str:
    """``${x/p/r}`` and its relatives: `op` is "/", "//", "/#" or "/%"."""
    compiled = compile_pattern(pattern, extglob)
    compiled.work = 0
    if not pattern and op in ("/", "//"):
        return text
    if not pattern:
        return new + text if op == "/#" else text + new
    if compiled.literal is not None and op in ("/", "//"):
        return text.replace(compiled.literal, new, 1 if op == "/" else -1)
    size = len(text)
    if op == "/#":
        end = compiled.longest(text, 0)
        return text if end is None else new + text[end:]
    if op == "/%":
        for begin in range(size + 1):
            ends = compiled.ends(text, begin)
            if ends and ends[-1] == size:
                return text[:begin] + new
        return text
    out: list[str] = []
    pos = 0
    while pos <= size:
        end = compiled.longest(text, pos)
        if end is None or (end == pos and (pos == size and out)):
            if pos < size:
                out.append(text[pos])
            pos += 1
            continue
        out.append(new)
        if end == pos:
            if pos < size:
                out.append(text[pos])
            pos += 1
        else:
            pos = end
        if op == "/" or pos >= size:
            break
    return "".join(out) + text[pos:]
