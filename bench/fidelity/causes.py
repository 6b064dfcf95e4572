"""Why a line differs: the program, builtin or construct that gave the first differing byte, for the work list."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fidelity import syntax
from fidelity.machine import Trace
from fidelity.masking import mask
from fidelity.reference import Result, Side

_MESSAGE = re.compile(rb"^([\w./+-]{1,40}): ")
_NOT_FOUND = re.compile(rb"(?:line \d+: |^\w+: )(\S+): (?:command )?not found")
_SILENT = frozenset(
    ("rm", "mkdir", "rmdir", "chmod", "chown", "cp", "mv", "ln", "touch", "cd", "export", "unset", "kill", "sleep",
     "chattr", "echo", "true", ":", "tar")
)  # fmt: skip
_BUILTINS = frozenset(
    ("return", "exit", "cd", "export", "kill", "read", "set", "unset", "ulimit", "umask", "shift", "break", "eval",
     "exec", "trap", "wait", "type", "command", "local", "declare", "printf", "echo", "test", "[", "history", "let")
)  # fmt: skip
_SHELL = (b"bash", b"ash", b"sh", b"environment")


@dataclass(frozen=True)
class Cause:
    """`group`: who is to blame, as "program: what"; `where`: "stdout", "stderr" or "status"; the first difference."""

    group: str
    where: str
    expected: str
    got: str


def cause(line: str, side: Side, reference: Result, ours: Result, trace: Trace) -> Cause | None:
    """What differs first, in the order: our crash, syntax, a program not written, stderr, stdout, status."""
    real, mine = mask(reference, line, side), mask(ours, line, side)
    if real == mine and ours.ended == "exit":
        return None
    where, expected, got, offset = _first_difference(real, mine)
    said, said_by_us = syntax.outcome(reference), syntax.outcome(ours)

    def found(group: str) -> Cause:
        return Cause(f"{side} | {group}", where, expected, got)

    if trace.crashes:
        last = (trace.crashes[0][1].strip().splitlines() or ["?"])[-1]
        return found(f"crash in {trace.crashes[0][0]}: {last[:100]}")
    if ours.ended != "exit":
        return found(f"{_last_name(trace, line)}: does not end ({ours.ended})")
    if said != said_by_us:
        return found(f"shell syntax: {_words(said[0]) if said else 'accepted by the real one'}")
    for name, outcome, _ in trace.programs:
        if outcome == "not-implemented":
            return found(f"not implemented: {name.rpartition('/')[2]}")
    for real_missing in _NOT_FOUND.findall(real[1]):
        if real_missing not in _NOT_FOUND.findall(mine[1]):
            return found(f"{real_missing.decode('utf-8', 'replace')}: is no program on the real machine")
    for missing in _NOT_FOUND.findall(mine[1]):
        if missing not in _NOT_FOUND.findall(real[1]):
            return found(f"missing program: {missing.decode('utf-8', 'replace')}")
    return found(f"{_who(where, expected, got, offset, trace, line)}")


def _first_difference(
    real: tuple[bytes, bytes, int | None], mine: tuple[bytes, bytes, int | None]
) -> tuple[str, str, str, int]:
    for index, where in ((1, "stderr"), (0, "stdout")):
        theirs, our = real[index], mine[index]
        assert isinstance(theirs, bytes) and isinstance(our, bytes)
        if theirs != our:
            place, offset = 0, 0
            rows, own = theirs.split(b"\n"), our.split(b"\n")
            while place < min(len(rows), len(own)) and rows[place] == own[place]:
                offset += len(own[place]) + 1
                place += 1
            return where, _row(rows, place), _row(own, place), offset
    return "status", str(real[2]), str(mine[2]), 0


def _row(rows: list[bytes], place: int) -> str:
    row = rows[place] if place < len(rows) else b"<end>"
    return row[:200].decode("utf-8", "replace")


def _who(where: str, expected: str, got: str, offset: int, trace: Trace, line: str) -> str:
    ran = {name.rpartition("/")[2] for name, _, _ in trace.programs}
    ran |= {name.rpartition(" ")[2] for _, _, name in trace.writers}
    if where == "stderr":
        for text in (expected, got):
            spoken = _MESSAGE.match(text.encode())
            if spoken and spoken[1] in (b"E", b"W"):
                return "apt"
            if spoken and spoken[1] == b"Usage":
                return f"usage of {(text.split() or ['?', '?'])[1]}"
            speaker = spoken[1].rpartition(b"/")[2].decode() if spoken else ""
            if speaker and speaker.encode() not in _SHELL and (speaker in ran or not trace.programs):
                return speaker
        for text in (expected, got):
            if text.split(":")[0] in ("bash", "ash", "sh"):
                return f"shell: {_words(text.encode())}"
    if where in ("stdout", "stderr"):
        # Masking moves bytes a little; who wrote there is nearly always who wrote the differing line.
        writer = trace.writer_at(1 if where == "stdout" else 2, offset)
        if writer and got not in ("", "<end>"):
            return _through(writer, line)
    if got in ("", "<end>"):
        # Something is missing: it should have come from a program that tells and told nothing.
        spoke = {name.rpartition(" ")[2] for _, _, name in trace.writers}
        for name, _, _ in trace.programs:
            short = name.rpartition("/")[2]
            if short not in spoke and short not in _SILENT and short != "busybox":
                return _through(short, line)
    return _through(_last_name(trace, line), line)


def _through(name: str, line: str) -> str:
    """A shell's own output comes from its builtins: name the first that the line uses."""
    if name in ("bash", "ash", "sh"):
        words = re.findall(
            r"\b(echo|printf|type|set|enable|help|export|history|ulimit|trap|alias|cd|pwd|read)\b", line
        )
        return f"{name} builtin {words[0]}" if words else f"{name} itself"
    return name


def _last_name(trace: Trace, line: str) -> str:
    if trace.programs:
        return trace.programs[-1][0].rpartition("/")[2][:40]
    words = line.split()
    return words[0].rpartition("/")[2][:40] if words else "(empty line)"


def _words(message: bytes) -> str:
    """A message without its names and numbers, to group by."""
    text = message.decode("utf-8", "replace")
    text = re.sub(r"`[^']*'|‘[^’]*’|\"[^\"]*\"|'[^']*'", "X", text)
    text = re.sub(r"line \d+", "line N", text)
    if "syntax" in text or "unexpected EOF" in text:
        return text[:90]
    found = re.match(r"(\w+): (?:-c: )?(?:line N: )?([^:]+): (.*)", text)
    if found is None:
        return text[:90]
    name = found[2] if found[2] in _BUILTINS else "X"
    return f"{found[1]}: {name}: {found[3].rpartition(': ')[2]}"[:90]
