# ruff: noqa: E501 - the programs' own texts and tables are longer than a line
"""fold, expand, unexpand, column, iconv."""

from __future__ import annotations

import re

from urltrap.machine.api import Run, decode, encode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, command, paths_or_stdin
from urltrap.machine.programs._columns import columns
from urltrap.machine.programs._lines import Source


@command("fold", short="bsw:", long={"bytes": "b", "spaces": "s", "width:": "w"})
def fold(c: Cmd) -> Run:
    """Wrap lines."""
    text = c.value("w") or "80"
    if not text.isdecimal() or not int(text[:9]):
        yield from c.warn(f"invalid number of columns: {c.lq(text)}")
        return 1
    width = int(text[:9])
    for path in paths_or_stdin(c.args):
        try:
            source = Source(c, path)
        except SysError as problem:
            yield from c.bad_file(path, problem)
            continue
        while line := (yield from source.line()):
            body, end = (line[:-1], b"\n") if line.endswith(b"\n") else (line, b"")
            at = 0
            while len(body) - at > width:
                cut = at + width
                if c.has("s") and (blank := body.rfind(b" ", at, cut)) >= at:
                    cut = blank + 1
                yield from c.put(body[at:cut] + b"\n")
                at = cut
                yield from c.p.tick()
            yield from c.put(body[at:] + end)
        source.close()
    return c.status


@command(
    "expand", "unexpand", short="ait:", long={"all": "a", "initial": "i", "tabs:": "t", "first-only": "first"}
)
def expand(c: Cmd) -> Run:
    """Tabs to spaces, or back."""
    text = c.value("t") or "8"
    if not text.isdecimal() or not 0 < int(text[:6]) < 10_000:
        yield from c.warn(f"tab size contains invalid character(s): {c.lq(text)}")
        return 1
    size = int(text[:6])
    back = c.name.endswith("unexpand")
    for path in paths_or_stdin(c.args):
        try:
            source = Source(c, path)
        except SysError as problem:
            yield from c.bad_file(path, problem)
            continue
        while line := (yield from source.line()):
            if not back:
                yield from c.put(line.expandtabs(size))
            else:
                lead = len(line) - len(line.lstrip(b" \t"))
                blanks = len(line[:lead].expandtabs(size))
                yield from c.put(b"\t" * (blanks // size) + b" " * (blanks % size) + line[lead:])
            yield from c.p.tick(1 + len(line) // 500)
        source.close()
    return c.status


@command("column", short="c:s:to:xN:neR:H:O:l:dLJ", bb=False, package="util-linux", version="2.38.1", long={"table": "t", "separator:": "s", "output-separator:": "o", "output-width:": "c",
         "fillrows": "x", "table-columns:": "N"})  # fmt: skip
def column(c: Cmd) -> Run:
    """Lines in columns."""
    lines: list[str] = []
    for path in paths_or_stdin(c.args):
        try:
            lines += decode((yield from c.load(path, 2_000_000))).split("\n")
        except SysError as problem:
            yield from c.fail(f"{path}: {problem.words}")
    lines = [line for line in lines if line.strip()]
    yield from c.p.tick(len(lines))
    if not c.has("t"):
        width = int(c.value("c") or 0) if (c.value("c") or "").isdecimal() else c.p.window()[0]
        for text in columns([(line, len(line)) for line in lines], width, across=c.has("x")):
            yield from c.say(text + "\n")
        return c.status
    separator = c.value("s")
    rows = [re.split("[" + re.escape(separator) + "]", line) if separator else line.split() for line in lines]
    if (header := c.value("N")) is not None:
        rows.insert(0, header.split(","))
    count = max((len(row) for row in rows), default=0)
    widths = [max((len(row[n]) for row in rows if n < len(row)), default=0) for n in range(count)]
    gap = c.value("o") if c.has("o") else "  "
    for row in rows:
        cells = [cell.ljust(widths[n]) if n < count - 1 else cell for n, cell in enumerate(row)]
        yield from c.put(encode((gap or "").join(cells).rstrip() + "\n"))
    return c.status


_CODECS = {"utf-8": "utf-8", "utf8": "utf-8", "ascii": "ascii", "us-ascii": "ascii", "iso-8859-1": "latin-1", "latin1": "latin-1", "utf-16": "utf-16", "utf-16le": "utf-16-le",
           "utf-16be": "utf-16-be", "cp1252": "cp1252", "windows-1252": "cp1252", "gbk": "gbk", "gb2312": "gb2312", "big5": "big5", "koi8-r": "koi8-r", "cp1251": "cp1251"}  # fmt: skip


@command(
    "iconv",
    short="f:t:co:ls",
    bb=False,
    package="Debian GLIBC 2.36-9+deb12u10",
    version="2.36",
    long={"from-code:": "f", "to-code:": "t", "output:": "o", "list": "l"},
)
def iconv(c: Cmd) -> Run:
    """Change the encoding."""
    source, _, _ = (c.value("f") or "utf-8").lower().partition("//")
    target, _, way = (c.value("t") or "utf-8").lower().partition("//")
    for name, what in ((source, "from"), (target, "to")):
        if name not in _CODECS:
            yield from c.p.err(
                f"{c.name}: conversion {'from' if what == 'from' else 'to'} {c.lq(name)} is not supported\nTry '{c.name} --help' or '{c.name} --usage' for more information.\n"
            )
            return 1
    data = bytearray()
    for path in paths_or_stdin(c.args):
        try:
            data += yield from c.load(path)
        except SysError as problem:
            yield from c.p.err(f"{c.name}: cannot open input file {c.lq(path)}: {problem.words}\n")
            return 1
    yield from c.p.tick(1 + len(data) // 4096)
    lenient = "ignore" if c.has("c") or "ignore" in way else "replace" if "translit" in way else "strict"
    try:
        found = bytes(data).decode(_CODECS[source], lenient).encode(_CODECS[target], lenient)
    except UnicodeError as problem:
        at = getattr(problem, "start", 0)
        yield from c.p.err(f"{c.name}: illegal input sequence at position {at}\n")
        return 1
    yield from c.put(found)
    return 0
