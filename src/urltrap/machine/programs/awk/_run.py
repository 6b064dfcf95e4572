"""Running awk's programs: statements, records, BEGIN and END."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from urltrap.machine.programs._cmd import Cmd, Gen
from urltrap.machine.programs.awk._evaluate import Evaluator, Return
from urltrap.machine.programs.awk._expressions import Node
from urltrap.machine.programs.awk._memory import AwkFatal
from urltrap.machine.programs.awk._parser import Program
from urltrap.machine.programs.awk._streams import InputMissing
from urltrap.machine.programs.awk._values import (
    Field,
    FormatError,
    Value,
    native,
    number,
    sprintf,
    to_bytes,
    truth,
)


class _Flow(Exception):
    """A statement that leads elsewhere."""


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


_LEADING = {"next": _Next, "nextfile": _NextFile, "break": _Break, "continue": _Continue}


class Machine(Evaluator):
    """One run of awk."""

    def __init__(self, c: Cmd, program: Program) -> None:
        super().__init__(c, program)
        self.in_range: dict[int, bool] = {}

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
            raise Return((yield from self.value(node[1])) if node[1] is not None else None)
        else:
            raise _LEADING[kind]

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
        self.p.advance(begins=True)
        while test is None or truth((yield from self.value(test))):
            if (yield from self._turn(body)):
                break
            if step is not None:
                yield from self.statement(step)
                if test is not None:
                    self.p.advance()

    def _print(self, node: Node) -> Gen:
        name, nodes, target = node
        values = []
        for each in nodes:
            values.append((yield from self.value(each)))
        if name == "printf":
            text = yield from self._formatted(values)
        else:
            form = self.setting("OFMT")
            shown = [self.text(each, form) for each in values or [self.field(0)]]
            text = self.setting("OFS").join(shown) + self.setting("ORS")
        if target is None:
            yield from self.c.put(to_bytes(text))
        else:
            where = self.text((yield from self.value(target[1])))
            yield from self.print(text, target[0], where)

    def _formatted(self, values: list[Value]) -> Generator[Any, Any, str]:
        """What printf makes; where mawk gives up, what it made before is already written."""
        if not values:
            return ""
        try:
            return sprintf(self.text(values[0]), values[1:], self.busybox, "printf")
        except FormatError as problem:
            if not self.busybox:
                yield from self.c.put(to_bytes(problem.made))
            raise

    def run(self) -> Generator[Any, Any, int]:
        """BEGIN, records, END."""
        try:
            try:
                for body in self.program.begin:
                    yield from self.block(body)
                if self.program.rules or self.program.end:
                    yield from self._records()
            except _Exit:
                pass  # END runs all the same
            try:
                for body in self.program.end:
                    yield from self.block(body)
            except _Exit:
                pass
        except InputMissing:
            pass  # it is said already, and the status is set
        except (AwkFatal, FormatError) as problem:
            yield from self._give_up(problem)
        except (_Flow, Return):
            pass  # BusyBox leaves where a statement leads out of what there is
        yield from self.close_all()
        return self.status

    def _give_up(self, problem: AwkFatal | FormatError) -> Gen:
        """What awk says when it cannot go on."""
        yield from self.flush()
        bare = isinstance(problem, AwkFatal) and problem.bare
        if self.busybox:
            self.status = 1
            words = f"{'' if bare else 'cmd. line:1: '}{problem.busybox}"
        else:
            self.status = 2
            name = self.text(self.globals["FILENAME"])
            counts = " ".join(f"{each}={self.setting(each)}" for each in ("FNR", "NR"))
            words = (
                problem.words if bare else f'run time error: {problem.words}\n\tFILENAME="{name}" {counts}'
            )
        yield from self.p.err(f"{self.c.name}: {native(words)}\n")

    def _records(self) -> Gen:
        while (record := (yield from self.next_record())) is not None:
            self.set_record(record)
            try:
                for number_of, (first, second, action) in enumerate(self.program.rules):
                    if not (yield from self._selected(number_of, first, second)):
                        continue
                    if action is None:
                        yield from self.c.put(to_bytes(self.text(self.field(0)) + self.setting("ORS")))
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
