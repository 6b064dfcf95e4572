"""fold, expand, unexpand, column, iconv."""

from __future__ import annotations

import re

from urltrap.machine.api import Run, decode, encode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, command, paths_or_stdin
from urltrap.machine.programs._lines import Source


def _fitting(body: bytes, at: int, width: int) -> int:
    """Where the part of a line that begins at `at` and fills at most `width` columns ends; one byte always fits."""
    if body.find(b"\t", at) < 0 and body.find(b"\b", at) < 0 and body.find(b"\r", at) < 0:
        return min(len(body), at + width)
    column = 0
    for place in range(at, len(body)):
        byte = body[place]
        after = {9: column - column % 8 + 8, 8: max(column - 1, 0), 13: 0}.get(byte, column + 1)
        if after > width and place > at:
            return place
        column = after
    return len(body)


@command("fold", short="bsw:0123456789", bb="bsw:", long={"bytes": "b", "spaces": "s", "width:": "w"})
def fold(c: Cmd) -> Run:
    """Wrap lines."""
    text = c.value("w") or "".join(name for name, _ in c.opts if name.isdecimal()) or "80"
    if not text.isdecimal() or not int(text[:9]):
        why = ": Numerical result out of range" if text.isdecimal() else ""
        yield from c.warn(f"invalid number of columns: {c.lq(text)}{why}")
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
            while (cut := at + width if c.has("b") else _fitting(body, at, width)) < len(body):
                if c.has("s") and (blank := body.rfind(b" ", at, cut)) >= at:
                    cut = blank + 1
                yield from c.put(body[at:cut] + b"\n")
                at = cut
                yield from c.p.tick()
            yield from c.put(body[at:] + end)
        source.close()
    return c.status


def _tab_stops(c: Cmd, text: str) -> list[int] | str:
    """The list of -t, or what is wrong with it."""
    stops = []
    for word in re.split(r"[, ]", text):
        if not word.isdecimal() or len(word) > 6:
            return f"tab size contains invalid character(s): {c.lq(word)}"
        if not int(word):
            return "tab size cannot be 0"
        stops.append(int(word))
    return stops if stops == sorted(set(stops)) else "tab sizes must be ascending"


def _next_stop(stops: list[int], column: int) -> int:
    """The column behind a tab; with a list, a tab behind the last stop is a blank."""
    if len(stops) == 1:
        return column - column % stops[0] + stops[0]
    return next((stop for stop in stops if stop > column), column + 1)


def _expanded(line: bytes, stops: list[int], leading: bool) -> bytes:
    out = bytearray()
    column = 0
    for place, byte in enumerate(line):
        if byte == 9:
            after = _next_stop(stops, column)
            out += b" " * (after - column)
            column = after
            continue
        if leading and byte != 32:
            return bytes(out) + line[place:]
        out.append(byte)
        column = max(column - 1, 0) if byte == 8 else column + 1
    return bytes(out)


def _unexpanded(line: bytes, stops: list[int], everywhere: bool) -> bytes:
    """Runs of two blanks or more that reach a tab stop become tabs; with `everywhere` not only the leading ones."""
    out = bytearray()
    column = place = 0
    while place < len(line):
        if line[place] not in b" \t":
            if not everywhere:
                return bytes(out) + line[place:]
            out.append(line[place])
            column += 1
            place += 1
            continue
        began, run = column, place
        while place < len(line) and line[place] in b" \t":
            column = _next_stop(stops, column) if line[place] == 9 else column + 1
            place += 1
        at = began
        while (after := _next_stop(stops, at)) <= column and (len(stops) == 1 or after in stops):
            single = after - at == 1 and line[run : run + 1] != b"\t" and place - run == 1
            out += b" " if single else b"\t"
            run += 1
            at = after
        out += b" " * (column - at)
    return bytes(out)


@command(
    "expand", "unexpand", short="ait:", long={"all": "a", "initial": "i", "tabs:": "t", "first-only": "first"}
)
def expand(c: Cmd) -> Run:
    """Tabs to spaces, or back."""
    stops = _tab_stops(c, c.value("t") or "8")
    if isinstance(stops, str):
        yield from c.warn(stops)
        return 1
    back = c.name.endswith("unexpand")
    everywhere = (c.has("a") or c.has("t")) and not c.has("first")
    for path in paths_or_stdin(c.args):
        try:
            source = Source(c, path)
        except SysError as problem:
            yield from c.bad_file(path, problem)
            continue
        while line := (yield from source.line()):
            body = line.removesuffix(b"\n")
            end = line[len(body) :]
            changed = _unexpanded(body, stops, everywhere) if back else _expanded(body, stops, c.has("i"))
            yield from c.put(changed + end)
            yield from c.p.tick(1 + len(line) // 200)
        source.close()
    return c.status


def _tabbed(items: list[str], width: int, across: bool) -> list[str]:
    """Items side by side in columns that begin at tab stops, as util-linux's column fills `width`."""
    cell = (max((len(item) for item in items), default=0) + 8) & ~7
    count = max(1, width // cell)
    rows = -(-len(items) // count)
    lines = []
    for row in range(rows):
        chosen = items[row * count : (row + 1) * count] if across else items[row::rows]
        line = ""
        for number, item in enumerate(chosen):
            line += item
            if number < len(chosen) - 1:
                line += "\t" * -(-(cell - len(item)) // 8)
        lines.append(line)
    return lines


@command(
    "column",
    short="c:s:to:xN:neR:H:O:l:dLJ",
    bb=False,
    package="util-linux",
    version="2.38.1",
    long={
        "table": "t",
        "separator:": "s",
        "output-separator:": "o",
        "output-width:": "c",
        "fillrows": "x",
        "table-columns:": "N",
        "table-right:": "R",
    },
)
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
        for text in _tabbed(lines, width, c.has("x")):
            yield from c.say(text + "\n")
        return c.status
    separator = c.value("s")
    rows = [re.split("[" + re.escape(separator) + "]", line) if separator else line.split() for line in lines]
    if (header := c.value("N")) is not None:
        rows.insert(0, header.split(","))
    count = max((len(row) for row in rows), default=0)
    widths = [max((len(row[n]) for row in rows if n < len(row)), default=0) for n in range(count)]
    named = (header or "").split(",")
    right = {
        int(word) - 1 if word.isdecimal() else named.index(word) if word in named else -1
        for word in (c.value("R") or "").split(",")
        if word
    }
    gap = c.value("o") if c.has("o") else "  "
    for row in rows:
        cells = [
            cell.rjust(widths[n]) if n in right else cell.ljust(widths[n]) if n < count - 1 else cell
            for n, cell in enumerate(row)
        ]
        yield from c.put(encode((gap or "").join(cells).rstrip() + "\n"))
    return c.status


_CODECS = {
    "utf-8": "utf-8", "utf8": "utf-8", "ascii": "ascii", "us-ascii": "ascii", "iso-8859-1": "latin-1",
    "latin1": "latin-1", "utf-16": "utf-16", "utf-16le": "utf-16-le", "utf-16be": "utf-16-be", "cp1252": "cp1252",
    "windows-1252": "cp1252", "gbk": "gbk", "gb2312": "gb2312", "big5": "big5", "koi8-r": "koi8-r", "cp1251": "cp1251",
}  # fmt: skip


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
                f"{c.name}: conversion {what} {c.lq(name)} is not supported\n"
                f"Try '{c.name} --help' or '{c.name} --usage' for more information.\n"
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
