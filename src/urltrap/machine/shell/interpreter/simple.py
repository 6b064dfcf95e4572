"""Simple commands: expansion, assignments, redirections, and who runs the result."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from urltrap.machine.errors import BudgetError, SysError
from urltrap.machine.shell.ast import Assign, FunctionDef, Simple
from urltrap.machine.shell.builtins.registry import lookup
from urltrap.machine.shell.environ import with_temporary
from urltrap.machine.shell.errors import ExitShell, ExpansionError, ReturnFrom
from urltrap.machine.shell.expansion.fields import AssignWord, expand_words
from urltrap.machine.shell.interpreter.assign import assign_all
from urltrap.machine.shell.interpreter.program import (
    find_program,
    replace_by,
    run_program,
    script_or_binary,
)
from urltrap.machine.shell.interpreter.redirect import RedirectError, Saved, apply_redirections, undo
from urltrap.machine.shell.interpreter.trace import trace, trace_words
from urltrap.machine.shell.variables import Var

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell

_STEPS = 8
"""What one simple command costs, in the kernel's steps (a step is about a microsecond)."""
_WRITERS = frozenset(
    ("echo", "printf", "pwd", "type", "help", "set", "export", "alias", "history", "jobs", "times")
)
_REGULAR = frozenset((
    "umask", "ulimit", "kill", "jobs", "fg", "bg", "wait", "cd", "chdir", "pwd", "read", "getopts", "printf", "echo",
    "test", "[", "alias", "unalias", "type", "hash", "let",
))  # fmt: skip
_SPECIAL = frozenset((
    ".", ":", "break", "continue", "eval", "exec", "exit", "export", "readonly", "return", "set", "shift", "times",
    "trap", "unset",
))  # fmt: skip


def run_simple(sh: Shell, node: Simple) -> Gen[int]:
    """Run one simple command."""
    return _run(sh, node, node is sh.final and not sh.traps and not sh.function_depth and not sh.source_depth)


def exec_child(sh: Shell, node: Simple) -> Gen[int]:
    """Run a simple command as the last act of a subshell: a program takes the process over."""
    return _run(sh, node, True)


def _run(sh: Shell, node: Simple, replace: bool) -> Gen[int]:
    sh.line = node.line
    yield from sh.p.tick(_STEPS)
    if sh.traps or sh.interactive:
        yield from sh.run_traps()
    sh.subst_status = None
    temporaries = len(sh.temporary_fds)
    try:
        argv = yield from expand_words(sh, node.words)
        if not argv:
            status = yield from _no_command(sh, node)
        else:
            status = yield from _command(sh, node, argv, replace)
    except ExpansionError as problem:
        yield from sh.fail_expansion(problem)
        return 1
    finally:
        if len(sh.temporary_fds) > temporaries:
            for fd in sh.temporary_fds[temporaries:]:
                if fd in sh.p.fds:
                    sh.p.close(fd)
            del sh.temporary_fds[temporaries:]
    sh.status = status
    if len(sh.pipe_status) != 1 or sh.pipe_status[0] != status:
        sh.pipe_status = [status]
    if status and (sh.traps or "errexit" in sh.options):
        from urltrap.machine.shell.interpreter.run import check_error

        yield from check_error(sh, status)
    return status


def _no_command(sh: Shell, node: Simple) -> Gen[int]:
    """Only assignments and redirections."""
    traced = yield from assign_all(sh, node.assigns)
    if traced and "xtrace" in sh.options:
        if sh.dialect.bash:
            for text in traced:
                yield from trace(sh, text)
        else:
            yield from trace(sh, " ".join(traced))
    if node.redirs:
        try:
            saved = yield from apply_redirections(sh, node.redirs)
        except RedirectError:
            return sh.dialect.empty_redirect_status
        undo(sh, saved)
    return sh.subst_status or 0


