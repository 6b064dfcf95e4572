# ruff: noqa: E501 - the programs' own texts and tables are longer than a line
"""awk's programs: lexer and parser, to trees of tuples.

Expressions: ("num", f) ("str", s) ("regex", s) ("var", n) ("field", e) ("index", n, [e]) ("group", [e]) ("assign", op, lv, e)
("cond", a, b, c) ("and", a, b) ("or", a, b) ("in", [e], n) ("match", neg, a, b) ("bin", op, a, b) ("cmp", op, a, b)
("cat", a, b) ("unary", op, e) ("pre", op, lv) ("post", op, lv) ("call", n, [e]) ("builtin", n, [e]) ("getline", kind, lv, e).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

Node = tuple[Any, ...]
KEYWORDS = frozenset(["BEGIN", "END", "function", "func", "if", "else", "while", "for", "do", "break", "continue", "next", "nextfile", "exit", "return", "delete", "in", "getline", "print", "printf"])  # fmt: skip
BUILTINS = frozenset(["length", "substr", "index", "split", "sub", "gsub", "match", "sprintf", "sin", "cos", "atan2", "exp", "log", "sqrt", "int", "rand", "srand", "tolower", "toupper", "system", "close", "fflush", "systime", "strftime", "mktime", "gensub", "and", "or", "xor", "lshift", "rshift", "compl"])  # fmt: skip
_TOKEN = re.compile(
    r"(?P<space>(?:[ \t\r]|\\\r?\n|#[^\n]*)+)|(?P<newline>\n)|"
    r"(?P<num>0[xX][0-9a-fA-F]+|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)|(?P<func>[A-Za-z_]\w*(?=\())|"
    r"(?P<name>[A-Za-z_]\w*)|(?P<str>\"(?:[^\"\\\n]|\\.|\\\n)*\")|"
    r"(?P<op>\*\*=|\*\*|\+\+|--|\+=|-=|\*=|/=|%=|\^=|==|<=|>=|!=|&&|\|\||>>|!~|[-+*/%^!<>|?:~$=,;(){}\[\]])",
    re.ASCII | re.DOTALL,
)
_ESCAPES = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "v": "\v",
    "\\": "\\",
    '"': '"',
    "/": "/",
}
_MAX_DEPTH = 120


class AwkError(Exception):
    """A wrong program: what is near, and the line."""

    def __init__(self, near: str, line: int) -> None:
        super().__init__(near)
        self.near = near
        self.line = line


@dataclass(slots=True)
class Token:
    """One token."""

    kind: str
    text: str
    line: int


@dataclass(slots=True)
class Function:
    """A user's function."""

    parameters: list[str]
    body: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Program:
    """BEGIN and END actions, (pattern, second pattern, action or None) rules, functions."""

    begin: list[list[Node]] = field(default_factory=list)
    end: list[list[Node]] = field(default_factory=list)
    rules: list[tuple[Node | None, Node | None, list[Node] | None]] = field(default_factory=list)
    functions: dict[str, Function] = field(default_factory=dict)


def unescape(text: str) -> str:
    """Escapes of a string constant."""
    if "\\" not in text:
        return text
    out: list[str] = []
    pos = 0
    while pos < len(text):
        char = text[pos]
        pos += 1
        if char != "\\" or pos >= len(text):
            out.append(char)
            continue
        char = text[pos]
        pos += 1
        if char in "01234567":
            octal = re.match(r"[0-7]{1,3}", text[pos - 1 :])
            assert octal is not None  # its first digit was seen
            out.append(
                chr(int(octal[0], 8) & 255)
                if int(octal[0], 8) & 255 < 128
                else bytes([int(octal[0], 8) & 255]).decode("utf-8", "surrogateescape")
            )
            pos += len(octal[0]) - 1
        elif char == "\n":
            continue
        elif char in _ESCAPES:
            out.append(_ESCAPES[char])
        else:
            out.append("\\" + char)
    return "".join(out)


def tokenize(source: str) -> list[Token]:
    """Tokens; "/" begins an expression where no operand came before it. AwkError."""
    tokens: list[Token] = []
    pos, line = 0, 1
    while pos < len(source):
        if source[pos] == "/" and _regex_may_start(tokens):
            end = _regex_end(source, pos + 1)
            if end < 0:
                raise AwkError("/" + source[pos + 1 : pos + 20].partition("\n")[0], line)
            tokens.append(Token("regex", source[pos + 1 : end].replace("\\/", "/"), line))
            pos = end + 1
            continue
        match = _TOKEN.match(source, pos)
        if match is None:
            raise AwkError(source[pos], line)
        kind, text = match.lastgroup or "", match.group()
        if kind == "newline":
            tokens.append(Token("newline", "\n", line))
        elif kind == "str":
            tokens.append(Token("str", unescape(text[1:-1]), line))
        elif kind != "space":
            if kind in ("func", "name") and text in KEYWORDS:
                kind = "key"
            elif kind in ("func", "name") and text in BUILTINS:
                kind = "builtin"
            tokens.append(Token(kind, text, line))
        line += text.count("\n")
        pos = match.end()
    tokens.append(Token("end", "end of file", line))
    return tokens


