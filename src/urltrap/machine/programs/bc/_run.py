"""Running bc's programs."""

from __future__ import annotations

from collections.abc import Generator
from decimal import Decimal, InvalidOperation, Overflow, localcontext
from typing import Any, NoReturn

from urltrap.machine.api import decode
from urltrap.machine.programs._cmd import Cmd, Gen
from urltrap.machine.programs.bc._numbers import (
    BcError,
    calculate,
    context,
    length_of,
    library,
    read,
    scale_of,
    show,
    square_root,
)
from urltrap.machine.programs.bc._syntax import Node

Value = Generator[Any, Any, Decimal]
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "b": "\b", "a": "\a", "q": '"', "\\": "\\"}
_MAX_CALLS = 100
_MAX_SCALE = 1_000
_LIMITS = """\
BC_BASE_MAX     = 2147483647
BC_DIM_MAX      = 16777215
BC_SCALE_MAX    = 2147483647
BC_STRING_MAX   = 2147483647
MAX Exponent    = 9223372036854775807
Number of vars  = 32767
"""
_ZERO = Decimal(0)


class Halt(Exception):
    """The end was asked for."""


class _Leave(Exception):
    """break or continue."""

    def __init__(self, again: bool) -> None:
        super().__init__()
        self.again = again


class _Return(Exception):
    def __init__(self, value: Decimal) -> None:
        super().__init__()
        self.value = value


class _Failed(Exception):
    """A runtime error: the rest of the line is left out."""