def _command(sh: Shell, node: Simple, argv: list[str], replace: bool) -> Gen[int]:
    name = argv[0]
    function = sh.functions.get(name)
    builtin = None
    if function is None:
        builtin = find_builtin(sh, name)
    if "xtrace" in sh.options and name != "":
        texts: list[str] = []
        for item in node.assigns:
            texts.append(item.raw)
        yield from trace_words(sh, [*texts, *argv] if not sh.dialect.bash else list(argv))
    if builtin is not None and name == "exec":
        return (yield from _exec(sh, node, argv))
    saved: Saved = []
    if node.redirs:
        try:
            saved = yield from apply_redirections(sh, node.redirs, keep=replace)
        except RedirectError:
            if builtin is not None and name in _SPECIAL and not sh.dialect.bash and not sh.interactive:
                raise ExitShell(sh.dialect.empty_redirect_status) from None
            return sh.dialect.empty_redirect_status
    try:
        if function is not None:
            return (yield from _with_assignments(sh, node, lambda: call_function(sh, function, argv)))
        if builtin is not None:
            if not node.assigns:
                status = yield from call_builtin(sh, argv)
            elif name in _SPECIAL and not sh.dialect.bash:
                yield from assign_all(sh, node.assigns)
                status = yield from call_builtin(sh, argv)
            else:
                status = yield from _with_assignments(sh, node, lambda: call_builtin(sh, argv))
            return status
        env = sh.vars.environment()
        if node.assigns:
            env = yield from _environment(sh, node, env)
        if replace and not sh.traps.get("EXIT"):
            if not sh.in_pipeline and (sh.command_string or sh.in_subshell):
                env = one_level_up(sh, env)
            return (yield from replace_by(sh, argv, env))
        return (yield from run_program(sh, argv, env, node.text))
    finally:
        if saved:
            undo(sh, saved)
        sh.last_argument = argv[-1] if argv else ""


def one_level_up(sh: Shell, env: dict[str, str]) -> dict[str, str]:
    """What a program gets that takes bash's place: SHLVL counts the shell no more (adjust_shell_level)."""
    level = env.get("SHLVL", "")
    return {**env, "SHLVL": str(int(level) - 1)} if sh.dialect.bash and level[:6].isdecimal() else env


def _environment(sh: Shell, node: Simple, base: dict[str, str]) -> Gen[dict[str, str]]:
    """The environment of a program with ``NAME=value`` before it; the shell's own variables stay as they are."""
    kept = _remember(sh, node)
    try:
        yield from assign_all(sh, node.assigns)
        names = [item.name for item in node.assigns]
        found = {name: value for name in names if (value := sh.vars.get(name)) is not None}
    finally:
        _restore(sh, kept)
    return with_temporary(base, names, found, bash=sh.dialect.bash)


def _remember(sh: Shell, node: Simple) -> list[tuple[str, Var | None]]:
    kept: list[tuple[str, Var | None]] = []
    for item in node.assigns:
        if any(name == item.name for name, _ in kept):
            continue
        found = sh.vars.find(item.name)
        kept.append((item.name, None if found is None else found.copy()))
    return kept


def _restore(sh: Shell, kept: list[tuple[str, Var | None]]) -> None:
    for name, old in kept:
        if old is None:
            sh.vars.unset(name)
        else:
            for scope in reversed(sh.vars.scopes):
                if name in scope:
                    scope[name] = old
                    break
            else:
                sh.vars.scopes[0][name] = old
    sh.vars.changed()
    if any(name == "PATH" for name, _ in kept):
        sh.hashed.clear()


def _with_assignments(sh: Shell, node: Simple, run: object) -> Gen[int]:
    """Run a builtin or function with temporary variables that are also exported."""
    if not node.assigns:
        return (yield from run())  # type: ignore[operator, no-any-return]
    kept = _remember(sh, node)
    yield from assign_all(sh, node.assigns)
    for item in node.assigns:
        if sh.vars.find(item.name) is not None:
            sh.vars.slot(sh.vars.target(item.name)).exported = True
    sh.vars.changed()
    try:
        return (yield from run())  # type: ignore[operator, no-any-return]
    finally:
        _restore(sh, kept)


# -- builtins and functions


def find_builtin(sh: Shell, name: str) -> object | None:
    """The builtin of that name in this dialect, where it is enabled."""
    if name in sh.disabled:
        return None
    return lookup(sh.dialect.name, name)


