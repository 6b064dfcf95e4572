# ruff: noqa: E501 - the programs' own texts and tables are longer than a line
"""Running awk programs. What can block (getline, system, pipes, functions) is a generator, all other expressions are not."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Any

from urltrap.machine.api import O_APPEND, O_CREAT, O_TRUNC, O_WRONLY, decode, encode
from urltrap.machine.errors import BudgetError, SysError
from urltrap.machine.programs._awkparse import Node, Program
from urltrap.machine.programs._awkvalue import Field, Value, compare, number, sprintf, string, truth
from urltrap.machine.programs._cmd import Cmd, Gen
from urltrap.machine.programs._lines import Source
from urltrap.machine.programs._regex import BadRegex, Matcher, compile_posix

_BLOCKING = frozenset(("getline", "call"))
_BLOCKING_BUILTINS = frozenset(("system", "close", "fflush"))
_MAX_FIELD = 100_000
_MAX_STRING = 8_000_000
_MAX_CALLS = 200


class AwkFatal(Exception):
    """Running cannot go on; the text is awk's."""


class _Flow(Exception):
    pass


class _Next(_Flow):
    pass


class _NextFile(_Flow):
    pass


class _Break(_Flow):
    pass


class _Continue(_Flow):
    pass


class _Exit(_Flow):
    pass


class _Return(_Flow):
    def __init__(self, value: Value) -> None:
        self.value = value


def ere(source: str) -> Matcher:
    """An expression as awk writes it: a backslash escapes inside of brackets too."""
    out: list[str] = []
    pos, inside = 0, False
    while pos < len(source):
        char = source[pos]
        if inside and char == "\\" and pos + 1 < len(source):
            char = {"n": "\n", "t": "\t", "r": "\r"}.get(source[pos + 1], source[pos + 1])
            out.append({"]": "[.].]", "\\": "\\", "^": "^", "-": "[.-.]"}.get(char, char))
            pos += 2
            continue
        if char == "\\" and pos + 1 < len(source):
            following = source[pos + 1]
            out.append("\\" + following if following not in '"/&' else following)
            pos += 2
            continue
        if char == "[" and not inside:
            inside = True
            out.append(char)
            pos += 1
            if source[pos : pos + 1] == "^":
                out.append("^")
                pos += 1
            if source[pos : pos + 1] == "]":
                out.append("]")
                pos += 1
            continue
        if (
            inside
            and char == "["
            and source[pos + 1 : pos + 2] == ":"
            and (end := source.find(":]", pos)) > 0
        ):
            out.append(source[pos : end + 2])
            pos = end + 2
            continue
        if char == "]":
            inside = False
        out.append(char)
        pos += 1
    return compile_posix("".join(out), True)


