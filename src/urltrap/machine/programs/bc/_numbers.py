"""bc's numbers: decimal, with a scale of their own, cut off rather than rounded."""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_FLOOR, Context, Decimal, localcontext

MAX_DIGITS = 4_000
_LINE = 68
_ZERO = Decimal(0)


class BcError(Exception):
    """A calculation that is not possible; the text is bc's."""


def context() -> Context:
    """The arithmetic that all of this is done in."""
    return Context(prec=MAX_DIGITS, Emax=100_000, Emin=-100_000)


def scale_of(value: Decimal) -> int:
    """How many digits a number has behind its point."""
    return max(0, -int(value.as_tuple().exponent))


def cut(value: Decimal, digits: int) -> Decimal:
    """A number with so many digits behind its point."""
    return value.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_DOWN)


def length_of(value: Decimal) -> int:
    """How many digits a number has in all; zeros before the first digit behind the point count."""
    whole, _, fraction = f"{abs(value):f}".partition(".")
    return len(fraction) if whole == "0" and fraction else len(whole) + len(fraction)


def calculate(op: str, left: Decimal, right: Decimal, scale: int) -> Decimal:
    """left op right with bc's scales. BcError."""
    if op == "+":
        return left + right
    if op == "-":
        return left - right
    if op == "*":
        a, b = scale_of(left), scale_of(right)
        return cut(left * right, min(a + b, max(scale, a, b)))
    if op == "^":
        return _power(left, int(right), scale)
    if not right:
        raise BcError("Divide by zero" if op == "/" else "Modulo by zero")
    quotient = cut(left / right, scale)
    if op == "/":
        return quotient
    return cut(left - quotient * right, max(scale + scale_of(right), scale_of(left)))


def _power(base: Decimal, exponent: int, scale: int) -> Decimal:
    if abs(exponent) > 10**9 or (base and abs(exponent) * max(1, abs(base.adjusted())) > MAX_DIGITS):
        raise BcError("exponent too large in raise")
    if exponent == 0:
        return Decimal(1)
    if exponent < 0:
        if not base:
            raise BcError("Divide by zero")
        return cut(1 / base**-exponent, scale)
    digits = scale_of(base)
    return cut(base**exponent, min(digits * exponent, max(scale, digits)))


def square_root(value: Decimal, scale: int) -> Decimal:
    """The root; BcError below zero."""
    if value < 0:
        raise BcError("Square root of a negative number")
    if value in (0, 1):
        return Decimal(int(value))
    return cut(value.sqrt(), max(scale, scale_of(value)))


def library(name: str, value: Decimal, scale: int) -> Decimal:
    """The functions of ``bc -l``: e, l, s, c, a."""
    if name == "l" and value <= 0:
        return cut((1 - Decimal(10) ** scale), scale)
    with localcontext() as inner:
        inner.prec = min(MAX_DIGITS, scale + 30 + max(0, value.adjusted()))
        if name == "e":
            if abs(value) > 5_000:
                raise BcError("exponent too large in raise")
            found = value.exp()
        elif name == "l":
            found = value.ln()
        elif name == "a":
            found = _arctangent(value)
        else:
            found = _sine(value if name == "s" else value + _arctangent(Decimal(1)) * 2)
            if name == "c" and not value:
                found = Decimal(1)
    return cut(found, scale)


def _sine(value: Decimal) -> Decimal:
    pi = _arctangent(Decimal(1)) * 4
    value -= (value / (2 * pi)).to_integral_value(rounding=ROUND_FLOOR) * 2 * pi
    term = total = value
    number = 1
    while term and abs(term) > Decimal(1).scaleb(-60 + min(0, term.adjusted())) and number < 2_000:
        term = -term * value * value / ((number + 1) * (number + 2))
        if total + term == total:
            break
        total += term
        number += 2
    return total


def _arctangent(value: Decimal) -> Decimal:
    """By halving the angle until the series is short."""
    halvings = 0
    while abs(value) > Decimal("0.05"):
        value = value / (1 + (1 + value * value).sqrt())
        halvings += 1
    power: Decimal = value
    total: Decimal = value
    number = 1
    while power and number < 4_000:
        power = -power * value * value
        if total + power / (number + 2) == total:
            break
        number += 2
        total += power / number
    return total * Decimal(2**halvings)


def read(text: str, base: int) -> Decimal:
    """Digits in ibase; those of a number with several are at most its highest digit."""
    whole, _, fraction = text.partition(".")
    if base == 10 and text.isascii() and not any(char.isalpha() for char in text):
        return Decimal(f"{whole or 0}.{fraction}" if fraction else whole or "0")
    several = len(text) > 1

    def digit(char: str) -> int:
        value = int(char, 36)
        return min(value, base - 1) if several else value

    value = 0
    for char in whole[:MAX_DIGITS]:
        value = value * base + digit(char)
    found = Decimal(value)
    if fraction:
        part = sum(Decimal(digit(char)) / Decimal(base) ** at for at, char in enumerate(fraction, 1))
        found = cut(found + part, len(fraction))
    return found


def show(value: Decimal, base: int) -> str:
    """A number in obase, in lines of at most 69 characters."""
    negative = "-" if value < 0 else ""
    text = _decimal(abs(value)) if base == 10 else _in_base(abs(value), base)
    text = negative + text
    if len(text) <= _LINE + 1:
        return text
    return "\\\n".join(text[at : at + _LINE] for at in range(0, len(text), _LINE))


def _decimal(value: Decimal) -> str:
    if not value:
        return "0"
    text = f"{value:f}"
    return text[1:] if text.startswith("0.") else text


def _in_base(value: Decimal, base: int) -> str:
    width = len(str(base - 1))

    def digit(number: int) -> str:
        return "0123456789ABCDEF"[number] if base <= 16 else f" {number:0{width}d}"

    rest, digits = int(value), ""
    while rest:
        rest, number = divmod(rest, base)
        digits = digit(number) + digits
    fraction, scale = value - int(value), scale_of(value)
    if fraction or scale:
        digits += "."
        step = 1
        while len(str(step)) <= scale:
            fraction = cut(fraction * base, scale)
            digits += digit(int(fraction)).strip() if step == 1 else digit(int(fraction))
            fraction -= int(fraction)
            step *= base
    return digits or "0"
