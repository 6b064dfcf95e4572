"""The command line of a shell: options, -c, scripts, --version and --help."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from urltrap.machine.shell.builtins.options import LETTERS, SHOPTS, option_names

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell


@dataclass
class Arguments:
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


def read_arguments(sh: Shell, words: list[str], found: Arguments) -> Gen[None]:
    """Read the words behind argv[0] into `found`; `found.done` is set where the shell ends at once."""
    wants_command = False
    position = 0
    long_ones = True
    while position < len(words):
        word = words[position]
        if word in ("--", "-"):
            position += 1
            break
        if word.startswith("--") and len(word) > 2 and (long_ones or not sh.dialect.bash):
            position += 1
            position = yield from _long(sh, words, position, word, found)
            if found.done is not None:
                return
            continue
        if word[:1] not in ("-", "+") or len(word) < 2:
            break
        long_ones = False  # bash takes them only before the others: "bash -c --norc" is "--: invalid option"
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
                    if name not in SHOPTS:
                        found.done = 2
                        yield from sh.p.err(f"{sh.arg0}: line 0: {name}: invalid shell option name\n")
                        return
                    found.shopts.append((name, on))
                elif name in option_names(sh):
                    found.options.append((name, on))
                else:
                    if sh.dialect.bash:
                        found.done = 2
                        yield from sh.p.err(f"{sh.arg0}: line 0: {sh.arg0}: {name}: invalid option name\n")
                    else:
                        yield from _illegal(sh, found, f"-o {name}")
                    return
            elif LETTERS.get(letter) in (*option_names(sh), "onecmd"):
                found.options.append((LETTERS[letter], on))
            elif letter == "D" and sh.dialect.bash:
                continue
            else:
                if sh.dialect.bash:
                    yield from _invalid(sh, found, f"{word[0]}{letter}")
                else:
                    yield from _illegal(sh, found, f"-{letter}")  # a plus is one of these, too
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


def _no_command(sh: Shell, found: Arguments) -> Gen[None]:
    found.done = 2
    if sh.dialect.bash:
        yield from sh.p.err(f"{sh.arg0}: -c: option requires an argument\n")
    elif sh.dialect.name == "dash":
        yield from sh.p.err(f"{sh.arg0}: 0: -c requires an argument\n")
    else:
        yield from sh.p.err(f"{sh.arg0}: -c requires an argument\n")


def _illegal(sh: Shell, found: Arguments, what: str) -> Gen[None]:
    """dash and ash."""
    found.done = 2
    words = "0: Illegal" if sh.dialect.name == "dash" else "illegal"
    yield from sh.p.err(f"{sh.arg0}: {words} option {what}\n")


def _invalid(sh: Shell, found: Arguments, what: str) -> Gen[None]:
    """bash."""
    found.done = 2
    yield from sh.p.err(f"{sh.arg0}: {what}: invalid option\n{_bash_usage(sh)}")


def _bash_usage(sh: Shell) -> str:
    name = sh.arg0
    return (
        f"Usage:\t{name} [GNU long option] [option] ...\n\t{name} [GNU long option] [option] script-file ...\n"
        "GNU long options:\n\t--debug\n\t--debugger\n\t--dump-po-strings\n\t--dump-strings\n\t--help\n\t--init-file\n"
        "\t--login\n\t--noediting\n\t--noprofile\n\t--norc\n\t--posix\n\t--pretty-print\n\t--rcfile\n\t--restricted\n"
        "\t--verbose\n\t--version\nShell options:\n\t-ilrsD or -c command or -O shopt_option\t\t(invocation only)\n"
        "\t-abefhkmnptuvxBCEHPT or -o option\n"
    )


def _long(sh: Shell, words: list[str], position: int, word: str, found: Arguments) -> Gen[int]:
    if not sh.dialect.bash:
        yield from _illegal(sh, found, "--")
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
        found.done = 2
        yield from sh.p.err(f"{sh.arg0}: {name}: option requires an argument\n")
    elif name == "posix":
        found.options.append(("posix", True))
    elif name == "verbose":
        found.options.append(("verbose", True))
    elif name in (
        "noediting",
        "restricted",
        "debug",
        "pretty-print",
        "dump-strings",
        "dump-po-strings",
    ):
        pass
    elif name == "debugger":
        yield from sh.p.err(
            f"{sh.arg0}: /usr/share/bashdb/bashdb-main.inc: No such file or directory\n"
            f"{sh.arg0}: warning: cannot start debugger; debugging mode disabled\n"
        )
    elif name == "version":
        machine = _machine_type(sh)
        yield from sh.p.out(
            f"GNU bash, version {sh.p.persona.tools.bash}(1)-release ({machine})\n"
            "Copyright (C) 2022 Free Software Foundation, Inc.\n"
            "License GPLv3+: GNU GPL version 3 or later <http://gnu.org/licenses/gpl.html>\n\n"
            "This is free software; you are free to change and redistribute it.\n"
            "There is NO WARRANTY, to the extent permitted by law.\n"
        )
        found.done = 0
    elif name == "help":
        yield from sh.p.out(
            f"GNU bash, version {sh.p.persona.tools.bash}(1)-release-({_machine_type(sh)})\n{_bash_usage(sh)}"
            f'Type `{sh.arg0} -c "help set"\' for more information about shell options.\n'
            f"Type `{sh.arg0} -c help' for more information about shell builtin commands.\n"
            "Use the `bashbug' command to report bugs.\n\n"
            "bash home page: <http://www.gnu.org/software/bash>\n"
            "General help using GNU software: <http://www.gnu.org/gethelp/>\n"
        )
        found.done = 0
    else:
        yield from _invalid(sh, found, word)
    return position


def _machine_type(sh: Shell) -> str:
    return f"{sh.p.persona.kernel.machine}-pc-linux-gnu"
