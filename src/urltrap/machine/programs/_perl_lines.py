"""perl -n and -p: the one-liners that stand in for sed and grep. What is more than that is told apart, not guessed.

A program is a list of ``s///``, ``tr///``, ``print`` and ``next`` statements with ``if`` and ``unless``; perlre(1) and
Python's expressions agree on what such lines use.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from urltrap.machine.api import Process
from urltrap.machine.effects import BytesContent
from urltrap.machine.errors import SysError
from urltrap.machine.programs._matching import TooLong, bounded

_MOST = 4_000_000
_CRASH = 139
_MATCH = r"(?:m?/((?:[^/\\]|\\.)*)/|m([|#!,])((?:(?!\2).)*)\2)([gimsx]*)"
_STATEMENT = re.compile(
    rf"""\s*(?:
      (?P<sub>s)(?P<mark>[/|\#!,])(?P<old>(?:\\.|(?!(?P=mark)).)*)(?P=mark)(?P<new>(?:\\.|(?!(?P=mark)).)*)(?P=mark)
        (?P<flags>[gimsx]*)
    | (?:tr|y)/(?P<from>[^/]*)/(?P<to>[^/]*)/(?P<how>d?)
    | (?P<verb>print|next|last|chomp)\s*(?P<what>\$\d|\$_|"(?:[^"\\@]|\\.)*")?
    )\s*(?:(?P<when>if|unless)\s*\(?\s*(?P<test>{_MATCH})\s*\)?)?\s*(?:;|\Z)""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Step:
    """One statement."""

    parts: dict[str, str | None]
    test: re.Pattern[str] | None
    old: re.Pattern[str] | None


def compiled(code: str) -> list[Step] | None:
    """The statements of a program; None where one of them is something else."""
    steps = []
    at = 0
    while at < len(code.rstrip()):
        found = _STATEMENT.match(code, at)
        if found is None or found.end() == at:
            return None
        at = found.end()
        parts = found.groupdict()
        test = old = None
        try:
            if parts["test"]:
                inner = re.fullmatch(_MATCH, parts["test"], re.DOTALL)
                assert inner is not None  # the statement's pattern holds this one
                test = _pattern(inner[1] if inner[1] is not None else inner[3], inner[4] or "")
            if parts["sub"]:
                old = _pattern(parts["old"] or "", parts["flags"] or "")
        except (re.error, ValueError, OverflowError, RecursionError):
            return None
        steps.append(Step(parts, test, old))
    return steps


def _pattern(source: str, flags: str) -> re.Pattern[str]:
    if len(source) > 2_000 or re.search(r"(?<!\\)[$@](?![)|/]|$)", source):
        raise ValueError("too much, or variables, in an expression")
    source = source.replace(r"\z", r"\Z").replace(r"\h", r"[ \t]").replace("\\/", "/")
    return re.compile(
        source, sum({"i": re.I, "m": re.M, "s": re.S, "x": re.X}.get(each, 0) for each in flags)
    )


def run(
    p: Process, steps: list[Step], files: list[str], *, prints: bool, chomps: bool, in_place: str | None
) -> Generator[Any, Any, int]:
    """Run a program over the lines of files, or of standard input; `in_place` is the suffix of -i."""
    status = 0
    for name in files or ["-"]:
        try:
            data = (yield from p.read_all(0, _MOST)) if name == "-" else p.fs.read(name, _MOST)
        except SysError as problem:
            yield from p.err(f"Can't open {name}: {problem.words}.\n")
            status = 2
            continue
        out: list[str] = []
        for line in data.decode("latin-1").splitlines(keepends=True):
            try:
                ended = yield from _line(p, steps, line, out, prints, chomps)
            except TooLong:
                p.unwritten()
                return _CRASH
            if ended:
                break
        text = "".join(out).encode("latin-1")
        if in_place is None or name == "-":
            yield from p.write(1, text)
            continue
        if in_place:
            p.fs.write(name + in_place, data)
        p.fs.put(name, BytesContent(text), mode=p.fs.stat(name).mode & 0o7777)
    return status


def _line(
    p: Process, steps: list[Step], line: str, out: list[str], prints: bool, chomps: bool
) -> Generator[Any, Any, bool]:
    yield from p.tick(4 + (len(line) >> 6))
    end = "\n" if chomps else ""
    if chomps:
        line = line.removesuffix("\n")
    groups: re.Match[str] | None = None
    for step in steps:
        if step.test is not None:
            found = bounded(step.test, "search", line)
            groups = found or groups
            if (found is None) is (step.parts["when"] == "if"):
                continue
        if step.old is not None:
            once = "g" not in (step.parts["flags"] or "")
            line = _replaced(step.old, _replacement(step.parts["new"] or ""), line, once)
        elif step.parts["from"] is not None:
            line = _translated(line, step.parts)
        elif step.parts["verb"] == "print":
            out.append(_printed(step.parts["what"], line, groups) + end)
        elif step.parts["verb"] == "chomp":
            line = line.removesuffix("\n")
        else:
            return step.parts["verb"] == "last"
    if prints:
        out.append(line + end)
    return False


def _replaced(old: re.Pattern[str], new: Any, line: str, once: bool) -> str:
    """s///: each match replaced by what `new` makes of it. TooLong where the line becomes too large."""
    parts: list[str] = []
    at = size = 0
    for found in bounded(old, "finditer", line)[: 1 if once else None]:
        parts += [line[at : found.start()], new(found)]
        size += len(parts[-1])
        if size > _MOST:
            raise TooLong
        at = found.end()
    return "".join([*parts, line[at:]])


def _replacement(text: str) -> Any:
    text = _escaped(text.replace("\\/", "/"))
    return lambda found: re.sub(
        r"\$(\d|&)", lambda each: found[0 if each[1] == "&" else int(each[1])] or "", text
    )


def _escaped(text: str) -> str:
    known = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "$": "$", "0": "\0"}
    return re.sub(r"\\(.)", lambda found: known.get(found[1], found[1]), text)


def _translated(line: str, parts: dict[str, str | None]) -> str:
    def spread(text: str) -> str:
        return re.sub(
            r"(.)-(.)", lambda each: "".join(map(chr, range(ord(each[1]), ord(each[2]) + 1))), _escaped(text)
        )

    old, new = spread(parts["from"] or ""), spread(parts["to"] or "")
    if parts["how"]:
        return line.translate(
            {ord(each): None for each in old[len(new) :]} | dict(zip(map(ord, old), new, strict=False))
        )
    new = (new or old).ljust(len(old), (new or old)[-1:])
    return line.translate(dict(zip(map(ord, old), new, strict=False)))


def _printed(what: str | None, line: str, groups: re.Match[str] | None) -> str:
    if what in (None, "$_"):
        return line
    text = _escaped(what[1:-1]) if what and what.startswith('"') else what or ""

    def value(each: re.Match[str]) -> str:
        if each[1] == "_":
            return line
        number = int(each[1])
        return (groups[number] or "") if groups is not None and number <= (groups.re.groups) else ""

    return re.sub(r"\$(\d|_)", value, text)
