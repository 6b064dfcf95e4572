"""strings: printable runs in files."""

from __future__ import annotations

import re

from urltrap.machine.api import Run, encode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, command, paths_or_stdin


@command(
    "strings",
    short="adfn:o0123456789wt:e:T:s:",
    bb="afon:t:",
    package="GNU Binutils for Debian",
    version="2.40",
    long={
        "all": "a",
        "data": "d",
        "print-file-name": "f",
        "bytes:": "n",
        "radix:": "t",
        "encoding:": "e",
        "include-all-whitespace": "w",
        "output-separator:": "s",
    },
)
def strings(c: Cmd) -> Run:
    """Printable runs in files."""
    digits = "".join(name for name, _ in c.opts if len(name) == 1 and name.isdigit())
    text = c.value("n") or digits or "4"
    if not text.isdecimal() or not int(text[:9]):
        yield from c.p.err(
            f"{c.name}: invalid integer argument {text}\n"
            if not text.isdecimal()
            else f"{c.name}: minimum string length is too small: {text}\n"
        )
        return 1
    least = min(int(text[:9]), 60_000)
    pattern = re.compile(rb"[\t\n\r -~]{%d,}" % least if c.has("w") else rb"[\t -~]{%d,}" % least)
    radix = c.value("t") or ("o" if c.has("o") else "")
    for path in paths_or_stdin(c.args):
        try:
            data = yield from c.load(path)
        except SysError as problem:
            if c.bb:
                yield from c.fail(f"{path}: {problem.words}")
            elif problem.errno == 2:
                yield from c.fail(f"'{path}': No such file")
            elif problem.errno == 21:
                yield from c.p.err(f"{c.name}: Warning: '{path}' is a directory\n")
                c.status = 1
            else:
                yield from c.fail(f"{path}: {problem.words}")
            continue
        yield from c.p.tick(1 + len(data) // 4096)
        for match in pattern.finditer(data):
            head = f"{path}: " if c.has("f") else ""
            if radix:
                head += {
                    "o": f"{match.start():7o} ",
                    "d": f"{match.start():7d} ",
                    "x": f"{match.start():7x} ",
                }.get(radix[:1], "")
            yield from c.put(encode(head) + match.group() + b"\n")
    return c.status
