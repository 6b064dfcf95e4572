"""eval, ``.``/source, command, builtin, exec."""

from __future__ import annotations

from typing import TYPE_CHECKING

from urltrap.machine.api import decode
from urltrap.machine.errors import SysError
from urltrap.machine.shell.builtins.registry import builtin
from urltrap.machine.shell.errors import ExitShell, ReturnFrom
from urltrap.machine.shell.interpreter.script import run_text

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell

_MAX_SOURCE = 4_000_000


@builtin("eval")
def evaluate_text(sh: Shell, argv: list[str]) -> Gen[int]:
    """Run the arguments as commands."""
    words = argv[1:]
    if words[:1] == ["--"]:
        words = words[1:]
    text = " ".join(words)
    if not text.strip():
        return 0
    sh.status = 0 if text.strip().startswith("#") else sh.status
    return (yield from run_text(sh, text, origin="eval"))


@builtin("exec")
def execute(sh: Shell, argv: list[str]) -> Gen[int]:
    """Only reached through ``command exec`` and ``builtin exec``: become another program."""
    from urltrap.machine.shell.interpreter.program import replace_by

    if len(argv) < 2:
        return 0
    raise ExitShell((yield from replace_by(sh, argv[1:], sh.vars.environment())))


@builtin(".", "source", dialects="bash ash")
@builtin(".", dialects="dash")
def source(sh: Shell, argv: list[str]) -> Gen[int]:
    """Run a file in this shell."""
    name = argv[0]
    words = argv[1:]
    if words[:1] == ["--"]:
        words = words[1:]
    if not words:
        if sh.dialect.bash:
            yield from sh.complain("filename argument required", name)
            yield from sh.p.err(f"{name}: usage: {name} filename [arguments]\n")
            return 2
        return 2
    path = _find(sh, words[0])
    if path is None:
        yield from _missing(sh, name, words[0], "No such file or directory")
        return 1
    try:
        if sh.p.fs.stat(path).is_dir:
            raise SysError(21, path)
        fd = sh.p.open(path)
        try:
            data = yield from sh.p.read_all(fd, _MAX_SOURCE)
        finally:
            sh.p.close(fd)
    except SysError as problem:
        if problem.errno == 21 and sh.dialect.bash:
            yield from sh.complain(f"{words[0]}: is a directory", name)
            return 1
        yield from _missing(sh, name, words[0], problem.words)
        return 1
    return (yield from run_file(sh, decode(data), words[0], words[1:]))


def run_file(sh: Shell, text: str, shown: str, arguments: list[str]) -> Gen[int]:
    """Run a sourced file's text."""
    from urltrap.machine.shell.interpreter.shell import Frame

    before, line, loops = sh.positional, sh.line, sh.loop_depth
    if arguments and sh.dialect.name != "dash":
        sh.positional = list(arguments)
    sh.frames.append(
        Frame(
            "",
            shown if sh.dialect.bash else f"{sh.arg0}: {shown}" if sh.dialect.name == "ash" else sh.arg0,
            line,
        )
    )
    sh.source_depth += 1
    sh.loop_depth = 0
    try:
        sh.status = 0
        return (yield from run_text(sh, text, origin="file", line=1, top=True))
    except ReturnFrom as jump:
        sh.status = jump.status
        return jump.status
    finally:
        sh.source_depth -= 1
        sh.loop_depth = loops
        sh.frames.pop()
        sh.line = line
        if arguments and sh.dialect.name != "dash":
            sh.positional = before


def _find(sh: Shell, name: str) -> str | None:
    """A name without slash is looked up in PATH; bash then tries the working folder."""
    if "/" in name:
        return name
    for folder in sh.getvar("PATH").split(":"):
        candidate = f"{folder or '.'}/{name}"
        try:
            if sh.p.fs.stat(candidate).is_file:
                return candidate
        except SysError:
            continue
    if not sh.dialect.bash:
        return None
    try:
        sh.p.fs.stat(name)
    except SysError:
        return None
    return name


def _missing(sh: Shell, builtin_name: str, path: str, words: str) -> Gen[None]:
    if sh.dialect.bash:
        yield from sh.complain(f"{path}: {words}")
        return
    if sh.dialect.name == "dash":
        if "/" not in path:
            yield from sh.complain(f"{path}: not found", ".")
        else:
            yield from sh.complain(f"cannot open {path}: {words.removesuffix(' or directory')}", ".")
    else:
        if "/" not in path:
            yield from sh.complain(f"{path}: not found", ".")
        else:
            yield from sh.complain(f"can't open '{path}': {words}", ".")
    if not sh.interactive:
        raise ExitShell(2)


@builtin("command")
def command(sh: Shell, argv: list[str]) -> Gen[int]:
    """Run a command without functions, or describe it (-v, -V)."""
    from urltrap.machine.shell.builtins.describing import describe
    from urltrap.machine.shell.interpreter.program import run_program
    from urltrap.machine.shell.interpreter.simple import call_builtin, find_builtin

    words = argv[1:]
    brief = verbose = standard = False
    while words and words[0].startswith("-") and len(words[0]) > 1:
        flag = words.pop(0)
        if flag == "--":
            break
        for letter in flag[1:]:
            if letter not in "pvV":
                text = f"-{letter}: invalid option" if sh.dialect.bash else f"Illegal option -{letter}"
                yield from sh.complain(text, "command")
                if sh.dialect.bash:
                    yield from sh.p.err("command: usage: command [-pVv] command [arg ...]\n")
                    return 2
                raise ExitShell(2)
            brief = brief or letter == "v"
            verbose = verbose or letter == "V"
            standard = standard or letter == "p"
    if not words:
        return 0
    if brief or verbose:
        status = 1 if sh.dialect.bash else 0
        for word in words if sh.dialect.bash else words[:1]:
            kept = sh.vars.get("PATH")
            if standard:
                sh.set_var(
                    "PATH", "/bin:/usr/bin" if sh.dialect.name != "ash" else "/sbin:/usr/sbin:/bin:/usr/bin"
                )
            try:
                found = yield from describe(sh, word, brief=brief, command="command")
            finally:
                if standard and kept is not None:
                    sh.set_var("PATH", kept)
            if sh.dialect.bash:
                status = 0 if found else status
            elif not found:
                status = 127
        return status
    if find_builtin(sh, words[0]) is not None:
        return (yield from call_builtin(sh, words))
    return (yield from run_program(sh, words, sh.vars.environment(), " ".join(words)))


@builtin("builtin", dialects="bash")
def run_builtin(sh: Shell, argv: list[str]) -> Gen[int]:
    """Run a builtin, whatever functions are called."""
    from urltrap.machine.shell.interpreter.simple import call_builtin, find_builtin

    words = argv[1:]
    if words[:1] == ["--"]:
        words = words[1:]
    if not words:
        return 0
    if find_builtin(sh, words[0]) is None:
        yield from sh.complain(f"{words[0]}: not a shell builtin", "builtin")
        return 1
    return (yield from call_builtin(sh, words))
