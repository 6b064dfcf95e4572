"""awk's values: numbers are float, strings str, what came from input `Field` (a string that may count as a number).

Both awks work on bytes: every character of a string here is one byte (Latin-1).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from urltrap.machine.api import decode, encode

_NUMBER = re.compile(
    r"\s*([-+]?(?:0[xX][0-9a-fA-F]+|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|inf(?:inity)?|nan))",
    re.ASCII | re.IGNORECASE,
)
_WHOLE = re.compile(r"\s*[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\s*\Z", re.ASCII)
_FORMAT = re.compile(r"%([-+ #0]*)(\*|\d{1,6})?(?:\.(\*|\d{0,6}))?[hl]?([a-zA-Z%])?", re.DOTALL)
_MAWK_INT = 2**31 - 1
_MAX_SIZE = 100_000

Value = Any
"""float, str, `Field`, or None for what was never set."""


class Field(str):
    """A string from input: it compares as a number where it looks like one."""

    __slots__ = ()


class FormatError(Exception):
    """A format that cannot be followed: mawk's words, BusyBox's, and what was made of it before."""

    def __init__(self, words: str, busybox: str, made: str) -> None:
        super().__init__(words)
        self.words = words
        self.busybox = busybox
        self.made = made


def from_bytes(data: bytes) -> str:
    """Input as a string of awk's."""
    return data.decode("latin-1")


def to_bytes(text: str) -> bytes:
    """A string of awk's as output."""
    return text.encode("latin-1")


def native(text: str) -> str:
    """A string of awk's as the system calls take names and commands."""
    return decode(to_bytes(text))


def foreign(text: str) -> str:
    """An argument or a variable of the environment as a string of awk's."""
    return from_bytes(encode(text))


def number(value: Value) -> float:
    """A value as a number."""
    if isinstance(value, float):
        return value
    if value is None:
        return 0.0
    match = _NUMBER.match(value)
    if match is None:
        return 0.0
    digits = match[1]
    if "x" in digits or "X" in digits:
        return float(int(digits[:260], 16))
    return float(digits)


def show_number(value: float, form: str, busybox: bool) -> str:
    """A number as a string: whole ones in full, as far as this awk's integers reach."""
    if value != value:
        return "nan" if math.copysign(1, value) > 0 else "-nan"
    if value in (math.inf, -math.inf):
        return "inf" if value > 0 else "-inf"
    if value == int(value) and abs(value) <= (2**63 - 1 if busybox else _MAWK_INT):
        return str(int(value))
    return sprintf(form, [value], busybox)


def string(value: Value, form: str, busybox: bool) -> str:
    """A value as a string."""
    if isinstance(value, str):
        return value
    return "" if value is None else show_number(value, form, busybox)


def numeric(value: Value) -> bool:
    """Whether a value compares as a number."""
    if isinstance(value, Field):
        return _WHOLE.match(value) is not None
    return not isinstance(value, str)


def truth(value: Value) -> bool:
    """Whether a value counts as true."""
    if isinstance(value, Field):
        return number(value) != 0 if _WHOLE.match(value) else value != ""
    if isinstance(value, str):
        return value != ""
    return value is not None and value != 0


def compare(op: str, left: Value, right: Value, text: Callable[[Value], str]) -> bool:
    """left op right, as numbers where both are; `text` makes strings of them elsewhere."""
    one: Any
    other: Any
    if numeric(left) and numeric(right):
        one, other = number(left), number(right)
    else:
        one, other = text(left), text(right)
    if op == "==":
        return bool(one == other)
    if op == "!=":
        return bool(one != other)
    if op == "<":
        return bool(one < other)
    if op == "<=":
        return bool(one <= other)
    return bool(one > other) if op == ">" else bool(one >= other)


def sprintf(form: str, arguments: list[Value], busybox: bool, function: str = "sprintf") -> str:
    """printf's formatting. FormatError; mawk misses arguments, BusyBox takes them as empty."""
    out: list[str] = []
    pos = 0
    queue = list(arguments)

    def take() -> Value:
        if not queue:
            if busybox:
                return None
            raise FormatError(f'not enough arguments passed to {function}("{form}")', "", "".join(out))
        return queue.pop(0)

    number_of = 0
    for match in _FORMAT.finditer(form):
        out.append(form[pos : match.start()])
        pos = match.end()
        if match.group() == "%%":
            out.append("%")
            continue
        kind = match[4] or ""
        number_of += 1
        if not kind and match.end() == len(form):
            take()
        if not kind or kind not in "cdiouxXeEfgGs":
            words = f'improper conversion(number {number_of}) in {function}("{form}")'
            raise FormatError(words, "Invalid format specifier", "".join(out))
        flags, width, precision = match[1], match[2], match[3]
        if width == "*":
            size = int(max(-9999.0, min(9999.0, number(take()))))
            flags += "-" if size < 0 else ""
            width = str(abs(size))
        if precision == "*":
            precision = str(int(max(0.0, min(9999.0, number(take())))))
        digits = None if precision is None else min(int(precision or 0), _MAX_SIZE)
        value = take()
        if kind in "sc":
            made = _letters(kind, value, busybox)[: None if digits is None or kind == "c" else digits]
        elif kind in "diouxX":
            made = _whole(
                kind, flags, min(int(width or 0), _MAX_SIZE), digits, _integer(kind, value, busybox)
            )
        else:
            made = _real(kind, flags, min(int(width or 0), 1_000), digits, number(value))
        size = min(int(width or 0), _MAX_SIZE)
        out.append(made.ljust(size) if "-" in flags else made.rjust(size))
    out.append(form[pos:])
    return "".join(out)


def _letters(kind: str, value: Value, busybox: bool) -> str:
    if kind == "s":
        return string(value, "%.6g", busybox)
    if isinstance(value, float):
        return chr(int(value) & 255 if abs(value) < 2**63 else 255)
    return (value or "")[:1] or "\0"


def _integer(kind: str, value: Value, busybox: bool) -> int:
    """The number that a whole conversion shows: clamped by mawk, cut by BusyBox."""
    found = number(value)
    if found != found:
        return -(2**31) if busybox else _MAWK_INT
    if kind in "di":
        if busybox:
            return int(found) if abs(found) < 2**31 else -(2**31)
        return int(max(-_MAWK_INT, min(_MAWK_INT, found)))
    if busybox:
        return int(found) & 0xFFFFFFFF if abs(found) < 2**63 else 0
    return int(max(0.0, min(float(2**64 - 1), found)))


def _whole(kind: str, flags: str, width: int, digits: int | None, value: int) -> str:
    body = {"o": f"{abs(value):o}", "x": f"{abs(value):x}", "X": f"{abs(value):X}"}.get(kind, str(abs(value)))
    if digits is not None:
        body = body.rjust(digits, "0")
    prefix = {"o": "0", "x": "0x", "X": "0X"}.get(kind, "") if "#" in flags and value else ""
    if value < 0:
        prefix = "-"
    elif kind in "di" and ("+" in flags or " " in flags):
        prefix = "+" if "+" in flags else " "
    if "0" in flags and "-" not in flags and digits is None:
        body = body.rjust(width - len(prefix), "0")
    return prefix + body


def _real(kind: str, flags: str, width: int, digits: int | None, value: float) -> str:
    form = "%" + "".join(flag for flag in flags if flag in "+ #0-") + (str(width) if width else "")
    return (form + f".{6 if digits is None else min(digits, 300)}{kind}") % value
