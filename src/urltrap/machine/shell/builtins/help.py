"""help, and the completion builtins that only have to exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from urltrap.machine.shell.builtins.registry import builtin, names
from urltrap.machine.shell.glob import compile_pattern
from urltrap.machine.shell.helptexts import SYNOPSES, columns

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell


@builtin("help", dialects="bash")
def help_bash(sh: Shell, argv: list[str]) -> Gen[int]:
    """The list of builtins, or one synopsis."""
    words = argv[1:]
    while words and words[0] in ("-d", "-m", "-s", "--"):
        words = words[1:]
    if not words:
        machine = sh.getvar("MACHTYPE", "x86_64-pc-linux-gnu")
        yield from sh.p.out(
            f"GNU bash, version {sh.getvar('BASH_VERSION', '5.2.15(1)-release')} ({machine})\n"
            "These shell commands are defined internally.  Type `help' to see this list.\n"
            "Type `help name' to find out more about the function `name'.\n"
            "Use `info bash' to find out more about the shell in general.\n"
            "Use `man -k' or `info' to find out more about commands not in this list.\n\n"
            "A star (*) next to a name means that the command is disabled.\n\n" + columns(sh.disabled)
        )
        return 0
    status = 0
    for word in words:
        pattern = compile_pattern(word)
        found = [
            (name, text) for name, text in SYNOPSES.items() if pattern.matches(name) or name.startswith(word)
        ]
        exact = [(name, text) for name, text in found if name == word]
        if not found:
            yield from sh.complain(f"no help topics match `{word}'.  Try `help help' or `man -k {word}' or "
                                   f"`info {word}'.", "help")  # fmt: skip
            status = 1
        for name, text in exact or found:
            yield from sh.p.out(f"{name}: {text}\n")
    return status


@builtin("help", dialects="ash")
def help_ash(sh: Shell, argv: list[str]) -> Gen[int]:
    """BusyBox lists its builtins in lines of at most 60 characters."""
    text = "Built-in commands:\n------------------\n"
    column = 0
    for name in names("ash"):
        text += ("\t" if column == 0 else " ") + name
        column += len(name) + 1
        if column > 60:
            text += "\n"
            column = 0
    yield from sh.p.out(text.rstrip("\n") + "\n")
    return 0


@builtin("bind", "complete", "compopt", dialects="bash")
def readline_settings(sh: Shell, argv: list[str]) -> Gen[int]:
    """Settings of the line editor: taken, without effect."""
    if argv[0] == "bind" and not sh.interactive:
        yield from sh.complain("warning: line editing not enabled", "bind")
    return 0


@builtin("compgen", dialects="bash")
def compgen(sh: Shell, argv: list[str]) -> Gen[int]:
    """Completions of a prefix: -b, -c, -A, -W, -v, -f, -d."""
    from urltrap.machine.shell.completion import complete_command, complete_path

    words = argv[1:]
    prefix = words[-1] if words and not words[-1].startswith("-") and len(words) > 1 else ""
    flag = words[0] if words else ""
    found: list[str] = []
    if flag == "-b":
        found = [name for name in names("bash") if name.startswith(prefix)]
    elif flag == "-c":
        found = complete_command(sh, prefix)
    elif flag == "-v":
        found = [name for name in sh.vars.names() if name.startswith(prefix)]
    elif flag in ("-f", "-d"):
        found = [path.rstrip("/") for path in complete_path(sh, prefix) if flag == "-f" or path.endswith("/")]
    elif flag == "-W" and len(words) > 1:
        prefix = words[2] if len(words) > 2 else ""
        found = [word for word in words[1].split() if word.startswith(prefix)]
    elif flag == "-A" and len(words) > 1 and words[1] == "function":
        found = [name for name in sorted(sh.functions) if name.startswith(words[2] if len(words) > 2 else "")]
    if not found:
        return 1
    yield from sh.p.out("".join(f"{item}\n" for item in found))
    return 0
