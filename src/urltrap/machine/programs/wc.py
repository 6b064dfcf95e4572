"""wc, nl, tee, seq, yes."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from urltrap.machine.api import O_APPEND, O_CREAT, O_TRUNC, O_WRONLY, Process, Run, decode, encode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import APPLETS, Cmd, command, guard, paths_or_stdin
from urltrap.machine.programs._lines import Source
from urltrap.machine.programs._regex import compile_posix
from urltrap.machine.programs.registry import program


def _width(line: bytes, column: int) -> int:
    """Columns of the rest of a line that has `column` already: a tab goes on to the next eighth."""
    for number, part in enumerate(line.split(b"\t")):
        column = column + len(part) if number == 0 else column - column % 8 + 8 + len(part)
    return column


@command(
    "wc",
    short="clmLw",
    bb="clmLw",
    long={
        "bytes": "c",
        "chars": "m",
        "lines": "l",
        "words": "w",
        "max-line-length": "L",
        "files0-from:": "files0",
    },
)
def wc(c: Cmd) -> Run:
    """Count lines, words and bytes."""
    wanted = [name for name in "lwmcL" if c.has(name)] or ["l", "w", "c"]
    rows: list[tuple[list[int], str]] = []
    widths_from: list[int] = []
    special = False
    operands = paths_or_stdin(c.args)
    if (listed := c.value("files0")) is not None:
        if c.args:
            yield from c.warn(f"extra operand {c.lq(c.args[0])}")
            yield from c.p.err("file operands cannot be combined with --files0-from\n")
            return (yield from c.usage())
        try:
            operands = [name for name in decode((yield from c.load(listed))).split("\0") if name]
        except SysError as problem:
            yield from c.fail(f"cannot open {c.quoted(listed)} for reading: {problem.words}")
            return 1
    for path in operands:
        counts = dict.fromkeys("lwmcL", 0)
        try:
            source = Source(c, path)
        except SysError as problem:
            yield from c.fail(f"{path if c.bb else c.quote(path)}: {problem.words}")
            if problem.errno == 21:
                rows.append(([0] * len(wanted), path))
                special = True
            continue
        stat = c.p.fstat(source.fd)
        special = special or not stat.is_file
        widths_from.append(stat.size)
        pending = False
        longest = current = 0
        while piece := (yield from source.chunk()):
            counts["c"] += len(piece)
            counts["l"] += piece.count(b"\n")
            if "w" in wanted:
                words = len(piece.split())
                if pending and not piece[:1].isspace():
                    words -= 1
                counts["w"] += words
                pending = not piece[-1:].isspace()
            if "m" in wanted:
                counts["m"] += sum(1 for byte in piece if byte & 0xC0 != 0x80)
            if "L" in wanted:
                for number, line in enumerate(piece.split(b"\n")):
                    current = _width(line, current if number == 0 else 0)
                    longest = max(longest, current)
        counts["L"] = longest
        source.close()
        rows.append(([counts[name] for name in wanted], path if c.args or listed is not None else ""))
    many = len(operands) > 1
    totals = (
        [
            max(row[n] for row, _ in rows) if name == "L" else sum(row[n] for row, _ in rows)
            for n, name in enumerate(wanted)
        ]
        if rows
        else [0] * len(wanted)
    )
    if many:
        rows.append((totals, "total"))
    width = 1
    if c.bb:
        width = 9 if len(wanted) > 1 else 1
    elif listed is None and (len(rows) > 1 or len(wanted) > 1):
        width = max(len(str(sum(widths_from))), 7 if special else 1)
    for numbers, name in rows:
        shown = " ".join(str(number).rjust(width) for number in numbers)
        yield from c.say(f"{shown}{' ' + name if name else ''}\n")
    return c.status


def _numbers_it(style: str, body: bytes) -> bool:
    """Whether nl numbers a line in this style."""
    if style.startswith("p"):
        return compile_posix(style[1:]).search(decode(body)) is not None
    return style == "a" or (style == "t" and bool(body))


@command(
    "nl",
    short="b:d:f:h:i:l:n:ps:v:w:",
    long={
        "body-numbering:": "b",
        "footer-numbering:": "f",
        "header-numbering:": "h",
        "line-increment:": "i",
        "number-format:": "n",
        "number-separator:": "s",
        "starting-line-number:": "v",
        "number-width:": "w",
        "no-renumber": "p",
    },
)
def nl(c: Cmd) -> Run:
    """Number lines; \\:\\:\\: begins a page's header, \\:\\: its body, \\: its footer."""
    styles = {}
    for name, usual, what in (("b", "t", "body"), ("h", "n", "header"), ("f", "n", "footer")):
        styles[name] = c.value(name) or usual
        if styles[name] not in ("a", "t", "n") and not styles[name].startswith("p"):
            return (yield from c.usage(f"invalid {what} numbering style: {c.lq(styles[name])}"))
    marks = {b"\\:\\:\\:": "h", b"\\:\\:": "b", b"\\:": "f"}
    section = "b"
    values = {}
    for name, default in (("v", 1), ("i", 1), ("w", 6)):
        text = c.value(name)
        if text is not None and not re.fullmatch(r"-?\d{1,9}", text):
            yield from c.warn(
                f"invalid {'line number' if name != 'w' else 'line number field width'}: {c.lq(text)}"
            )
            return 1
        values[name] = int(text) if text is not None else default
    number, step, width = values["v"], values["i"], min(values["w"], 1000)
    separator = c.value("s") if c.has("s") else "\t"
    form = c.value("n") or "rn"
    for path in paths_or_stdin(c.args):
        try:
            source = Source(c, path)
        except SysError as problem:
            yield from c.bad_file(path, problem)
            continue
        while line := (yield from source.line()):
            body = line.removesuffix(b"\n")
            if body in marks:
                section = marks[body]
                if section == "h" and not c.has("p"):
                    number = values["v"]
                yield from c.put(b"\n")
                continue
            if _numbers_it(styles[section], body):
                text = str(number)
                text = text.ljust(width) if form == "ln" else text.rjust(width, "0" if form == "rz" else " ")
                yield from c.put(encode(text + (separator or "")) + body + b"\n")
                number += step
            else:
                yield from c.put(b" " * (width + len(separator or "")) + body + b"\n")
            yield from c.p.tick()
        source.close()
    return c.status


