"""The shell of the recovery machine: bash's expansions and builtins over an exploring reading of the text."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from functools import lru_cache
from typing import Any

from urltrap.machine.api import Process, Run, decode, encode
from urltrap.machine.errors import BudgetError, SysError
from urltrap.machine.shell.dialect import DIALECTS
from urltrap.machine.shell.errors import ExpansionError, ShellJump
from urltrap.machine.shell.interpreter.shell import Shell
from urltrap.machine.shell.variables import Variables
from urltrap.recover.ask import unknown
from urltrap.recover.budget import price
from urltrap.recover.execution.build import tolerant
from urltrap.recover.execution.explore import (
    LONGEST_TEXT,
    read_script,
    run_tolerant,
    uncalled,
)
from urltrap.recover.execution.recorder import recorder_of, stage_of

_DEEPEST = 12
_SMALL_ENVIRONMENT = 4000
_NAME = re.compile(r"[A-Za-z_]\w*")
_USED = re.compile(r"\$\{?([A-Za-z_]\w*)(\})?")
_SET = re.compile(
    r"\b([A-Za-z_]\w*)(?:\+?=|\[)|\b(?:for|read|select|getopts\s+\S+)\s+(?:-\w+\s+)*((?:[A-Za-z_]\w*[ \t]*)+)"
    r"|\$\{([A-Za-z_]\w*):?[-=+?]|printf\s+-v\s+([A-Za-z_]\w*)|\b(?:mapfile|readarray)\s+(?:-\w+\s+)*([A-Za-z_]\w*)"
)
_KNOWN = frozenset({
    "HOME", "PATH", "PWD", "OLDPWD", "USER", "SHELL", "IFS", "LOGNAME", "UID", "EUID", "RANDOM", "SECONDS", "LINENO",
    "HOSTNAME", "TERM", "BASH", "OPTIND", "OPTARG", "PPID", "REPLY", "BASH_VERSION", "SHLVL", "PIPESTATUS", "FUNCNAME",
    "TMPDIR", "LANG", "BASHPID", "EPOCHSECONDS", "HOSTTYPE", "OSTYPE", "MACHTYPE", "DIRSTACK", "GROUPS", "PS1",
    "BASH_SOURCE", "BASH_REMATCH", "SRANDOM", "HISTFILE", "MAIL", "SSH_CLIENT", "SSH_CONNECTION", "SSH_TTY",
})  # fmt: skip
_DYNAMIC = re.compile(r"RANDOM|SECONDS|LINENO|BASHPID|EPOCH|FUNCNAME|BASH_|DIRSTACK|GROUPS")
_FIRST = {"PATH": "/usr/bin", "IFS": " \t\n", "SHELL": "/bin/bash", "HOME": "/root", "USER": "root",
          "LOGNAME": "root", "TERM": "xterm", "OPTIND": "1", "BASH_VERSION": "5.2.15(1)-release", "UID": "0",
          "EUID": "0", "BASH": "/bin/bash", "OSTYPE": "linux-gnu", "PS4": "+ "}  # fmt: skip


def shell_program(p: Process) -> Run:
    """sh, bash and their kind: ``-c TEXT``, a file, or standard input."""
    recorder = recorder_of(p)
    name = (p.argv[0] if p.argv else "sh").lstrip("-").rpartition("/")[2]
    try:
        text, arguments = yield from _text(p)
    except SysError:
        return 127
    sh = Shell(p, DIALECTS["bash"])
    sh.arg0 = arguments[0] if arguments else name
    sh.positional = arguments[1:]
    sh.shell_pid = p.pid
    sh.options.update(("hashall", "braceexpand", "interactive-comments"))
    sh.disabled.update(
        ("kill", "wait", "suspend", "logout", "fg", "bg", "ulimit", "history", "enable", "caller")
    )
    sh.extra["pwd"] = p.cwd
    sh.vars = _variables(p.env)
    sh.vars.set("PWD", p.cwd)
    if sh.getvar("PATH") == _FIRST["PATH"]:
        sh.hashed = dict(stage_of(p).programs)
    _unset(sh, text)
    if _DYNAMIC.search(text):
        sh.bind_dynamic()
    before = recorder.chain
    if len(before) > _DEEPEST:
        return 1
    recorder.chain = (*before, name) if before else (name,)
    try:
        if recorder.shells:  # the first text was measured before the run
            yield from p.tick(price(encode(text)))
            recorder.heard(text)
        recorder.shells += 1
        yield from run_tolerant(sh, tolerant(text))
        if sh.functions:
            yield from uncalled(sh)
        for action in _run_later(sh):
            yield from run_tolerant(sh, tolerant(action))
    except (ShellJump, ExpansionError):
        return 1
    except RecursionError:
        raise BudgetError("nesting", 1000) from None
    finally:
        recorder.chain = before
    return sh.status & 255


def _run_later(sh: Shell) -> list[str]:
    """What this shell would run on an occasion: traps, before a prompt, and what names were made to stand for."""
    prompt = sh.getvar("PROMPT_COMMAND") if sh.vars.get("PROMPT_COMMAND") is not None else ""
    aliases = [
        value for name, value in sh.aliases.items() if value.split()[1:] and name not in value.split()[:1]
    ]
    return [text for text in [*list(sh.traps.values())[:8], prompt, *aliases[:8]] if text]


def _variables(env: Mapping[str, str]) -> Variables:
    """The variables that a shell begins with in an environment."""
    given = tuple(env.items())
    if sum(len(value) for _, value in given) > _SMALL_ENVIRONMENT:
        return _made(given)
    return _template(given).fork()


@lru_cache(maxsize=16)
def _template(given: tuple[tuple[str, str], ...]) -> Variables:
    return _made(given)


def _made(given: tuple[tuple[str, str], ...]) -> Variables:
    variables = Variables()
    for name, value in given:
        if _NAME.fullmatch(name):
            variables.set(name, value, export=True)
    for name, value in _FIRST.items():
        if variables.get(name) is None:
            variables.set(name, value)
    variables.set("HOSTNAME", unknown("hostname"))
    return variables


def _text(p: Process) -> Generator[Any, Any, tuple[str, list[str]]]:
    """(text, $0 and its arguments)."""
    words = p.argv[1:]
    command = False
    while words and words[0][:1] in "-+" and len(words[0]) > 1:
        word = words.pop(0)
        if word == "--":
            break
        if word.startswith("--"):
            if word in ("--rcfile", "--init-file") and words:
                words.pop(0)
            continue
        if word[1:2] in "oO" and words:
            words.pop(0)
        command = command or "c" in word[1:]
        if "s" in word[1:] and not command:
            return decode((yield from p.read_all(0, LONGEST_TEXT))), ["sh", *words]
    if command and words:
        return words[0], words[1:]
    if words and words[0] != "-":
        try:
            data = yield from read_script(p, words[0])
        except SysError:
            # What the attacker downloads in this text is not here: nothing to run.
            return "", words
        return ("" if data[:4] == b"\x7fELF" else decode(data)), words
    return decode((yield from p.read_all(0, LONGEST_TEXT))), ["sh", *words[1:]]


def _unset(sh: Shell, text: str) -> None:
    """Variables that the text uses and nobody sets stand for what only the victim's machine knows."""
    if "$" not in text:
        return
    names = dict.fromkeys(match[1] for match in _USED.finditer(text))
    if not names:
        return
    given = {
        each for match in _SET.finditer(text) for group in match.groups() if group for each in group.split()
    }
    for name in names:
        if (
            name not in given
            and name not in _KNOWN
            and sh.vars.get(name) is None
            and not name.startswith("BASH")
        ):
            sh.vars.set(name, unknown(f"${name}"), export=False)
    if not sh.positional:
        sh.positional = (
            [unknown(f"${number}") for number in range(1, 5)] if re.search(r"\$\{?[1-4@*]", text) else []
        )
