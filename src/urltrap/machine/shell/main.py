"""The shells as programs: bash, dash and BusyBox ash, from their arguments to their exit status."""

from __future__ import annotations

from typing import TYPE_CHECKING

from urltrap.machine.api import Process, Run, decode
from urltrap.machine.errors import BudgetError, SysError
from urltrap.machine.shell.arguments import Arguments, read_arguments
from urltrap.machine.shell.dialect import DIALECTS, DialectName
from urltrap.machine.shell.errors import (
    BreakLoop,
    ContinueLoop,
    DiscardLine,
    ExitShell,
    ExpansionError,
    ReturnFrom,
    ShellSyntaxError,
)
from urltrap.machine.shell.input import StdinScript
from urltrap.machine.shell.interactive import run_interactive, start_files, without_terminal
from urltrap.machine.shell.interpreter.script import run_command, run_text, syntax_failure, warn_here
from urltrap.machine.shell.interpreter.shell import Shell
from urltrap.machine.shell.parser import next_command, open_parser
from urltrap.machine.shell.startup import prepare
from urltrap.machine.shell.traps import run_exit

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen

_MAX_SCRIPT = 4_000_000
_CLOSERS = ("fi", "done", "esac", "}", ")", "then", "do", "]]")


def main(p: Process) -> Run:
    """Start the shell that argv[0] names; plain ``sh`` is what /bin/sh leads to on this machine."""
    return shell(p, dialect_of(p))


def dialect_of(p: Process) -> DialectName:
    """Which dialect a process speaks, by the name that it was started as and the program behind it."""
    name = (p.argv[0] if p.argv else "sh").lstrip("-").rpartition("/")[2]
    if name in ("bash", "rbash"):
        return "bash"
    if name == "dash":
        return "dash"
    if name in ("ash", "hush", "busybox", "lash"):
        return "ash"
    row = p.process_row(p.pid)
    if row is not None and row.exe.endswith("/busybox"):
        return "ash"
    try:
        real = p.fs.realpath("/bin/sh").rpartition("/")[2]
    except SysError:
        real = ""
    if real.startswith("busybox"):
        return "ash"
    return "bash" if real == "bash" else "dash"


def shell(p: Process, dialect: DialectName) -> Run:
    """Run one shell of the given dialect."""
    sh = Shell(p, DIALECTS[dialect])
    sh.arg0 = p.argv[0] if p.argv else dialect
    sh.shell_pid = p.pid
    arguments = Arguments()
    try:
        yield from read_arguments(sh, p.argv[1:], arguments)
        if arguments.done is not None:
            return arguments.done
        prepare(sh, arguments)
        return (yield from _run(sh, arguments))
    except RecursionError:
        raise BudgetError("nesting", 1000) from None
    finally:
        sh.vars.release()


def _run(sh: Shell, arguments: Arguments) -> Gen[int]:
    try:
        if sh.interactive and not sh.p.is_tty(0):
            yield from without_terminal(sh)
        if sh.login or sh.interactive:
            yield from start_files(sh, profile=sh.login and not arguments.no_profile, rc=not arguments.no_rc,
                                   rc_file=arguments.rc_file)  # fmt: skip
        if arguments.command is not None:
            sh.line = 1
            yield from run_text(sh, arguments.command, origin="-c")
        elif arguments.script is not None:
            yield from _script_file(sh, arguments.script)
        elif sh.interactive:
            yield from run_interactive(sh)
        else:
            yield from _standard_input(sh)
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
        except (ExitShell, DiscardLine) as jump:
            sh.status = jump.status
    if sh.traps.get("EXIT"):
        yield from run_exit(sh)
    return sh.status & 255


def _script_file(sh: Shell, path: str) -> Gen[None]:
    p = sh.p
    try:
        real = path
        try:
            p.fs.stat(path)
        except SysError:
            found = _in_path(sh, path)
            if found is None:
                raise
            real = found
        if p.fs.stat(real).is_dir:
            if not sh.dialect.bash:
                return  # they open it, and what cannot be read is at its end
            raise SysError(21, path)
        fd = p.open(real)
        try:
            data = yield from p.read_all(fd, _MAX_SCRIPT)
        finally:
            p.close(fd)
    except SysError as problem:
        name = sh.p.argv[0] if sh.p.argv else sh.dialect.name
        sh.tell(
            [path],
            "not-found" if problem.errno == 2 else "not-executable",
            127 if problem.errno == 2 else 126,
        )
        if sh.dialect.bash:
            shown = path if problem.errno == 21 else name
            yield from p.err(f"{shown}: {path}: {problem.words}\n")
            raise ExitShell(127 if problem.errno == 2 else 126) from None
        if sh.dialect.name == "dash":
            words = "No such file" if problem.errno == 2 else problem.words
            yield from p.err(f"{name}: 0: cannot open {path}: {words}\n")
        else:
            yield from p.err(f"{name}: can't open '{path}': {problem.words}\n")
        raise ExitShell(2) from None
    first = data[:80].split(b"\n", 1)[0]
    if b"\0" in first and sh.dialect.bash:
        yield from p.err(f"{path}: {path}: cannot execute binary file\n")
        raise ExitShell(126)
    yield from run_text(sh, decode(data), origin="file", line=1, top=True)


def _in_path(sh: Shell, name: str) -> str | None:
    if "/" in name or not sh.dialect.bash:
        return None
    for folder in sh.getvar("PATH").split(":"):
        candidate = f"{folder or '.'}/{name}"
        try:
            if sh.p.fs.stat(candidate).is_file:
                return candidate
        except SysError:
            continue
    return None


def _standard_input(sh: Shell) -> Gen[None]:
    """Commands from a pipe or file on standard input, without prompts."""
    source = StdinScript(sh)
    pending = ""
    line_number = 1
    wanted = ""
    while True:
        data = yield from source.line()
        text = decode(data.replace(b"\0", b""))
        pending += text
        if (
            data
            and wanted
            and wanted not in text
            and not (wanted == "eof" and any(c in text for c in _CLOSERS))
        ):
            continue
        if not data and not pending:
            return
        yield from sh.p.tick(1 + len(pending) // 64)
        parser = open_parser(
            pending,
            sh.dialect,
            line=line_number,
            extglob=sh.extglob,
            aliases=sh.aliases if sh.dialect.aliases_in_scripts else None,
        )
        try:
            node = next_command(parser)
        except ShellSyntaxError as problem:
            if data and problem.incomplete:
                wanted = problem.token if problem.kind == "match" else "eof"
                continue
            yield from syntax_failure(sh, problem, "file")
            return
        if data and parser.here_warning:
            wanted = parser.here_warning[-1][2] or "\n"
            continue
        for first, last, delimiter in parser.here_warning:
            yield from warn_here(sh, first, last, delimiter)
        wanted = ""
        consumed = pending.count("\n")
        pending = ""
        if node is not None:
            yield from run_command(sh, node, True)
        line_number += consumed
        if not data:
            return
