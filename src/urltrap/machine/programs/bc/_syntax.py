"""bc's programs: tokens, and the tree of what is written.

Statements: ("show", e) ("do", e) ("text", s) ("print", [e or ("text", s)]) ("block", [s]) ("if", e, s, s)
("while", e, s) ("for", e, e, e, s) ("break",) ("continue",) ("return", e) ("halt",) ("quit",)
("limits",) ("define", name, [parameter], [auto], s).
Expressions: ("number", s) ("name", n) ("element", n, e) ("set", target, op, e, adr) ("step", target, op, before)
("neg", e) ("not", e) ("op", op, l, r, adr) ("call", n, [e], adr).
"""

from __future__ import annotations

import re
from typing import Any

Node = tuple[Any, ...]
_TOKEN = re.compile(
    r"(?P<space>(?:[ \t\r]|\\\n|/\*.*?\*/|#[^\n]*)+)|(?P<number>[0-9A-Z]*\.[0-9A-Z]+|[0-9A-Z]+\.?)|"
    r"(?P<name>[a-z][a-z0-9_]*)|"
    r"\"(?P<text>[^\"]*)\"|(?P<op>[-+*/%^]=|==|<=|>=|!=|\+\+|--|&&|\|\||[-+*/%^()=<>!,;{}\[\].\n])",
    re.DOTALL,
)
_SETTING = ("=", "+=", "-=", "*=", "/=", "%=", "^=")
_COMPARING = ("==", "!=", "<", "<=", ">", ">=")
_KEYWORDS = frozenset(
    (
        "if",
        "else",
        "while",
        "for",
        "break",
        "continue",
        "return",
        "define",
        "auto",
        "print",
        "halt",
        "quit",
        "limits",
    )
)
_MAX_DEPTH = 80
BUILT_IN = ("sqrt", "length", "scale", "read")


class BcSyntaxError(Exception):
    """What is wrong, and in which line."""

    def __init__(self, words: str, line: int) -> None:
        super().__init__(words)
        self.line = line


