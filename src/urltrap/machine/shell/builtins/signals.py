"""trap and kill."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from urltrap.machine.errors import SysError
from urltrap.machine.shell.builtins.jobs import reap
from urltrap.machine.shell.builtins.registry import builtin
from urltrap.machine.shell.errors import ExitShell
from urltrap.machine.shell.signals import NAMES, listing, name_of, number_of

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell

_PSEUDO = ("EXIT", "ERR", "DEBUG", "RETURN")


def _shown_name(sh: Shell, name: str) -> str:
    return name if name in _PSEUDO or not sh.dialect.bash else "SIG" + name


def _quoted(sh: Shell, action: str) -> str:
    if sh.dialect.bash:
        return "'" + action.replace("'", "'\\''") + "'"
    return "'" + action.replace("'", "'\"'\"'") + "'"


def _order(name: str) -> int:
    number = number_of(name)
    return 100 + _PSEUDO.index(name) if number is None else number


def _name(sh: Shell, text: str) -> str | None:
    upper = text.upper().removeprefix("SIG")
    if upper in _PSEUDO:
        return (
            upper
            if sh.dialect.bash or upper == "EXIT" or (upper == "ERR" and sh.dialect.name == "ash")
            else None
        )
    number = number_of(text)
    return None if number is None else name_of(number)


@builtin("trap")
def trap(sh: Shell, argv: list[str]) -> Gen[int]:
    """Commands to run when signals arrive or the shell ends."""
    words = argv[1:]
    if words[:1] == ["--"]:
        words = words[1:]
    if words[:1] == ["-l"]:
        yield from sh.p.out(listing())
        return 0
    if not words or words[:1] == ["-p"]:
        wanted = [_name(sh, word) for word in words[1:]]
        table = sh.traps or sh.extra.get("parent_traps", {})
        for name in sorted(table, key=_order):
            if not wanted or name in wanted:
                yield from sh.p.out(f"trap -- {_quoted(sh, table[name])} {_shown_name(sh, name)}\n")
        return 0
    action: str | None = words[0]
    targets = words[1:]
    if not targets:
        if _name(sh, words[0]) is None:
            if sh.dialect.bash:
                if words[0].startswith("-") and len(words[0]) > 1:
                    yield from sh.complain(f"{words[0][:2]}: invalid option", "trap")
                yield from sh.p.err("trap: usage: trap [-lp] [[arg] signal_spec ...]\n")
                return 2
            if sh.dialect.name == "dash":
                yield from sh.p.err(f"trap: {words[0]}: bad trap\n")
            else:
                yield from sh.complain(f"{words[0]}: invalid signal specification", "trap")
            return 1
        action, targets = None, words
    elif action == "-" or (action is not None and action.isdecimal()):
        if action != "-":
            targets = words
        action = None
    sh.extra.pop("parent_traps", None)
    status = 0
    for word in targets:
        name = _name(sh, word)
        if name is None:
            if sh.dialect.name == "dash":
                yield from sh.p.err(f"trap: {word}: bad trap\n")
            else:
                yield from sh.complain(f"{word}: invalid signal specification", "trap")
            status = 1
            continue
        if action is None:
            sh.traps.pop(name, None)
        else:
            sh.traps[name] = action
        number = None if name in _PSEUDO else number_of(name)
        if number:
            sh.p.trap_signal(number, None if action is None else ("ignore" if action == "" else "catch"))
    return status


_USAGE = "kill: usage: kill [-s sigspec | -n signum | -sigspec] pid | jobspec ... or kill -l [sigspec]\n"


@builtin("kill")
def kill(sh: Shell, argv: list[str]) -> Gen[int]:
    """Send signals to processes and jobs."""
    words = argv[1:]
    number = 15
    if not words:
        if sh.dialect.bash:
            yield from sh.p.err(_USAGE)
            return 2
        if sh.dialect.name == "dash":
            yield from sh.complain("Usage: kill [-s sigspec | -signum | -sigspec] [pid | job]... or\n"
                                   "kill -l [exitstatus]", "kill")  # fmt: skip
            raise ExitShell(2)
        yield from sh.p.err(f"{sh.message_name}: you need to specify whom to kill\n")
        return 1
    if words[0] in ("-l", "-L"):
        return (yield from _list(sh, words[1:]))
    first = words[0]
    if first in ("-s", "-n") and len(words) > 1:
        found = number_of(words[1])
        if found is None:
            yield from _invalid(sh, words[1])
            return 1
        number, words = found, words[2:]
    elif first == "--":
        words = words[1:]
    elif first.startswith("-") and len(first) > 1:
        found = 0 if first == "-0" else number_of(first[1:])
        if found is None:
            yield from _invalid(sh, first[1:])
            return 1
        number, words = found, words[1:]
        if words[:1] == ["--"]:
            words = words[1:]
    if not words and sh.dialect.bash:
        yield from sh.p.err(_USAGE)
        return 2
    status = 0
    for word in words:
        status = (yield from _one(sh, word, number)) or status
    return status


def _invalid(sh: Shell, text: str) -> Gen[None]:
    if sh.dialect.bash:
        yield from sh.complain(f"{text}: invalid signal specification", "kill")
    elif sh.dialect.name == "dash":
        yield from sh.complain(f"Illegal option -{text[:1]}", "kill")
        raise ExitShell(2)
    else:
        yield from sh.p.err(f"{sh.message_name}: bad signal name '{text}'\n")


def _one(sh: Shell, word: str, number: int) -> Gen[int]:
    if word.startswith("%"):
        job = sh.jobs.find(word)
        if job is None:
            text = f"{word}: no such job" if sh.dialect.name != "dash" else f"No such job: {word}"
            yield from sh.complain(text, "kill")
            return 1 if sh.dialect.bash else 2
        status = 0
        for pid in job.pids:
            status = (yield from _send(sh, pid, number, word)) or status
        return status
    body = word[1:] if word.startswith("-") else word
    if not body.isdecimal():
        if sh.dialect.bash:
            yield from sh.complain(f"{word}: arguments must be process or job IDs", "kill")
        elif sh.dialect.name == "dash":
            yield from sh.complain(f"Illegal number: {word}", "kill")
            raise ExitShell(2)
        else:
            yield from sh.p.err(f"{sh.message_name}: invalid number '{word}'\n")
        return 1
    return (yield from _send(sh, int(word[:12]), number, word))


def _send(sh: Shell, pid: int, number: int, word: str) -> Gen[int]:
    yield from reap(sh)  # as SIGCHLD's handler does: a child that ended is gone, no zombie
    try:
        sh.p.kill(pid, number)
    except SysError as problem:
        words = "No such process" if problem.errno == errno.ESRCH else problem.words
        if sh.dialect.bash:
            yield from sh.complain(f"({pid}) - {words}", "kill")
        elif sh.dialect.name == "dash":
            yield from sh.complain(f"{words}\n", "kill")
        else:
            yield from sh.p.err(f"{sh.message_name}: can't kill pid {pid}: {words}\n")
        return 1
    yield from sh.p.tick(1)
    return 0


def _list(sh: Shell, words: list[str]) -> Gen[int]:
    if not words:
        if sh.dialect.bash:
            yield from sh.p.out(listing())
        else:
            if sh.dialect.name == "ash":
                rows = [
                    f"{number:2d}) {'POLL' if number == 29 else NAMES[number]}"
                    for number in range(1, len(NAMES))
                ]
            else:
                rows = ["0"]
                rows += ["16" if number == 16 else name_of(number) or str(number) for number in range(1, 65)]
            yield from sh.p.out("".join(row + "\n" for row in rows))
        return 0
    status = 0
    for word in words[:1] if sh.dialect.name == "dash" else words:
        if sh.dialect.name == "dash" and (
            not word.isdecimal() or name_of(int(word[:6]) & 127) is None or int(word[:6]) > 192
        ):
            yield from sh.complain(f"invalid signal number or exit status: {word}" if word.isdecimal() else
                                   f"Illegal number: {word}", "kill")  # fmt: skip
            raise ExitShell(2)
        if word.isdecimal():
            number = int(word[:6])
            if sh.dialect.name == "ash" and name_of(number & 127) is None:
                yield from sh.p.out(f"{number & 127}\n")
                continue
            name = name_of(number - 128 if number > 128 else number)
            if name is None or number == 0:
                if number == 0:
                    yield from sh.p.out("EXIT\n")
                    continue
                yield from _invalid(sh, word)
                status = 1
            else:
                yield from sh.p.out(name + "\n")
            continue
        found = number_of(word)
        if found is None:
            yield from _invalid(sh, word)
            status = 1
        else:
            yield from sh.p.out(f"{found}\n")
    return status
