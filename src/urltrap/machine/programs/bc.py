"""bc: expressions, variables, scale, ibase and obase."""

from __future__ import annotations

import re
from collections.abc import Generator
from decimal import ROUND_DOWN, Decimal, DivisionByZero, InvalidOperation, localcontext
from typing import Any

from urltrap.machine.api import Run, decode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, command

_TOKEN = re.compile(
    r"\s*(?:(\d*\.\d+|\d+\.?|[0-9A-F]*\.?[0-9A-F]+)|([a-z][a-z0-9_]*)|(\*\*|[-+*/%^]=|==|<=|>=|!=|\+\+|--|&&|\|\||[-+*/%^()=<>!,;]))"
)
_BANNER = """\
bc 1.07.1
Copyright 1991-1994, 1997, 1998, 2000, 2004, 2006, 2008, 2012-2017 Free Software Foundation, Inc.
This is free software with ABSOLUTELY NO WARRANTY.
For details type `warranty'. 
"""  # noqa: W291 - the program prints this space
_MAX_DIGITS = 4_000


class _Wrong(Exception):
    pass


class _Calculator:
    def __init__(self, scale: int) -> None:
        self.variables: dict[str, Decimal] = {
            "scale": Decimal(scale),
            "ibase": Decimal(10),
            "obase": Decimal(10),
            "last": Decimal(0),
        }
        self.tokens: list[str] = []
        self.pos = 0
        self.depth = 0

    def line(self, text: str) -> list[str]:
        """What a line prints."""
        self.tokens = []
        at = 0
        while at < len(text.rstrip()):
            match = _TOKEN.match(text, at)
            if match is None:
                raise _Wrong(
                    f"illegal character: {text[at:].strip()[:1]}"
                    if text[at:].strip()[:1] not in "()"
                    else "syntax error"
                )
            self.tokens.append(match[1] or match[2] or match[3])
            at = match.end()
        self.pos = 0
        out = []
        while self.pos < len(self.tokens):
            if self.tokens[self.pos] == ";":
                self.pos += 1
                continue
            silent = (
                self.pos + 1 < len(self.tokens)
                and self.tokens[self.pos + 1] in ("=", "+=", "-=", "*=", "/=", "%=", "^=")
                and self.tokens[self.pos][0].islower()
            )
            value = self.expression()
            if self.pos < len(self.tokens) and self.tokens[self.pos] != ";":
                raise _Wrong("syntax error")
            if not silent:
                self.variables["last"] = value
                out.append(self.show(value))
        return out

    @property
    def scale(self) -> int:
        """The scale."""
        return max(0, min(int(self.variables["scale"]), 1000))

    def peek(self) -> str:
        """The current token."""
        return self.tokens[self.pos] if self.pos < len(self.tokens) else ""

    def expression(self) -> Decimal:
        """Assignments, then logic and comparison."""
        self.depth += 1
        if self.depth > 80:
            raise _Wrong("syntax error")
        name = self.peek()
        following = self.tokens[self.pos + 1] if self.pos + 1 < len(self.tokens) else ""
        if name and name[0].islower() and following in ("=", "+=", "-=", "*=", "/=", "%=", "^="):
            self.pos += 2
            value = self.expression()
            if following != "=":
                value = self.apply(following[0], self.variables.get(name, Decimal(0)), value)
            self.variables[name] = value
            self.depth -= 1
            return value
        left = self.sum()
        while self.peek() in ("==", "!=", "<", "<=", ">", ">="):
            op = self.tokens[self.pos]
            self.pos += 1
            right = self.sum()
            left = Decimal(
                int(
                    {
                        "==": left == right,
                        "!=": left != right,
                        "<": left < right,
                        "<=": left <= right,
                        ">": left > right,
                        ">=": left >= right,
                    }[op]
                )
            )
        self.depth -= 1
        return left

    def sum(self) -> Decimal:
        """+ and -."""
        left = self.product()
        while self.peek() in ("+", "-"):
            op = self.tokens[self.pos]
            self.pos += 1
            left = self.apply(op, left, self.product())
        return left

    def product(self) -> Decimal:
        """*, / and %."""
        left = self.unary()
        while self.peek() in ("*", "/", "%"):
            op = self.tokens[self.pos]
            self.pos += 1
            left = self.apply(op, left, self.unary())
        return left

    def unary(self) -> Decimal:
        """Signs."""
        if self.peek() == "-":
            self.pos += 1
            self.depth += 1
            if self.depth > 80:
                raise _Wrong("syntax error")
            value = -self.unary()
            self.depth -= 1
            return value
        base = self.primary()
        if self.peek() in ("^", "**"):
            self.pos += 1
            return self.apply("^", base, self.unary())
        return base

    def apply(self, op: str, left: Decimal, right: Decimal) -> Decimal:
        """left op right with bc's scales."""
        a, b = -int(left.as_tuple().exponent), -int(right.as_tuple().exponent)
        if left.adjusted() > _MAX_DIGITS or right.adjusted() > _MAX_DIGITS:
            raise _Wrong("out of memory")
        if op in "+-":
            return left + right if op == "+" else left - right
        if op == "*":
            keep = min(a + b, max(self.scale, a, b))
            return self.cut(left * right, keep)
        if op in "/%":
            if not right:
                raise _Wrong("Divide by zero")
            quotient = self.cut(left / right, self.scale)
            return quotient if op == "/" else left - quotient * right
        power = int(right)
        if (left and abs(power) * max(1, abs(left.adjusted())) > _MAX_DIGITS) or abs(power) > 100_000:
            raise _Wrong("out of memory")
        if power < 0:
            if not left:
                raise _Wrong("Divide by zero")
            return self.cut(1 / left**-power, self.scale)
        return self.cut(left**power, min(a * power, max(self.scale, a)) if power else 0)

    @staticmethod
    def cut(value: Decimal, digits: int) -> Decimal:
        """Digits behind the point, cut off."""
        return value.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_DOWN)

    def primary(self) -> Decimal:
        """Numbers, names, functions, parentheses."""
        token = self.peek()
        self.pos += 1
        if not token:
            raise _Wrong("syntax error")
        if token == "(":
            value = self.expression()
            if self.peek() != ")":
                raise _Wrong("syntax error")
            self.pos += 1
            return value
        if token[0].isdigit() or token[0] in "ABCDEF.":
            return self.number(token)
        if token[0].islower():
            if self.peek() != "(":
                return self.variables.get(token, Decimal(0))
            self.pos += 1
            value = self.expression()
            if self.peek() != ")":
                raise _Wrong("syntax error")
            self.pos += 1
            return self.function(token, value)
        raise _Wrong("syntax error")

    def number(self, text: str) -> Decimal:
        """Digits in ibase."""
        base = int(self.variables["ibase"])
        if base == 10 and not re.search("[A-F]", text):
            return Decimal(text.rstrip(".") or "0")
        whole = text.partition(".")[0]
        value = 0
        for digit in whole[:400]:
            value = value * base + (min(int(digit, 16), base - 1) if len(whole) > 1 else int(digit, 16))
        return Decimal(value)

    def function(self, name: str, value: Decimal) -> Decimal:
        """sqrt, length, scale, and the library's e, l, s, c, a."""
        if name == "sqrt":
            if value < 0:
                raise _Wrong("square root of a negative number")
            return self.cut(value.sqrt(), max(self.scale, -int(value.as_tuple().exponent)))
        if name == "length":
            return Decimal(len(value.as_tuple().digits))
        if name == "scale":
            return Decimal(max(0, -int(value.as_tuple().exponent)))
        if name in ("e", "l"):
            if name == "l" and value <= 0:
                return Decimal(-1)
            return self.cut(
                value.exp()
                if name == "e" and abs(value) < 5_000
                else value.ln()
                if value > 0
                else Decimal(0),
                self.scale,
            )
        if name in ("s", "c", "a") and abs(value) < 10**9:
            import math

            return self.cut(
                Decimal(repr({"s": math.sin, "c": math.cos, "a": math.atan}[name](float(value)))),
                min(self.scale, 15),
            )
        raise _Wrong(f"Function {name} not defined.")

    def show(self, value: Decimal) -> str:
        """A number in obase."""
        base = int(self.variables["obase"])
        if base != 10 and 2 <= base <= 16:
            rest, digits = abs(int(value)), ""
            while rest:
                rest, digit = divmod(rest, base)
                digits = "0123456789ABCDEF"[digit] + digits
            return ("-" if value < 0 else "") + (digits or "0")
        text = f"{value:f}"
        sign = "-" if text.startswith("-") and value else ""
        text = text.lstrip("-")
        if text.startswith("0.") and value:
            text = text[1:]
        elif not value:
            text = "0"
        text = sign + text
        if len(text) > 69:
            text = "\\\n".join(text[at : at + 68] for at in range(0, len(text), 68))
        return text