def _regex_may_start(tokens: list[Token]) -> bool:
    if not tokens:
        return True
    last = tokens[-1]
    if last.kind in ("num", "str", "name", "regex", "builtin"):
        return False
    return last.text not in (")", "]", "++", "--", "$") if last.kind == "op" else last.text != "getline"


def _regex_end(source: str, pos: int) -> int:
    inside = False
    while pos < len(source) and source[pos] != "\n":
        char = source[pos]
        if char == "\\":
            pos += 2
            continue
        if char == "[" and not inside:
            inside = True
            if source[pos + 1 : pos + 2] == "^":
                pos += 1
            if source[pos + 1 : pos + 2] == "]":
                pos += 1
        elif char == "]":
            inside = False
        elif char == "/" and not inside:
            return pos
        pos += 1
    return -1


class Parser:
    """Recursive descent over the tokens."""

    def __init__(self, source: str) -> None:
        self.tokens = tokenize(source)
        self.pos = 0
        self.depth = 0
        self.no_in = 0
        self.no_gt = 0

    # -- tokens

    @property
    def now(self) -> Token:
        """The current token."""
        return self.tokens[self.pos]

    def at(self, *texts: str) -> bool:
        """Whether the current token is one of these operators or keywords."""
        return self.now.kind in ("op", "key", "newline") and self.now.text in texts

    def take(self, *texts: str) -> bool:
        """Consume it where it is one of these."""
        if self.at(*texts):
            self.pos += 1
            return True
        return False

    def need(self, text: str) -> None:
        """Consume it or fail."""
        if not self.take(text):
            raise self.error()

    def error(self) -> AwkError:
        """A syntax error here."""
        return AwkError(
            "end of line" if self.now.kind in ("newline", "end") and self.now.text == "\n" else self.now.text,
            self.now.line,
        )

    def newlines(self) -> None:
        """Skip line ends."""
        while self.now.kind == "newline":
            self.pos += 1

    def terminators(self) -> None:
        """Skip line ends and semicolons."""
        while self.now.kind == "newline" or self.at(";"):
            self.pos += 1

    def _deeper(self) -> None:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise self.error()

    # -- program

    def program(self) -> Program:
        """All items."""
        found = Program()
        self.terminators()
        while self.now.kind != "end":
            if self.take("function", "func"):
                self._function(found)
            elif self.take("BEGIN"):
                found.begin.append(self._action())
            elif self.take("END"):
                found.end.append(self._action())
            else:
                first = second = None
                if not self.at("{"):
                    first = self.expression()
                    if self.take(","):
                        self.newlines()
                        second = self.expression()
                action = self._action() if self.at("{") else None
                found.rules.append((first, second, action))
            if not self.at(";", "\n") and self.now.kind != "end" and self.tokens[self.pos - 1].text != "}":
                raise self.error()
            self.terminators()
        return found

    def _function(self, found: Program) -> None:
        name = self.now.text
        if self.now.kind not in ("name", "func") or name in found.functions:
            raise self.error()
        self.pos += 1
        self.need("(")
        parameters: list[str] = []
        while not self.at(")"):
            self.newlines()
            if self.now.kind not in ("name", "func"):
                raise self.error()
            parameters.append(self.now.text)
            self.pos += 1
            if not self.take(","):
                break
            self.newlines()
        self.need(")")
        self.newlines()
        function = Function(parameters)
        found.functions[name] = function
        function.body = self._action()

    def _action(self) -> list[Node]:
        self.newlines() if False else None
        self.need("{")
        body = self._statements()
        self.need("}")
        return body

    def _statements(self) -> list[Node]:
        found: list[Node] = []
        self.terminators()
        while not self.at("}") and self.now.kind != "end":
            found.append(self.statement())
            self.terminators()
        return found

    # -- statements

    def statement(self) -> Node:
        """One statement with its end."""
        self._deeper()
        try:
            return self._statement()
        finally:
            self.depth -= 1

    def _statement(self) -> Node:
        if self.take("{"):
            body = self._statements()
            self.need("}")
            return ("block", body)
        if self.take("if"):
            self.need("(")
            test = self.expression()
            self.need(")")
            self.newlines()
            then = ("block", []) if self.take(";") else self.statement()
            mark = self.pos
            self.terminators()
            if self.take("else"):
                self.newlines()
                return ("if", test, then, ("block", []) if self.take(";") else self.statement())
            self.pos = mark
            return ("if", test, then, None)
        if self.take("while"):
            self.need("(")
            test = self.expression()
            self.need(")")
            if self.take(";"):
                return ("while", test, ("block", []))
            self.newlines()
            return ("while", test, self.statement())
        if self.take("do"):
            self.newlines()
            body_node = self.statement()
            self.terminators()
            self.need("while")
            self.need("(")
            test = self.expression()
            self.need(")")
            self._end()
            return ("do", body_node, test)
        if self.take("for"):
            return self._for()
        found = self._simple()
        self._end()
        return found

    def _for(self) -> Node:
        self.need("(")
        ahead = self.tokens[self.pos : self.pos + 4]
        if (
            len(ahead) == 4
            and ahead[0].kind in ("name", "func")
            and ahead[1].text == "in"
            and ahead[2].kind in ("name", "func")
            and ahead[3].text == ")"
        ):
            self.pos += 4
            if self.take(";"):
                return ("forin", ahead[0].text, ahead[2].text, ("block", []))
            self.newlines()
            return ("forin", ahead[0].text, ahead[2].text, self.statement())
        start = None if self.at(";") else self._simple()
        self.need(";")
        self.newlines()
        test = None if self.at(";") else self.expression()
        self.need(";")
        self.newlines()
        step = None if self.at(")") else self._simple()
        self.need(")")
        if self.take(";"):
            return ("for", start, test, step, ("block", []))
        self.newlines()
        return ("for", start, test, step, self.statement())

    def _end(self) -> None:
        if self.at("}") or self.now.kind == "end":
            return
        if not self.take(";", "\n"):
            raise self.error()

    def _simple(self) -> Node:
        if self.at("print", "printf"):
            return self._print()
        if self.take("next"):
            return ("next",)
        if self.take("nextfile"):
            return ("nextfile",)
        if self.take("break"):
            return ("break",)
        if self.take("continue"):
            return ("continue",)
        if self.take("exit"):
            return ("exit", None if self.at(";", "}", "\n") or self.now.kind == "end" else self.expression())
        if self.take("return"):
            return (
                "return",
                None if self.at(";", "}", "\n") or self.now.kind == "end" else self.expression(),
            )
        if self.take("delete"):
            name = self.now.text
            if self.now.kind not in ("name", "func"):
                raise self.error()
            self.pos += 1
            if self.take("["):
                subscripts = self._list("]")
                return ("delete", name, subscripts)
            return ("delete", name, None)
        return ("expr", self.expression())

    def _print(self) -> Node:
        name = self.now.text
        self.pos += 1
        arguments: list[Node] = []
        self.no_gt += 1
        if not self.at(";", "}", "\n", ">", ">>", "|") and self.now.kind != "end":
            arguments.append(self.expression())
            while self.take(","):
                self.newlines()
                arguments.append(self.expression())
            if len(arguments) == 1 and arguments[0][0] == "group":
                arguments = list(arguments[0][1])
        target = None
        if self.at(">", ">>", "|"):
            kind = self.now.text
            self.pos += 1
            target = (kind, self._concatenation(no_pipe=True))
        self.no_gt -= 1
        return (name, arguments, target)

    def _list(self, close: str) -> list[Node]:
        found: list[Node] = []
        saved = (self.no_in, self.no_gt)
        self.no_in = self.no_gt = 0
        self.newlines()
        while not self.at(close):
            found.append(self.expression())
            self.newlines()
            if not self.take(","):
                break
            self.newlines()
        self.need(close)
        self.no_in, self.no_gt = saved
        return found

    # -- expressions, lowest precedence first

    def expression(self) -> Node:
        """An expression."""
        self._deeper()
        try:
            return self._ternary()
        finally:
            self.depth -= 1

    def _ternary(self) -> Node:
        left = self._or()
        if self.take("?"):
            self.newlines()
            then = self.expression()
            self.newlines()
            self.need(":")
            self.newlines()
            return ("cond", left, then, self.expression())
        if left[0] in ("var", "field", "index") and self.at("=", "+=", "-=", "*=", "/=", "%=", "^=", "**="):
            op = self.now.text
            self.pos += 1
            self.newlines()
            return ("assign", op[:-1].replace("**", "^"), left, self.expression())
        return left

    def _or(self) -> Node:
        left = self._and()
        while self.take("||"):
            self.newlines()
            left = ("or", left, self._and())
        return left

    def _and(self) -> Node:
        left = self._in()
        while self.take("&&"):
            self.newlines()
            left = ("and", left, self._in())
        return left

    def _in(self) -> Node:
        left = self._match()
        while not self.no_in and self.at("in"):
            self.pos += 1
            if self.now.kind not in ("name", "func"):
                raise self.error()
            left = ("in", list(left[1]) if left[0] == "group" else [left], self.now.text)
            self.pos += 1
        return left

    def _match(self) -> Node:
        left = self._comparison()
        while self.at("~", "!~"):
            negate = self.now.text == "!~"
            self.pos += 1
            left = ("match", negate, left, self._comparison())
        return left

    def _comparison(self) -> Node:
        left = self._concatenation()
        if self.at("<", "<=", "==", "!=", ">=") or (self.at(">") and not self.no_gt):
            op = self.now.text
            self.pos += 1
            return ("cmp", op, left, self._concatenation())
        return left

    def _starts_operand(self) -> bool:
        token = self.now
        if token.kind in ("num", "str", "name", "func", "builtin", "regex"):
            return True
        if token.kind == "op":
            return token.text in ("$", "!", "(", "-", "+", "++", "--")
        return False

    def _concatenation(self, no_pipe: bool = False) -> Node:
        left = self._additive()
        while True:
            if (
                not no_pipe
                and self.at("|")
                and self.tokens[self.pos + 1].text == "getline"
                and self.tokens[self.pos + 1].kind == "key"
            ):
                self.pos += 2
                left = ("getline", "pipe", self._optional_lvalue(), left)
            elif self._starts_operand() and not self.at("in"):
                left = ("cat", left, self._additive())
            else:
                return left

    def _additive(self) -> Node:
        left = self._term()
        while self.at("+", "-"):
            op = self.now.text
            self.pos += 1
            left = ("bin", op, left, self._term())
        return left

    def _term(self) -> Node:
        left = self._unary()
        while self.at("*", "/", "%"):
            op = self.now.text
            self.pos += 1
            left = ("bin", op, left, self._unary())
        return left

    def _unary(self) -> Node:
        if self.at("!", "-", "+"):
            self._deeper()
            op = self.now.text
            self.pos += 1
            inner = self._unary()
            self.depth -= 1
            if op == "!" and inner[0] == "assign":
                return ("unary", op, inner)
            return ("unary", op, inner)
        return self._power()

    def _power(self) -> Node:
        base = self._postfix()
        if self.take("^", "**"):
            self._deeper()
            exponent = self._unary()
            self.depth -= 1
            return ("bin", "^", base, exponent)
        return base

    def _postfix(self) -> Node:
        found = self._primary()
        if found[0] in ("var", "field", "index") and self.at("++", "--"):
            op = self.now.text
            self.pos += 1
            return ("post", op, found)
        return found

    def _optional_lvalue(self) -> Node | None:
        if self.now.kind in ("name",) or self.at("$") or (self.now.kind == "func"):
            return self._lvalue()
        return None

    def _lvalue(self) -> Node:
        if self.take("$"):
            return ("field", self._increment_or_primary())
        found = self._primary()
        if found[0] not in ("var", "field", "index"):
            raise self.error()
        return found

    def _increment_or_primary(self) -> Node:
        if self.at("++", "--"):
            op = self.now.text
            self.pos += 1
            return ("pre", op, self._lvalue())
        if self.at("-", "+", "!"):
            op = self.now.text
            self.pos += 1
            return ("unary", op, self._increment_or_primary())
        return self._primary()

    def _primary(self) -> Node:
        self._deeper()
        try:
            return self._primary_inner()
        finally:
            self.depth -= 1

    def _primary_inner(self) -> Node:
        token = self.now
        self.pos += 1
        if token.kind == "num":
            return (
                "num",
                float(int(token.text, 16)) if token.text[:2].lower() == "0x" else float(token.text),
            )
        if token.kind == "str":
            return ("str", token.text)
        if token.kind == "regex":
            return ("regex", token.text)
        if token.kind == "builtin":
            if self.take("("):
                return ("builtin", token.text, self._list(")"))
            if token.text != "length":
                self.pos -= 1
                raise self.error()
            return ("builtin", "length", [])
        if token.kind == "func":
            self.need("(")
            return ("call", token.text, self._list(")"))
        if token.kind == "name":
            if self.take("["):
                return ("index", token.text, self._list("]"))
            return ("var", token.text)
        if token.kind == "key" and token.text == "getline":
            target = self._optional_lvalue()
            if self.take("<"):
                return ("getline", "file", target, self._primary())
            return ("getline", "plain", target, None)
        if token.text == "$" and token.kind == "op":
            return ("field", self._increment_or_primary())
        if token.text in ("++", "--") and token.kind == "op":
            return ("pre", token.text, self._lvalue())
        if token.text == "(" and token.kind == "op":
            found = self._list(")")
            if not found:
                raise self.error()
            if len(found) == 1:
                return ("paren", found[0])
            return ("group", found)
        if token.text in ("-", "+", "!") and token.kind == "op":
            return ("unary", token.text, self._unary())
        self.pos -= 1
        raise self.error()


def parse(source: str) -> Program:
    """An awk program; AwkError."""
    return Parser(source).program()
