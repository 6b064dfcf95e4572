"""getopt: the options of a shell script, as util-linux parses and quotes them."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.programs._getopt import OptionError
from urltrap.machine.programs._getopt import getopt as read
from urltrap.machine.programs.registry import program

_OWN = {"alternative": "", "help": "", "longoptions": ":", "name": ":", "options": ":", "quiet": "",
        "quiet-output": "", "shell": ":", "test": "", "unquoted": "", "version": ""}  # fmt: skip


def _quoted(text: str, unquoted: bool) -> str:
    return text if unquoted else "'" + text.replace("'", "'\\''") + "'"


@program("getopt")
def getopt(p: Process) -> Run:
    """Parse the words behind ``--`` by the options that are described before it."""
    words = list(p.argv[1:])
    if not words:
        yield from p.err("getopt: missing optstring argument\nTry 'getopt --help' for more information.\n")
        return 2
    if not words[0].startswith("-"):
        return (yield from _answer(p, words[0], {}, words[1:], "getopt", unquoted=True, quiet=False))
    try:
        options, rest = read(words, "+ahl:n:o:qQs:TuV", _OWN)
    except OptionError as error:
        yield from p.err(f"getopt: {error}\nTry 'getopt --help' for more information.\n")
        return 2
    short: str | None = None
    long: dict[str, str] = {}
    name = "getopt"
    given = set()
    for option, value in options:
        key = option.lstrip("-")
        given.add(key)
        if key in ("o", "options"):
            short = value
        elif key in ("l", "longoptions"):
            for each in value.replace(",", " ").split():
                bare = each.rstrip(":")
                long[bare] = each[len(bare) :]
        elif key in ("n", "name"):
            name = value
    if given & {"T", "test"}:
        return 4
    if given & {"V", "version"}:
        yield from p.out("getopt from util-linux 2.38.1\n")
        return 0
    if short is None:
        if not rest:
            yield from p.err(
                "getopt: missing optstring argument\nTry 'getopt --help' for more information.\n"
            )
            return 2
        short, rest = rest[0], rest[1:]
    quiet = bool(given & {"q", "quiet"})
    plain, silent = bool(given & {"u", "unquoted"}), bool(given & {"Q", "quiet-output"})
    return (yield from _answer(p, short, long, rest, name, unquoted=plain, quiet=quiet, silent=silent))


def _answer(
    p: Process,
    short: str,
    long: dict[str, str],
    words: list[str],
    name: str,
    *,
    unquoted: bool,
    quiet: bool,
    silent: bool = False,
) -> Run:
    out: list[str] = []
    operands: list[str] = []
    status = 0
    stop = short.startswith("+")
    rest = list(words)
    letters = short.lstrip("+-:")
    while rest:
        # One option at a time: a wrong one is told and the others are still read.
        size = 1
        word = rest[0]
        if word == "--":
            operands += rest[1:]
            break
        if not word.startswith("-") or word == "-":
            if stop:
                operands += rest
                break
            operands.append(word)
            rest = rest[1:]
            continue
        try:
            found, _ = read(rest[:1], "+" + letters, long)
        except OptionError as error:
            if "requires an argument" in str(error) and len(rest) > 1:
                try:
                    found, _ = read(rest[:2], "+" + letters, long)
                    size = 2
                except OptionError as second:
                    error, found = second, []
            else:
                found = []
            if not found:
                if not quiet:
                    yield from p.err(f"{name}: {error}\n")
                status = 1
        for option, value in found:
            shown = option if option.startswith("--") else "-" + option
            out.append(shown)
            kind = long.get(option[2:], "") if option.startswith("--") else _kind(letters, option)
            if kind:
                out.append(_quoted(value, unquoted))
        rest = rest[size:]
    if silent:
        return status
    out.append("--")
    out += [_quoted(word, unquoted) for word in operands]
    yield from p.out(" " + " ".join(out) + "\n")
    return status


def _kind(letters: str, option: str) -> str:
    at = letters.find(option)
    tail = letters[at + 1 : at + 3] if at >= 0 else ""
    return "::" if tail == "::" else ":" if tail[:1] == ":" else ""