@command(
    "bc",
    short="hilqsvw",
    long={"interactive": "i", "mathlib": "l", "quiet": "q", "standard": "s", "warn": "w"},
    package="bc",
    version="1.07.1",
)
def bc(c: Cmd) -> Run:
    """Calculate."""
    calculator = _Calculator(20 if c.has("l") else 0)
    if c.p.is_tty(0) and not c.has("q"):
        yield from c.p.out(_BANNER)
    text = ""
    for path in c.args:
        try:
            text += decode((yield from c.load(path, 500_000))) + "\n"
        except SysError:
            yield from c.p.err(f"File {path} is unavailable.\n")
            return 1
    if text and not (yield from _lines(c, calculator, text)):
        return 0
    rest = ""
    while True:
        piece = yield from c.p.read(0)
        rest += decode(piece)
        if not piece:
            if rest:
                yield from _lines(c, calculator, rest)
            return 0
        whole, mark, rest = rest.rpartition("\n")
        if mark and not (yield from _lines(c, calculator, whole)):
            return 0


def _lines(c: Cmd, calculator: _Calculator, text: str) -> Generator[Any, Any, bool]:
    for number, line in enumerate(re.sub(r"/\*.*?\*/|#[^\n]*", "", text, flags=re.DOTALL).split("\n"), 1):
        yield from c.p.tick(4 + len(line) // 8)
        if line.strip() in ("quit", "halt"):
            yield from c.flush()
            return False
        match = re.fullmatch(r"\s*print\s+(.*)", line)
        if match is not None:
            for part in re.findall(r"\"([^\"]*)\"", match[1]):
                yield from c.say(part.replace("\\n", "\n"))
            continue
        try:
            with localcontext() as context:
                context.prec = _MAX_DIGITS
                context.Emax, context.Emin = 100_000, -100_000
                found = calculator.line(line[:20_000])
        except _Wrong as problem:
            yield from c.flush()
            words = str(problem)
            kind = (
                "Runtime error (func=(main), adr=3): "
                if words in ("Divide by zero", "square root of a negative number", "out of memory")
                or "Function" in words
                else "(standard_in) {number}: "
            )
            yield from c.p.err(f"{kind.replace('{number}', str(number))}{words}\n")
        except (InvalidOperation, DivisionByZero, OverflowError, ValueError, MemoryError):
            yield from c.p.err("Runtime error (func=(main), adr=3): out of range\n")
        else:
            for value in found:
                yield from c.say(value + "\n")
    yield from c.flush()
    return True
