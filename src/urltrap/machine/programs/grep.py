"""grep, egrep, fgrep, zgrep-less."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Generator, Iterator
from typing import Any

from urltrap.machine.api import Run, decode, encode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, command, quotes
from urltrap.machine.programs._lines import Source
from urltrap.machine.programs._regex import BadRegex, Matcher, compile_perl, compile_posix, keep_start
from urltrap.machine.shell.glob import compile_pattern

_LONG = {
    "extended-regexp": "E", "fixed-strings": "F", "basic-regexp": "G", "perl-regexp": "P", "regexp:": "e", "file:": "f",
    "ignore-case": "i", "no-ignore-case": "no-i", "word-regexp": "w", "line-regexp": "x", "null-data": "z",
    "no-messages": "s", "invert-match": "v", "max-count:": "m", "byte-offset": "b", "line-number": "n",
    "line-buffered": "lb", "with-filename": "H", "no-filename": "h", "label:": "label", "only-matching": "o",
    "quiet": "q", "silent": "q", "binary-files:": "binary", "text": "a", "directories:": "d", "devices:": "D",
    "recursive": "r", "dereference-recursive": "R", "include:": "include", "exclude:": "exclude",
    "exclude-dir:": "exclude-dir", "files-without-match": "L", "files-with-matches": "l", "count": "c",
    "initial-tab": "T",
    "group-separator:": "gs", "no-group-separator": "ngs", "version": "V", "null": "Z",
    "before-context:": "B", "after-context:": "A", "context:": "C",
    "color::": "color",
    "colour::": "color", "binary": "U",
}  # fmt: skip
_USAGE = "Usage: {0} [OPTION]... PATTERNS [FILE]...\nTry '{0} --help' for more information.\n"
_MAX_FILES = 20_000


class _Plan:
    """What a run of grep looks for and how it shows it."""

    def __init__(self, c: Cmd, matchers: list[Matcher], literals: list[str] | None) -> None:
        self.c = c
        self.matchers = matchers
        self.literals = literals
        self.extended = False
        self.fold = c.has("i", "y") and c.last("i") != ""
        self.word = c.has("w")
        self.whole = c.has("x")
        color = c.value("color")
        self.utf8 = quotes(c.p)[0] != "'"
        self.color = color in ("always", "yes", "force") or (
            color in ("", "auto", "tty") and c.has("color") and c.p.is_tty(1)
        )
        self.literal_bytes = None
        if literals is not None and len(literals) == 1 and not (self.fold or self.word or self.whole):
            self.literal_bytes = encode(literals[0])

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """All matches of a line, leftmost and longest first, without overlap."""
        pos = 0
        while pos <= len(text):
            best: tuple[int, int, int] | None = None
            for start, end, keep in self._candidates(text, pos):
                if best is None or start < best[0] or (start == best[0] and end > best[1]):
                    best = (start, end, keep)
            if best is None:
                return
            yield best[2], best[1]
            pos = best[1] if best[1] > best[0] else best[1] + 1

    def _candidates(self, text: str, pos: int) -> Iterator[tuple[int, int, int]]:
        if self.literals is not None:
            subject = text.lower() if self.fold else text
            for literal in self.literals:
                needle = literal.lower() if self.fold else literal
                at = subject.find(needle, pos)
                while at >= 0 and not self._bounded(text, at, at + len(needle)):
                    at = subject.find(needle, at + 1)
                if at >= 0:
                    yield at, at + len(needle), at
            return
        for matcher in self.matchers:
            at = pos
            while (found := matcher.search(text, at)) is not None:
                if self._bounded(text, found.start, found.end):
                    yield found.start, found.end, keep_start(matcher, found)
                    break
                shorter = self._shorter(matcher, text, found.start, found.end)
                if shorter is not None:
                    yield found.start, shorter, found.start
                    break
                at = found.start + 1
                if at > len(text) or self.whole:
                    break

    def _shorter(self, matcher: Matcher, text: str, start: int, end: int) -> int | None:
        """-w tries shorter matches at the same place."""
        if not self.word:
            return None
        for stop in range(end - 1, max(start, end - 200), -1):
            if matcher.fullmatch(text, start, stop) and self._bounded(text, start, stop):
                return stop
        return None

    def _bounded(self, text: str, start: int, end: int) -> bool:
        if self.whole:
            return start == 0 and end == len(text)
        if self.word:
            before = text[start - 1] if start else ""
            after = text[end] if end < len(text) else ""
            return not (before.isalnum() or before == "_" or after.isalnum() or after == "_") and end > start
        return True

    def decode(self, data: bytes) -> str:
        """A line as text: characters in a UTF-8 locale, else bytes."""
        return decode(data) if self.utf8 else data.decode("latin-1")

    def encode(self, text: str) -> bytes:
        """What `decode` made text of."""
        return encode(text) if self.utf8 else text.encode("latin-1")

    def matches(self, line: bytes) -> bool:
        """Whether a line (without its end) holds a match."""
        if self.literal_bytes is not None:
            return self.literal_bytes in line
        text = self.decode(line)
        if self.matchers and not (self.word or self.whole):
            return any(matcher.search(text) is not None for matcher in self.matchers)
        return next(self.spans(text), None) is not None


def _compile(c: Cmd, patterns: list[str]) -> _Plan:
    base = c.name.rpartition("/")[2]
    kind = c.last("EFGP") or {"egrep": "E", "fgrep": "F"}.get(base, "G")
    if quotes(c.p)[0] == "'":
        patterns = [encode(each).decode("latin-1") for each in patterns]
    if kind == "F":
        return _Plan(c, [], patterns)
    fold = c.has("i", "y")
    make: Callable[[str], Matcher]
    if kind == "P":
        make = lambda source: compile_perl(source, fold)  # noqa: E731 - three ways to make one thing
    else:
        make = lambda source: compile_posix(source, kind == "E", fold)  # noqa: E731
    if c.has("x") and kind != "P":
        wrap = ("^({})$" if kind == "E" else "^\\({}\\)$").format
        return _Plan(c, [make(wrap(each)) if each else make("^$") for each in patterns], None)
    plan = _Plan(c, [make(each) for each in patterns], None)
    plan.extended = kind == "E"
    return plan


@command("grep", "egrep", "fgrep", short="EFGPe:f:iywxzsvm:bnHhoqaIUVd:D:rRLlcTZA:B:C:0123456789", long=_LONG, bad=2,
         hint=_USAGE, package="GNU grep", version="3.8", bb="EFGPe:f:iywxzsvm:bnHhoqaIUrRLlcA:B:C:")  # fmt: skip
def grep(c: Cmd) -> Run:
    """Lines that match."""
    patterns: list[str] = []
    given = False
    for name, value in c.opts:
        if name == "e":
            given = True
            patterns += value.split("\n")
        elif name == "f":
            given = True
            try:
                data = yield from c.load(value)
            except SysError as problem:
                yield from c.p.err(f"{c.name}: {value}: {problem.words}\n")
                return 2
            patterns += decode(data).removesuffix("\n").split("\n") if data else []
    if c.has("V"):
        yield from c.p.out("grep (GNU grep) 3.8\n")
        return 0
    if not c.bb and len({name for name, _ in c.opts if name in tuple("EFGP")}) > 1:
        yield from c.warn("conflicting matchers specified")
        return 2
    if not given:
        if not c.args:
            if c.bb:
                return (yield from c.usage())
            yield from c.p.err(_USAGE.format(c.name))
            return 2
        patterns = c.args.pop(0).split("\n")
    numbers: dict[str, int] = {}
    for name in "ABCm":
        given_value = c.value(name)
        if given_value is not None:
            if not re.fullmatch(r"-?[0-9]{1,18}", given_value) or (
                given_value.startswith("-") and name != "m"
            ):
                text = (
                    "invalid max count" if name == "m" else f"{given_value}: invalid context length argument"
                )
                yield from c.p.err(f"{c.name}: {text}\n")
                return 2
            numbers[name] = int(given_value)
    digits = "".join(name for name, _ in c.opts if len(name) == 1 and name.isdigit())
    context = numbers.get("C", int(digits[:9]) if digits else 0)
    before, after = numbers.get("B", context), numbers.get("A", context)
    try:
        plan = _compile(c, patterns)
    except BadRegex as problem:
        words = "Invalid regular expression" if str(problem).startswith("Unmatched [") else str(problem)
        if c.bb:
            words = f"bad regex '{patterns[0]}'"
        yield from c.p.err(f"{c.name}: {words}\n")
        return 2
    if plan.extended and not c.bb:
        for each in patterns:
            if each[:1] in ("*", "+", "?"):
                yield from c.warn(f"warning: {each[:1]} at start of expression")
    recursive = c.has("r", "R") or c.value("d") == "recurse"
    files = c.args or (["."] if recursive else ["-"])
    many = ((len(files) > 1 or recursive) and not c.has("h")) or c.has("H")
    found_any, failed = False, False
    for path in _walk(c, files, recursive):
        if isinstance(path, tuple):
            failed = True
            if not c.has("s"):
                yield from c.fail(path[1], 2)
            continue
        try:
            source = Source(c, path)
        except SysError as problem:
            if problem.errno == 21:
                if recursive or c.has("s") or c.bb or c.value("d") == "skip":
                    continue
                yield from c.warn(f"{path}: Is a directory")
                failed = True
                continue
            failed = True
            if not c.has("s"):
                yield from c.flush()
                yield from c.p.err(f"{c.name}: {path}: {problem.words}\n")
            continue
        try:
            hit = yield from _one(plan, source, path, many, before, after, numbers.get("m"))
        except SysError as problem:
            if not problem.path:
                raise
            failed = True
            yield from c.warn(f"{path}: {problem.words}")
            hit = False
        source.close()
        found_any = found_any or hit
        if hit and c.has("q"):
            return 0
    yield from c.flush()
    return 2 if failed else 0 if found_any else 1


def _walk(c: Cmd, files: list[str], recursive: bool) -> Iterator[str | tuple[int, str]]:
    includes, excludes = c.values("include"), c.values("exclude")
    pruned = c.values("exclude-dir")
    count = 0
    for top in files:
        waiting = [top]
        while waiting:
            path = waiting.pop()
            base = path.rpartition("/")[2]
            try:
                stat = (
                    c.p.fs.stat(path, follow=path == top or c.has("R")) if recursive and path != "-" else None
                )
            except SysError as problem:
                yield 2, f"{path}: {problem.words}"
                continue
            if stat is not None and stat.is_dir:
                if path != top and any(compile_pattern(each).matches(base) for each in pruned):
                    continue
                try:
                    below = c.p.fs.listdir(path)
                except SysError as problem:
                    yield 2, f"{path}: {problem.words}"
                    continue
                prefix = "" if path == "." and not c.args else path.rstrip("/") + "/"
                waiting.extend(prefix + name for name in sorted(below, reverse=True))
                continue
            if stat is not None and path != top and not stat.is_file:
                continue
            if includes and recursive and not any(compile_pattern(each).matches(base) for each in includes):
                continue
            if any(compile_pattern(each).matches(base) for each in excludes):
                continue
            count += 1
            if count > _MAX_FILES:
                return
            yield path


def _one(
    plan: _Plan, source: Source, path: str, many: bool, before: int, after: int, limit: int | None
) -> Generator[Any, Any, bool]:
    c = plan.c
    label = (c.value("label") or "(standard input)") if path == "-" else path
    separator = b"\0" if c.has("Z") else None
    invert, quiet, only, numbered = c.has("v"), c.has("q"), c.has("o"), c.has("n")
    names_only, without, counting = c.has("l"), c.has("L"), c.has("c")
    skip_binary = (c.has("I") and not c.bb) or c.value("binary") == "without-match"
    silent = quiet or names_only or without or counting
    end = b"\0" if c.has("z") else b"\n"
    binary = None if c.has("a") or c.value("binary") == "text" or end == b"\0" else False
    prefix = encode(label) + (separator or b"") if many else b""
    between = b"" if c.has("ngs") else encode(c.value("gs") or "--") + b"\n"
    kept: deque[tuple[int, int, bytes]] = deque(maxlen=before or 1)
    count = number = offset = shown_last = trailing = 0
    printed = False

    def head(mark: bytes, line_number: int, at: int) -> bytes:
        parts = bytearray()
        cyan = (b"\x1b[36m\x1b[K", b"\x1b[m\x1b[K") if plan.color else (b"", b"")
        if many:
            parts += b"\x1b[35m\x1b[K" + prefix + b"\x1b[m\x1b[K" if plan.color else prefix
            parts += b"" if separator else cyan[0] + mark + cyan[1]
        if numbered:
            text = b"%2d" % line_number if c.has("T") else b"%d" % line_number
            parts += (
                (b"\x1b[32m\x1b[K" + text + b"\x1b[m\x1b[K" if plan.color else text)
                + cyan[0]
                + mark
                + cyan[1]
            )
        if c.has("b"):
            parts += b"%d" % at + mark
        if c.has("T") and parts:
            parts += b"\t"
        return bytes(parts)

    while limit is None or limit < 0 or count < limit or trailing > 0:
        line = yield from source.line(end)
        if not line:
            break
        number += 1
        at, offset = offset, offset + len(line)
        body = line[:-1] if line.endswith(end) else line
        if binary is False and (b"\0" in body):
            binary = True
        yield from c.p.tick(1 + len(body) // 512)
        done = limit is not None and 0 <= limit <= count
        if binary and skip_binary:
            count = 0
            break
        if not done and plan.matches(body) != invert:
            count += 1
            if quiet or names_only or without:
                break
            if counting:
                continue
            if (
                not binary
                and binary is not None
                and plan.utf8
                and max(body, default=0).to_bytes(1, "big") >= b"\x80"
            ):
                binary = not _is_utf8(body)
            if binary:
                yield from c.flush()
                yield from c.p.err(
                    f"Binary file {label} matches\n" if c.bb else f"{c.name}: {label}: binary file matches\n"
                )
                break
            if (before or after) and printed and shown_last < number - len(kept) * bool(before) - 1:
                yield from c.put(between)
            for each_number, each_at, each in kept if before else ():
                if not only:
                    yield from c.put(head(b"-", each_number, each_at) + each + end)
            kept.clear()
            if only:
                if not invert:
                    text = plan.decode(body)
                    for start, stop in plan.spans(text):
                        if stop > start:
                            piece = plan.encode(text[start:stop])
                            if plan.color:
                                piece = b"\x1b[01;31m\x1b[K" + piece + b"\x1b[m\x1b[K"
                            byte_at = at + len(plan.encode(text[:start])) if c.has("b") else at
                            yield from c.put(head(b":", number, byte_at) + piece + end)
            else:
                shown = _painted(plan, body) if plan.color and not invert else body
                yield from c.put(head(b":", number, at) + shown + end)
            printed, shown_last, trailing = True, number, after
        elif trailing > 0 and not silent:
            trailing -= 1
            if not only:
                yield from c.put(head(b"-", number, at) + body + end)
            shown_last = number
        elif before and not silent:
            kept.append((number, at, body))
        if done and trailing <= 0:
            break
    source.give_back()
    matched = count > 0
    if counting and not quiet and not names_only and not without:
        yield from c.put((prefix + (b"" if separator else b":") if many else b"") + b"%d\n" % count)
    if (names_only and matched and not quiet) or (without and not matched):
        yield from c.put(encode(label) + (separator or b"\n"))
    return matched


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _painted(plan: _Plan, body: bytes) -> bytes:
    text = plan.decode(body)
    out, pos = bytearray(), 0
    for start, stop in plan.spans(text):
        if stop > start:
            out += plan.encode(text[pos:start])
            out += b"\x1b[01;31m\x1b[K" + plan.encode(text[start:stop]) + b"\x1b[m\x1b[K"
            pos = stop
    return bytes(out) + plan.encode(text[pos:])
