"""awk: mawk 1.3.4 (Debian's default), and BusyBox's."""

from __future__ import annotations

from urltrap.machine.api import Run, decode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._awkparse import AwkError, parse, unescape
from urltrap.machine.programs._awkrun import Machine
from urltrap.machine.programs._awkvalue import Field
from urltrap.machine.programs._cmd import Cmd, command

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

random-funcs:       srandom/random
regex-funcs:        internal
compiled limits:
sprintf buffer      8192
maximum-integer     2147483647
"""


@command("awk", "mawk", "nawk", "gawk", short="+F:v:f:W:e:V", bb="+F:v:f:e:", bad=2, hint="",
         long={"field-separator:": "F", "assign:": "v", "file:": "f", "version": "V", "source:": "e"})  # fmt: skip
def awk(c: Cmd) -> Run:
    """Scan and process patterns."""
    name = "awk" if c.bb else "mawk"
    options = c.values("W")
    if c.has("V") or any(each.startswith("v") for each in options):
        yield from c.p.out(_VERSION)
        return 0
    if c.has("help") or any(each.startswith(("h", "u")) for each in options):
        yield from c.p.out(_USAGE)
        return 0
    parts = []
    for option, value in c.opts:
        if option == "e":
            parts.append(value)
        elif option == "f":
            try:
                parts.append(decode((yield from c.load(value))))
            except SysError as problem:
                text = (
                    f"awk: can't open '{value}': {problem.words}"
                    if c.bb
                    else f"mawk: couldn't open file {value}"
                )
                yield from c.p.err(text + "\n")
                return 1 if c.bb else 2
    if not parts:
        if not c.args:
            if c.bb:
                return (yield from c.usage())
            yield from c.p.err(_USAGE)
            return 2
        parts.append(c.args.pop(0))
    try:
        program = parse("\n".join(parts))
    except AwkError as problem:
        if c.bb:
            yield from c.p.err(f"awk: cmd. line:{problem.line}: Unexpected token\n")
            return 1
        near = "unexpected newline" if problem.near == "end of line" else problem.near
        words = (
            f"syntax error at or near {near}"
            if problem.near != "end of file"
            else "syntax error at or near end of file"
        )
        yield from c.p.err(f"{c.name}: line {problem.line}: {words}\n")
        return 2
    machine = Machine(c, program, name)
    machine.globals["ARGV"] = {"0": name, **{str(at): Field(word) for at, word in enumerate(c.args, 1)}}
    machine.globals["ARGC"] = float(len(c.args) + 1)
    machine.globals["ENVIRON"] = {key: Field(value) for key, value in c.p.env.items()}
    separator = c.value("F")
    if separator is not None:
        machine.globals["FS"] = "\t" if separator == "t" else unescape(separator)
    for each in c.values("v"):
        variable, equals, value = each.partition("=")
        if not equals or not variable.isidentifier():
            yield from c.p.err(f"{c.name}: improper assignment: -v {each}\n")
            return 2
        machine.globals[variable] = Field(unescape(value))
    return (yield from machine.run())
