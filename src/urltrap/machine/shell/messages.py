"""The words of the three shells for syntax errors and for children that a signal ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from urltrap.machine.shell.errors import ShellSyntaxError
from urltrap.machine.shell.signals import DESCRIPTIONS

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell

_ORIGIN = {"-c": "-c: ", "eval": "eval: ", "command substitution": "command substitution: ", "trap": "trap: "}


def syntax_message(sh: Shell, problem: ShellSyntaxError, origin: str) -> str:
    """All lines of a syntax error."""
    if sh.dialect.bash:
        return _bash(sh, problem, origin)
    name = sh.message_name
    what = _ash_words(problem) if sh.dialect.name == "ash" else _dash_words(problem)
    if sh.dialect.name == "dash":
        middle = f"{sh.builtin_name}: " if origin == "eval" else ""
        return f"{name}: {problem.line}: {middle}Syntax error: {what}\n"
    if origin == "eval":
        return f"{name}: eval: line {sh.ash_line}: syntax error: {what}\n"
    # in a -c string with a name behind it BusyBox counts lines from 0; without a name it tells none
    line = problem.line if sh.extra.get("script") else problem.line - 1
    where = f"line {line}: " if sh.extra.get("script") or sh.extra.get("named") else ""
    return f"{name}: {where}syntax error: {what}\n"


def _bash(sh: Shell, problem: ShellSyntaxError, origin: str) -> str:
    name = sh.message_name
    interactive = sh.interactive and origin == "interactive"
    if sh.interactive and not interactive and name != sh.arg0:
        name = f"{sh.arg0}: {name}"
    head = f"{name}: " if interactive else f"{name}: {_ORIGIN.get(origin, '')}line {problem.line}: "
    if problem.kind == "match":
        return f"{head}unexpected EOF while looking for matching `{problem.token}'\n"
    if problem.kind == "eof":
        return f"{head}syntax error: unexpected end of file\n"
    second = "" if interactive else f"{head}`{problem.line_text}'\n"
    if problem.kind == "text":
        if problem.expected == "for" and not interactive:
            second = f"{head}syntax error: `{problem.line_text}'\n"
        return f"{head}{problem.token}\n" + second
    if problem.kind == "cond" and problem.expected != "token":
        # bash 5.2 prints this line alone and ends its input with status 0
        return f"{head}{problem.token}\n" if problem.token else ""
    if problem.expected == "unary":
        return (
            f"{head}unexpected argument `{problem.token}' to conditional unary operator\n"
            f"{head}syntax error near `{problem.token}'\n" + second
        )
    if problem.kind == "cond":
        return (
            f"{head}unexpected token `{problem.token}' in conditional command\n"
            f"{head}syntax error near `{problem.token}'\n" + second
        )
    return f"{head}syntax error near unexpected token `{problem.token}'\n" + second


def _token_words(problem: ShellSyntaxError) -> str:
    return {"eof": "end of file", "newline": "newline", "word": "word", "redir": "redirection"}.get(
        problem.token_type, f'"{problem.token}"'
    )


def _expecting(problem: ShellSyntaxError) -> str:
    if not problem.expected:
        return ""
    quoted = problem.expected if problem.expected == "word" else f'"{problem.expected}"'
    return f" (expecting {quoted})"


def _dash_words(problem: ShellSyntaxError) -> str:
    if problem.kind == "match":
        return {"`": "EOF in backquote substitution", "}": "Missing '}'"}.get(
            problem.token, "Unterminated quoted string"
        )
    if problem.kind == "text":
        return problem.token
    return f"{_token_words(problem)} unexpected{_expecting(problem)}"


def _ash_words(problem: ShellSyntaxError) -> str:
    if problem.kind == "match":
        return {"`": "EOF in backquote substitution", "}": "missing '}'"}.get(
            problem.token, "unterminated quoted string"
        )
    if problem.kind == "text":
        return problem.token
    return f"unexpected {_token_words(problem)}{_expecting(problem)}"


def child_died(sh: Shell, pid: int, status: int, text: str) -> Gen[None]:
    """What the shell says when a signal ended a foreground child."""
    number = status - 128
    words = DESCRIPTIONS.get(number, "")
    if number == 15 and sh.dialect.bash and not sh.interactive:
        yield from sh.p.err("Terminated\n")
        return
    if not words:
        if number == 2 and sh.interactive:
            yield from sh.p.err("\n")
        return
    if not sh.dialect.bash:
        yield from sh.p.err(f"{words}\n")
        return
    if sh.interactive:
        yield from sh.p.err(f"{words}\n")
        return
    yield from sh.p.err(f"{sh.prefix()}{pid:5d} {words:<23} {text}\n")
