"""Arithmetic: the C grammar of ``$(( ))`` on 64-bit integers, evaluated while it is parsed.

Variables are read and written through `Names`; the messages are bash's ("division by 0 (error token is …)"), dash's
and BusyBox's, chosen by dialect.
"""

from __future__ import annotations

import re
from typing import Protocol

from urltrap.machine.errors import BudgetError
from urltrap.machine.shell.dialect import DialectName
from urltrap.machine.shell.errors import ExpansionError

_TOKEN = re.compile(
    r"[ \t\n\r]*+(?:(?P<number>[0-9][0-9A-Za-z@_#]*)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<op><<=|>>=|\*\*|\+\+|--|&&|\|\||<=|>=|==|!=|<<|>>|\+=|-=|\*=|/=|%=|&=|\|=|\^=|[-+*/%<>=!~&|^?:(),\[\]])"
    r"|(?P<bad>.))",
    re.DOTALL,
)
_ASSIGN_OPS = frozenset(("=", "+=", "-=", "*=", "/=", "%=", "<<=", ">>=", "&=", "^=", "|="))
_BINARY = {
    "||": 1, "&&": 2, "|": 3, "^": 4, "&": 5, "==": 6, "!=": 6, "<": 7, ">": 7, "<=": 7, ">=": 7,
    "<<": 8, ">>": 8, "+": 9, "-": 9, "*": 10, "/": 10, "%": 10, "**": 12,
}  # fmt: skip
_MAX_DEPTH = 100
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ@_"


def wrap(value: int) -> int:
    """`value` as a signed 64-bit integer."""
    value &= 0xFFFFFFFFFFFFFFFF
    return value - 0x10000000000000000 if value & 0x8000000000000000 else value


class Names(Protocol):
    """How expressions reach variables."""

    def get_name(self, name: str, subscript: str | None) -> str | None:
        """The value of a variable or an array element; None where unset."""
        ...

    def set_name(self, name: str, subscript: str | None, value: str) -> None:
        """Assign."""
        ...

    def compared(self, left: int, right: int) -> None:
        """Two numbers were compared."""
        ...

    def unset_is_error(self) -> bool:
        """True under ``set -u``."""
        ...


def evaluate(text: str, names: Names, dialect: DialectName = "bash", depth: int = 0) -> int:
    """The value of the expression `text`; an empty one is 0. Raises ExpansionError with the shell's message."""
    stripped = text.strip()
    if stripped.isdecimal() and stripped.isascii() and (len(stripped) == 1 or stripped[0] != "0"):
        return wrap(int(stripped[:400]))
    if not stripped:
        return 0
    return _Evaluator(text, names, dialect, depth).run()


