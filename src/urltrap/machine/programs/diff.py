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

_LONG = {
    "unified::": "U",
    "brief": "q",
    "recursive": "r",
    "ignore-case": "i",
    "ignore-space-change": "b",
    "ignore-all-space": "w",
    "ignore-blank-lines": "B",
    "new-file": "N",
    "text": "a",
    "report-identical-files": "s",
    "side-by-side": "y",
    "context::": "C",
    "normal": "normal",
    "color::": "color",
    "label:": "L",
}
_MAX_LINES = 4_000


@command(
    "diff",
    short="abBcC:deilnNpqrstuU:wL:",
    bb="abBdiNqruTsU:wtL:S:",
    bad=2,
    package="GNU diffutils",
    version="3.8",
    hint="diff: Try '{0} --help' for more information.\n",
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
        if (name not in right or name not in left) and not c.has("N"):
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
        given = "".join(name for name, value in c.opts if len(name) == 1 and not value)
        title = f"diff {'-' + given + ' ' if given else ''}{a} {b}\n"
        status = max(status, (yield from _files(c, a, b, title)))
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
    if all(tag == "equal" or _only_blank(c, left[a:b] + right[x:y]) for tag, a, b, x, y in codes):
        return 0
    yield from c.say(title)
    if c.has("e", "n"):
        yield from _script(c, right, codes)
        return 1
    if c.has("c", "C"):
        text = c.value("C") or "3"
        yield from _context(c, (one, other), left, right, matcher, int(text[:5]) if text.isdecimal() else 3)
        return 1
    if c.has("u", "U") or c.bb:
        text = c.value("U") or "3"
        yield from _unified(c, one, other, left, right, matcher, int(text[:5]) if text.isdecimal() else 3)
    else:
        yield from _normal(c, left, right, codes)
    return 1


def _only_blank(c: Cmd, lines: list[bytes]) -> bool:
    """Whether a change does not count: with -B, where only empty lines came or went."""
    return c.has("B") and not any(line.rstrip(b"\n") for line in lines)


def _script(c: Cmd, right: list[bytes], codes: Sequence[tuple[str, int, int, int, int]]) -> Gen:
    """-e, a script for ed: from the last change to the first; -n, RCS's form: from the first to the last."""
    for tag, a, b, x, y in codes if c.has("n") else reversed(codes):
        if tag == "equal":
            continue
        if c.has("n"):
            if a < b:
                yield from c.say(f"d{a + 1} {b - a}\n")
            if x < y:
                yield from c.say(f"a{b} {y - x}\n")
                yield from c.put(b"".join(right[x:y]))
            continue
        span = f"{a + 1},{b}" if b - a > 1 else f"{a + 1}" if b > a else f"{a}"
        yield from c.say(span + {"replace": "c", "delete": "d", "insert": "a"}[tag] + "\n")
        if x < y:
            yield from c.put(b"".join(right[x:y]) + b".\n")


def _context(
    c: Cmd,
    names: tuple[str, str],
    left: list[bytes],
    right: list[bytes],
    matcher: difflib.SequenceMatcher[bytes],
    context: int,
) -> Gen:
    """-c: both sides of each group of changes, a side only where it has changes."""
    for mark, path, label in zip(("***", "---"), names, _labels(c, names), strict=True):
        yield from c.put(encode(f"{mark} {label if label is not None else _dated(c, path, short=True)}\n"))

    def span(low: int, high: int) -> str:
        return f"{low + 1},{high}" if high - low > 1 else f"{high}"

    for group in matcher.get_grouped_opcodes(context):
        yield from c.say("***************\n")
        sides = (
            ("***", "****", "delete", left, [(tag, a, b) for tag, a, b, _, _ in group]),
            ("---", "----", "insert", right, [(tag, x, y) for tag, _, _, x, y in group]),
        )
        for stars, end, lone, lines, parts in sides:
            yield from c.say(f"{stars} {span(parts[0][1], parts[-1][2])} {end}\n")
            if not any(tag in (lone, "replace") for tag, _, _ in parts):
                continue
            for tag, low, high in parts:
                prefix = {"equal": b"  ", "replace": b"! "}.get(tag, b"- " if lone == "delete" else b"+ ")
                yield from _show(c, prefix, lines[low:high])


def _labels(c: Cmd, names: tuple[str, str]) -> list[str | None]:
    given: list[str | None] = [*c.values("L")[:2]]
    return given + [None] * (len(names) - len(given))


def _dated(c: Cmd, path: str, *, short: bool = False) -> str:
    """A name with the file's time, as a header shows it."""
    try:
        moment = c.p.now() if path == "-" else c.p.fs.stat(path).mtime
    except SysError:
        moment = 0.0  # -N: a file that is not there
    at = local(c.p, moment)
    if short:
        return f"{path}\t{strftime('%a %b %e %H:%M:%S %Y', moment + at.offset)}"
    minutes = abs(at.offset) // 60
    zone = f"{'-' if at.offset < 0 else '+'}{minutes // 60:02d}{minutes % 60:02d}"
    nano = round(moment % 1 * 1e9) % 1_000_000_000
    return f"{path}\t{strftime('%Y-%m-%d %H:%M:%S', moment + at.offset)}.{nano:09d} {zone}"


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
    names = (one, other)
    for mark, path, label in zip(("---", "+++"), names, _labels(c, names), strict=True):
        shown = label if label is not None else path if c.bb else _dated(c, path)
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
    skipped = [int(each) if each.isdecimal() else 0 for each in (c.value("i") or "0").split(":")][:2]
    pair = [data[start:] for data, start in zip(pair, (skipped * 2)[:2], strict=True)]
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
    at = size if c.has("l") else next((at for at in range(size) if a[at] != b[at]), size)
    if at == size and len(a) != len(b):
        yield from c.flush()
        where = f" after byte {size}" if size else " which is empty"
        if size and not c.has("l"):
            lines = a[:size].count(10)
            where += f", line {lines}" if a[:size].endswith(b"\n") else f", in line {lines + 1}"
        yield from c.p.err(f"{c.name}: EOF on {one if len(a) < len(b) else other}{where}\n")
        return 1
    if not c.has("l"):
        unit = "byte" if c.has("b") or (not c.bb and quotes(c.p)[0] != "'") else "char"
        bytes_are = f" is {a[at]:3o} {_visible(a[at])} {b[at]:3o} {_visible(b[at])}" if c.has("b") else ""
        yield from c.say(f"{one} {other} differ: {unit} {at + 1}, line {a[:at].count(10) + 1}{bytes_are}\n")
    return 1


def _visible(byte: int) -> str:
    """A byte as cmp -b prints it."""
    if byte >= 128:
        return "M-" + _visible(byte - 128)
    return "^" + chr(byte ^ 64) if byte < 32 or byte == 127 else chr(byte)
