"""``:``, true, false, break, continue, return, exit, logout, times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from urltrap.machine.shell.builtins.registry import builtin
from urltrap.machine.shell.errors import BreakLoop, ContinueLoop, DiscardLine, ExitShell, ReturnFrom

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell


@builtin(":", "true")
def true(sh: Shell, argv: list[str]) -> Gen[int]:
    """Nothing, successfully."""
    yield from ()
    return 0


@builtin("false")
def false(sh: Shell, argv: list[str]) -> Gen[int]:
    """Nothing, without success."""
    yield from ()
    return 1


def _number(text: str) -> int | None:
    body = text[1:] if text[:1] in "+-" else text
    if not body.isdecimal() or not body.isascii():
        return None
    value = int(body[:24])
    return -value if text.startswith("-") else value


@builtin("break", "continue")
def leave_loop(sh: Shell, argv: list[str]) -> Gen[int]:
    """Leave or go on with loops."""
    name = argv[0]
    levels = 1
    if not sh.loop_depth:
        if sh.dialect.bash:
            yield from sh.complain("only meaningful in a `for', `while', or `until' loop", name)
        return 0
    if len(argv) > 1:
        value = _number(argv[1])
        if value is None:
            text = (
                f"{argv[1]}: numeric argument required" if sh.dialect.bash else f"Illegal number: {argv[1]}"
            )
            yield from sh.complain(text, name)
            raise ExitShell(128 if sh.dialect.bash else 2)
        if value < 1:
            if sh.dialect.bash:
                yield from sh.complain(f"{argv[1]}: loop count out of range", name)
                raise BreakLoop(sh.loop_depth)
            yield from sh.complain(f"Illegal number: {argv[1]}", name)
            raise ExitShell(2)
        levels = min(value, sh.loop_depth)
    sh.status = 0
    if name == "break":
        raise BreakLoop(levels)
    raise ContinueLoop(levels)


def _status(sh: Shell, argv: list[str]) -> Gen[int]:
    """The status argument of exit and return."""
    if len(argv) < 2:
        # In a trap's own commands it is the status from before the trap.
        kept = sh.extra.get("trap_status") if sh.in_trap else None
        return kept[0] if kept is not None and kept[1] == sh.function_depth else sh.status
    text = argv[1]
    if text == "--" and len(argv) > 2:
        text = argv[2]
    value = _number(text.strip())
    if value is None or (value < 0 and not sh.dialect.bash):
        if sh.dialect.bash:
            yield from sh.complain(f"{text}: numeric argument required", argv[0])
        else:
            yield from sh.complain(f"Illegal number: {text}", argv[0])
            raise ExitShell(2)
        return 2
    return value & 255


@builtin("return")
def return_from(sh: Shell, argv: list[str]) -> Gen[int]:
    """Leave a function or a sourced file."""
    if not sh.function_depth and not sh.source_depth:
        if sh.dialect.bash:
            yield from _status(sh, argv)  # its complaint about the argument comes first
            if len(argv) > 2 and _number(argv[1]) is not None:
                yield from sh.complain("too many arguments", "return")
                raise DiscardLine(1)
            yield from sh.complain("can only `return' from a function or sourced script", "return")
            return 2
        raise ExitShell((yield from _status(sh, argv)))
    raise ReturnFrom((yield from _status(sh, argv)))


@builtin("exit")
def exit_shell(sh: Shell, argv: list[str]) -> Gen[int]:
    """End the shell."""
    if sh.interactive and sh.dialect.bash and not sh.in_subshell:
        yield from sh.p.err("logout\n" if sh.login else "exit\n")
        live = [job for job in sh.jobs.jobs if job.status is None and job.stopped]
        if live and not sh.extra.get("warned"):
            sh.extra["warned"] = True
            yield from sh.p.err("There are stopped jobs.\n")
            return 1
    status = yield from _status(sh, argv)
    if len(argv) > 2 and sh.dialect.bash and _number(argv[1]) is not None:
        yield from sh.complain("too many arguments", argv[0])
        raise DiscardLine(1)
    raise ExitShell(status)


@builtin("logout", dialects="bash")
def logout(sh: Shell, argv: list[str]) -> Gen[int]:
    """End a login shell."""
    if not sh.login:
        yield from sh.complain("not login shell: use `exit'", "logout")
        return 1
    return (yield from exit_shell(sh, ["logout", *argv[1:]]))


@builtin("times")
def times(sh: Shell, argv: list[str]) -> Gen[int]:
    """CPU times of the shell and its children."""
    digits = 6 if sh.dialect.name == "dash" else 3
    zero = f"0m{0:.{digits}f}s"
    own = f"0m{0.002:.{digits}f}s"
    yield from sh.p.out(f"{zero} {own}\n{zero} {zero}\n")
    return 0