def call_builtin(sh: Shell, argv: list[str]) -> Gen[int]:
    """Run a builtin; its use is journalled."""
    run = lookup(sh.dialect.name, argv[0])
    assert run is not None  # the caller found it
    before, sh.builtin_name = sh.builtin_name, argv[0]
    status = 1
    try:
        status = yield from run(sh, argv)
    except ExitShell as leave:
        if sh.dialect.bash or argv[0] not in _REGULAR:
            raise
        status = leave.status  # an error in a regular builtin does not end dash or BusyBox
    except SysError as problem:
        if problem.errno in (errno.EPIPE, errno.EBADF, errno.ENOSPC, errno.EIO) and argv[0] in _WRITERS:
            if sh.dialect.bash:
                yield from sh.complain(f"write error: {problem.words}", argv[0])
            elif sh.dialect.name == "dash":
                yield from sh.complain(f"{argv[0]}: I/O error", argv[0])
            else:
                yield from sh.p.err(f"ash: write error: {problem.words}\n")
            return 1
        raise
    finally:
        sh.builtin_name = before
        sh.tell([str(word) for word in argv], "builtin", status)
    return status


def call_function(sh: Shell, function: FunctionDef, argv: list[str]) -> Gen[int]:
    """Run a function: new positional parameters, a new scope for ``local``."""
    from urltrap.machine.shell.interpreter.shell import MAX_FUNCTION_DEPTH, Frame

    if sh.function_depth >= MAX_FUNCTION_DEPTH:
        raise BudgetError("function nesting", MAX_FUNCTION_DEPTH)
    before, loops, line = sh.positional, sh.loop_depth, sh.line
    sh.positional = [str(word) for word in argv[1:]]
    sh.loop_depth = 0
    sh.function_depth += 1
    sh.frames.append(Frame(function.name, sh.message_name, sh.line))
    sh.vars.push()
    try:
        return (yield from sh.run(function.body))
    except ReturnFrom as jump:
        sh.status = jump.status
        return jump.status
    finally:
        sh.vars.pop()
        sh.frames.pop()
        sh.function_depth -= 1
        sh.loop_depth = loops
        sh.positional = before
        sh.line = line


def _exec(sh: Shell, node: Simple, argv: list[str]) -> Gen[int]:
    """``exec``: redirections that stay, then perhaps another program."""
    if node.redirs:
        try:
            yield from apply_redirections(sh, node.redirs, keep=True)
        except RedirectError:
            if not sh.interactive and not sh.dialect.bash:
                raise ExitShell(sh.dialect.empty_redirect_status) from None
            return 1
    words = [str(word) for word in argv[1:]]
    login = clear = False
    zeroth: str | None = None
    while words and words[0].startswith("-") and sh.dialect.bash:
        flag = words.pop(0)
        if flag == "--":
            break
        for letter in flag[1:]:
            if letter == "l":
                login = True
            elif letter == "c":
                clear = True
            elif letter == "a" and words:
                zeroth = words.pop(0)
            else:
                yield from sh.complain(f"-{letter}: invalid option", "exec")
                yield from sh.p.err(
                    "exec: usage: exec [-cl] [-a name] [command [argument ...]] [redirection ...]\n"
                )
                return 2
    sh.tell([str(word) for word in argv], "builtin", 0)
    if not words:
        if node.assigns:
            yield from assign_all(sh, node.assigns)
        return 0
    env = {} if clear else dict(sh.vars.environment())
    if node.assigns:
        env = yield from _environment(sh, node, env)
    path = find_program(sh, words[0])
    if path is None:
        sh.tell(words, "not-found", 127)
        text = "not found"
        yield from sh.complain(f"{words[0]}: {text}", "exec")
        if sh.interactive:
            return 127
        raise ExitShell(127)
    shown = zeroth if zeroth is not None else words[0]
    final = [("-" if login else "") + shown, *words[1:]]
    if sh.traps.get("EXIT"):
        sh.traps.pop("EXIT")
    try:
        status = yield from sh.p.exec(final, path=path, env=one_level_up(sh, env))
    except SysError as problem:
        if problem.errno == errno.ENOEXEC:
            status = yield from script_or_binary(sh, words, path, True)
            raise ExitShell(status) from None
        missing = problem.errno == errno.ENOENT
        if sh.dialect.bash:
            yield from sh.complain(f"{words[0]}: {problem.words}")
            yield from sh.complain(f"{words[0]}: cannot execute: {problem.words}", "exec")
        else:
            yield from sh.complain(f"{words[0]}: {'not found' if missing else problem.words}", "exec")
        status = 127 if missing else 126
        if sh.interactive:
            return status
    raise ExitShell(status)


__all__ = [
    "Assign",
    "AssignWord",
    "call_builtin",
    "call_function",
    "exec_child",
    "find_program",
    "run_simple",
]
