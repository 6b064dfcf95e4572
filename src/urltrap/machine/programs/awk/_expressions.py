"""Expressions of awk's programs, to trees of tuples.

("num", f) ("str", s) ("regex", s) ("var", n) ("field", e) ("index", n, [e]) ("group", [e]) ("paren", e)
("assign", op, lv, e) ("cond", a, b, c) ("and", a, b) ("or", a, b) ("in", [e], n) ("match", neg, a, b) ("bin", op, a, b)
("cmp", op, a, b) ("cat", a, b) ("unary", op, e) ("pre", op, lv) ("post", op, lv) ("call", n, [e]) ("builtin", n, [e])
("getline", kind, lv, e)
"""

from __future__ import annotations

from typing import Any

from urltrap.machine.programs.awk._tokens import (
    ARITIES,
    BUSYBOX_ARITIES,
    AwkError,
    Token,
    missing_brace,
    tokenize,
)

Node = tuple[Any, ...]
_MAX_DEPTH = 120


class Expressions:
    """Recursive descent over the tokens of expressions."""

    def __init__(self, source: str, busybox: bool) -> None:
        self.busybox = busybox
        self.tokens = tokenize(source, busybox)
        self.pos = 0
        self.depth = 0
        self.parens = 0
        self.no_in = 0
        self.no_gt = 0
        self.complaints: list[str] = []
        self.calls: list[tuple[str, int, int]] = []
        """Calls of the program's own functions: name, number of arguments, line."""

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
        """A syntax error here, in mawk's and in BusyBox's words."""
        token = self.now
        shown = "end of line" if token.kind == "newline" else token.text
        last = self.tokens[-1].line
        open_brace = missing_brace(self.tokens, last)
        if token.kind == "end" and open_brace:
            complaints = open_brace
        else:
            words = f"line {token.line}: syntax error at or near {shown}"
            if self.parens and shown in ("end of line", "}", ";"):
                words = f"line {token.line}: missing ) near {shown}"
            elif shown in (")", "}") and self._is_extra(shown):
                words = f"line {token.line}: extra '{shown}'"
            complaints = [words, *open_brace]
            if words.endswith("extra '}'"):
                complaints.append(f"line {token.line}: syntax error at or near end of line")
        return AwkError([*self.complaints, *complaints], f"cmd. line:{token.line}: Unexpected token")

    def _is_extra(self, close: str) -> bool:
        """Whether there are more of a closing bracket up to here than were opened."""
        before = [each.text for each in self.tokens[: self.pos + 1] if each.kind == "op"]
        return before.count(close) > before.count("(" if close == ")" else "{")

    def complain(self, words: str, busybox: str = "") -> None:
        """Something is wrong that does not keep mawk from reading on; BusyBox says its own, or nothing."""
        line = self.now.line
        if not self.busybox:
            self.complaints.append(f"line {line}: {words}")
        elif busybox:
            raise AwkError([], f"cmd. line:{line}: {busybox}")

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

    def _list(self, close: str) -> list[Node]:
        found: list[Node] = []
        saved = (self.no_in, self.no_gt)
        self.no_in = self.no_gt = 0
        self.parens += close == ")"
        while not self.at(close):
            found.append(self.expression())
            if not self.take(","):
                break
            self.newlines()
        self.need(close)
        self.parens -= close == ")"
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
            then = self.expression()
            self.need(":")
            return ("cond", left, then, self.expression())
        if left[0] in ("var", "field", "index") and self.at("=", "+=", "-=", "*=", "/=", "%=", "^=", "**="):
            op = self.now.text
            self.pos += 1
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
        if self.now.kind in ("name", "func") or self.at("$"):
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
            return self._number(token)
        if token.kind == "str":
            return ("str", token.text)
        if token.kind == "regex":
            return ("regex", token.text)
        if token.kind == "builtin":
            return self._builtin(token)
        if token.kind == "func":
            self.need("(")
            arguments = self._list(")")
            self.calls.append((token.text, len(arguments), token.line))
            return ("call", token.text, arguments)
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

    def _number(self, token: Token) -> Node:
        if token.text[:2].lower() != "0x":
            return ("num", float(token.text))
        return ("num", float(int(token.text, 16)))

    def _builtin(self, token: Token) -> Node:
        name = token.text
        if not self.take("("):
            if name != "length":
                raise self.error()
            return ("builtin", "length", [])
        arguments = self._list(")")
        least, most = ARITIES.get(name) or BUSYBOX_ARITIES[name]
        if len(arguments) < least and not self.busybox and name in ("split", "sub", "gsub", "match"):
            self.pos -= 1  # these are part of mawk's grammar
            raise self.error()
        if not least <= len(arguments) <= most:
            words = f"wrong number of arguments in call to {name}"
            self.complain(words, f"Too {'few' if len(arguments) < least else 'many'} arguments")
        return ("builtin", name, arguments)
