"""The shells as programs: bash, dash and BusyBox ash, from their arguments to their exit status."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from urltrap.machine.api import Process, Run, decode
from urltrap.machine.errors import BudgetError, SysError
from urltrap.machine.shell.builtins.options import LETTERS, option_names, switch
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
from urltrap.machine.shell.interactive import run_interactive, start_files
from urltrap.machine.shell.interpreter.script import run_command, run_text, syntax_failure, warn_here
from urltrap.machine.shell.interpreter.shell import Shell
from urltrap.machine.shell.parser import next_command, open_parser
from urltrap.machine.shell.traps import run_exit

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen

_MAX_SCRIPT = 4_000_000
_VERSION = "5.2.15(1)-release"
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
    try:
        real = p.fs.realpath("/bin/sh").rpartition("/")[2]
    except SysError:
        real = ""
    if real.startswith("busybox"):
        return "ash"
    return "bash" if real == "bash" else "dash"


@dataclass
class _Arguments:
    """What the command line of a shell asks for."""

    command: str | None = None
    script: str | None = None
    rest: list[str] = field(default_factory=list)
    name: str = ""
    interactive: bool = False
    login: bool = False
    stdin: bool = False
    options: list[tuple[str, bool]] = field(default_factory=list)
    shopts: list[tuple[str, bool]] = field(default_factory=list)
    no_profile: bool = False
    no_rc: bool = False
    rc_file: str | None = None
    done: int | None = None


def shell(p: Process, dialect: DialectName) -> Run:
    """Run one shell of the given dialect."""
    sh = Shell(p, DIALECTS[dialect])
    sh.arg0 = p.argv[0] if p.argv else dialect
    sh.shell_pid = p.pid
    arguments = _Arguments()
    try:
        yield from _read_arguments(sh, p.argv[1:], arguments)
        if arguments.done is not None:
            return arguments.done
        _prepare(sh, arguments)
        return (yield from _run(sh, arguments))
    except RecursionError:
        raise BudgetError("nesting", 1000) from None


# -- the command line


def _read_arguments(sh: Shell, words: list[str], found: _Arguments) -> Gen[None]:
    wants_command = False
    position = 0
    while position < len(words):
        word = words[position]
        if word in ("--", "-"):
            position += 1
            break
        if word.startswith("--") and len(word) > 2:
            position += 1
            position = yield from _long(sh, words, position, word, found)
            if found.done is not None:
                return
            continue
        if word[:1] not in ("-", "+") or len(word) < 2:
            break
        on = word[0] == "-"
        position += 1
        for letter in word[1:]:
            if letter == "c" and on:
                wants_command = True
            elif letter == "i":
                found.interactive = True
            elif letter == "l":
                found.login = True
            elif letter == "s":
                found.stdin = True
            elif letter in "oO":
                if position >= len(words):
                    continue
                name = words[position]
                position += 1
                if letter == "O" and sh.dialect.bash:
                    found.shopts.append((name, on))
                elif name in option_names(sh):
                    found.options.append((name, on))
                else:
                    yield from _usage_error(
                        sh, found, f"{name}: invalid option name", f"Illegal option -o {name}"
                    )
                    return
            elif LETTERS.get(letter) in (*option_names(sh), "onecmd"):
                found.options.append((LETTERS[letter], on))
            elif letter == "D" and sh.dialect.bash:
                continue
            else:
                yield from _usage_error(sh, found, f"{word[0]}{letter}: invalid option",
                                        f"Illegal option {word[0]}{letter}")  # fmt: skip
                return
    rest = words[position:]
    if wants_command:
        if not rest:
            yield from _no_command(sh, found)
            return
        found.command, rest = rest[0], rest[1:]
        if rest:
            found.name, rest = rest[0], rest[1:]
    elif rest and not found.stdin:
        found.script, rest = rest[0], rest[1:]
    found.rest = rest


def _no_command(sh: Shell, found: _Arguments) -> Gen[None]:
    found.done = 2
    if sh.dialect.bash:
        yield from sh.p.err(f"{sh.arg0}: -c: option requires an argument\n")
    elif sh.dialect.name == "dash":
        yield from sh.p.err(f"{sh.arg0}: 0: -c requires an argument\n")
    else:
        yield from sh.p.err(f"{sh.arg0}: -c requires an argument\n")


def _usage_error(sh: Shell, found: _Arguments, bash: str, other: str) -> Gen[None]:
    found.done = 2
    if not sh.dialect.bash:
        number = "0: " if sh.dialect.name == "dash" else ""
        text = other if sh.dialect.name == "dash" else other.replace("Illegal", "illegal")
        yield from sh.p.err(f"{sh.arg0}: {number}{text}\n")
        return
    yield from sh.p.err(f"{sh.arg0}: {bash}\n{_bash_usage(sh)}")


def _bash_usage(sh: Shell) -> str:
    name = sh.arg0
    return (
        f"Usage:\t{name} [GNU long option] [option] ...\n\t{name} [GNU long option] [option] script-file ...\n"
        "GNU long options:\n\t--debug\n\t--debugger\n\t--dump-po-strings\n\t--dump-strings\n\t--help\n\t--init-file\n"
        "\t--login\n\t--noediting\n\t--noprofile\n\t--norc\n\t--posix\n\t--pretty-print\n\t--rcfile\n\t--restricted\n"
        "\t--verbose\n\t--version\nShell options:\n\t-ilrsD or -c command or -O shopt_option\t\t(invocation only)\n"
        "\t-abefhkmnptuvxBCEHPT or -o option\n"
    )


def _long(sh: Shell, words: list[str], position: int, word: str, found: _Arguments) -> Gen[int]:
    if not sh.dialect.bash:
        yield from _usage_error(sh, found, "", f"Illegal option {'-' + word[1:2] + '-'}")
        return position
    name = word[2:]
    if name == "login":
        found.login = True
    elif name == "noprofile":
        found.no_profile = True
    elif name == "norc":
        found.no_rc = True
    elif name in ("rcfile", "init-file"):
        if position < len(words):
            found.rc_file = words[position]
            return position + 1
    elif name == "posix":
        found.options.append(("posix", True))
    elif name == "verbose":
        found.options.append(("verbose", True))
    elif name in (
        "noediting",
        "restricted",
        "debugger",
        "debug",
        "pretty-print",
        "dump-strings",
        "dump-po-strings",
    ):
        pass
    elif name == "version":
        machine = _machine_type(sh)
        yield from sh.p.out(
            f"GNU bash, version {_VERSION} ({machine})\nCopyright (C) 2022 Free Software Foundation, Inc.\n"
            "License GPLv3+: GNU GPL version 3 or later <http://gnu.org/licenses/gpl.html>\n\n"
            "This is free software; you are free to change and redistribute it.\n"
            "There is NO WARRANTY, to the extent permitted by law.\n"
        )
        found.done = 0
    elif name == "help":
        yield from sh.p.out(
            f"GNU bash, version {_VERSION}-({_machine_type(sh)})\n{_bash_usage(sh)}"
            f'Type `{sh.arg0} -c "help set"\' for more information about shell options.\n'
            f"Type `{sh.arg0} -c help' for more information about shell builtin commands.\n"
            "Use the `bashbug' command to report bugs.\n\n"
            "bash home page: <http://www.gnu.org/software/bash>\n"
            "General help using GNU software: <http://www.gnu.org/gethelp/>\n"
        )
        found.done = 0
    else:
        yield from sh.p.err(f"{sh.arg0}: {word}: invalid option\n{_bash_usage(sh)}")
        found.done = 2
    return position


def _machine_type(sh: Shell) -> str:
    return f"{sh.p.persona.kernel.machine}-pc-linux-gnu"


# -- the shell's first variables


def _prepare(sh: Shell, arguments: _Arguments) -> None:
    p = sh.p
    if arguments.name:
        sh.arg0 = arguments.name
    elif arguments.script is not None:
        sh.arg0 = arguments.script
    sh.positional = list(arguments.rest)
    sh.command_string = arguments.command is not None
    from_stdin = arguments.command is None and arguments.script is None
    sh.reads_stdin = arguments.stdin or from_stdin
    sh.login = arguments.login or bool(p.argv and p.argv[0].startswith("-"))
    sh.interactive = arguments.interactive or (from_stdin and p.is_tty(0) and p.is_tty(2))
    sh.extra["script"] = arguments.script is not None
    sh.seconds_base = p.now()
    for name, value in p.env.items():
        if name.replace("_", "a").isalnum() and not name[0].isdecimal():
            sh.vars.set(name, value, export=True)
    if sh.dialect.bash:
        sh.options.update(("hashall", "braceexpand", "interactive-comments"))
        if sh.interactive:
            sh.options.update(("history", "histexpand", "emacs", "monitor"))
            sh.shopts.update(("expand_aliases", "promptvars"))
    elif sh.interactive:
        sh.options.add("monitor")
        if sh.dialect.name == "ash":
            sh.shopts.add("expand_aliases")
    for name, on in arguments.options:
        switch(sh, name, on)
    for name, on in arguments.shopts:
        if on:
            sh.shopts.add(name)
        else:
            sh.shopts.discard(name)
    _first_variables(sh)
    sh.bind_dynamic()


def _first_variables(sh: Shell) -> None:
    p, put = sh.p, sh.vars.set
    inherited = sh.vars.get("PWD")
    if inherited and inherited.startswith("/") and _same_folder(sh, inherited):
        sh.extra["pwd"] = inherited
    else:
        sh.extra["pwd"] = p.cwd
    put("PWD", str(sh.extra["pwd"]))
    put("OPTIND", "1")
    put("PPID", str(p.ppid))
    put("IFS", " \t\n")
    if sh.vars.get("PATH") is None:
        put("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" if sh.dialect.name != "ash" else
            "/sbin:/usr/sbin:/bin:/usr/bin")  # fmt: skip
    if sh.dialect.bash:
        sh.vars.slot("PWD").exported = True
        level = sh.getvar("SHLVL")
        put("SHLVL", str(int(level[:6]) + 1 if level.isdecimal() else 1))
        sh.vars.slot("SHLVL").exported = True
        sh.last_argument = sh.vars.get("_") or sh.arg0
        sh.vars.unset("_")
        machine = p.persona.kernel.machine
        put("BASH_VERSION", _VERSION)
        put("BASH", "/bin/bash" if sh.login else "/usr/bin/bash")
        put("HOSTNAME", p.hostname)
        put("HOSTTYPE", machine)
        put("MACHTYPE", f"{machine}-pc-linux-gnu")
        put("OSTYPE", "linux-gnu")
        put("OPTERR", "1")
        put("UID", str(p.uid))
        put("EUID", str(p.uid))
        put("PS4", "+ ")
        put("BASHOPTS", ":".join(sorted(sh.shopts)))
        put("SHELLOPTS", ":".join(sorted(sh.options)))
        versions = sh.vars.slot("BASH_VERSINFO")
        versions.value = {0: "5", 1: "2", 2: "15", 3: "1", 4: "release", 5: f"{machine}-pc-linux-gnu"}
        versions.array = "a"
        for name in ("UID", "EUID", "PPID", "BASHOPTS", "SHELLOPTS", "BASH_VERSINFO"):
            sh.vars.slot(name).readonly = True
        for name in ("UID", "EUID", "PPID"):
            sh.vars.slot(name).integer = True
        if sh.vars.get("SHELL") is None:
            put("SHELL", "/bin/bash")
        if sh.vars.get("TERM") is None:
            put("TERM", "dumb")
        if sh.interactive:
            put("HISTFILE", f"{sh.getvar('HOME') or '/'}/.bash_history".replace("//", "/"))
            put("HISTSIZE", "500")
            put("HISTFILESIZE", "500")
            columns, rows = p.window()
            put("COLUMNS", str(columns))
            put("LINES", str(rows))
    else:
        put("PS2", "> ")
        put("PS4", "+ ")
        if sh.dialect.name == "ash":
            level = sh.getvar("SHLVL")
            put("SHLVL", str(int(level[:6]) + 1 if level.isdecimal() else 1))
            sh.vars.slot("SHLVL").exported = True
        if sh.vars.get("PS1") is None:
            put(
                "PS1",
                ("\\w \\$ " if sh.dialect.name == "ash" else "# ")
                if p.uid == 0 or sh.dialect.name == "ash"
                else "$ ",
            )
    sh.vars.changed()


def _same_folder(sh: Shell, path: str) -> bool:
    try:
        here, there = sh.p.fs.stat("."), sh.p.fs.stat(path)
    except SysError:
        return False
    return (here.device, here.inode) == (there.device, there.inode)


# -- running


def _run(sh: Shell, arguments: _Arguments) -> Gen[int]:
    try:
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
            yield from p.err(
                f"{name}: {path}: {'Is a directory' if problem.errno == 21 else problem.words}\n"
                if problem.errno != 21
                else f"{path}: {path}: Is a directory\n"
            )
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
