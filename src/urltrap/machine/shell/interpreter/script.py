"""Running text: -c strings, files, eval, traps, and the bottom of every subshell."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from urltrap.machine.errors import BudgetError
from urltrap.machine.shell.ast import AndOr, Node, Sequence, Simple
from urltrap.machine.shell.errors import (
    BreakLoop,
    ContinueLoop,
    DiscardLine,
    ExitShell,
    ExpansionError,
    ReturnFrom,
    ShellSyntaxError,
)
from urltrap.machine.shell.messages import syntax_message
from urltrap.machine.shell.parser import (
    STEP_TEXT,
    Script,
    next_cached,
    next_command,
    open_parser,
    parse_cached,
)
from urltrap.machine.shell.traps import run_exit

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell

_CACHE_LIMIT = 65_536
_STEP_CHARACTERS = 64


def run_text(sh: Shell, text: str, *, origin: str, line: int | None = None, top: bool = False) -> Gen[int]:
    """Run all commands of `text`. `origin` names the source in syntax errors: "-c", "eval", "file" …

    A command that fails to expand ends the text unless it is a file's (`top`: then only the command).
    """
    start = line if line is not None else (1 if origin in ("-c", "file") else max(1, sh.line))
    if "\0" in text:
        text = text.replace("\0", "")
    cacheable = (
        len(text) <= _CACHE_LIMIT
        and not _uses_aliases(sh)
        and "extglob" not in text
        and not (sh.dialect.aliases_in_scripts and "alias" in text)
    )
    if cacheable:
        yield from sh.p.tick(1 + len(text) // _STEP_CHARACTERS)
        script = parse_cached(text, sh.dialect.name, start, sh.extglob)
        return (yield from _run_parsed(sh, script, origin, top))
    return (yield from _run_incrementally(sh, text, origin, start, top))


def _uses_aliases(sh: Shell) -> bool:
    return (
        sh.interactive
        or "expand_aliases" in sh.shopts
        or (sh.dialect.aliases_in_scripts and bool(sh.aliases))
    )


def _run_parsed(sh: Shell, script: Script, origin: str, top: bool) -> Gen[int]:
    sh.status = sh.status if script.commands or script.error else 0
    for first, last, delimiter in script.warnings:
        yield from warn_here(sh, first, last, delimiter)
    if origin == "-c" and script.commands and script.error is None and sh.dialect.name != "dash":
        # Debian's dash stays and waits, the others let their last program take their place.
        sh.final = _last_simple(script.commands[-1])
    for node in script.commands:
        yield from run_command(sh, node, top)
    if script.error is not None:
        yield from syntax_failure(sh, script.error, origin)
    return sh.status


def _last_simple(node: Node) -> Node | None:
    """The simple command that ends `node`, where nothing comes after it."""
    while isinstance(node, Sequence | AndOr):
        node = node.items[-1] if isinstance(node, Sequence) else node.rest[-1][1]
    return node if isinstance(node, Simple) else None


def _run_incrementally(sh: Shell, text: str, origin: str, start: int, top: bool) -> Gen[int]:
    """One command at a time, so that aliases and ``shopt -s extglob`` work for the lines that follow."""
    aliases = sh.aliases if _uses_aliases(sh) or sh.dialect.aliases_in_scripts else None
    parser = open_parser(text, sh.dialect, line=start, aliases=aliases, extglob=sh.extglob)
    while len(text) <= STEP_TEXT:
        now = None if aliases is None else tuple(aliases.items())
        try:
            step = next_cached(text, sh.dialect.name, parser.pos, parser.line, sh.extglob, now)
        except ShellSyntaxError:
            break  # the parser below meets it again, and says it
        if step is None:
            break
        yield from sh.p.tick(1 + (step.pos - parser.pos) // _STEP_CHARACTERS)
        parser.pos, parser.line = step.pos, step.line
        for first, last, delimiter in step.warnings:
            yield from warn_here(sh, first, last, delimiter)
        if step.node is None:
            return sh.status
        yield from run_command(sh, step.node, top)
    while True:
        begin = parser.pos
        parser.extglob = sh.extglob
        try:
            node = next_command(parser)
        except ShellSyntaxError as problem:
            yield from syntax_failure(sh, problem, origin)
            return sh.status
        yield from sh.p.tick(1 + (parser.pos - begin) // _STEP_CHARACTERS)
        for first, last, delimiter in parser.here_warning:
            yield from warn_here(sh, first, last, delimiter)
        parser.here_warning.clear()
        if node is None:
            return sh.status
        yield from run_command(sh, node, top)


def warn_here(sh: Shell, first: int, last: int, delimiter: str) -> Gen[None]:
    """bash's warning for a here-document that the end of the text closed."""
    if not sh.dialect.bash:
        return
    before, sh.line = sh.line, last
    yield from sh.complain(
        f"warning: here-document at line {first} delimited by end-of-file (wanted `{delimiter}')"
    )
    sh.line = before


def run_command(sh: Shell, node: Node, top: bool) -> Gen[int]:
    """Run one complete command, as the shell's main loop does."""
    if "noexec" in sh.options and not sh.interactive:
        return sh.status
    try:
        sh.status = yield from sh.run(node)
    except DiscardLine as jump:
        sh.status = jump.status
        if not top:
            raise
    except ExpansionError as problem:
        try:
            yield from sh.fail_expansion(problem)
        except DiscardLine as jump:
            sh.status = jump.status
            if not top:
                raise
    return sh.status


def syntax_failure(sh: Shell, problem: Exception, origin: str) -> Gen[None]:
    """Print a syntax error; it ends the shells other than bash, and bash's -c strings by their end."""
    if not isinstance(problem, ShellSyntaxError):
        raise problem
    if origin == "command substitution" and problem.token == ")" and not sh.dialect.bash:
        return  # their parser takes it for the end of the substitution
    yield from sh.p.err(syntax_message(sh, problem, origin))
    sh.status = problem.status
    if not sh.dialect.bash and not sh.interactive:
        raise ExitShell(2)


def subshell(sh: Shell, body: Callable[[], Gen[int]]) -> Gen[int]:
    """Run `body` as a process of its own: every jump ends here, the EXIT trap runs."""
    try:
        try:
            sh.status = yield from body()
        except ExitShell as leave:
            sh.status = leave.status
        except DiscardLine as jump:
            sh.status = jump.status
        except ReturnFrom as jump:
            sh.status = jump.status
        except (BreakLoop, ContinueLoop):
            sh.status = 0
        except ExpansionError as problem:
            try:
                yield from sh.fail_expansion(problem)
            except (DiscardLine, ExitShell) as jump:
                sh.status = jump.status
        if sh.traps.get("EXIT"):
            yield from run_exit(sh)
    except RecursionError:
        raise BudgetError("nesting", 1000) from None
    finally:
        sh.vars.release()
    return sh.status & 255