class Machine:
    """One run of awk."""

    def __init__(self, c: Cmd, program: Program, name: str) -> None:
        self.c = c
        self.p = c.p
        self.name = name
        self.program = program
        self.globals: dict[str, Any] = {
            "FS": " ", "OFS": " ", "ORS": "\n", "RS": "\n", "NF": 0.0, "NR": 0.0, "FNR": 0.0, "FILENAME": "", "SUBSEP": "\x1c",
            "CONVFMT": "%.6g", "OFMT": "%.6g", "RSTART": 0.0, "RLENGTH": -1.0,
        }  # fmt: skip
        self.frames: list[dict[str, Any]] = []
        self.record = ""
        self.fields: list[Value] | None = []
        self.stale_record = False
        self.operands: list[str] = []
        self.source: Source | None = None
        self.argument = 0
        self.used_file = False
        self.outputs: dict[str, tuple[int, int]] = {}
        self.inputs: dict[str, tuple[Source, int]] = {}
        self.buffers: dict[int, bytearray] = {}
        self.steps = 0
        self.seed = 1.0
        self.random_state = 1
        self.status = 0
        self.in_range: dict[int, bool] = {}
        self.blocking_cache: dict[int, bool] = {}
        self.entries = 0

    # -- variables

    def scope(self, name: str) -> dict[str, Any]:
        """Where a name lives: the function's frame or the globals."""
        if self.frames and name in self.frames[-1]:
            return self.frames[-1]
        return self.globals

    def get(self, name: str) -> Value:
        """A variable's value."""
        if name == "NF":
            self.split_record()
            return float(len(self.fields or ()))
        found = self.scope(name).get(name)
        if isinstance(found, dict):
            raise AwkFatal(f"can't use array {name} in scalar context")
        return found

    def set(self, name: str, value: Value) -> None:
        """Set a variable; NF rebuilds the record."""
        if name == "NF":
            self.split_record()
            assert self.fields is not None  # split just now
            count = max(0, min(int(number(value)), _MAX_FIELD))
            self.fields = (self.fields + [""] * (count - len(self.fields)))[:count]
            self.stale_record = True
            return
        where = self.scope(name)
        if isinstance(where.get(name), dict):
            raise AwkFatal(f"can't assign to {name}; it's an array name.")
        if isinstance(value, str) and len(value) > _MAX_STRING:
            raise BudgetError("awk string", _MAX_STRING)
        if isinstance(value, str) and len(value) > 100_000:
            self.p.hold(len(value) // 8)
        where[name] = value

    def array(self, name: str) -> dict[str, Value]:
        """An array, made where it is missing."""
        where = self.scope(name)
        found = where.get(name)
        if found is None:
            found = where[name] = {}
        if not isinstance(found, dict):
            raise AwkFatal(f"can't use scalar {name} as array")
        return found

    def key(self, subscripts: list[Node]) -> str:
        """The key of subscripts."""
        form = string(self.globals["CONVFMT"])
        values = [string(self.ev(each), form) for each in subscripts]
        return values[0] if len(values) == 1 else string(self.globals["SUBSEP"]).join(values)

    # -- record and fields

    def set_record(self, text: str) -> None:
        """A new $0."""
        self.record = text
        self.fields = None
        self.stale_record = False

    def split_record(self) -> None:
        """Make the fields of $0."""
        if self.fields is None:
            self.fields = list(self.split(self.record, string(self.globals["FS"])))

    def split(self, text: str, separator: str) -> list[Field]:
        """Fields of a text."""
        if not text:
            return []
        if separator == " ":
            return (
                [Field(each) for each in text.split()]
                if text.isascii()
                else [Field(each) for each in text.replace("\t", " ").replace("\n", " ").split(" ") if each]
            )
        if separator == "":
            return [Field(each) for each in text]
        if len(separator) == 1 and separator != "\\":
            parts = text.split(separator)
            if separator not in "\n" and string(self.globals["RS"]) == "":
                parts = [piece for part in parts for piece in part.split("\n")]
            return [Field(each) for each in parts]
        out, pos = [], 0
        for found in ere(separator).all(text):
            if found.end > found.start:
                out.append(Field(text[pos : found.start]))
                pos = found.end
        out.append(Field(text[pos:]))
        return out

    def field(self, index: int) -> Value:
        """$index."""
        if index < 0:
            raise AwkFatal(f"negative field index ${index}")
        if index == 0:
            if self.stale_record:
                form = string(self.globals["CONVFMT"])
                self.record = string(self.globals["OFS"]).join(
                    string(each, form) for each in self.fields or ()
                )
                self.stale_record = False
            return Field(self.record)
        self.split_record()
        assert self.fields is not None  # split just now
        return self.fields[index - 1] if index <= len(self.fields) else None

    def set_field(self, index: int, value: Value) -> None:
        """$index = value."""
        if index == 0:
            self.set_record(string(value, string(self.globals["CONVFMT"])))
            return
        if index < 0 or index > _MAX_FIELD:
            raise AwkFatal(f"field index ${index} is out of range")
        self.split_record()
        assert self.fields is not None  # split just now
        self.fields += [""] * (index - len(self.fields))
        self.fields[index - 1] = value
        self.stale_record = True

    # -- expressions that cannot block

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
            return 1.0 if compare(node[1], self.ev(node[2]), self.ev(node[3])) else 0.0
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
            text = string(self.ev(node[2]), string(self.globals["CONVFMT"]))
            return 1.0 if (self.pattern(node[3]).search(text) is not None) != node[1] else 0.0
        if kind == "regex":
            return 1.0 if self.regex(node[1]).search(string(self.field(0))) is not None else 0.0
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
            from urltrap.machine.programs._awkfunctions import call

            return call(self, node[1], node[2])
        if kind == "group":
            return string(self.globals["SUBSEP"]).join(string(self.ev(each)) for each in node[1])
        raise AwkFatal(f"unexpected {kind}")

    def _field_number(self, node: Node) -> int:
        value = number(self.ev(node))
        if value != value or abs(value) > 1e9:
            raise AwkFatal(f"field index ${string(value)} is out of range")
        return int(value)

    def _concatenate(self, node: Node) -> str:
        parts: list[str] = []
        form = string(self.globals["CONVFMT"])
        while node[0] == "cat":
            parts.append(string(self.ev(node[2]), form))
            node = node[1]
        parts.append(string(self.ev(node), form))
        return "".join(reversed(parts))

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

    def _grow(self, count: int) -> None:
        self.entries += count
        if self.entries % 256 == 0:
            self.p.hold(256 * 120)

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
            return float(left**right)
        except ZeroDivisionError:
            if op == "%":
                return -math.nan
            raise AwkFatal("division by zero") from None
        except (OverflowError, ValueError, TypeError):
            return math.inf

    def regex(self, source: str) -> Matcher:
        """A compiled expression."""
        try:
            return ere(source)
        except BadRegex as problem:
            raise AwkFatal(f"regular expression compile failed ({str(problem).lower()})\n{source}") from None

    def pattern(self, node: Node) -> Matcher:
        """A regular expression from a node: constant or computed."""
        while node[0] == "paren":
            node = node[1]
        return self.regex(
            node[1] if node[0] == "regex" else string(self.ev(node), string(self.globals["CONVFMT"]))
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
            raise AwkFatal(f"function {name} never defined")
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
        except _Return as leaving:
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
            words.append(string((yield from self.value(each))))
        if name == "system":
            yield from self.flush()
            pid = self.p.spawn(["sh", "-c", words[0] if words else ""], path="/bin/sh")
            ended = yield from self.p.wait(pid)
            return float(ended[1] if ended is not None else 0)
        if name == "fflush":
            yield from self.flush()
            return 0.0
        return (yield from self.close(words[0] if words else ""))

    # -- input and output

    def flush(self) -> Gen:
        """Write all that is buffered."""
        yield from self.c.flush()
        for fd, data in self.buffers.items():
            if data:
                piece = bytes(data)
                data.clear()
                yield from self.p.write(fd, piece)

    def close(self, name: str) -> Generator[Any, Any, float]:
        """close(name)."""
        result = -1.0
        if name in self.outputs:
            fd, pid = self.outputs.pop(name)
            data = bytes(self.buffers.pop(fd, b""))
            yield from self.p.write(fd, data)
            self.p.close(fd)
            result = 0.0
            if pid:
                ended = yield from self.p.wait(pid)
                result = float(ended[1] if ended is not None else 0)
        if name in self.inputs:
            source, pid = self.inputs.pop(name)
            self.p.close(source.fd)
            result = 0.0
            if pid:
                ended = yield from self.p.wait(pid)
                result = float(ended[1] if ended is not None else 0)
        return result

    def close_all(self) -> Gen:
        """At the end."""
        yield from self.flush()
        for name in [*self.outputs, *self.inputs]:
            yield from self.close(name)

    def output(self, kind: str, name: str) -> Generator[Any, Any, int]:
        """The descriptor of a redirection."""
        if name in self.outputs:
            return self.outputs[name][0]
        if kind != "|" and name in ("/dev/stdout", "-", "/dev/stderr"):
            return 2 if name == "/dev/stderr" else 1
        pid = 0
        if kind == "|":
            yield from self.flush()
            reader, fd = self.p.pipe()
            pid = self.p.spawn(["sh", "-c", name], path="/bin/sh", fds={0: reader, 1: 1, 2: 2})
            self.p.close(reader)
        else:
            try:
                fd = self.p.open(name, O_WRONLY | O_CREAT | (O_APPEND if kind == ">>" else O_TRUNC))
            except SysError as problem:
                raise AwkFatal(f'cannot open "{name}" for output ({problem.words})') from None
        self.outputs[name] = (fd, pid)
        return fd

    def print(self, text: str, target: tuple[str, Node] | None) -> Gen:
        """Print to the output or a redirection."""
        data = encode(text)
        if target is None:
            yield from self.c.put(data)
            return
        name = string((yield from self.value(target[1])))
        fd = yield from self.output(target[0], name)
        if fd == 1:
            yield from self.c.put(data)
        elif fd == 2:
            yield from self.flush()
            yield from self.p.write(2, data)
        else:
            buffer = self.buffers.setdefault(fd, bytearray())
            buffer += data
            if len(buffer) > 32_768:
                piece = bytes(buffer)
                buffer.clear()
                yield from self.p.write(fd, piece)

    def read_record(self, source: Source) -> Generator[Any, Any, str | None]:
        """The next record of a source by RS."""
        separator = string(self.globals["RS"])
        if separator == "\n":
            line = yield from source.line()
            return decode(line.removesuffix(b"\n")) if line else None
        if separator == "":
            lines: list[bytes] = []
            while True:
                line = yield from source.line()
                if not line:
                    break
                if line == b"\n":
                    if lines:
                        break
                    continue
                lines.append(line)
            return decode(b"".join(lines).removesuffix(b"\n")) if lines else None
        if len(separator) == 1 and ord(separator) < 128:
            line = yield from source.line(separator.encode())
            if not line:
                return None
            text = decode(line)
            if not text.endswith(separator) and text.endswith("\n"):
                text = text[:-1]  # the end of the file
            return text.removesuffix(separator)
        rest = bytearray()
        while len(rest) < 4_000_000:
            piece = yield from source.chunk()
            if not piece:
                break
            rest += piece
        if not rest:
            return None
        text = decode(bytes(rest))
        found = self.regex(separator).search(text)
        if found is None or found.end == found.start:
            return text.removesuffix("\n")
        source.buffer, source.pos = encode(text[found.end :]), 0
        return text[: found.start]

    def next_record(self) -> Generator[Any, Any, str | None]:
        """The next record of the operands."""
        while True:
            if self.source is None and not (yield from self._open_next()):
                return None
            assert self.source is not None  # opened just now
            record = yield from self.read_record(self.source)
            if record is not None:
                self.globals["NR"] = number(self.globals["NR"]) + 1
                self.globals["FNR"] = number(self.globals["FNR"]) + 1
                return record
            self.source.close()
            self.source = None

    def _open_next(self) -> Generator[Any, Any, bool]:
        arguments = self.array("ARGV")
        while self.argument + 1 < number(self.globals["ARGC"]):
            self.argument += 1
            word = string(arguments.get(str(self.argument)))
            if not word:
                continue
            name, equals, value = word.partition("=")
            if equals and name.isidentifier() and name.isascii():
                from urltrap.machine.programs._awkparse import unescape

                self.set(name, Field(unescape(value)))
                continue
            self.used_file = True
            try:
                self.source = Source(self.c, word)
            except SysError as problem:
                yield from self.flush()
                yield from self.p.err(
                    f"{self.name}: cannot open {word} ({problem.words})\n"
                    if self.name != "awk"
                    else f"awk: {word}: {problem.words}\n"
                )
                self.status = 2
                raise _Exit from None
            self.globals["FILENAME"] = word
            self.globals["FNR"] = 0.0
            return True
        if not self.used_file:
            self.used_file = True
            self.source = Source(self.c, "-")
            return True
        return False

    def getline(self, node: Node) -> Generator[Any, Any, float]:
        """All forms of getline."""
        _, kind, target, operand = node
        if kind == "plain":
            record = yield from self.next_record()
        else:
            name = string((yield from self.value(operand)))
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

    def _open_input(self, kind: str, name: str) -> Generator[Any, Any, tuple[Source, int]]:
        if kind == "file":
            return Source(self.c, name), 0
        yield from self.flush()
        reader, writer = self.p.pipe()
        pid = self.p.spawn(["sh", "-c", name], path="/bin/sh", fds={0: 0, 1: writer, 2: 2})
        self.p.close(writer)
        source = Source(self.c, "-")
        source.fd = reader
        return source, pid

    # -- statements

    def block(self, body: list[Node]) -> Gen:
        """Statements in order."""
        for each in body:
            yield from self.statement(each)

    def statement(self, node: Node) -> Gen:
        """One statement."""
        if self.steps > 40:
            yield from self.p.tick(self.steps // 2)
            self.steps = 0
        self.steps += 1
        kind = node[0]
        if kind == "expr":
            if self.blocks(node[1]):
                yield from self.value(node[1])
            else:
                self.ev(node[1])
        elif kind in ("print", "printf"):
            yield from self._print(node)
        elif kind == "block":
            yield from self.block(node[1])
        elif kind == "if":
            if truth((yield from self.value(node[1]))):
                yield from self.statement(node[2])
            elif node[3] is not None:
                yield from self.statement(node[3])
        elif kind == "while":
            while truth((yield from self.value(node[1]))):
                if (yield from self._turn(node[2])):
                    break
        elif kind == "do":
            while True:
                if (yield from self._turn(node[1])) or not truth((yield from self.value(node[2]))):
                    break
        elif kind == "for":
            yield from self._for(node)
        elif kind == "forin":
            for key in list(self.array(node[2])):
                self.set(node[1], Field(key))
                if (yield from self._turn(node[3])):
                    break
        elif kind == "delete":
            found = self.array(node[1])
            if node[2] is None:
                found.clear()
            else:
                found.pop(self.key((yield from self.values(node[2]))), None)
        elif kind == "exit":
            if node[1] is not None:
                self.status = int(number((yield from self.value(node[1])))) & 255
            raise _Exit
        elif kind == "return":
            raise _Return((yield from self.value(node[1])) if node[1] is not None else None)
        else:
            raise {"next": _Next, "nextfile": _NextFile, "break": _Break, "continue": _Continue}[kind]

    def _turn(self, body: Node) -> Generator[Any, Any, bool]:
        """One turn of a loop; True where it is to end."""
        self.steps += 1
        try:
            yield from self.statement(body)
        except _Break:
            return True
        except _Continue:
            pass
        return False

    def _for(self, node: Node) -> Gen:
        _, start, test, step, body = node
        if start is not None:
            yield from self.statement(start)
        while test is None or truth((yield from self.value(test))):
            if (yield from self._turn(body)):
                break
            if step is not None:
                yield from self.statement(step)

    def _print(self, node: Node) -> Gen:
        values = []
        for each in node[1]:
            values.append((yield from self.value(each)))
        if node[0] == "printf":
            if not values:
                raise AwkFatal("no arguments in call to printf")
            text = sprintf(string(values[0]), values[1:])
        elif not values:
            text = string(self.field(0)) + string(self.globals["ORS"])
        else:
            form = string(self.globals["OFMT"])
            text = string(self.globals["OFS"]).join(string(each, form) for each in values) + string(
                self.globals["ORS"]
            )
        yield from self.print(text, node[2])

    # -- the whole

    def run(self) -> Generator[Any, Any, int]:
        """BEGIN, records, END."""
        try:
            try:
                for body in self.program.begin:
                    yield from self.block(body)
                if self.program.rules or self.program.end:
                    yield from self._records()
            except _Exit:
                pass
            else:
                self.finish = True
            try:
                for body in self.program.end:
                    yield from self.block(body)
            except _Exit:
                pass
        except AwkFatal as problem:
            yield from self.flush()
            yield from self.p.err(
                f"{self.name}: {'run time error: ' if self.name == 'mawk' else 'cmd. line:1: '}{problem}\n"
            )
            self.status = 2
        except _Flow:
            self.status = 2
        yield from self.close_all()
        return self.status

    finish = False

    def _records(self) -> Gen:
        while (record := (yield from self.next_record())) is not None:
            self.set_record(record)
            try:
                for number_of, (first, second, action) in enumerate(self.program.rules):
                    if not (yield from self._selected(number_of, first, second)):
                        continue
                    if action is None:
                        yield from self.c.put(encode(string(self.field(0)) + string(self.globals["ORS"])))
                    else:
                        yield from self.block(action)
            except _Next:
                pass
            except _NextFile:
                if self.source is not None:
                    self.source.close()
                    self.source = None
            yield from self.p.tick(1 + len(record) // 512)

    def _selected(self, key: int, first: Node | None, second: Node | None) -> Generator[Any, Any, bool]:
        if first is None:
            return True
        if second is None:
            return truth((yield from self.value(first)))
        if not self.in_range.get(key):
            if not truth((yield from self.value(first))):
                return False
            self.in_range[key] = True
        if truth((yield from self.value(second))):
            self.in_range[key] = False
        return True
