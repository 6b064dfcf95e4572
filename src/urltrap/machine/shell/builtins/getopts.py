"""getopts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from urltrap.machine.shell.builtins.registry import builtin
from urltrap.machine.shell.errors import ExitShell

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell


@builtin("getopts")
def getopts(sh: Shell, argv: list[str]) -> Gen[int]:
    """The next option of the positional parameters."""
    if len(argv) < 3:
        if sh.dialect.bash:
            yield from sh.p.err("getopts: usage: getopts optstring name [arg ...]\n")
            return 2
        yield from sh.complain(
            "Usage: getopts optstring var [arg]"
            if sh.dialect.name == "dash"
            else "usage: getopts optstring var [arg]",
            "getopts",
        )
        raise ExitShell(2)
    spec, name = argv[1], argv[2]
    words = argv[3:] or sh.positional
    silent = spec.startswith(":")
    index_text = sh.getvar("OPTIND", "1")
    index = max(1, int(index_text[:9])) if index_text.isdecimal() else 1
    word_seen, offset = sh.getopts_state
    if index > len(words) or (word_seen and word_seen != words[index - 1]):
        offset = 0
    if offset == 0:
        if index > len(words) or not words[index - 1].startswith("-") or words[index - 1] == "-":
            return _finish(sh, name, index)
        if words[index - 1] == "--":
            return _finish(sh, name, index + 1)
        offset = 1
    word = words[index - 1]
    letter = word[offset]
    offset += 1
    at_end = offset >= len(word)
    place = spec.find(letter) if letter != ":" else -1
    if place < 0:
        _move(sh, index + 1 if at_end else index, "" if at_end else word, 0 if at_end else offset)
        sh.set_var(name, "?")
        if silent:
            sh.set_var("OPTARG", letter)
        else:
            sh.vars.unset("OPTARG")
            if sh.getvar("OPTERR", "1") != "0":
                yield from _say(sh, f"illegal option -- {letter}", f"Illegal option -{letter}")
        return 0
    if spec[place + 1 : place + 2] != ":":
        _move(sh, index + 1 if at_end else index, "" if at_end else word, 0 if at_end else offset)
        sh.vars.unset("OPTARG")
        sh.set_var(name, letter)
        return 0
    if not at_end:
        _move(sh, index + 1, "", 0)
        sh.set_var("OPTARG", word[offset:])
        sh.set_var(name, letter)
        return 0
    if index < len(words):
        _move(sh, index + 2, "", 0)
        sh.set_var("OPTARG", words[index])
        sh.set_var(name, letter)
        return 0
    _move(sh, index + 1, "", 0)
    if silent:
        sh.set_var("OPTARG", letter)
        sh.set_var(name, ":")
    else:
        sh.vars.unset("OPTARG")
        sh.set_var(name, "?")
        if sh.getvar("OPTERR", "1") != "0":
            yield from _say(sh, f"option requires an argument -- {letter}", f"No arg for -{letter} option")
    return 0


def _say(sh: Shell, bash: str, other: str) -> Gen[None]:
    if sh.dialect.bash:
        yield from sh.p.err(f"{sh.arg0}: {bash}\n")
    else:
        yield from sh.p.err(f"{other}\n")


def _move(sh: Shell, index: int, word: str, offset: int) -> None:
    sh.set_var("OPTIND", str(index))
    sh.getopts_state = (word, offset)


def _finish(sh: Shell, name: str, index: int) -> int:
    sh.set_var("OPTIND", str(index))
    sh.getopts_state = ("", 0)
    sh.vars.unset("OPTARG")
    sh.set_var(name, "?")
    return 1
