"""POSIX extended regular expressions, matched by a simulation that cannot blow up (Pike's machine).

Leftmost match, alternatives and repetitions preferred as Perl does; time O(text · expression).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from urltrap.machine.errors import BudgetError
from urltrap.machine.shell.bracket import CharSet, parse_set

_MAX_PROGRAM = 5000
_MAX_WORK = 3_000_000


class RegexError(Exception):
    """The expression is not valid."""


@dataclass(slots=True)
class _Op:
    kind: str  # char any set bol eol split jump save match word-boundary
    value: object = None
    left: int = 0
    right: int = 0


class Regex:
    """A compiled expression."""

    def __init__(self, source: str, fold: bool = False) -> None:
        self.fold = fold
        self.source = source
        self.pos = 0
        self.groups = 0
        self.depth = 0
        tree = self._alternation()
        if self.pos < len(source):
            raise RegexError(source)
        self.program: list[_Op] = []
        self._emit(("group", 0, tree))
        self.program.append(_Op("match"))

    # -- parsing to a tree

    def _alternation(self) -> object:
        self.depth += 1
        if self.depth > 50:
            raise BudgetError("expression nesting", 50)
        branches = [self._branch()]
        while self.pos < len(self.source) and self.source[self.pos] == "|":
            self.pos += 1
            branches.append(self._branch())
        self.depth -= 1
        return branches[0] if len(branches) == 1 else ("alt", branches)

    def _branch(self) -> object:
        items: list[object] = []
        while self.pos < len(self.source) and self.source[self.pos] not in "|)":
            items.append(self._repeat(self._atom()))
        return ("seq", items)

    def _atom(self) -> object:
        source = self.source
        char = source[self.pos]
        if char == "(":
            self.pos += 1
            self.groups += 1
            number = self.groups
            inner = self._alternation()
            if self.pos >= len(source) or source[self.pos] != ")":
                raise RegexError(source)
            self.pos += 1
            return ("group", number, inner)
        if char == "[":
            end = self._set_end()
            found = parse_set(source, self.pos, end)
            self.pos = end + 1
            return ("set", found)
        if char in "*+?" or (char == "{" and source[self.pos + 1 : self.pos + 2].isdecimal()):
            if char != "*":
                raise RegexError(source)
            self.pos += 1
            return ("char", char)
        self.pos += 1
        if char == ".":
            return ("any",)
        if char == "^":
            return ("bol",)
        if char == "$":
            return ("eol",)
        if char == "\\":
            if self.pos >= len(source):
                raise RegexError(source)
            char = source[self.pos]
            self.pos += 1
            shorthand = {
                "w": (False, "word"),
                "W": (True, "word"),
                "s": (False, "space"),
                "S": (True, "space"),
            }
            if char in shorthand:
                negate, name = shorthand[char]
                return ("set", CharSet(negate, frozenset(), (), (name,)))
            if char in "b<>B":
                return ("edge", char)
        return ("char", char.lower() if self.fold else char)

    def _set_end(self) -> int:
        at = self.pos + 1
        source = self.source
        if at < len(source) and source[at] == "^":
            at += 1
        if at < len(source) and source[at] == "]":
            at += 1
        while at < len(source):
            if source[at] == "[" and source[at + 1 : at + 2] in (":", ".", "="):
                close = source.find(source[at + 1] + "]", at + 2)
                if close > 0:
                    at = close + 2
                    continue
            if source[at] == "]":
                return at
            at += 1
        raise RegexError(source)

    def _repeat(self, atom: object) -> object:
        source = self.source
        while self.pos < len(source):
            char = source[self.pos]
            if char == "*":
                low, high = 0, -1
            elif char == "+":
                low, high = 1, -1
            elif char == "?":
                low, high = 0, 1
            elif char == "{" and source[self.pos + 1 : self.pos + 2].isdecimal():
                end = source.find("}", self.pos)
                if end < 0:
                    raise RegexError(source)
                first, comma, second = source[self.pos + 1 : end].partition(",")
                if not first.isdecimal() or (second and not second.isdecimal()):
                    raise RegexError(source)
                low = int(first[:6])
                high = low if not comma else (int(second[:6]) if second else -1)
                if low > 255 or high > 255 or (0 <= high < low):
                    raise RegexError(source)
                self.pos = end
            else:
                return atom
            self.pos += 1
            atom = ("rep", atom, low, high)
        return atom

    # -- emitting

    def _add(self, op: _Op) -> int:
        if len(self.program) >= _MAX_PROGRAM:
            raise BudgetError("expression size", _MAX_PROGRAM)
        self.program.append(op)
        return len(self.program) - 1

    def _emit(self, tree: object) -> None:
        assert isinstance(tree, tuple)  # every parser above returns one
        kind = tree[0]
        if kind == "seq":
            for item in tree[1]:
                self._emit(item)
        elif kind == "alt":
            ends: list[int] = []
            for number, branch in enumerate(tree[1]):
                if number < len(tree[1]) - 1:
                    split = self._add(_Op("split"))
                    self.program[split].left = len(self.program)
                    self._emit(branch)
                    ends.append(self._add(_Op("jump")))
                    self.program[split].right = len(self.program)
                else:
                    self._emit(branch)
            for end in ends:
                self.program[end].left = len(self.program)
        elif kind == "group":
            self._add(_Op("save", tree[1] * 2))
            self._emit(tree[2])
            self._add(_Op("save", tree[1] * 2 + 1))
        elif kind == "rep":
            self._emit_repeat(tree[1], tree[2], tree[3])
        else:
            self._add(_Op(kind, tree[1] if len(tree) > 1 else None))

    def _emit_repeat(self, inner: object, low: int, high: int) -> None:
        for _ in range(low):
            self._emit(inner)
        if high < 0:
            split = self._add(_Op("split"))
            self.program[split].left = len(self.program)
            self._emit(inner)
            jump = self._add(_Op("jump"))
            self.program[jump].left = split
            self.program[split].right = len(self.program)
            return
        splits: list[int] = []
        for _ in range(high - low):
            split = self._add(_Op("split"))
            self.program[split].left = len(self.program)
            splits.append(split)
            self._emit(inner)
        for split in splits:
            self.program[split].right = len(self.program)

    # -- running

    def search(self, text: str) -> list[str | None] | None:
        """The groups (0 is the whole match) of the leftmost match, or None."""
        subject = text.lower() if self.fold else text
        slots = self._run(subject)
        if slots is None:
            return None
        found: list[str | None] = []
        for group in range(self.groups + 1):
            begin, end = slots.get(group * 2), slots.get(group * 2 + 1)
            found.append(None if begin is None or end is None else text[begin:end])
        return found

    def _run(self, text: str) -> dict[int, int] | None:
        best: dict[int, int] | None = None
        current: list[tuple[int, dict[int, int]]] = []
        size = len(text)
        work = 0
        for pos in range(size + 1):
            seen: set[int] = set()
            threads: list[tuple[int, dict[int, int]]] = []
            for pc, slots in current:
                self._follow(pc, slots, pos, text, seen, threads)
            if best is None:
                self._follow(0, {}, pos, text, seen, threads)
            work += len(seen) + 1
            if work > _MAX_WORK:
                raise BudgetError("expression steps", _MAX_WORK)
            current = []
            char = text[pos] if pos < size else None
            for pc, slots in threads:
                op = self.program[pc]
                if op.kind == "match":
                    # The longest of the leftmost: POSIX asks for it.
                    if best is None or (slots[0] == best[0] and slots[1] > best[1]):
                        best = slots
                    continue
                if char is None or (best is not None and slots.get(0, pos) > best[0]):
                    continue
                if (
                    op.kind == "any"
                    or (op.kind == "char" and op.value == char)
                    or (op.kind == "set" and isinstance(op.value, CharSet) and op.value.holds(char))
                ):
                    current.append((pc + 1, slots))
            if not current and best is not None:
                break
        return best

    def _follow(
        self, start: int, slots: dict[int, int], pos: int, text: str, seen: set[int],
        out: list[tuple[int, dict[int, int]]],
    ) -> None:  # fmt: skip
        stack = [(start, slots)]
        while stack:
            pc, slots = stack.pop()
            if pc in seen:
                continue
            seen.add(pc)
            op = self.program[pc]
            if op.kind == "jump":
                stack.append((op.left, slots))
            elif op.kind == "split":
                stack.append((op.right, slots))
                stack.append((op.left, slots))
            elif op.kind == "save":
                assert isinstance(op.value, int)  # the emitter put it there
                stack.append((pc + 1, {**slots, op.value: pos}))
            elif op.kind == "bol":
                if pos == 0:
                    stack.append((pc + 1, slots))
            elif op.kind == "eol":
                if pos == len(text):
                    stack.append((pc + 1, slots))
            elif op.kind == "edge":
                if _edge(str(op.value), text, pos):
                    stack.append((pc + 1, slots))
            else:
                out.append((pc, slots))


def _edge(kind: str, text: str, pos: int) -> bool:
    before = pos > 0 and (text[pos - 1].isalnum() or text[pos - 1] == "_")
    after = pos < len(text) and (text[pos].isalnum() or text[pos] == "_")
    if kind == "b":
        return before != after
    if kind == "B":
        return before == after
    return (after and not before) if kind == "<" else (before and not after)


@lru_cache(maxsize=256)
def compile_regex(source: str, fold: bool = False) -> Regex:
    """A compiled expression from a cache; RegexError where it is not valid."""
    return Regex(source, fold)


__all__ = ["Regex", "RegexError", "compile_regex"]