@command("tee", short="aip", long={"append": "a", "ignore-interrupts": "i", "output-error::": "p"})
def tee(c: Cmd) -> Run:
    """Copy standard input to files and standard output."""
    fds = []
    for path in c.args:
        try:
            fds.append((path, c.p.open(path, O_WRONLY | O_CREAT | (O_APPEND if c.has("a") else O_TRUNC))))
        except SysError as problem:
            yield from c.fail(f"{c.quote(path)}: {problem.words}")
    while piece := (yield from c.p.read(0)):
        yield from c.p.write(1, piece)
        for path, fd in list(fds):
            try:
                yield from c.p.write(fd, piece)
            except SysError as problem:
                yield from c.fail(f"{c.quote(path)}: {problem.words}")
                fds.remove((path, fd))
    for _, fd in fds:
        c.p.close(fd)
    return c.status


def _seq_entry(flavour: bool):  # type: ignore[no-untyped-def]
    def seq(p: Process) -> Run:
        c = Cmd(p, [], [], flavour)
        rest = list(p.argv[1:])
        separator, form, wide = "\n", None, False
        while rest and rest[0].startswith("-") and len(rest[0]) > 1 and not re.match(r"-[\d.]", rest[0]):
            word = rest.pop(0)
            if word == "--":
                break
            if word in ("-w", "--equal-width"):
                wide = True
            elif word.startswith(("-s", "--separator")):
                separator = (
                    word[2:]
                    if word.startswith("-s") and len(word) > 2
                    else word.partition("=")[2]
                    if "=" in word
                    else (rest.pop(0) if rest else "\n")
                )
            elif word.startswith(("-f", "--format")):
                form = (
                    word[2:]
                    if word.startswith("-f") and len(word) > 2
                    else word.partition("=")[2]
                    if "=" in word
                    else (rest.pop(0) if rest else "")
                )
            elif word == "--version":
                yield from p.out("seq (GNU coreutils) 9.1\n")
                return 0
            else:
                text = (
                    f"unrecognized option '{word}'"
                    if word.startswith("--")
                    else f"invalid option -- '{word[1]}'"
                )
                return (yield from c.usage(text))
        return (yield from guard(c, lambda each: _seq(each, rest, separator, form, wide)))

    return seq


program("seq")(_seq_entry(False))
APPLETS["seq"] = _seq_entry(True)


def _seq(c: Cmd, words: list[str], separator: str, form: str | None, wide: bool) -> Run:
    if not words:
        return (yield from c.usage("missing operand"))
    if len(words) > 3:
        return (yield from c.usage(f"extra operand {c.lq(words[3])}"))
    numbers = []
    for word in words:
        try:
            value = Decimal(word)
            if not value.is_finite() or abs(value.adjusted()) > 300:
                raise InvalidOperation
        except InvalidOperation:
            return (yield from c.usage(f"invalid floating point argument: {c.lq(word)}"))
        numbers.append(value)
    first = numbers[0] if len(numbers) > 1 else Decimal(1)
    step = numbers[1] if len(numbers) > 2 else Decimal(1)
    last = numbers[-1]
    if step == 0:
        return (yield from c.usage(f"invalid Zero increment value: {c.lq(words[1])}"))
    digits = max(0, -int(first.as_tuple().exponent), -int(step.as_tuple().exponent))
    if form is not None and not re.fullmatch(
        r"(?:[^%]|%%)*%[-+ 0#']*\d{0,3}(?:\.\d{0,3})?[efgaEFGA](?:[^%]|%%)*", form
    ):
        yield from c.warn(
            f"format {c.lq(form)} has no % directive"
            if "%" not in form
            else f"format {c.lq(form)} has unknown directive"
        )
        return 1
    width = 0
    if wide:
        final = first + ((last - first) / step).to_integral_value("ROUND_FLOOR") * step
        width = max(len(f"{first:.{digits}f}"), len(f"{final:.{digits}f}"))
    value, count = first, 0
    plain = digits == 0
    number, stop, by = (int(first), last, int(step)) if plain else (0, last, 0)
    while (plain and (number <= stop if by > 0 else number >= stop)) or (
        not plain and (value <= last if step > 0 else value >= last)
    ):
        shown = str(number) if plain else f"{value:.{digits}f}"
        if form is not None:
            shown = form.replace("'", "") % float(number if plain else value)
        elif wide:
            sign = "-" if shown.startswith("-") else ""
            shown = sign + shown.removeprefix("-").rjust(width - len(sign), "0")
        yield from c.say((separator if count else "") + shown)
        count += 1
        number += by
        if not plain:
            value = first + count * step
        yield from c.p.tick()
    if count:
        yield from c.say("\n")
    return 0


@command("yes", short="+")
def yes(c: Cmd) -> Run:
    """A line for ever."""
    line = encode(" ".join(c.args or ["y"]) + "\n")
    block = line * max(1, 8192 // len(line))
    while True:
        yield from c.p.write(1, block)
        yield from c.p.tick(20)
