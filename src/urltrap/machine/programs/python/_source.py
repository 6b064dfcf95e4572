"""From source to syntax tree: the host's own parser, within bounds; its complaints are the program's SyntaxError."""

from __future__ import annotations

import ast
import re
import warnings
from typing import Any

from urltrap.machine.programs.python._objects import EXCEPTIONS, Instance, PyError, error
from urltrap.machine.programs.python._vm import Vm

_MOST = 400_000
_BRACKETS = 90
_NO_FILE = "/dev/null/source"
"""For an error's line CPython's parser opens the file that it was told: it must find none on the host."""
_DEEPEST = 140
_PREFIXES = re.compile(r"(?:[-+~]\s*|not\s+|lambda[^:\n]{0,20}:\s*|await\s+|\*\s*){60,}")


def parse(vm: Vm, source: Any, filename: str, mode: str = "exec") -> Any:
    """The tree; SyntaxError as CPython words it, MemoryError and RecursionError where CPython would give up, too."""
    if isinstance(source, (bytes, bytearray)):
        source = bytes(source).decode("utf-8", "replace")
    if not isinstance(source, str):
        raise error("TypeError", f"{mode}() arg 1 must be a string, bytes or code object")
    if "\0" in source:
        raise error(
            "SyntaxError" if vm.version >= (3, 12) else "ValueError",
            "source code string cannot contain null bytes",
        )
    vm.sources[filename] = source.splitlines()
    vm.steps += len(source) >> 1
    if len(source) > _MOST or _too_deep(source):
        raise error("MemoryError")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source, _NO_FILE, mode)
    except SyntaxError as problem:
        raise syntax_error(problem, filename) from None
    except (RecursionError, MemoryError):
        raise error("MemoryError") from None
    except ValueError as problem:
        raise error("ValueError", *problem.args) from None
    if _depth(tree) > _DEEPEST:
        raise error("RecursionError", "maximum recursion depth exceeded during compilation")
    _refuse(tree, filename, source)
    return tree


def _too_deep(source: str) -> bool:
    """Brackets or prefix operators beyond what the host's parser should meet."""
    depth = most = 0
    for char in source:
        if char in "([{":
            depth += 1
            most = max(most, depth)
        elif char in ")]}" and depth:
            depth -= 1
    return most > _BRACKETS * 4 or _PREFIXES.search(source) is not None


def _depth(tree: ast.AST) -> int:
    """How deep the tree is, where chains that are walked in a loop count once."""
    most = 0
    pending: list[tuple[ast.AST, int]] = [(tree, 0)]
    while pending:
        node, depth = pending.pop()
        most = max(most, depth)
        for name, value in ast.iter_fields(node):
            level = depth + 1
            if (isinstance(node, ast.BinOp) and name == "left" and isinstance(value, ast.BinOp)) or (
                isinstance(node, ast.If) and name == "orelse" and isinstance(value, list) and len(value) == 1
            ):
                level = depth
            for each in value if isinstance(value, list) else (value,):
                if isinstance(each, ast.AST):
                    pending.append((each, level))
    return most


def _refuse(tree: ast.AST, filename: str, source: str) -> None:
    """What CPython's compiler, not its parser, refuses."""
    pending: list[tuple[ast.AST, bool, bool]] = [(tree, False, False)]
    while pending:
        node, inside, loop = pending.pop()
        text = ""
        if isinstance(node, ast.Return) and not inside:
            text = "'return' outside function"
        elif isinstance(node, (ast.Yield, ast.YieldFrom)) and not inside:
            text = "'yield' outside function"
        elif isinstance(node, (ast.Expr, ast.Return)) and isinstance(node.value, ast.Starred):
            node, text = node.value, "can't use starred expression here"
        elif isinstance(node, ast.Nonlocal) and not inside:
            text = "nonlocal declaration not allowed at module level"
        elif (
            isinstance(node, (ast.Tuple, ast.List))
            and isinstance(node.ctx, ast.Store)
            and (sum(isinstance(each, ast.Starred) for each in node.elts) > 1)
        ):
            text = "multiple starred expressions in assignment"
        elif isinstance(node, ast.arguments) and (twice := _twice(node)) is not None:
            node, text = twice, f"duplicate argument '{twice.arg}' in function definition"
        elif isinstance(node, ast.Break) and not loop:
            text = "'break' outside loop"
        elif isinstance(node, ast.Continue) and not loop:
            text = "'continue' not properly in loop"
        if text:
            shown: Any = node
            lines = source.splitlines()
            problem = SyntaxError(
                text,
                (filename, shown.lineno, shown.col_offset + 1, lines[shown.lineno - 1], shown.end_lineno,
                 shown.end_col_offset + 1),
            )  # fmt: skip
            raise syntax_error(problem, filename)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            inside, loop = True, False
        elif isinstance(node, ast.ClassDef):
            inside, loop = False, False
        for name, value in ast.iter_fields(node):
            within = loop or (isinstance(node, (ast.For, ast.While)) and name == "body")
            for each in value if isinstance(value, list) else (value,):
                if isinstance(each, ast.AST):
                    pending.append((each, inside, within))


def _twice(node: ast.arguments) -> ast.arg | None:
    """The parameter that has the name of an earlier one."""
    seen: set[str] = set()
    last = (each for each in (node.vararg, node.kwarg) if each is not None)
    for each in (*node.posonlyargs, *node.args, *node.kwonlyargs, *last):
        if each.arg in seen:
            return each
        seen.add(each.arg)
    return None


def syntax_error(problem: SyntaxError, filename: str) -> PyError:
    """The host's SyntaxError as the program's, with the line it points at."""
    name = type(problem).__name__
    pointed = f'  File "{filename}", line {problem.lineno}\n'
    text = problem.text
    if text is not None:
        line = text.rstrip("\n")
        bare = line.lstrip(" \t\f")
        pointed += f"    {bare.rstrip()}\n"
        offset = (problem.offset or 1) - 1
        end = (problem.end_offset or 0) - 1
        if problem.end_lineno not in (None, problem.lineno) or end <= offset:
            end = offset + 1 if problem.end_lineno in (None, problem.lineno) else len(line)
        start = offset - (len(line) - len(bare))
        if start >= 0 and (problem.offset or 0) > 0:
            pointed += f"    {' ' * start}{'^' * max(1, end - offset)}\n"
    value = Instance(
        EXCEPTIONS[name],
        {"args": (problem.msg,), "msg": problem.msg, "lineno": problem.lineno, "__pointed__": pointed,
         "filename": filename, "offset": problem.offset, "text": text},
    )  # fmt: skip
    return PyError(value)
