"""bc: GNU's calculator."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from urltrap.machine.api import Run, decode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, command
from urltrap.machine.programs.bc._run import Halt, Runner
from urltrap.machine.programs.bc._syntax import BcSyntaxError, Parser

_VERSION = "bc 1.07.1\n"
_COPYRIGHT = (
    "Copyright 1991-1994, 1997, 1998, 2000, 2004, 2006, 2008, 2012-2017 Free Software Foundation, Inc.\n"
)
_BANNER = (
    f"{_VERSION}{_COPYRIGHT}This is free software with ABSOLUTELY NO WARRANTY.\n"
    "For details type `warranty'. \n"
)
_USAGE = """\
usage: {0} [options] [file ...]
  -h  --help         print this usage and exit
  -i  --interactive  force interactive mode
  -l  --mathlib      use the predefined math routines
  -q  --quiet        don't print initial banner
  -s  --standard     non-standard bc constructs are errors
  -w  --warn         warn about non-standard bc constructs
  -v  --version      print version information and exit
"""
_LONGEST = 20_000


@command(
    "bc",
    short="hilqsvw",
    long={
        "help": "h", "interactive": "i", "mathlib": "l", "quiet": "q", "standard": "s", "version": "v", "warn": "w",
    },
    hint=_USAGE,
)  # fmt: skip
def bc(c: Cmd) -> Run:
    """Calculate."""
    if c.has("h"):
        yield from c.p.out(_USAGE.replace("{0}", c.name))
        return 0
    if c.has("v"):
        yield from c.p.out(_VERSION + _COPYRIGHT)
        return 0
    runner = Runner(c, c.has("l"))
    if c.p.is_tty(0) and not c.has("q"):
        yield from c.p.out(_BANNER)
    try:
        for path in c.args:
            try:
                text = decode((yield from c.load(path, 500_000)))
            except SysError:
                yield from c.p.err(f"File {path} is unavailable.\n")
                return 1
            yield from _Input(c, runner, path).feed(text + "\n", last=True)
        standard = _Input(c, runner, "(standard_in)")
        while True:
            piece = yield from c.p.read(0)
            yield from standard.feed(decode(piece), last=not piece)
            yield from c.flush()
            if not piece:
                return 0
    except Halt:
        return 0


class _Input:
    """Text that comes in pieces, cut into units that can be run: lines, and as many as a brace or a string spans."""

    def __init__(self, c: Cmd, runner: Runner, name: str) -> None:
        self.c = c
        self.runner = runner
        self.name = name
        self.rest = ""
        self.line = 1

    def feed(self, text: str, *, last: bool) -> Generator[Any, Any, None]:
        """Run what is complete; at the end all that is there."""
        self.rest += text
        begin = 0
        while True:
            end = _unit_end(self.rest, begin)
            if end < 0:
                break
            yield from self._run(self.rest[begin:end])
            begin = end
        self.rest = self.rest[begin:]
        if last and self.rest.strip():
            if self.rest.rfind("/*") > self.rest.rfind("*/"):
                yield from self.c.p.err("EOF encountered in a comment.\n")
                self.rest = self.rest.replace("/*", "(")  # which is a syntax error, as for the real one
            yield from self._run(self.rest)

    def _run(self, unit: str) -> Generator[Any, Any, None]:
        yield from self.c.p.tick(4 + len(unit) // 8)
        try:
            statements = Parser(unit[:_LONGEST], self.line).unit()
        except BcSyntaxError as problem:
            yield from self.c.flush()
            yield from self.c.p.err(f"{self.name} {problem.line}: {problem}\n")
        else:
            if any(each == ("quit",) for each in statements):
                raise Halt  # it is obeyed as soon as it is read
            yield from self.runner.unit(statements)
        self.line += unit.count("\n")


def _unit_end(text: str, at: int) -> int:
    """The index behind the next complete unit; -1 where more must come."""
    depth = 0
    while at < len(text):
        char = text[at]
        if char == '"' or text.startswith("/*", at):
            at = text.find('"' if char == '"' else "*/", at + 2 if char == "/" else at + 1)
            if at < 0:
                return -1
            at += 1 if char == '"' else 2
            continue
        if char == "\\":
            at += 1
        elif char == "{":
            depth += 1
        elif char == "}":
            depth -= 1
        elif char == "\n" and depth <= 0:
            return at + 1
        at += 1
    return -1