class _Evaluator:
    def __init__(self, text: str, names: Names, dialect: DialectName, depth: int) -> None:
        self.text = text
        self.names = names
        self.dialect = dialect
        self.depth = depth
        self.pos = 0
        self.kind = ""
        self.token = ""
        self.start = 0
        self.skip = 0
        self.advance()

    # -- tokens

    def advance(self) -> None:
        self.last = self.start
        match = _TOKEN.match(self.text, self.pos)
        if match is None:
            self.kind, self.token, self.start = "end", "", len(self.text)
            return
        self.kind = match.lastgroup or ""
        self.token = match.group(self.kind)
        if self.dialect == "dash" and self.token in ("++", "--", "**"):
            # dash has no such operators: two single ones
            self.token = self.token[0]
            self.pos = match.start(self.kind) + 1
            self.start = match.start(self.kind)
            return
        self.start = match.start(self.kind)
        self.pos = match.end()

    def fail(
        self, message: str, *, token_from: int | None = None, dash: str = "", ash: str = ""
    ) -> ExpansionError:
        if self.dialect == "dash":
            return ExpansionError(
                f'arithmetic expression: {dash or "expecting EOF"}: "{self.text}"', fatal_status=2
            )
        if self.dialect == "ash":
            return ExpansionError(ash or "arithmetic syntax error", fatal_status=2)
        at = self.start if token_from is None else token_from
        shown = self.text.lstrip(" \t\n")
        return ExpansionError(f'{shown}: {message} (error token is "{self.text[at:]}")')

    # -- grammar

    def run(self) -> int:
        value = self.comma()
        if self.kind != "end":
            if (
                self.kind == "bad"
                or self.kind in ("name", "number")
                or self.token in ("(", "[", "!", "~", "++", "--")
            ):
                if self.kind == "bad":
                    raise self.fail("syntax error: invalid arithmetic operator", dash="expecting EOF")
                raise self.fail("syntax error in expression", dash="expecting EOF")
            if self.token in _ASSIGN_OPS:
                raise self.fail("attempted assignment to non-variable", dash="expecting EOF")
            raise self.fail("syntax error in expression", dash="expecting EOF")
        return value

    def comma(self) -> int:
        value = self.assignment()
        while self.token == "," and self.kind == "op":
            if self.dialect == "dash":
                raise self.fail("", dash="expecting EOF")
            self.advance()
            value = self.assignment()
        return value

    def enter(self) -> None:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise BudgetError("arithmetic nesting", _MAX_DEPTH)

    def assignment(self) -> int:
        if self.kind == "name":
            saved = (self.pos, self.kind, self.token, self.start)
            name = self.token
            self.advance()
            subscript = self.subscript()
            if self.kind == "op" and self.token in _ASSIGN_OPS:
                op = self.token
                self.advance()
                self.enter()
                right = self.assignment()
                self.depth -= 1
                if self.skip:
                    return 0
                value = right if op == "=" else self.apply(op[:-1], self.load(name, subscript), right)
                self.store(name, subscript, value)
                return value
            self.pos, self.kind, self.token, self.start = saved
        return self.ternary()

    def ternary(self) -> int:
        condition = self.binary(1)
        if not (self.kind == "op" and self.token == "?"):
            return condition
        self.enter()
        self.advance()
        if self.kind == "end" or (self.kind == "op" and self.token == ":"):
            raise self.fail("expression expected", dash="expecting primary")
        self.skip += not condition
        # BusyBox gives assignments a lower rank than ?: also between its two signs.
        left = self.ternary() if self.dialect == "ash" else self.comma()
        self.skip -= not condition
        if not (self.kind == "op" and self.token == ":"):
            raise self.fail(
                "`:' expected for conditional expression", dash="expecting ':'", ash="malformed ?: operator"
            )
        self.advance()
        self.skip += bool(condition)
        right = self.ternary()  # no assignment: C's grammar, which bash, dash and ash keep
        self.skip -= bool(condition)
        self.depth -= 1
        return left if condition else right

    def binary(self, floor: int) -> int:
        left = self.unary()
        while self.kind == "op":
            op = self.token
            level = _BINARY.get(op)
            if level is None or level < floor or (op == "**" and self.dialect == "dash"):
                break
            self.advance()
            self.enter()
            if op == "&&":
                self.skip += not left
                right = self.binary(level + 1)
                self.skip -= not left
                left = int(bool(left) and bool(right))
            elif op == "||":
                self.skip += bool(left)
                right = self.binary(level + 1)
                self.skip -= bool(left)
                left = int(bool(left) or bool(right))
            else:
                at = self.start
                right = self.binary(level if op == "**" else level + 1)
                left = 0 if self.skip else self.apply(op, left, right, at)
            self.depth -= 1
        return left

    def unary(self) -> int:
        if self.kind == "op":
            op = self.token
            if op in ("!", "~", "+", "-"):
                self.enter()
                self.advance()
                value = self.unary()
                self.depth -= 1
                if op == "!":
                    return int(not value)
                return wrap(~value if op == "~" else -value if op == "-" else value)
            if op in ("++", "--") and self.dialect != "dash":
                self.advance()
                if self.kind == "name":
                    name = self.token
                    self.advance()
                    subscript = self.subscript()
                    if self.skip:
                        return 0
                    value = wrap(self.load(name, subscript) + (1 if op == "++" else -1))
                    self.store(name, subscript, value)
                    return value
                value = self.unary()
                return value
            if op == "(":
                self.enter()
                self.advance()
                value = self.comma()
                if not (self.kind == "op" and self.token == ")"):
                    raise self.fail("missing `)'", dash="expecting ')'")
                self.advance()
                self._split_sign()
                self.depth -= 1
                return value
        return self.primary()

    def _split_sign(self) -> None:
        """``5++1``: what cannot be an increment is a plus and a sign."""
        if self.kind == "op" and self.token in ("++", "--"):
            self.pos -= 1
            self.token = self.token[0]

    def primary(self) -> int:
        if self.kind == "number":
            token, at = self.token, self.start
            self.advance()
            self._split_sign()
            return self.number(token, at)
        if self.kind == "name":
            name = self.token
            self.advance()
            subscript = self.subscript()
            if self.kind == "op" and self.token in ("++", "--") and self.dialect != "dash":
                step = 1 if self.token == "++" else -1
                self.advance()
                if self.skip:
                    return 0
                value = self.load(name, subscript)
                self.store(name, subscript, wrap(value + step))
                return value
            return 0 if self.skip else self.load(name, subscript)
        if self.kind == "end":
            # bash shows the operator that was left without an operand.
            raise self.fail("syntax error: operand expected", token_from=self.last, dash="expecting primary")
        raise self.fail("syntax error: operand expected", dash="expecting primary")

    def subscript(self) -> str | None:
        if not (self.kind == "op" and self.token == "[") or self.dialect != "bash":
            return None
        depth = 1
        at = self.pos
        while at < len(self.text) and depth:
            if self.text[at] == "[":
                depth += 1
            elif self.text[at] == "]":
                depth -= 1
            at += 1
        if depth:
            raise self.fail("bad array subscript")
        inner = self.text[self.pos : at - 1]
        self.pos = at
        self.advance()
        return inner

    # -- values

    def number(self, token: str, at: int) -> int:
        if token.isdecimal() and token[0] != "0":
            return wrap(int(token[:400]))
        lower = token.lower()
        if lower.startswith("0x"):
            try:
                return wrap(int(lower[2:402] or "0", 16))
            except ValueError:
                raise self.bad_number(token, at) from None
        if "#" in token:
            if self.dialect == "dash":
                raise self.bad_number(token, at)
            return self.based(token, at)
        if token[0] == "0":
            try:
                return wrap(int(token[:400], 8))
            except ValueError:
                raise self.bad_number(token, at) from None
        raise self.bad_number(token, at)

    def bad_number(self, token: str, at: int) -> ExpansionError:
        stop = self.text[at:]
        if self.dialect != "bash":
            return self.fail("", dash="expecting EOF")
        if token[0] == "0" and token[1:2] not in ("x", "X") and token.isdecimal():
            return ExpansionError(f'{token}: value too great for base (error token is "{token}")')
        return ExpansionError(
            f'{self.text.lstrip()}: value too great for base (error token is "{stop if len(stop) < 4 else token}")'
        )

    def based(self, token: str, at: int) -> int:
        base_text, _, digits = token.partition("#")
        base = int(base_text) if base_text.isdecimal() else 0
        if not 2 <= base <= 64:
            raise ExpansionError(
                f'{self.text.lstrip()}: invalid arithmetic base (error token is "{self.text[at:]}")'
            )
        value = 0
        for char in digits:
            digit = _DIGITS.find(char)
            if base <= 36 and 36 <= digit < 62:
                digit -= 26
            if digit < 0 or digit >= base:
                raise self.bad_number(token, at)
            value = value * base + digit
            if value > 1 << 80:
                value &= 0xFFFFFFFFFFFFFFFF
        return wrap(value)

    def load(self, name: str, subscript: str | None) -> int:
        value = self.names.get_name(name, subscript)
        if value is None:
            if self.names.unset_is_error():
                text = {
                    "bash": f"{name}: unbound variable",
                    "dash": f"{name}: parameter not set",
                    "ash": f"{name}: parameter not set",
                }[self.dialect]
                raise ExpansionError(text, fatal_status=127 if self.dialect == "bash" else 2)
            return 0
        if not value:
            return 0
        if self.dialect == "dash":
            try:
                return _dash_number(value)
            except ValueError:
                raise ExpansionError(f"Illegal number: {value}", fatal_status=2) from None
        if self.depth > 60:
            if self.dialect == "bash":
                raise self.fail("expression recursion level exceeded")
            raise ExpansionError("expression recursion loop detected", fatal_status=2)
        return evaluate(value, self.names, self.dialect, self.depth + 1)

    def store(self, name: str, subscript: str | None, value: int) -> None:
        self.names.set_name(name, subscript, str(value))

    def apply(self, op: str, left: int, right: int, at: int | None = None) -> int:
        if op in ("/", "%"):
            if right == 0:
                raise self.fail(
                    "division by 0", token_from=self.last if at is None else at, dash="division by zero",
                    ash="divide by zero",
                )  # fmt: skip
            quotient = abs(left) // abs(right)
            if (left < 0) != (right < 0):
                quotient = -quotient
            return wrap(quotient) if op == "/" else wrap(left - quotient * right)
        if op == "**":
            if right < 0:
                raise self.fail(
                    "exponent less than 0",
                    token_from=self.last if at is None else at,
                    ash="exponent less than 0",
                )
            return wrap(pow(left, right, 1 << 64))
        if op == "+":
            return wrap(left + right)
        if op == "-":
            return wrap(left - right)
        if op == "*":
            return wrap(left * right)
        if op == "<<":
            return wrap(left << (right & 63))
        if op == ">>":
            return wrap(left >> (right & 63))
        if op == "&":
            return left & right
        if op == "|":
            return left | right
        if op == "^":
            return left ^ right
        self.names.compared(left, right)
        return int({"==": left == right, "!=": left != right, "<": left < right, ">": left > right,
                    "<=": left <= right, ">=": left >= right}[op])  # fmt: skip


def _dash_number(value: str) -> int:
    text = value.strip()
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-")
    if digits.lower().startswith("0x"):
        return wrap(sign * int(digits[2:], 16))
    if digits.startswith("0") and len(digits) > 1:
        return wrap(sign * int(digits, 8))
    if not digits.isdecimal():
        raise ValueError(value)
    return wrap(sign * int(digits))
