"""expr."""

from __future__ import annotations

import re

from urltrap.machine.api import Process, Run
from urltrap.machine.programs._cmd import APPLETS, Cmd, guard
from urltrap.machine.programs._regex import BadRegex, compile_posix
from urltrap.machine.programs.registry import program

_INTEGER = re.compile(r"-?[0-9]{1,4000}")
_MAX_DEPTH = 80


class _Problem(Exception):
    pass


class _Expression:
    def __init__(self, c: Cmd, words: list[str]) -> None:
        self.c = c
        self.words = words
        self.pos = 0
        self.depth = 0

    def take(self, *texts: str) -> str:
        """The next word where it is one of these."""
        if self.pos < len(self.words) and self.words[self.pos] in texts:
            self.pos += 1
            return self.words[self.pos - 1]
        return ""

    def need(self) -> None:
        """A word has to follow."""
        if self.pos >= len(self.words):
            raise _Problem(f"syntax error: missing argument after {self.c.lq(self.words[self.pos - 1])}")

    def either(self) -> str:
        """Level of |."""
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise _Problem("syntax error: too deep")
        left = self.both()
        while self.take("|"):
            right = self.both()
            if _empty(left):
                left = right if not _empty(right) else "0"
        self.depth -= 1
        return left

    def both(self) -> str:
        """Level of &."""
        left = self.comparison()
        while self.take("&"):
            right = self.comparison()
            if _empty(left) or _empty(right):
                left = "0"
        return left

    def comparison(self) -> str:
        """Level of < <= = == != >= >."""
        left = self.sum()
        while op := self.take("<", "<=", "=", "==", "!=", ">=", ">"):
            right = self.sum()
            if _INTEGER.fullmatch(left) and _INTEGER.fullmatch(right):
                order = (int(left) > int(right)) - (int(left) < int(right))
            else:
                order = (left > right) - (left < right)
            holds = {
                "<": order < 0,
                "<=": order <= 0,
                "=": not order,
                "==": not order,
                "!=": bool(order),
                ">=": order >= 0,
                ">": order > 0,
            }[op]
            left = str(int(holds))
        return left

    def number(self, text: str) -> int:
        """A word as an integer."""
        if not _INTEGER.fullmatch(text):
            raise _Problem("non-integer argument")
        return int(text)

    def sum(self) -> str:
        """Level of + and -."""
        left = self.product()
        while op := self.take("+", "-"):
            right = self.product()
            a, b = self.number(left), self.number(right)
            left = str(a + b if op == "+" else a - b)
        return left

    def product(self) -> str:
        """Level of * / %."""
        left = self.match()
        while op := self.take("*", "/", "%"):
            right = self.match()
            a, b = self.number(left), self.number(right)
            if op != "*" and not b:
                raise _Problem("division by zero")
            if op == "*":
                left = str(a * b)[:4000]
            else:
                quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
                left = str(quotient if op == "/" else a - b * quotient)
        return left

    def match(self) -> str:
        """Level of the colon."""
        left = self.primary()
        while self.take(":"):
            left = self.matched(left, self.primary())
        return left

    def matched(self, text: str, source: str) -> str:
        """text : source."""
        try:
            matcher = compile_posix(source if source.startswith("^") else "^" + source)
        except BadRegex as problem:
            raise _Problem(str(problem)) from None
        found = matcher.search(text)
        if matcher.groups:
            return text[slice(*found.spans[1])] if found is not None and found.spans[1][0] >= 0 else ""
        return str(found.end - found.start) if found is not None else "0"

    def primary(self) -> str:
        """A word, a function or parentheses."""
        self.need()
        if self.take("("):
            value = self.either()
            if not self.take(")"):
                after = self.words[self.pos - 1]
                raise _Problem(
                    f"syntax error: expecting ')' after {self.c.lq(after)}"
                    if self.pos >= len(self.words)
                    else f"syntax error: expecting ')' instead of {self.c.lq(self.words[self.pos])}"
                )
            return value
        if self.words[self.pos] == ")":
            raise _Problem("syntax error: unexpected ')'")
        if self.take("+") and not self.c.bb:
            self.need()
            self.pos += 1
            return self.words[self.pos - 1]
        if self.words[self.pos] in ("length", "match", "index", "substr") and self.pos + 1 <= len(self.words):
            return self.function(self.words[self.pos])
        self.pos += 1
        return self.words[self.pos - 1]

    def function(self, name: str) -> str:
        """length, match, index, substr."""
        self.pos += 1
        text = self.primary()
        if name == "length":
            return str(len(text))
        second = self.primary()
        if name == "match":
            return self.matched(text, second)
        if name == "index":
            places = [text.find(char) + 1 for char in second if char in text]
            return str(min(places, default=0))
        third = self.primary()
        if not _INTEGER.fullmatch(second) or not _INTEGER.fullmatch(third):
            return ""
        start, length = int(second), int(third)
        return text[start - 1 : start - 1 + length] if start > 0 and length > 0 else ""


def _empty(text: str) -> bool:
    return text == "" or bool(re.fullmatch(r"-?0+", text))


def _expr(c: Cmd) -> Run:
    words = c.p.argv[1:]
    if words[:1] == ["--"]:
        words = words[1:]
    if not words:
        return (yield from c.usage("missing operand" if not c.bb else "", 2))
    expression = _Expression(c, words)
    try:
        value = expression.either()
        if expression.pos < len(words):
            raise _Problem(f"syntax error: unexpected argument {c.lq(words[expression.pos])}")
    except _Problem as problem:
        text = "syntax error" if c.bb and str(problem).startswith("syntax error") else str(problem)
        yield from c.p.err(f"{c.name}: {text}\n")
        return 2
    yield from c.say(value + "\n")
    return int(_empty(value))


@program("expr")
def expr(p: Process) -> Run:
    """Evaluate an expression."""
    return (yield from guard(Cmd(p, [], [], False), _expr))


def _applet(p: Process) -> Run:
    return (yield from guard(Cmd(p, [], [], True), _expr))


APPLETS["expr"] = _applet
