"""Operators on values: arithmetic, strings, bits, comparisons, ranges."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from urltrap.machine.programs.perl._values import (
    LARGEST,
    Gen,
    Node,
    Unsupported,
    looks_like_number,
    norm,
    num,
    string,
    to_bytes,
    truth,
    whole,
)
from urltrap.machine.programs.perl._vm import Frame, Vm

_MASK = 0xFFFF_FFFF_FFFF_FFFF
_ALNUM = re.compile(r"[a-zA-Z]*[0-9]*")


def binary(vm: Vm, op: str, left: Any, right: Any) -> Any:
    """left OP right."""
    how = _BINARY.get(op)
    if how is None:
        raise Unsupported(op)
    return how(vm, left, right)


def _result(value: int | float) -> int | float:
    if type(value) is int:
        return norm(value)
    return value


def _add(vm: Vm, left: Any, right: Any) -> Any:
    return _result(num(left) + num(right))


def _sub(vm: Vm, left: Any, right: Any) -> Any:
    return _result(num(left) - num(right))


def _mul(vm: Vm, left: Any, right: Any) -> Any:
    return _result(num(left) * num(right))


def _div(vm: Vm, left: Any, right: Any) -> Any:
    one, other = num(left), num(right)
    if other == 0:
        raise vm.die("Illegal division by zero")
    if type(one) is int and type(other) is int and one % other == 0:
        return one // other
    value = one / other
    return int(value) if value == value and abs(value) < 1e15 and value == int(value) else value


def _mod(vm: Vm, left: Any, right: Any) -> Any:
    one, other = num(left), num(right)
    if (type(other) is float and math.isinf(other)) or (type(one) is float and not math.isfinite(one)):
        return math.nan if type(one) is float and not math.isfinite(one) else one
    one, other = int(one), int(other)
    if other == 0:
        raise vm.die("Illegal modulus zero")
    return one % other


def _pow(vm: Vm, left: Any, right: Any) -> Any:
    one, other = num(left), num(right)
    try:
        if type(one) is int and type(other) is int and other >= 0 and abs(one).bit_length() * other <= 64:
            return norm(one**other)
        value = float(one) ** float(other)
    except OverflowError:
        return math.inf
    except ZeroDivisionError:
        return math.inf
    if isinstance(value, complex):
        return math.nan
    return value


def _concat(vm: Vm, left: Any, right: Any) -> str:
    text = string(left) + string(right)
    if len(text) > 512:
        vm.grow(len(text))
    return text


def _times(vm: Vm, left: Any, right: Any) -> str:
    text, times = string(left), max(0, whole(right))
    if len(text) * times > LARGEST:
        raise vm.die("Out of memory in perl:repeatcpy")
    vm.grow(len(text) * times)
    return text * times


def _bits(does: Callable[[int, int], int]) -> Callable[[Vm, Any, Any], Any]:
    def run(vm: Vm, left: Any, right: Any) -> Any:
        if isinstance(left, str) and isinstance(right, str):
            return _string_bits(does, left, right)
        return does(whole(left) & _MASK, whole(right) & _MASK)

    return run


def _string_bits(does: Callable[[int, int], int], left: str, right: str) -> str:
    one, other = to_bytes(left), to_bytes(right)
    size = min(len(one), len(other)) if does(1, 0) == 0 else max(len(one), len(other))
    one, other = one.ljust(size, b"\0"), other.ljust(size, b"\0")
    return bytes(does(a, b) & 255 for a, b in zip(one[:size], other[:size], strict=True)).decode("latin-1")


def _shift(vm: Vm, left: Any, right: Any, back: bool = False) -> int:
    value, by = whole(left) & _MASK, whole(right)
    if by < 0:
        back, by = not back, -by
    if by > 63:
        return 0
    return value >> by if back else value << by & _MASK


def _bool(value: bool) -> Any:
    return 1 if value else ""


def _compare(does: Callable[[Any, Any], bool]) -> Callable[[Vm, Any, Any], Any]:
    return lambda vm, left, right: 1 if does(num(left), num(right)) else ""


def _compare_text(does: Callable[[Any, Any], bool]) -> Callable[[Vm, Any, Any], Any]:
    return lambda vm, left, right: 1 if does(string(left), string(right)) else ""


def _spaceship(vm: Vm, left: Any, right: Any) -> Any:
    one, other = num(left), num(right)
    if one != one or other != other:
        return None
    return (one > other) - (one < other)


def _cmp(vm: Vm, left: Any, right: Any) -> int:
    one, other = string(left), string(right)
    return (one > other) - (one < other)


_BINARY: dict[str, Callable[[Vm, Any, Any], Any]] = {
    "+": _add, "-": _sub, "*": _mul, "/": _div, "%": _mod, "**": _pow, ".": _concat, "x": _times,
    "&": _bits(lambda a, b: a & b), "|": _bits(lambda a, b: a | b), "^": _bits(lambda a, b: a ^ b),
    "<<": _shift, ">>": lambda vm, a, b: _shift(vm, a, b, True),
    "==": _compare(lambda a, b: a == b), "!=": _compare(lambda a, b: a != b), "<": _compare(lambda a, b: a < b),
    ">": _compare(lambda a, b: a > b), "<=": _compare(lambda a, b: a <= b), ">=": _compare(lambda a, b: a >= b),
    "eq": _compare_text(lambda a, b: a == b), "ne": _compare_text(lambda a, b: a != b),
    "lt": _compare_text(lambda a, b: a < b), "gt": _compare_text(lambda a, b: a > b),
    "le": _compare_text(lambda a, b: a <= b), "ge": _compare_text(lambda a, b: a >= b),
    "<=>": _spaceship, "cmp": _cmp,
}  # fmt: skip


def negative(value: Any) -> Any:
    """Unary minus."""
    if isinstance(value, str) and value and not looks_like_number(value):
        if value[0] == "-":
            return "+" + value[1:]
        if value[0] == "+":
            return "-" + value[1:]
        if value[0].isalpha() or value[0] == "_":
            return "-" + value
    found = num(value)
    return -found if found else 0


def complement(value: Any) -> Any:
    """~"""
    if isinstance(value, str):
        return bytes(~each & 255 for each in to_bytes(value)).decode("latin-1")
    return ~whole(value) & _MASK


def increment(value: Any, text: bool = False) -> Any:
    """++; a string of letters and digits counts up as one ("az" to "ba"), always where `text`."""
    if (
        isinstance(value, str)
        and value
        and (text or not looks_like_number(value))
        and _ALNUM.fullmatch(value)
    ):
        out = list(value)
        at = len(out) - 1
        while at >= 0:
            char = out[at]
            if char not in "zZ9":
                out[at] = chr(ord(char) + 1)
                return "".join(out)
            out[at] = {"z": "a", "Z": "A", "9": "0"}[char]
            at -= 1
        return {"a": "a", "A": "A", "0": "1"}[out[0]] + "".join(out)
    return _result(num(value) + 1)


def span(vm: Vm, first: Any, last: Any) -> list[Any]:
    """first .. last"""
    zeros = isinstance(first, str) and len(first) > 1 and first[0] == "0"
    if isinstance(first, str) and first and (zeros or not looks_like_number(first)):
        text, end = first, string(last)
        found: list[Any] = []
        while len(text) <= len(end):
            found.append(text)
            if text == end or len(found) > LARGEST // 8:
                break
            text = string(increment(text, True))
        return found
    start, stop = whole(first), whole(last)
    if stop - start > LARGEST // 8:
        raise vm.die("Out of memory!")
    return list(range(start, stop + 1))


def flip_flop(vm: Vm, f: Frame, n: Node) -> Gen:
    """.. in scalar context: true from where its left side is until its right side is; numbers mean $. ."""
    from urltrap.machine.programs.perl import _eval

    key = (id(n), 0)
    count = vm.state.get(key, 0)

    def holds(part: Node) -> Gen:
        if part.k == "const" and isinstance(part.a, int):
            return vm.last_read is not None and vm.last_read.lines == part.a
        return truth((yield from _eval.ev(vm, f, part)))

    if not count:
        if not (yield from holds(n.a)):
            return ""
        count = 1
    else:
        count += 1
        vm.state[key] = count
        if (yield from holds(n.b)):
            vm.state[key] = 0
            return f"{count}E0"
        return count
    if (yield from holds(n.b)):
        vm.state[key] = 0
        return "1E0"
    vm.state[key] = count
    return count
