"""Groups, branches, loops, case, select and function definitions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from urltrap.machine.api import decode
from urltrap.machine.shell.arithmetic import evaluate
from urltrap.machine.shell.ast import (
    ArithCommand,
    ArithFor,
    ArithSub,
    Case,
    For,
    FunctionDef,
    Group,
    If,
    Node,
    Select,
    While,
    Word,
)
from urltrap.machine.shell.errors import BreakLoop, ContinueLoop, ExpansionError
from urltrap.machine.shell.expansion.fields import expand_pattern, expand_string, expand_words
from urltrap.machine.shell.expansion.names import ShellNames
from urltrap.machine.shell.expansion.substitution import arithmetic_text
from urltrap.machine.shell.glob import compile_pattern

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell


def run_group(sh: Shell, node: Group) -> Gen[int]:
    """``{ …; }``."""
    return sh.run(node.body)


def run_if(sh: Shell, node: If) -> Gen[int]:
    """``if``."""
    for condition, body in node.clauses:
        sh.quiet_errors += 1
        try:
            status = yield from sh.run(condition)
        finally:
            sh.quiet_errors -= 1
        if status == 0:
            return (yield from sh.run(body))
    if node.otherwise is not None:
        return (yield from sh.run(node.otherwise))
    sh.status = 0
    return 0


class _Loop:
    """Counts loops, so that ``break`` knows whether there is one."""

    def __init__(self, sh: Shell) -> None:
        self.sh = sh

    def __enter__(self) -> None:
        self.sh.loop_depth += 1

    def __exit__(self, *args: object) -> None:
        self.sh.loop_depth -= 1


def _once(sh: Shell, body: Node) -> Gen[tuple[int, bool]]:
    """One round: (status, whether the loop goes on)."""
    try:
        return (yield from sh.run(body)), True
    except ContinueLoop as jump:
        if jump.levels > 1 and sh.loop_depth > 1:
            raise ContinueLoop(jump.levels - 1) from None
        return 0, True
    except BreakLoop as jump:
        if jump.levels > 1 and sh.loop_depth > 1:
            raise BreakLoop(jump.levels - 1) from None
        return 0, False


def _nearer(sh: Shell, apart: int | None) -> int | None:
    """How far the numbers are apart that this round compared; it is told where that is less than in the last."""
    if sh.apart is not None and apart is not None and sh.apart < apart:
        sh.p.advance()
    return sh.apart


def run_while(sh: Shell, node: While) -> Gen[int]:
    """``while`` and ``until``. Where two numbers that a round compares come nearer to each other from one to the next,
    the loop has an end: what it does is work."""
    result = 0
    apart: int | None = None
    sh.p.advance(begins=True)
    with _Loop(sh):
        while True:
            yield from sh.p.tick(4)
            sh.quiet_errors += 1
            sh.apart = None
            try:
                status, going = yield from _once(sh, node.condition)
            finally:
                sh.quiet_errors -= 1
            if not going or (status == 0) == node.until:
                break
            result, going = yield from _once(sh, node.body)
            if not going:
                break
            apart = _nearer(sh, apart)
    sh.status = result
    return result


def _items(sh: Shell, words: Sequence[Word] | None) -> Gen[list[str]]:
    if words is None:
        return list(sh.positional)
    try:
        return (yield from expand_words(sh, words))
    except ExpansionError as problem:
        yield from sh.fail_expansion(problem)
        raise AssertionError from problem  # fail_expansion always raises


def run_for(sh: Shell, node: For) -> Gen[int]:
    """``for name in words``."""
    sh.line = node.line
    if not (node.name.replace("_", "a").isalnum() and not node.name[0].isdecimal()):
        yield from sh.complain(f"`{node.name}': not a valid identifier")
        sh.status = 1
        return 1
    items = yield from _items(sh, node.words)
    result = 0
    sh.p.advance(begins=True)
    with _Loop(sh):
        for item in items:
            yield from sh.p.tick(4)
            sh.p.advance()
            try:
                sh.set_var(node.name, item)
            except ExpansionError as problem:
                yield from sh.fail_expansion(problem)
            if "xtrace" in sh.options:
                from urltrap.machine.shell.interpreter.trace import trace

                if sh.dialect.bash:
                    texts = [word.raw for word in node.words] if node.words is not None else ['"$@"']
                    yield from trace(sh, f"for {node.name} in {' '.join(texts)}")
            result, going = yield from _once(sh, node.body)
            if not going:
                break
    sh.status = result
    return result


def arithmetic_value(sh: Shell, part: ArithSub) -> Gen[int]:
    """The value of an expression; its errors are printed with ``((``."""
    try:
        text = yield from arithmetic_text(sh, part)
        yield from sh.p.tick(4 + len(text) // 8)
        return evaluate(text, ShellNames(sh), sh.dialect.name)
    except ExpansionError as problem:
        if problem.fatal_status is not None:
            yield from sh.fail_expansion(problem)
        raise


def run_arithmetic(sh: Shell, node: ArithCommand) -> Gen[int]:
    """``(( … ))``."""
    from urltrap.machine.shell.interpreter.run import check_error

    sh.line = node.line
    yield from sh.p.tick(4)
    try:
        value = yield from arithmetic_value(sh, node.expression)
        sh.status = int(value == 0)
    except ExpansionError as problem:
        yield from sh.complain(f"((: {problem.message}")
        sh.status = 1
    if sh.status:
        yield from check_error(sh, sh.status)
    return sh.status


def run_arith_for(sh: Shell, node: ArithFor) -> Gen[int]:
    """``for (( init; test; step ))``."""
    sh.line = node.line
    result = 0
    apart: int | None = None
    sh.p.advance(begins=True)
    try:
        yield from arithmetic_value(sh, node.init)
        with _Loop(sh):
            while True:
                yield from sh.p.tick(4)
                sh.apart = None
                if node.test.text.strip() and not (yield from arithmetic_value(sh, node.test)):
                    break
                apart = _nearer(sh, apart)
                result, going = yield from _once(sh, node.body)
                if not going:
                    break
                yield from arithmetic_value(sh, node.step)
    except ExpansionError as problem:
        yield from sh.complain(f"((: {problem.message}")
        result = 1
    sh.status = result
    return result


def run_case(sh: Shell, node: Case) -> Gen[int]:
    """``case``."""
    sh.line = node.line
    try:
        subject = yield from expand_string(sh, node.word)
    except ExpansionError as problem:
        yield from sh.fail_expansion(problem)
        return 1
    status = 0
    fall_through = False
    for patterns, body, terminator in node.items:
        matched = fall_through
        if not matched:
            for word in patterns:
                yield from sh.p.tick(4)
                try:
                    pattern = yield from expand_pattern(sh, word)
                except ExpansionError as problem:
                    yield from sh.fail_expansion(problem)
                    return 1
                if compile_pattern(pattern, sh.extglob, "nocasematch" in sh.shopts).matches(subject):
                    matched = True
                    break
        if not matched:
            continue
        status = 0 if body is None else (yield from sh.run(body))
        if terminator == ";;":
            break
        fall_through = terminator == ";&"
    sh.status = status
    return status


def run_select(sh: Shell, node: Select) -> Gen[int]:
    """``select``: a menu on standard error, a choice from standard input."""
    from urltrap.machine.shell.input import read_record

    sh.line = node.line
    items = yield from _items(sh, node.words)
    if not items:
        sh.status = 0
        return 0
    result = 0
    show = True
    with _Loop(sh):
        while True:
            yield from sh.p.tick(4)
            if show:
                yield from sh.p.err(_menu(items, sh.p.window()[0]))
            show = False
            yield from sh.p.err(sh.getvar("PS3", "#? "))
            data, ended = yield from read_record(sh, 0, b"\n")
            if ended and not data:
                yield from sh.p.out("\n")
                result = 1
                break
            reply = decode(data)
            sh.set_var("REPLY", reply)
            if not reply.strip():
                show = True
                continue
            choice = int(reply[:9]) if reply.strip().isdecimal() else 0
            sh.set_var(node.name, items[choice - 1] if 1 <= choice <= len(items) else "")
            result, going = yield from _once(sh, node.body)
            if not going:
                break
            show = not sh.getvar("REPLY")
    sh.status = result
    return result


def _menu(items: list[str], columns: int) -> str:
    """The numbered menu, in columns as bash lays it out."""
    digits = len(str(len(items)))
    longest = max(len(item) for item in items)
    width = digits + 2 + longest + 2
    count = max(1, columns // width)
    rows = -(-len(items) // count)
    count = -(-len(items) // rows)
    if rows == 1 or len(items) <= rows:
        rows = len(items)
        count = 1
    lines: list[str] = []
    for row in range(rows):
        cells = [
            f"{index + 1:{digits}d}) {items[index]}" for index in range(row, len(items), rows)
        ]  # fmt: skip
        lines.append("".join(cell.ljust(width) for cell in cells[:-1]) + cells[-1])
    return "\n".join(lines) + "\n"


def run_function_definition(sh: Shell, node: FunctionDef) -> Gen[int]:
    """``name() body``: remember it."""
    yield from sh.p.tick(4)
    sh.functions[node.name] = node
    sh.status = 0
    return 0
