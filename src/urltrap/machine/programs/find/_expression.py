"""The grammar of find's expressions."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from urltrap.machine.programs.find._actions import ACTIONS, Actions
from urltrap.machine.programs.find._entry import Entry, Test, Wrong
from urltrap.machine.programs.find._predicates import Predicate

_MAX_NESTING = 60


class Expression(Actions):
    """Recursive descent over the words of an expression."""

    nesting = 0

    def parse(self) -> Test:
        """All of it; without an action, printing is added. Wrong."""
        test = self._list() if self.words else _true
        if self.pos < len(self.words):
            raise Wrong("you have too many ')'")  # only that ends an expression early
        if self.acts:
            return test

        def printing(entry: Entry) -> Generator[Any, Any, bool]:
            if (yield from test(entry)):
                yield from self.c.say(entry.path + "\n")
            return True

        return printing

    def _at(self, *words: str) -> bool:
        return self.pos < len(self.words) and self.words[self.pos] in words

    def _list(self) -> Test:
        """Expressions behind each other: all are asked, the last one counts."""
        self.nesting += 1
        if self.nesting > _MAX_NESTING:
            raise Wrong("expression is too deep")
        parts = [self._or()]
        while self._at(","):
            self.pos += 1
            parts.append(self._or())
        self.nesting -= 1

        def every(entry: Entry) -> Generator[Any, Any, bool]:
            for each in parts[:-1]:
                yield from each(entry)
            return (yield from parts[-1](entry))

        return parts[0] if len(parts) == 1 else every

    def _or(self) -> Test:
        branches = [self._and()]
        while self._at("-o", "-or"):
            self.pos += 1
            branches.append(self._and())

        def either(entry: Entry) -> Generator[Any, Any, bool]:
            for each in branches:
                if (yield from each(entry)):
                    return True
            return False

        return branches[0] if len(branches) == 1 else either

    def _and(self) -> Test:
        parts: list[Test] = []
        while self.pos < len(self.words) and not self._at("-o", "-or", ",", ")"):
            if self._at("-a", "-and"):
                self.pos += 1
                continue
            parts.append(self._not())
        if not parts and self.pos < len(self.words):
            word = self.words[self.pos]
            if word == ")":
                raise Wrong("invalid expression; empty parentheses are not allowed.")
            used = f"you have used a binary operator '{word}' with nothing before it."
            raise Wrong(f"invalid expression; {used}")
        if not parts:
            raise Wrong(f"expected an expression after '{self.words[self.pos - 1]}'")

        def both(entry: Entry) -> Generator[Any, Any, bool]:
            for each in parts:
                if not (yield from each(entry)):
                    return False
            return True

        return parts[0] if len(parts) == 1 else both

    def _not(self) -> Test:
        negate = False
        while self._at("!", "-not"):
            negate = not negate
            self.pos += 1
        if self.pos >= len(self.words):
            raise Wrong(f"expected an expression after '{self.words[self.pos - 1]}'")
        test = self._primary()

        def inverted(entry: Entry) -> Generator[Any, Any, bool]:
            return not (yield from test(entry))

        return inverted if negate else test

    def _primary(self) -> Test:
        word = self.words[self.pos]
        self.pos += 1
        if word == "(":
            test = self._list()
            if not self._at(")"):
                expected = "I was expecting to find a ')' somewhere but did not see one."
                raise Wrong(f"invalid expression; {expected}")
            self.pos += 1
            return test
        if not word.startswith("-"):
            raise Wrong(
                f"unrecognized: {word}" if self.c.bb else f"paths must precede expression: `{word}'",
                usage=True,
            )
        return self.action(word) if word in ACTIONS else _plain(self.predicate(word))


def _true(entry: Entry) -> Generator[Any, Any, bool]:
    yield from ()
    return True


def _plain(test: Predicate) -> Test:
    def run(entry: Entry) -> Generator[Any, Any, bool]:
        yield from ()
        return test(entry)

    return run
