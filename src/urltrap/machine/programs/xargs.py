"""xargs."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any

from urltrap.machine.api import Run, decode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, command, shell_quote
from urltrap.machine.programs._paths import confirm

_LONG = {
    "null": "0", "arg-file:": "a", "delimiter:": "d", "eof::": "e", "replace::": "i", "max-lines::": "l",
    "max-args:": "n", "open-tty": "o", "max-procs:": "P", "interactive": "p", "process-slot-var:": "slot",
    "no-run-if-empty": "r", "max-chars:": "s", "show-limits": "limits", "verbose": "t", "exit": "x",
}  # fmt: skip
_MAX_RUNS = 20_000


class _Unmatched(Exception):
    pass


def _words(text: str) -> tuple[list[list[str]], bool]:
    """Words by input line, as the shell's simple quoting makes them; True where a quote was left open."""
    lines: list[list[str]] = [[]]
    word: str | None = None
    pos = 0
    while pos < len(text):
        char = text[pos]
        pos += 1
        if char in " \t\n":
            if word is not None:
                lines[-1].append(word)
                word = None
            if char == "\n" and lines[-1]:
                lines.append([])
        elif char in "'\"":
            end = text.find(char, pos)
            newline = text.find("\n", pos)
            if end < 0 or 0 <= newline < end:
                return lines, True
            word = (word or "") + text[pos:end]
            pos = end + 1
        elif char == "\\" and pos < len(text):
            word = (word or "") + text[pos]
            pos += 1
        else:
            word = (word or "") + char
    if word is not None:
        lines[-1].append(word)
    return [line for line in lines if line], False


@command(
    "xargs",
    short="+0a:d:E:e::I:i::L:l::n:oP:prs:tx",
    bb="+0a:E:e::I:n:P:prs:tx",
    long=_LONG,
    package="GNU findutils",
    version="4.9.0",
)
def xargs(c: Cmd) -> Run:
    """Build and run command lines."""
    numbers: dict[str, int | None] = {}
    for name in "nPsLl":
        text = c.value(name)
        if text:
            if not re.fullmatch(r"\d{1,9}", text):
                yield from c.warn(f'invalid number "{text}" for -{name} option')
                return (yield from c.usage())
            numbers[name] = int(text)
            if name == "n" and not numbers[name]:
                yield from c.warn("value 0 for -n option should be >= 1")
                return (yield from c.usage())
    try:
        text = decode((yield from c.load(c.value("a") or "-")))
    except SysError as problem:
        yield from c.warn(f"Cannot open input file {c.quoted(problem.path)}: {problem.words}")
        return 1
    replace = c.value("I")
    if replace is None and c.has("i"):
        replace = c.value("i") or "{}"
    delimiter = c.value("d")
    unmatched = False
    if c.has("0") or delimiter is not None:
        mark = (
            "\0"
            if c.has("0")
            else {"\\n": "\n", "\\t": "\t", "\\0": "\0"}.get(delimiter or "", delimiter or "")
        )
        items = text.split(mark or "\n")
        if items and not items[-1]:
            items.pop()
        lines = [[item] for item in items]
    elif replace is not None:
        lines = [[re.sub(r"['\"]", "", line.lstrip(" \t"))] for line in text.split("\n") if line.strip()]
    else:
        lines, unmatched = _words(text)
    if (eof := c.value("E") or c.value("e")) is not None and eof:
        kept = []
        for line in lines:
            if eof in line:
                kept.append(line[: line.index(eof)])
                break
            kept.append(line)
        lines = [line for line in kept if line]
    base = list(c.args) or ["echo"]
    groups: list[list[str]] = []
    per_line = numbers.get("L") or numbers.get("l") or (1 if c.has("l") else None)
    if replace is not None:
        groups = [[each.replace(replace, line[0]) for each in base] for line in lines]
    else:
        words = [word for line in lines for word in line]
        if per_line and not numbers.get("n"):
            groups = [
                [*base, *(w for line in lines[at : at + per_line] for w in line)]
                for at in range(0, len(lines), per_line)
            ]
        else:
            size = numbers.get("n") or 5_000
            groups = [[*base, *words[at : at + size]] for at in range(0, len(words), size)]
        if not groups and not c.has("r"):
            groups = [base]
    status = 0
    for argv in groups[:_MAX_RUNS]:
        result = yield from _run(c, argv)
        if result is None:
            return 127 if status in (0, 123) else status
        if result in (124, 125, 126, 127):
            return result
        status = result or status
    if unmatched:
        yield from c.warn(
            "unmatched single quote; by default quotes are special to xargs unless you use the -0 option"
            if "'" in text and text.count("'") % 2
            else "unmatched double quote; by default quotes are special to xargs unless you use the -0 option"
        )
        return 1
    return status


def _run(c: Cmd, argv: list[str]) -> Generator[Any, Any, int | None]:
    p = c.p
    if c.has("p"):
        if not (yield from confirm(p, " ".join(shell_quote(each) for each in argv) + " ?...")):
            return 0
    elif c.has("t"):
        yield from p.err(" ".join(shell_quote(each) for each in argv) + "\n")
    null = p.open("/dev/null")
    try:
        pid = p.spawn(argv, fds={0: null, 1: 1, 2: 2})
    except SysError as problem:
        yield from p.err(f"{c.name}: {argv[0]}: {problem.words}\n")
        return 126 if problem.errno == 13 else 127
    finally:
        p.close(null)
    ended = yield from p.wait(pid)
    status = ended[1] if ended is not None else 0
    if status == 255:
        yield from p.err(f"{c.name}: {argv[0]}: exited with status 255; aborting\n")
        return 124
    if status > 128:
        yield from p.err(f"{c.name}: {argv[0]}: terminated by signal {status - 128}\n")
        return 125
    return 123 if status else 0
