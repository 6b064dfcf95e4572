"""awk: mawk 1.3.4 (Debian's default), and BusyBox's."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from urltrap.machine.api import Process, Run
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, command, guard
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs.awk._parser import parse
from urltrap.machine.programs.awk._run import Machine
from urltrap.machine.programs.awk._tokens import AwkError, unescape
from urltrap.machine.programs.awk._values import Field, foreign, from_bytes
from urltrap.machine.programs.registry import program

_USAGE = """\
Usage: mawk [Options] [Program] [file ...]

Program:
    The -f option value is the name of a file containing program text.
    If no -f option is given, a "--" ends option processing; the following
    parameters are the program text.

Options:
    -f program-file  Program  text is read from file instead of from the
                     command-line.  Multiple -f options are accepted.
    -F value         sets the field separator, FS, to value.
    -v var=value     assigns value to program variable var.
    --               unambiguous end of options.

    Implementation-specific options are prefixed with "-W".  They can be
    abbreviated:

    -W version       show version information and exit.
    -W dump          show assembler-like listing of program and exit.
    -W help          show this message and exit.
    -W interactive   set unbuffered output, line-buffered input.
    -W exec file     use file as program as well as last option.
    -W random=number set initial random seed.
    -W sprintf=number adjust size of sprintf buffer.
    -W posix_space   do not consider "\\n" a space.
    -W usage         show this message and exit.
"""
_VERSION = """\
mawk 1.3.4 20200120
Copyright 2008-2019,2020, Thomas E. Dickey
Copyright 1991-1996,2014, Michael D. Brennan

"""
_LIMITS = """\
random-funcs:       srandom/random
regex-funcs:        internal
compiled limits:
sprintf buffer      8192
maximum-integer     2147483647
"""


@program("awk", "mawk", "nawk")
def awk(p: Process) -> Run:
    """Scan and process patterns, as mawk does."""
    try:
        opts, args = getopt(p.argv[1:], "+F:v:f:W:", {})
    except OptionError:
        yield from p.err(f"{_name(p)}: {_wrong_option(p.argv[1:])}\n")
        return 2
    c = Cmd(p, opts, args, False)
    c.name = _name(p)
    for option in c.values("W"):
        if option.startswith("v"):
            newer = p.recorded_answer("mawk", "--version")  # older ones do not know that word
            if newer is not None and newer[3]:
                newer = None
            yield from p.out(newer[1] if newer is not None else _VERSION)
            yield from p.err(_LIMITS if newer is None else "")
            return 0
        if option.startswith(("h", "u")):
            yield from p.err(_USAGE)
            return 0
    if not args and not c.has("f"):
        yield from p.err(_USAGE)
        return 0
    return (yield from guard(c, _awk))


@command("awk", short="+F:v:f:e:", register=False)
def awk_applet(c: Cmd) -> Run:
    """Scan and process patterns, as BusyBox does."""
    if not c.args and not c.has("f", "e"):
        return (yield from c.usage())
    return (yield from _awk(c))


def _name(p: Process) -> str:
    return p.argv[0].rpartition("/")[2]


def _wrong_option(words: list[str]) -> str:
    """mawk's words about the first option that is none."""
    for word in words:
        if word[:1] == "-" and word[1:2] not in ("F", "v", "f", "W"):
            return f"not an option: {word}"
    return f"option {words[-1]} lacks argument"


def _awk(c: Cmd) -> Run:
    source = yield from _source(c)
    if source is None:
        return 1 if c.bb else 2
    try:
        parsed = parse(source, c.bb)
    except AwkError as problem:
        said = [problem.busybox] if c.bb else problem.complaints
        between = {True: "", False: ": "}
        for each in said:
            yield from c.p.err(f"{c.name}{between[each.startswith(':')]}{each}\n")
        return 1 if c.bb else 2
    machine = Machine(c, parsed)
    operands = {str(at): Field(foreign(word)) for at, word in enumerate(c.args, 1)}
    machine.globals["ARGV"] = {"0": c.name, **operands}
    machine.globals["ARGC"] = float(len(c.args) + 1)
    machine.globals["ENVIRON"] = {foreign(key): Field(foreign(value)) for key, value in c.p.env.items()}
    separator = c.value("F")
    if separator is not None:
        machine.globals["FS"] = "\t" if separator == "t" and c.bb else unescape(foreign(separator), c.bb)
    for each in c.values("v"):
        variable, equals, value = each.partition("=")
        if not equals or not (variable.isascii() and variable.isidentifier()):
            if c.bb:
                return (yield from c.usage())
            yield from c.p.err(f"{c.name}: improper assignment: -v {each}\n")
            return 2
        machine.globals[variable] = Field(unescape(foreign(value), c.bb))
    return (yield from machine.run())


def _source(c: Cmd) -> Generator[Any, Any, str | None]:
    """The program's text, from files, options or the first operand; None where a file cannot be read."""
    parts = []
    for option, value in c.opts:
        if option == "e":
            parts.append(foreign(value))
        elif option == "f":
            try:
                parts.append(from_bytes((yield from c.load(value))))
            except SysError as problem:
                words = (
                    f"can't open '{value}': {problem.words}"
                    if c.bb
                    else f"cannot open {value} ({problem.words})"
                )
                yield from c.p.err(f"{c.name}: {words}\n")
                return None
    if parts:
        return "\n".join(parts)
    return foreign(c.args.pop(0)) + ("" if c.bb else "\n")
