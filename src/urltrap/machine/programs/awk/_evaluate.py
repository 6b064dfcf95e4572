"""The values of awk's expressions. What can block (getline, system, pipes, functions) is a generator, the rest not."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Any

from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, Gen
from urltrap.machine.programs._regex import Matcher
from urltrap.machine.programs.awk import _functions
from urltrap.machine.programs.awk._expressions import Node
from urltrap.machine.programs.awk._memory import AwkFatal
from urltrap.machine.programs.awk._parser import Program
from urltrap.machine.programs.awk._streams import Streams
from urltrap.machine.programs.awk._values import Field, Value, compare, native, number, truth

_BLOCKING = frozenset(("getline", "call"))
_BLOCKING_BUILTINS = frozenset(("system", "close", "fflush"))
_MAX_CALLS = 200


class Return(Exception):
    """A function is left with a value."""

    def __init__(self, value: Value) -> None:
        super().__init__()
        self.value = value


class Evaluator(Streams):
    """Expressions over what one run remembers."""

    def __init__(self, c: Cmd, program: Program) -> None:
        super().__init__(c, program)
        self.steps = 0
        self.chance = _functions.Chance(int(c.p.now()))
        self.blocking_cache: dict[int, bool] = {}

    def block(self, body: list[Node]) -> Gen:
        """Statements in order: what runs a program knows how."""
        raise NotImplementedError

    def key(self, subscripts: list[Node]) -> str:
        """The key of subscripts."""
        form = self.setting("CONVFMT")
        values = [self.text(self.ev(each), form) for each in subscripts]
        return values[0] if len(values) == 1 else self.setting("SUBSEP").join(values)

    def blocks(self, node: Any) -> bool:
        """Whether evaluating a node may block."""
        if not isinstance(node, (tuple, list)):
            return False
        known = self.blocking_cache.get(id(node))
        if known is None:
            if (
                isinstance(node, tuple)
                and node
                and (node[0] in _BLOCKING or (node[0] == "builtin" and node[1] in _BLOCKING_BUILTINS))
            ):
                known = True
            else:
                known = any(self.blocks(each) for each in node)
            self.blocking_cache[id(node)] = known
        return known

    def ev(self, node: Node) -> Value:
        """The value of an expression."""
        self.steps += 1
        kind = node[0]
        if kind in ("num", "str", "val"):
            return node[1]
        if kind == "var":
            return self.get(node[1])
        if kind == "field":
            return self.field(self._field_number(node[1]))
        if kind == "paren":
            return self.ev(node[1])
        if kind == "index":
            found = self.array(node[1])
            key = self.key(node[2])
            if key not in found:
                self._grow(1)
                found[key] = None
            return found[key]
        if kind == "bin":
            return self.arithmetic(node[1], number(self.ev(node[2])), number(self.ev(node[3])))
        if kind == "cmp":
            return 1.0 if compare(node[1], self.ev(node[2]), self.ev(node[3]), self.text) else 0.0
        if kind == "cat":
            return self._concatenate(node)
        if kind == "assign":
            return self._assign(node)
        if kind == "and":
            return 1.0 if truth(self.ev(node[1])) and truth(self.ev(node[2])) else 0.0
        if kind == "or":
            return 1.0 if truth(self.ev(node[1])) or truth(self.ev(node[2])) else 0.0
        if kind == "cond":
            return self.ev(node[2]) if truth(self.ev(node[1])) else self.ev(node[3])
        if kind == "match":
            text = self.text(self.ev(node[2]), self.setting("CONVFMT"))
            return 1.0 if (self.pattern(node[3]).search(text) is not None) != node[1] else 0.0
        if kind == "regex":
            return 1.0 if self.regex(node[1]).search(self.text(self.field(0))) is not None else 0.0
        if kind == "unary":
            value = self.ev(node[2])
            return (
                (0.0 if truth(value) else 1.0)
                if node[1] == "!"
                else -number(value)
                if node[1] == "-"
                else number(value)
            )
        if kind in ("pre", "post"):
            before = number(self.ev(node[2]))
            after = before + (1 if node[1] == "++" else -1)
            self.store(node[2], after)
            return after if kind == "pre" else before
        if kind == "in":
            return 1.0 if self.key(node[1]) in self.array(node[2]) else 0.0
        if kind == "builtin":
            return _functions.call(self, node[1], node[2])
        if kind == "group":
            return self.setting("SUBSEP").join(self.text(self.ev(each)) for each in node[1])
        raise AwkFatal(f"unexpected {kind}")

    def _field_number(self, node: Node) -> int:
        value = number(self.ev(node))
        if value != value or abs(value) > 1e9:
            raise AwkFatal(f"field index ${self.text(value)} is out of range")
        return int(value)

    def _concatenate(self, node: Node) -> str:
        nodes: list[Node] = []
        while node[0] == "cat":
            nodes.append(node[2])
            node = node[1]
        form = self.setting("CONVFMT")
        return "".join(self.text(self.ev(each), form) for each in (node, *reversed(nodes)))

    def _assign(self, node: Node) -> Value:
        op, target = node[1], node[2]
        value = self.ev(node[3])
        if op:
            value = self.arithmetic(op, number(self.ev(target)), number(value))
        self.store(target, value)
        return value

    def store(self, target: Node, value: Value) -> None:
        """Assign to an lvalue."""
        if target[0] == "var":
            self.set(target[1], value)
        elif target[0] == "field":
            self.set_field(self._field_number(target[1]), value)
        else:
            found = self.array(target[1])
            key = self.key(target[2])
            if key not in found:
                self._grow(1)
            found[key] = value

    def arithmetic(self, op: str, left: float, right: float) -> float:
        """left op right."""
        try:
            if op == "+":
                return left + right
            if op == "-":
                return left - right
            if op == "*":
                return left * right
            if op == "/":
                return left / right
            if op == "%":
                return math.fmod(left, right)
            if self.busybox and right != int(right):
                raise AwkFatal("", "Math support is not compiled in")
            return float(left**right)
        except ZeroDivisionError:
            return math.inf if op == "^" else self._over_zero(op, left)
        except ValueError:
            return self._over_zero("%", left)  # math.fmod says so of a zero
        except (OverflowError, TypeError):
            return math.inf

    def _over_zero(self, op: str, left: float) -> float:
        if self.busybox:
            raise AwkFatal("", "Division by zero")
        return -math.nan if op == "%" or left == 0 or left != left else math.copysign(math.inf, left)

    def pattern(self, node: Node) -> Matcher:
        """A regular expression from a node: constant or computed."""
        while node[0] == "paren":
            node = node[1]
        return self.regex(
            node[1] if node[0] == "regex" else self.text(self.ev(node), self.setting("CONVFMT"))
        )

    # -- expressions that may block

    def value(self, node: Node) -> Generator[Any, Any, Value]:
        """The value of any expression."""
        if not self.blocks(node):
            return self.ev(node)
        kind = node[0]
        if kind in ("and", "or"):
            left = truth((yield from self.value(node[1])))
            if left != (kind == "and"):
                return 1.0 if left else 0.0
            return 1.0 if truth((yield from self.value(node[2]))) else 0.0
        if kind == "cond":
            chosen = node[2] if truth((yield from self.value(node[1]))) else node[3]
            return (yield from self.value(chosen))
        if kind == "paren":
            return (yield from self.value(node[1]))
        if kind == "call":
            return (yield from self.call(node[1], node[2]))
        if kind == "getline":
            return (yield from self.getline(node))
        if kind == "builtin" and node[1] in _BLOCKING_BUILTINS:
            return (yield from self.blocking_builtin(node[1], node[2]))
        rebuilt: list[Any] = []
        for each in node:
            if (
                isinstance(each, tuple)
                and each
                and isinstance(each[0], str)
                and self.blocks(each)
                and each[0] not in ("index", "field")
            ):
                rebuilt.append(("val", (yield from self.value(each))))
            elif isinstance(each, tuple) and each and each[0] == "field" and self.blocks(each):
                rebuilt.append(("field", ("val", (yield from self.value(each[1])))))
            elif isinstance(each, tuple) and each and each[0] == "index" and self.blocks(each):
                rebuilt.append(("index", each[1], (yield from self.values(each[2]))))
            elif isinstance(each, list) and self.blocks(each):
                rebuilt.append((yield from self.values(each)))
            else:
                rebuilt.append(each)
        return self.ev(tuple(rebuilt))

    def values(self, nodes: list[Node]) -> Generator[Any, Any, list[Node]]:
        """Nodes with the blocking ones replaced by their values."""
        out = []
        for each in nodes:
            out.append(("val", (yield from self.value(each))) if self.blocks(each) else each)
        return out

    def call(self, name: str, arguments: list[Node]) -> Generator[Any, Any, Value]:
        """A user's function."""
        function = self.program.functions.get(name)
        if function is None:
            raise AwkFatal(f"function {name} never defined", "Call to undefined function")
        if len(self.frames) >= _MAX_CALLS:
            raise AwkFatal("function call nesting too deep")
        frame: dict[str, Any] = dict.fromkeys(function.parameters)
        untyped: list[tuple[str, str]] = []
        for parameter, node in zip(function.parameters, arguments, strict=False):
            if node[0] == "var" and node[1] != "NF":
                found = self.scope(node[1]).get(node[1])
                if found is None:
                    untyped.append((parameter, node[1]))
                frame[parameter] = found
            else:
                frame[parameter] = yield from self.value(node)
        outer = self.frames[-1] if self.frames else None
        self.frames.append(frame)
        result: Value = None
        try:
            yield from self.block(function.body)
        except Return as leaving:
            result = leaving.value
        finally:
            self.frames.pop()
            for parameter, caller in untyped:
                if isinstance(frame[parameter], dict):
                    where = outer if outer is not None and caller in outer else self.globals
                    where[caller] = frame[parameter]
        return result

    def blocking_builtin(self, name: str, arguments: list[Node]) -> Generator[Any, Any, Value]:
        """system, close, fflush."""
        words = []
        for each in arguments:
            words.append(self.text((yield from self.value(each))))
        if name == "system":
            yield from self.flush()
            pid = self.p.spawn(["sh", "-c", native(words[0])], path="/bin/sh")
            ended = yield from self.p.wait(pid)
            return float(ended[1] if ended is not None else 0)
        if name == "fflush":
            yield from self.flush()
            return 0.0
        return (yield from self.close(words[0]))

    def getline(self, node: Node) -> Generator[Any, Any, float]:
        """All forms of getline."""
        _, kind, target, operand = node
        if kind == "plain":
            record = yield from self.next_record()
        else:
            name = self.text((yield from self.value(operand)))
            known = self.inputs.get(name)
            if known is None:
                try:
                    known = yield from self._open_input(kind, name)
                except SysError:
                    return -1.0
                self.inputs[name] = known
            record = yield from self.read_record(known[0])
            if record is not None and kind == "pipe":
                self.globals["NR"] = number(self.globals["NR"]) + 1
        if record is None:
            return 0.0
        if target is None:
            self.set_record(record)
        else:
            self.store(target, Field(record))
        return 1.0