class Parser:
    """One unit of input: what stands on a line, or a whole block or function. `line` is the number of its first."""

    def __init__(self, text: str, line: int) -> None:
        self.line = line
        self.tokens: list[tuple[str, str, int]] = []
        self.pos = 0
        self.depth = 0
        self.size = 0
        """How long bc's own code is up to here: errors tell it."""
        self.loops = 0
        self.in_function = False
        at = 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise BcSyntaxError(f"illegal character: {text[at]}", line)
            kind = match.lastgroup or ""
            line += match.group().count("\n")
            if kind != "space":
                self.tokens.append((kind, match[kind], line))
            at = match.end()
        self.tokens.append(("end", "", line))

    # -- tokens

    def at(self, *words: str) -> bool:
        """Whether one of these comes next."""
        kind, text, _ = self.tokens[self.pos]
        return kind in ("op", "name") and text in words

    def take(self, *words: str) -> str:
        """Go past one of these; empty where something else comes."""
        if not self.at(*words):
            return ""
        self.pos += 1
        return self.tokens[self.pos - 1][1]

    def need(self, word: str) -> None:
        """Go past this."""
        if not self.take(word):
            raise self.error("syntax error")

    def error(self, words: str) -> BcSyntaxError:
        """A complaint about what comes next."""
        return BcSyntaxError(words, self.tokens[self.pos][2])

    # -- statements

    def unit(self) -> list[Node]:
        """All statements."""
        found: list[Node] = []
        while self.tokens[self.pos][0] != "end":
            if self.take(";", "\n"):
                continue
            found.append(self._define() if self.at("define") else self._statement())
            if not self.at(";", "\n") and self.tokens[self.pos][0] != "end":
                raise self.error("syntax error")
        return found

    def _statement(self) -> Node:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise self.error("syntax error")
        try:
            return self._one()
        finally:
            self.depth -= 1

    def _one(self) -> Node:
        kind, text, _ = self.tokens[self.pos]
        if kind == "text":
            self.pos += 1
            self.size += len(text) + 2
            return ("text", text)
        if self.take("{"):
            return ("block", self._block())
        match self.take(*_KEYWORDS):
            case "if":
                test = self._in_parentheses()
                then = self._body(0)
                mark = self.pos
                while self.take(";", "\n"):
                    pass
                if self.take("else"):
                    return ("if", test, then, self._body(0))
                self.pos = mark
                return ("if", test, then, ("block", []))
            case "while":
                return ("while", self._in_parentheses(), self._body(1))
            case "for":
                return self._for()
            case "break" | "continue" as word:
                if not self.loops:
                    self.pos -= 1
                    raise self.error(f"{word.capitalize()} outside a for/while")
                return (word,)
            case "return":
                empty = self.at(";", "\n", "}") or self.tokens[self.pos][0] == "end"
                value = ("number", "0") if empty else self.expression()
                if not self.in_function:
                    raise self.error("Return outside of a function.")
                return ("return", value)
            case "print":
                return ("print", self._print_list())
            case "halt" | "quit" | "limits" as word:
                return (word,)
            case "else" | "define" | "auto":
                raise self.error("syntax error")
        value = self.expression()
        self.size += 1
        return ("do" if value[0] == "set" else "show", value)

    def _block(self) -> list[Node]:
        found = []
        while not self.take("}"):
            if self.take(";", "\n"):
                continue
            found.append(self._statement())
            if not self.at(";", "\n", "}"):
                raise self.error("syntax error")
        return found

    def _body(self, loops: int) -> Node:
        while self.take("\n"):
            pass
        self.loops += loops
        found = self._statement()
        self.loops -= loops
        return found

    def _in_parentheses(self) -> Node:
        self.need("(")
        found = self.expression()
        self.need(")")
        return found

    def _for(self) -> Node:
        self.need("(")
        parts = []
        for close in (";", ";", ")"):
            parts.append(("number", "1") if self.at(close) else self.expression())
            self.need(close)
        return ("for", *parts, self._body(1))

    def _print_list(self) -> list[Node]:
        found = []
        while True:
            kind, text, _ = self.tokens[self.pos]
            if kind == "text":
                self.pos += 1
                found.append(("text", text))
            else:
                found.append(self.expression())
            if not self.take(","):
                return found

    def _define(self) -> Node:
        self.pos += 1
        kind, name, _ = self.tokens[self.pos]
        if kind != "name" or name in _KEYWORDS:
            raise self.error("syntax error")
        self.pos += 1
        self.need("(")
        parameters = self._names(")")
        self.need(")")
        while self.take("\n"):
            pass
        self.need("{")
        while self.take("\n"):
            pass
        auto: list[str] = []
        if self.take("auto"):
            auto = self._names(";", "\n")
        self.in_function = True
        body = ("block", self._block())
        self.in_function = False
        return ("define", name, parameters, auto, body)

    def _names(self, *close: str) -> list[str]:
        """Names up to one of these; those of arrays end in "[]"."""
        found: list[str] = []
        while not self.at(*close):
            kind, name, _ = self.tokens[self.pos]
            if kind != "name":
                raise self.error("syntax error")
            self.pos += 1
            if self.take("["):
                self.need("]")
                name += "[]"
            found.append(name)
            if not self.take(","):
                break
        return found

    # -- expressions, lowest precedence first

    def expression(self) -> Node:
        """An expression."""
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise self.error("syntax error")
        try:
            return self._or()
        finally:
            self.depth -= 1

    def _op(self, op: str, left: Node, right: Node) -> Node:
        self.size += 1
        return ("op", op, left, right, self.size)

    def _or(self) -> Node:
        left = self._and()
        while self.take("||"):
            left = self._op("||", left, self._and())
        return left

    def _and(self) -> Node:
        left = self._not()
        while self.take("&&"):
            left = self._op("&&", left, self._not())
        return left

    def _not(self) -> Node:
        if self.take("!"):
            return ("not", self._not())
        return self._comparison()

    def _comparison(self) -> Node:
        left = self._assignment()
        while op := self.take(*_COMPARING):
            left = self._op(op, left, self._assignment())
        return left

    def _assignment(self) -> Node:
        left = self._sum()
        if left[0] in ("name", "element") and (op := self.take(*_SETTING)):
            if left[0] == "name":
                self.size -= 2  # it is stored to, not loaded
            value = self._assignment()
            self.size += 2
            return ("set", left, op[:-1], value, self.size)
        return left

    def _sum(self) -> Node:
        left = self._product()
        while op := self.take("+", "-"):
            left = self._op(op, left, self._product())
        return left

    def _product(self) -> Node:
        left = self._power()
        while op := self.take("*", "/", "%"):
            left = self._op(op, left, self._power())
        return left

    def _power(self) -> Node:
        base = self._unary()
        if self.take("^"):
            return self._op("^", base, self._power())
        return base

    def _unary(self) -> Node:
        if self.take("-"):
            self.depth += 1
            if self.depth > _MAX_DEPTH:
                raise self.error("syntax error")
            inner = self._unary()
            self.depth -= 1
            self.size += 1
            return ("neg", inner)
        if op := self.take("++", "--"):
            target = self._primary()
            if target[0] not in ("name", "element"):
                raise self.error("syntax error")
            return ("step", target, op[0], False)
        found = self._primary()
        if found[0] in ("name", "element") and (op := self.take("++", "--")):
            return ("step", found, op[0], True)
        return found

    def _primary(self) -> Node:
        kind, text, _ = self.tokens[self.pos]
        if kind == "number":
            self.pos += 1
            bare = text.lstrip("0")
            self.size += 1 if text in ("0", "1") else len(bare) + 2
            return ("number", text)
        if self.take("("):
            found = self.expression()
            self.need(")")
            return ("group", found)
        if self.take("."):
            return ("name", "last")
        if kind != "name" or text in _KEYWORDS:
            raise self.error("syntax error")
        self.pos += 1
        if self.take("["):
            if self.take("]"):
                return ("array", text)
            index = self.expression()
            self.need("]")
            self.size += 2
            return ("element", text, index)
        if self.take("("):
            return self._call(text)
        self.size += 2
        return ("name", text)

    def _call(self, name: str) -> Node:
        arguments: list[Node] = []
        while not self.at(")"):
            arguments.append(self.expression())
            if not self.take(","):
                break
        self.need(")")
        adr = self.size + 2
        self.size += 2 if name in BUILT_IN else 3
        return ("call", name, arguments, adr if name in BUILT_IN or arguments else adr + 1)