class Runner:
    """What one bc knows: variables, arrays, functions."""

    def __init__(self, c: Cmd, mathlib: bool) -> None:
        self.c = c
        self.mathlib = mathlib
        self.variables: dict[str, Decimal] = {
            "scale": Decimal(20 if mathlib else 0), "ibase": Decimal(10), "obase": Decimal(10),
        }  # fmt: skip
        self.arrays: dict[str, dict[int, Decimal]] = {}
        self.functions: dict[str, Node] = {}
        self.where = ["(main)"]

    @property
    def scale(self) -> int:
        """How many digits divisions give."""
        return min(int(self.variables["scale"]), _MAX_SCALE)

    def unit(self, statements: list[Node]) -> Gen:
        """One unit of input; what fails is told, and the rest of it left out."""
        with localcontext(context()):
            try:
                for each in statements:
                    yield from self._statement(each)
            except _Failed:
                self.where = ["(main)"]

    def _fail(self, words: str, adr: int) -> Generator[Any, Any, NoReturn]:
        yield from self.c.flush()
        yield from self.c.p.err(f"Runtime error (func={self.where[-1]}, adr={adr}): {words}\n")
        raise _Failed

    def _warn(self, words: str, adr: int) -> Gen:
        yield from self.c.flush()
        yield from self.c.p.err(f"Runtime warning (func={self.where[-1]}, adr={adr}): {words}\n")

    # -- statements

    def _statement(self, node: Node) -> Gen:
        yield from self.c.p.tick()
        match node[0]:
            case "show":
                value = yield from self._value(node[1])
                self.variables["last"] = value
                yield from self.c.say(show(value, int(self.variables["obase"])) + "\n")
            case "do":
                yield from self._value(node[1])
            case "text":
                yield from self.c.say(node[1])
            case "print":
                yield from self._print(node[1])
            case "block":
                for each in node[1]:
                    yield from self._statement(each)
            case "if":
                yield from self._statement(node[2 if (yield from self._value(node[1])) else 3])
            case "while":
                while (yield from self._value(node[1])) and (yield from self._turn(node[2])):
                    pass
            case "for":
                yield from self._value(node[1])
                while (yield from self._value(node[2])) and (yield from self._turn(node[4])):
                    yield from self._value(node[3])
            case "define":
                self.functions[node[1]] = node
            case "return":
                raise _Return((yield from self._value(node[1])))
            case "break" | "continue":
                raise _Leave(node[0] == "continue")
            case "limits":
                yield from self.c.say(_LIMITS)
            case _:
                raise Halt

    def _turn(self, body: Node) -> Generator[Any, Any, bool]:
        """One turn of a loop; False where it is left."""
        try:
            yield from self._statement(body)
        except _Leave as leaving:
            return leaving.again
        return True

    def _print(self, parts: list[Node]) -> Gen:
        for each in parts:
            if each[0] != "text":
                value = yield from self._value(each)
                self.variables["last"] = value
                yield from self.c.say(show(value, int(self.variables["obase"])))
                continue
            out, pos, text = [], 0, each[1]
            while pos < len(text):
                char = text[pos]
                if char == "\\" and pos + 1 < len(text):
                    pos += 1
                    char = _ESCAPES.get(text[pos], text[pos])
                out.append(char)
                pos += 1
            yield from self.c.say("".join(out))

    # -- expressions

    def _value(self, node: Node) -> Value:
        match node[0]:
            case "number":
                return read(node[1], int(self.variables["ibase"]))
            case "name":
                return self.variables.get(node[1], _ZERO)
            case "element":
                index = yield from self._value(node[2])
                return self.arrays.get(node[1], {}).get(int(index), _ZERO)
            case "group":
                return (yield from self._value(node[1]))
            case "neg":
                return -(yield from self._value(node[1])) + 0
            case "not":
                return Decimal(int(not (yield from self._value(node[1]))))
            case "set":
                return (yield from self._set(node))
            case "step":
                _, target, op, before = node
                old = yield from self._value(target)
                new = old + (1 if op == "+" else -1)
                yield from self._store(target, new, 0)
                return old if before else new
            case "op":
                return (yield from self._operation(node))
            case "call":
                return (yield from self._call(node))
        return (yield from self._fail("Variable is wrong type.", 0))

    def _operation(self, node: Node) -> Value:
        _, op, left_node, right_node, adr = node
        left = yield from self._value(left_node)
        right = yield from self._value(right_node)
        match op:
            case "||":
                return Decimal(int(bool(left) or bool(right)))
            case "&&":
                return Decimal(int(bool(left) and bool(right)))
            case "==" | "!=" | "<" | "<=" | ">" | ">=":
                holds = {
                    "==": left == right, "!=": left != right, "<": left < right, "<=": left <= right,
                    ">": left > right, ">=": left >= right,
                }  # fmt: skip
                return Decimal(int(holds[op]))
        return (yield from self._calculated(op, left, right, adr))

    def _calculated(self, op: str, left: Decimal, right: Decimal, adr: int) -> Value:
        if op == "^" and scale_of(right):
            yield from self._warn("non-zero scale in exponent", adr)
        try:
            return calculate(op, left, right, self.scale)
        except BcError as problem:
            return (yield from self._fail(str(problem), adr))
        except (InvalidOperation, Overflow):
            return (yield from self._fail("out of memory", adr))

    def _set(self, node: Node) -> Value:
        _, target, op, value_node, adr = node
        value = yield from self._value(value_node)
        if op:
            value = yield from self._calculated(op, (yield from self._value(target)), value, adr)
        yield from self._store(target, value, adr)
        return value

    def _store(self, target: Node, value: Decimal, adr: int) -> Gen:
        if target[0] == "element":
            index = int((yield from self._value(target[2])))
            self.c.p.hold(64)
            self.arrays.setdefault(target[1], {})[index] = value
            return
        name = target[1]
        if name in ("ibase", "obase") and value < 2:
            yield from self._warn(f"{name} too small, set to 2", adr)
            value = Decimal(2)
        elif name == "ibase" and value > 36:
            yield from self._warn("ibase too large, set to 36", adr)
            value = Decimal(36)
        elif name == "scale" and value < 0:
            yield from self._warn("negative scale, set to 0", adr)
            value = _ZERO
        self.variables[name] = Decimal(int(value)) if name in ("ibase", "obase", "scale") else value

    # -- functions

    def _call(self, node: Node) -> Value:
        _, name, arguments, adr = node
        if name == "read":
            return (yield from self._read())
        if name in ("sqrt", "length", "scale") and len(arguments) == 1:
            value = yield from self._value(arguments[0])
            if name != "sqrt":
                return Decimal(length_of(value) if name == "length" else scale_of(value))
            try:
                return square_root(value, self.scale)
            except BcError as problem:
                return (yield from self._fail(str(problem), adr))
        function = self.functions.get(name)
        if function is None and self.mathlib and name in "slcae" and len(arguments) == 1:
            value = yield from self._value(arguments[0])
            try:
                return library(name, value, self.scale)
            except BcError as problem:
                return (yield from self._fail(str(problem), adr))
        if function is None:
            return (yield from self._fail(f"Function {name} not defined.", adr))
        return (yield from self._own(function, arguments, adr))

    def _own(self, function: Node, arguments: list[Node], adr: int) -> Value:
        _, name, parameters, auto, body = function
        if len(parameters) != len(arguments):
            return (yield from self._fail("Parameter number mismatch", adr))
        if len(self.where) > _MAX_CALLS:
            return (yield from self._fail("out of memory", adr))
        given: dict[str, Any] = {}
        for parameter, argument in zip(parameters, arguments, strict=True):
            if parameter.endswith("[]") or argument[0] == "array":
                given[parameter] = dict(self.arrays.get(argument[1], {}))
            else:
                given[parameter] = yield from self._value(argument)
        local = {**{each: {} if each.endswith("[]") else _ZERO for each in auto}, **given}
        saved = self._exchange(local)
        self.where.append(name)
        try:
            yield from self._statement(body)
        except _Return as leaving:
            return leaving.value
        finally:
            self.where.pop()
            self._exchange(saved)
        return _ZERO

    def _exchange(self, values: dict[str, Any]) -> dict[str, Any]:
        """Put values in the place of the variables and arrays of these names; what was there."""
        before: dict[str, Any] = {}
        for name, value in values.items():
            if name.endswith("[]"):
                before[name] = self.arrays.get(name[:-2], {})
                self.arrays[name[:-2]] = value
            else:
                before[name] = self.variables.get(name, _ZERO)
                self.variables[name] = value
        return before

    def _read(self) -> Value:
        yield from self.c.flush()
        line = bytearray()
        while (char := (yield from self.c.p.read(0, 1))) and char != b"\n":
            line += char
        text = decode(bytes(line)).strip()
        sign = -1 if text.startswith("-") else 1
        digits = text.lstrip("-")
        if not digits.replace(".", "", 1).isalnum() or not digits.isascii():
            return _ZERO
        return read(digits.upper(), int(self.variables["ibase"])) * sign
