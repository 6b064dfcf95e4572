"""test and ``[`` (and ``[[`` of BusyBox, which is the same builtin with patterns)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from urltrap.machine.shell.builtins.registry import builtin
from urltrap.machine.shell.glob import compile_pattern
from urltrap.machine.shell.interpreter.filetest import FILE_TESTS, compare_files, unary_test

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell

_UNARY = frozenset(f"-{letter}" for letter in "bcdefghkLnoprstuvwxzSGONaR")
_UNARY_PLAIN = frozenset(f"-{letter}" for letter in "bcdefghkLnprstuwxzSGO")
_INTEGER = {"-eq": "==", "-ne": "!=", "-gt": ">", "-ge": ">=", "-lt": "<", "-le": "<="}
_BINARY = frozenset(("=", "==", "!=", "<", ">", "-nt", "-ot", "-ef", *_INTEGER))


class _TestError(Exception):
    """The expression is no test; the message is the dialect's."""


class _Test:
    """Evaluates one argument list, POSIX' rules by number first, then the grammar with -a, -o and parentheses."""

    def __init__(self, sh: Shell, words: list[str]) -> None:
        self.sh = sh
        self.words = words
        self.pos = 0
        self.bash = sh.dialect.bash
        self.unary = _UNARY if self.bash else _UNARY_PLAIN
        self.binary = _BINARY if sh.dialect.name != "dash" else _BINARY - {"=="}

    def run(self) -> bool:
        words = self.words
        count = len(words)
        if count == 0:
            return False
        if count == 1:
            return words[0] != ""
        if count == 2:
            return self.two(words[0], words[1])
        if count == 3:
            return self.three(words)
        if count == 4:
            if words[0] == "!":
                return not self.three(words[1:])
            if words[0] == "(" and words[3] == ")":
                return self.two(words[1], words[2])
        result = self.either()
        if self.pos < len(words):
            self.too_many()
        return result

    def two(self, op: str, operand: str) -> bool:
        if op == "!":
            return operand == ""
        if op in self.unary:
            return self.one(op, operand)
        if self.bash:
            raise _TestError(f"{op}: unary operator expected")
        if operand in self.binary:
            raise _TestError(f"{operand}: argument expected")
        raise _TestError(
            f"{op}: unexpected operator" if self.sh.dialect.name == "dash" else f"{operand}: unknown operand"
        )

    def three(self, words: list[str]) -> bool:
        left, op, right = words
        if op in self.binary:
            return self.compare(left, op, right)
        if op == "-a":
            return left != "" and right != ""
        if op == "-o":
            return left != "" or right != ""
        if left == "!":
            return not self.two(op, right)
        if left == "(" and right == ")":
            return op != ""
        if self.bash:
            raise _TestError(f"{op}: binary operator expected")
        result = self.either()
        if self.pos < len(self.words):
            self.too_many()
        return result

    def too_many(self) -> None:
        if self.bash:
            raise _TestError("too many arguments")
        if self.sh.dialect.name == "dash":
            raise _TestError(f"{self.words[self.pos - 1]}: unexpected operator")
        raise _TestError(f"{self.words[self.pos]}: unknown operand")

    def either(self) -> bool:
        value = self.both()
        while self.pos < len(self.words) and self.words[self.pos] == "-o":
            self.pos += 1
            right = self.both()
            value = value or right
        return value

    def both(self) -> bool:
        value = self.term()
        while self.pos < len(self.words) and self.words[self.pos] == "-a":
            self.pos += 1
            right = self.term()
            value = value and right
        return value

    def term(self) -> bool:
        words = self.words
        negate = False
        while self.pos < len(words) and words[self.pos] == "!":
            negate = not negate
            self.pos += 1
        if self.pos >= len(words):
            if self.sh.dialect.name == "dash":
                return False
            raise _TestError("argument expected")
        word = words[self.pos]
        following = words[self.pos + 1] if self.pos + 1 < len(words) else None
        if following is not None and following in self.binary and self.pos + 2 < len(words):
            self.pos += 3
            value = self.compare(word, following, words[self.pos - 1])
        elif word == "(" and self.pos + 1 < len(words):
            self.pos += 1
            if self.pos > 200:
                raise _TestError("too many arguments")
            value = self.either()
            if self.pos >= len(words) or words[self.pos] != ")":
                if self.bash:
                    raise _TestError(
                        "`)' expected" + (f", found {words[self.pos]}" if self.pos < len(words) else "")
                    )
                raise _TestError("closing paren expected")
            self.pos += 1
        elif word in self.unary and following is not None:
            self.pos += 2
            value = self.one(word, following)
        else:
            self.pos += 1
            value = word != ""
        return value != negate

    def one(self, op: str, operand: str) -> bool:
        if op == "-t" and not operand.strip().isdecimal():
            raise _TestError(self.not_integer(operand))
        return unary_test(self.sh, op, operand)

    def not_integer(self, text: str) -> str:
        name = self.sh.dialect.name
        if name == "bash":
            return f"{text}: integer expression expected"
        return f"Illegal number: {text}" if name == "dash" else f"{text}: bad number"

    def integer(self, text: str) -> int:
        body = text.strip(" \t\n")
        digits = body[1:] if body[:1] in "+-" else body
        if not digits.isdecimal() or not digits.isascii():
            raise _TestError(self.not_integer(text))
        return int(body[:400])

    def compare(self, left: str, op: str, right: str) -> bool:
        if op in ("=", "=="):
            return left == right
        if op == "!=":
            return left != right
        if op == "<":
            return left < right
        if op == ">":
            return left > right
        if op in ("-nt", "-ot", "-ef"):
            return compare_files(self.sh, op, left, right)
        first, second = self.integer(left), self.integer(right)
        self.sh.apart = abs(first - second)
        return {"-eq": first == second, "-ne": first != second, "-gt": first > second, "-ge": first >= second,
                "-lt": first < second, "-le": first <= second}[op]  # fmt: skip


def _complain(sh: Shell, message: str, name: str) -> Gen[int]:
    if sh.dialect.name == "ash":
        yield from sh.p.err(f"{sh.message_name}: {message}\n")
    else:
        yield from sh.complain(message, name)
    return 2


@builtin("test", "[")
def test(sh: Shell, argv: list[str]) -> Gen[int]:
    """0 true, 1 false, 2 no expression."""
    words = [str(word) for word in argv[1:]]
    if argv[0] == "[":
        if not words or words[-1] != "]":
            return (yield from _complain(sh, "missing `]'" if sh.dialect.bash else "missing ]", "["))
        words.pop()
    try:
        return int(not _Test(sh, words).run())
    except _TestError as problem:
        return (yield from _complain(sh, str(problem), argv[0]))


@builtin("[[", dialects="ash")
def double(sh: Shell, argv: list[str]) -> Gen[int]:
    """BusyBox's ``[[``: a builtin whose ``=`` and ``!=`` take patterns."""
    words = [str(word) for word in argv[1:]]
    if not words or words[-1] != "]]":
        return (yield from _complain(sh, "missing ]]", "[["))
    words.pop()
    words = [{"&&": "-a", "||": "-o"}.get(word, word) for word in words]
    if len(words) == 3 and words[1] in ("=", "==", "!="):
        found = compile_pattern(words[2]).matches(words[0])
        return int(found != (words[1] != "!="))
    try:
        return int(not _Test(sh, words).run())
    except _TestError as problem:
        return (yield from _complain(sh, str(problem), "[["))


__all__ = ["FILE_TESTS"]
