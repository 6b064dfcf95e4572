"""``[[ … ]]``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from urltrap.machine.shell.arithmetic import evaluate
from urltrap.machine.shell.ast import CondCommand, CondExpr, CondNot, CondPair, CondTest, Word
from urltrap.machine.shell.errors import ExpansionError
from urltrap.machine.shell.expansion.fields import expand_pattern, expand_string
from urltrap.machine.shell.expansion.names import ShellNames
from urltrap.machine.shell.glob import compile_pattern
from urltrap.machine.shell.interpreter.filetest import compare_files, unary_test
from urltrap.machine.shell.interpreter.trace import trace
from urltrap.machine.shell.regex import RegexError, compile_regex

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell


def run_condition(sh: Shell, node: CondCommand) -> Gen[int]:
    """Evaluate; 0 true, 1 false, 2 an error."""
    from urltrap.machine.shell.interpreter.run import check_error

    sh.line = node.line
    yield from sh.p.tick(1)
    try:
        sh.status = int(not (yield from _evaluate(sh, node.expression)))
    except RegexError:
        sh.status = 2
    except ExpansionError as problem:
        if problem.fatal_status is not None:
            yield from sh.fail_expansion(problem)
        yield from sh.complain(f"[[: {problem.message}")
        sh.status = 1
    sh.pipe_status = [sh.status]
    if sh.status:
        yield from check_error(sh, sh.status)
    return sh.status


def _evaluate(sh: Shell, expression: CondExpr) -> Gen[bool]:
    if isinstance(expression, CondNot):
        return not (yield from _evaluate(sh, expression.inner))
    if isinstance(expression, CondPair):
        left = yield from _evaluate(sh, expression.left)
        if left != (expression.op == "&&"):
            return left
        return (yield from _evaluate(sh, expression.right))
    return (yield from _leaf(sh, expression))


def _leaf(sh: Shell, test: CondTest) -> Gen[bool]:
    left = yield from expand_string(sh, test.left)
    op = test.op
    if op == "":
        return left != ""
    if test.right is None:
        if "xtrace" in sh.options:
            yield from trace(sh, f"[[ {op} {left or chr(39) * 2} ]]")
        return unary_test(sh, op, left)
    if op in ("==", "=", "!="):
        pattern = yield from expand_pattern(sh, test.right)
        if "xtrace" in sh.options:
            yield from trace(sh, f"[[ {left or chr(39) * 2} {op} {pattern or chr(39) * 2} ]]")
        found = compile_pattern(pattern, True, "nocasematch" in sh.shopts).matches(left)
        return found == (op != "!=")
    if op == "=~":
        return (yield from _regex(sh, left, test.right))
    right = yield from expand_string(sh, test.right)
    if "xtrace" in sh.options:
        yield from trace(sh, f"[[ {left or chr(39) * 2} {op} {right or chr(39) * 2} ]]")
    if op == "<":
        return left < right
    if op == ">":
        return left > right
    if op in ("-nt", "-ot", "-ef"):
        return compare_files(sh, op, left, right)
    names = ShellNames(sh)
    first, second = evaluate(left, names), evaluate(right, names)
    names.compared(first, second)
    return {"-eq": first == second, "-ne": first != second, "-lt": first < second, "-le": first <= second,
            "-gt": first > second, "-ge": first >= second}[op]  # fmt: skip


def _regex(sh: Shell, text: str, word: Word) -> Gen[bool]:
    from urltrap.machine.shell.interpreter.regex_word import regex_text

    source = yield from regex_text(sh, word)
    if "xtrace" in sh.options:
        yield from trace(sh, f"[[ {text or chr(39) * 2} =~ {source} ]]")
    compiled = compile_regex(source, "nocasematch" in sh.shopts)
    yield from sh.p.tick(1 + len(text) // 16)
    groups = compiled.search(text)
    var = sh.vars.slot("BASH_REMATCH")
    var.array = "a"
    if groups is None:
        var.value = {}
        return False
    var.value = {number: value or "" for number, value in enumerate(groups)}
    return True
