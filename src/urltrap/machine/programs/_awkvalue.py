"""awk's values: numbers are float, strings str, what came from input `Field` (a string that may count as a number)."""

from __future__ import annotations

import math
import re
from typing import Any

_NUMBER = re.compile(r"\s*([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)", re.ASCII)
_WHOLE = re.compile(r"\s*[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\s*\Z", re.ASCII)
_FORMAT = re.compile(r"%([-+ #0]*)(\*|\d{1,6})?(?:\.(\*|\d{0,6}))?[hlLqjzt]*([a-zA-Z%])|%", re.DOTALL)

Value = Any
"""float, str, `Field`, or None for what was never set."""


class Field(str):
    """A string from input: it compares as a number where it looks like one."""

    __slots__ = ()


def number(value: Value) -> float:
    """A value as a number."""
    if isinstance(value, float):
        return value
    if value is None:
        return 0.0
    match = _NUMBER.match(value)
    if match is None:
        return 0.0
    try:
        return float(match[1])
    except (ValueError, OverflowError):
        return 0.0


def show_number(value: float, form: str) -> str:
    """A number as a string: whole ones in full."""
    if value != value:
        return "nan" if math.copysign(1, value) > 0 else "-nan"
    if value in (math.inf, -math.inf):
        return "inf" if value > 0 else "-inf"
    if value == int(value) and abs(value) < 1e16:
        return str(int(value))
    return sprintf(form, [value])


def string(value: Value, form: str = "%.6g") -> str:
    """A value as a string."""
    if isinstance(value, str):
        return value
    return "" if value is None else show_number(value, form)


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


def compare(op: str, left: Value, right: Value, form: str = "%.6g") -> bool:
    """left op right, as numbers where both are."""
    one: Any
    other: Any
    if numeric(left) and numeric(right):
        one, other = number(left), number(right)
    else:
        one, other = string(left, form), string(right, form)
    if op == "==":
        return bool(one == other)
    if op == "!=":
        return bool(one != other)
    if op == "<":
        return bool(one < other)
    if op == "<=":
        return bool(one <= other)
    return bool(one > other) if op == ">" else bool(one >= other)


def sprintf(form: str, arguments: list[Value]) -> str:
    """printf's formatting."""
    out: list[str] = []
    pos = 0
    queue = list(arguments)

    def take() -> Value:
        return queue.pop(0) if queue else None

    for match in _FORMAT.finditer(form):
        out.append(form[pos : match.start()])
        pos = match.end()
        kind = match[4]
        if kind is None or kind == "%":
            out.append("%")
            continue
        flags = match[1]
        width = match[2]
        if width == "*":
            size = int(max(-9999.0, min(9999.0, number(take()))))
            flags += "-" if size < 0 else ""
            width = str(abs(size))
        size = min(int(width or 0), 100_000)
        precision = match[3]
        if precision == "*":
            precision = str(int(max(0.0, min(9999.0, number(take())))))
        digits = None if precision is None else min(int(precision or 0), 100_000)
        out.append(_one(kind, flags, size, digits, take()))
    out.append(form[pos:])
    return "".join(out)


def _one(kind: str, flags: str, width: int, digits: int | None, value: Value) -> str:
    left = "-" in flags
    if kind == "c":
        if isinstance(value, float):
            code = int(value) if abs(value) < 2**31 else 0
            text = (
                chr(code & 255)
                if code < 256
                else chr(code)
                if code < 0x110000 and not 0xD800 <= code < 0xE000
                else "?"
            )
        else:
            text = string(value)[:1]
    elif kind == "s":
        text = string(value)
        text = text if digits is None else text[:digits]
    elif kind in "diouxX":
        found = number(value)
        whole = 0 if found != found else int(max(-9.2e18, min(1.8e19, found)))
        if kind in "ouxX" and whole < 0:
            whole &= 0xFFFFFFFFFFFFFFFF
        body = {"o": f"{abs(whole):o}", "x": f"{abs(whole):x}", "X": f"{abs(whole):X}"}.get(
            kind, str(abs(whole))
        )
        if digits is not None:
            body = body.rjust(digits, "0")
        if "#" in flags and whole:
            body = {"o": "0", "x": "0x", "X": "0X"}.get(kind, "") + body
        sign = (
            "-"
            if whole < 0
            else "+"
            if "+" in flags and kind in "di"
            else " "
            if " " in flags and kind in "di"
            else ""
        )
        if "0" in flags and not left and digits is None:
            body = body.rjust(width - len(sign), "0")
        text = sign + body
    elif kind in "eEfFgG":
        form = "%" + "".join(flag for flag in flags if flag in "+ #0-") + (str(width) if width else "")
        return (form + f".{6 if digits is None else min(digits, 300)}{kind}") % number(value)
    else:
        return f"%{flags}{kind}"
    return text.ljust(width) if left else text.rjust(width)
