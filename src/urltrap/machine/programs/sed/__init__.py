"""sed: the stream editor, POSIX with GNU's common additions."""

from __future__ import annotations

import re

from urltrap.machine.api import Run, decode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, command
from urltrap.machine.programs.sed._editor import Editor
from urltrap.machine.programs.sed._script import SedError, parse

_LONG = {
    "quiet": "n", "silent": "n", "debug": "debug", "expression:": "e", "file:": "f", "follow-symlinks": "fs",
    "in-place::": "i", "line-length:": "l", "null-data": "z", "zero-terminated": "z", "posix": "posix",
    "regexp-extended": "E", "separate": "s", "sandbox": "sandbox", "unbuffered": "u",
}  # fmt: skip
_USAGE = """\
Usage: {0} [OPTION]... {script-only-if-no-other-script} [input-file]...

  -n, --quiet, --silent
                 suppress automatic printing of pattern space
      --debug
                 annotate program execution
  -e script, --expression=script
                 add the script to the commands to be executed
  -f script-file, --file=script-file
                 add the contents of script-file to the commands to be executed
  --follow-symlinks
                 follow symlinks when processing in place
  -i[SUFFIX], --in-place[=SUFFIX]
                 edit files in place (makes backup if SUFFIX supplied)
  -l N, --line-length=N
                 specify the desired line-wrap length for the `l' command
  --posix
                 disable all GNU extensions.
  -E, -r, --regexp-extended
                 use extended regular expressions in the script
                 (for portability use POSIX -E).
  -s, --separate
                 consider files as separate rather than as a single,
                 continuous long stream.
      --sandbox
                 operate in sandbox mode (disable e/r/w commands).
  -u, --unbuffered
                 load minimal amounts of data from the input files and flush
                 the output buffers more often
  -z, --null-data
                 separate lines by NUL characters
      --help     display this help and exit
      --version  output version information and exit

If no -e, --expression, -f, or --file option is given, then the first
non-option argument is taken as the sed script to interpret.  All
remaining arguments are names of input files; if no input files are
specified, then the standard input is read.

GNU sed home page: <https://www.gnu.org/software/sed/>.
General help using GNU software: <https://www.gnu.org/gethelp/>.
"""


_BUSYBOX = (
    (r"unterminated (?:`[sy]' command|address regex)", "unmatched '/'"),
    (r"unknown command: `(.)'", r"unsupported command \1"),
    (r"can't find label for jump to `(.*)'", r"can't find label for jump to '\1'"),
    (r"unknown option to `s'", "bad option in substitution expression"),
    (r"unexpected `,'", "no address after comma"),
)
"""What BusyBox says where GNU's says what the expressions match."""


def _in_busybox(words: str) -> str:
    bare = re.sub(r"^-e expression #1, char \d+: ", "", words)
    for pattern, said in _BUSYBOX:
        if match := re.fullmatch(pattern, bare):
            return match.expand(said)
    return bare


@command(
    "sed",
    short="bnre:f:i::l:EsuzhV",
    bb="nre:f:i::Esz",
    long=_LONG,
    package="GNU sed",
    version="4.9",
    hint=_USAGE,
)
def sed(c: Cmd) -> Run:
    """Edit a stream."""
    parts: list[str] = []
    for name, value in c.opts:
        if name == "e":
            parts.append(value)
        elif name == "f":
            try:
                parts.append(decode((yield from c.load(value))).removesuffix("\n"))
            except SysError as problem:
                yield from c.p.err(f"{c.name}: couldn't open file {value}: {problem.words}\n")
                return 1 if c.bb else 4
    if not parts:
        if not c.args:
            if c.bb:
                return (yield from c.usage())
            return (yield from c.usage(status=1))
        parts.append(c.args.pop(0))
    try:
        script = parse(parts, extended=c.has("E", "r"))
    except SedError as problem:
        yield from c.p.err(f"{c.name}: {_in_busybox(str(problem)) if c.bb else problem}\n")
        return 1 if c.bb else problem.status
    return (yield from Editor(c, script).run())
