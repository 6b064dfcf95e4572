# ruff: noqa: E501 - the programs' own texts and tables are longer than a line
"""diff and cmp."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from urltrap.machine.api import Run, encode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, Gen, command, quotes
from urltrap.machine.programs._paths import base_name, is_dir, join
from urltrap.machine.programs._zone import local
from urltrap.machine.shell.timeformat import strftime

_LONG = {"unified::": "U", "brief": "q", "recursive": "r", "ignore-case": "i", "ignore-space-change": "b", "ignore-all-space": "w", "ignore-blank-lines": "B",
         "new-file": "N", "text": "a", "report-identical-files": "s", "side-by-side": "y", "context::": "C", "normal": "normal", "color::": "color", "label:": "L"}  # fmt: skip
_MAX_LINES = 4_000


@command(
    "diff",
    short="abBcC:dilNpqrstuU:wyL:",
    bb="abBdiNqruTsU:wtL:S:",
    bad=2,
    package="GNU diffutils",
    version="3.8",
    long=_LONG,
)
def diff(c: Cmd) -> Run:
    """What differs between two files."""
    if len(c.args) < 2:
        if c.bb:
            return (yield from c.usage())
        return (yield from _misused(c, f"missing operand after '{c.args[0] if c.args else c.name}'"))
    if len(c.args) > 2:
        return (yield from _misused(c, f"extra operand '{c.args[2]}'"))
    one, other = c.args
    if one != "-" and other != "-" and is_dir(c.p, one) and is_dir(c.p, other):
        return (yield from _folders(c, one, other, 0))
    if other != "-" and is_dir(c.p, other) and one != "-":
        other = join(other, base_name(one))
    elif one != "-" and is_dir(c.p, one) and other != "-":
        one = join(one, base_name(other))
    return (yield from _files(c, one, other, ""))


def _misused(c: Cmd, text: str) -> Run:
    yield from c.p.err(f"{c.name}: {text}\n{c.name}: Try '{c.name} --help' for more information.\n")
    return 2


def _folders(c: Cmd, one: str, other: str, depth: int) -> Run:
    status = 0
    left, right = set(c.p.fs.listdir(one)), set(c.p.fs.listdir(other))
    for name in sorted(left | right):
        yield from c.p.tick(4)
        if name not in right or name not in left:
            where = one if name in left else other
            yield from c.say(f"Only in {where}: {name}\n")
            status = 1
            continue
        a, b = join(one, name), join(other, name)
        if is_dir(c.p, a) and is_dir(c.p, b):
            if c.has("r") and depth < 50:
                status = max(status, (yield from _folders(c, a, b, depth + 1)))
            else:
                yield from c.say(f"Common subdirectories: {a} and {b}\n")
            continue
        status = max(status, (yield from _files(c, a, b, f"diff {'-r ' if c.has('r') else ''}{a} {b}\n")))
    return status


def _key(c: Cmd, line: bytes) -> bytes:
    if c.has("w"):
        line = b"".join(line.split())
    elif c.has("b"):
        line = b" ".join(line.split())
    return line.lower() if c.has("i") else line


def _files(c: Cmd, one: str, other: str, title: str) -> Run:
    pair = []
    for path in (one, other):
        try:
            pair.append((yield from c.load(path, 4_000_000)))
        except SysError as problem:
            if c.has("N") and problem.errno == 2:
                pair.append(b"")
                continue
            yield from c.flush()
            yield from c.p.err(
                f"{c.name}: {path}: {problem.words}\n"
                if not c.bb
                else f"{c.name}: can't stat '{path}': {problem.words}\n"
            )
            return 2
    if pair[0] == pair[1]:
        if c.has("s"):
            yield from c.say(f"Files {one} and {other} are identical\n")
        return 0
    if c.has("q"):
        yield from c.say(f"Files {one} and {other} differ\n")
        return 1
    if (b"\0" in pair[0][:32_768] or b"\0" in pair[1][:32_768]) and not c.has("a"):
        yield from c.say(f"Binary files {one} and {other} differ\n")
        return 1
    left, right = (
        pair[0].splitlines(keepends=True)[:_MAX_LINES],
        pair[1].splitlines(keepends=True)[:_MAX_LINES],
    )
    yield from c.p.tick(len(left) + len(right))
    matcher = difflib.SequenceMatcher(
        None, [_key(c, line) for line in left], [_key(c, line) for line in right], autojunk=len(left) > 800
    )
    codes = matcher.get_opcodes()
    if all(code[0] == "equal" for code in codes):
        return 0
    yield from c.say(title)
    if c.has("u", "U") or c.bb:
        text = c.value("U") or "3"
        yield from _unified(c, one, other, left, right, matcher, int(text[:5]) if text.isdecimal() else 3)
    else:
        yield from _normal(c, left, right, codes)
    return 1


def _show(c: Cmd, mark: bytes, lines: list[bytes]) -> Gen:
    for line in lines:
        yield from c.put(mark + line)
        if not line.endswith(b"\n"):
            yield from c.put(b"\n\\ No newline at end of file\n")


def _normal(
    c: Cmd, left: list[bytes], right: list[bytes], codes: Sequence[tuple[str, int, int, int, int]]
) -> Gen:
    def span(low: int, high: int) -> str:
        return str(low + 1) if high - low == 1 else str(low) if high == low else f"{low + 1},{high}"

    for tag, a, b, x, y in codes:
        if tag == "equal":
            continue
        yield from c.say(
            f"{span(a, b)}{ {'replace': 'c', 'delete': 'd', 'insert': 'a'}[tag] }{span(x, y)}\n".replace(
                " ", ""
            )
        )
        yield from _show(c, b"< ", left[a:b])
        if tag == "replace":
            yield from c.put(b"---\n")
        yield from _show(c, b"> ", right[x:y])


def _unified(
    c: Cmd,
    one: str,
    other: str,
    left: list[bytes],
    right: list[bytes],
    matcher: difflib.SequenceMatcher[bytes],
    context: int,
) -> Gen:
    def stamp(path: str) -> str:
        moment = c.p.now() if path == "-" else c.p.fs.stat(path).mtime
        at = local(c.p, moment)
        minutes = abs(at.offset) // 60
        nano = round(moment % 1 * 1e9) % 1_000_000_000
        return f"{strftime('%Y-%m-%d %H:%M:%S', moment + at.offset)}.{nano:09d} {'-' if at.offset < 0 else '+'}{minutes // 60:02d}{minutes % 60:02d}"

    labels = c.values("L")
    for mark, path, number in (("---", one, 0), ("+++", other, 1)):
        try:
            shown = labels[number] if number < len(labels) else path if c.bb else f"{path}\t{stamp(path)}"
        except SysError:
            shown = f"{path}\t1970-01-01 00:00:00.000000000 +0000"
        yield from c.put(encode(f"{mark} {shown}\n"))

    def span(low: int, high: int) -> str:
        size = high - low
        return f"{low + 1}" if size == 1 else f"{low + (1 if size else 0)},{size}"

    for group in matcher.get_grouped_opcodes(context):
        first, last = group[0], group[-1]
        yield from c.say(f"@@ -{span(first[1], last[2])} +{span(first[3], last[4])} @@\n")
        for tag, a, b, x, y in group:
            if tag == "equal":
                yield from _show(c, b" ", left[a:b])
                continue
            yield from _show(c, b"-", left[a:b])
            yield from _show(c, b"+", right[x:y])


@command(
    "cmp",
    short="bi:ln:s",
    bad=2,
    package="GNU diffutils",
    version="3.8",
    long={
        "print-bytes": "b",
        "verbose": "l",
        "bytes:": "n",
        "quiet": "s",
        "silent": "s",
        "ignore-initial:": "i",
    },
)
def cmp(c: Cmd) -> Run:
    """Where two files differ first."""
    if not c.args:
        return (yield from _misused(c, f"missing operand after '{c.name}'"))
    one, other = c.args[0], c.args[1] if len(c.args) > 1 else "-"
    pair = []
    for path in (one, other):
        try:
            pair.append((yield from c.load(path)))
        except SysError as problem:
            if not c.has("s"):
                yield from c.p.err(f"{c.name}: {path}: {problem.words}\n")
            return 2
    limit = c.value("n")
    a, b = (each[: int(limit[:12])] for each in pair) if limit is not None and limit.isdecimal() else pair
    yield from c.p.tick(1 + len(a) // 4096)
    if a == b:
        return 0
    if c.has("s"):
        return 1
    size = min(len(a), len(b))
    if c.has("l"):
        for at in range(size):
            if a[at] != b[at]:
                yield from c.say(f"{at + 1:{len(str(size))}d} {a[at]:3o} {b[at]:3o}\n")
            if at % 1024 == 0:
                yield from c.p.tick()
    at = next((at for at in range(size) if a[at] != b[at]), size)
    if at == size:
        shorter = one if len(a) < len(b) else other
        yield from c.flush()
        where = f" after byte {size}, line {a[:size].count(10)}" if size else " which is empty"
        if size and not a[:size].endswith(b"\n"):
            where = f" after byte {size}, in line {a[:size].count(10) + 1}"
        yield from c.p.err(
            f"{c.name}: EOF on {shorter}{where}\n" if size else f"{c.name}: EOF on {shorter} which is empty\n"
        )
        return 1
    if not c.has("l"):
        unit = "byte" if not c.bb and quotes(c.p)[0] != "'" else "char"
        yield from c.say(f"{one} {other} differ: {unit} {at + 1}, line {a[:at].count(10) + 1}\n")
    return 1
