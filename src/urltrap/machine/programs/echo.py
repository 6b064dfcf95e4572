"""The executables /usr/bin/echo, printf, test, [, true, false (the shell has builtins of these names)."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

from urltrap.machine.api import Process, Run, encode
from urltrap.machine.errors import BudgetError
from urltrap.machine.programs._cmd import APPLETS, Cmd
from urltrap.machine.programs.registry import program
from urltrap.machine.shell.ansi_c import unescape_echo
from urltrap.machine.shell.builtins.printf import _one_pass, _Printer
from urltrap.machine.shell.builtins.testing import _Test, _TestError


@program("true")
def true(p: Process) -> Run:
    """Succeed."""
    yield from p.tick()
    return 0


@program("false")
def false(p: Process) -> Run:
    """Fail."""
    yield from p.tick()
    return 1


@program("echo")
def echo(p: Process) -> Run:
    """Print arguments."""
    words = p.argv[1:]
    newline, escapes = True, False
    while words and re.fullmatch(r"-[neE]+", words[0]):
        for letter in words.pop(0)[1:]:
            if letter == "n":
                newline = False
            else:
                escapes = letter == "e"
    text = " ".join(words)
    data, stopped = unescape_echo(text, octal_needs_zero=False) if escapes else (encode(text), False)
    yield from p.write(1, data + (b"\n" if newline and not stopped else b""))
    return 0


def _shell(p: Process, dialect: str) -> Any:
    """What the shell's own printf and test ask of their shell."""
    return SimpleNamespace(
        p=p, dialect=SimpleNamespace(name=dialect, bash=dialect == "bash"), seconds_base=0.0, options=frozenset(),
        vars=SimpleNamespace(get=lambda name: None, scopes=[{}]),
    )  # fmt: skip


def _run_printf(p: Process, bb: bool) -> Run:
    c = Cmd(p, [], [], bb)
    words = p.argv[1:]
    if words[:1] == ["--"]:
        words = words[1:]
    if not words:
        if bb:
            return (yield from c.usage())
        return (yield from c.usage("missing operand"))
    if words == ["--version"] and not bb:
        yield from p.out("printf (GNU coreutils) 9.1\n")
        return 0
    printer = _Printer(_shell(p, "ash" if bb else "bash"), words[1:])
    message = None
    while True:
        before = printer.position
        message = _one_pass(printer, words[0])
        yield from p.tick(1 + len(words[0]) // 32)
        if (
            message
            or printer.stopped
            or printer.position >= len(printer.arguments)
            or printer.position == before
        ):
            break
        if len(printer.out) > 4_000_000:
            raise BudgetError("printf output", 4_000_000)
    yield from p.write(1, bytes(printer.out))
    for text in printer.errors:
        if bb:
            yield from p.err(f"printf: {text}\n")
            continue
        word = text.removesuffix(": invalid number")
        kind = (
            "value not completely converted" if re.match(r"\s*[-+]?\d", word) else "expected a numeric value"
        )
        yield from p.err(f"{c.name}: {c.lq(word)}: {kind}\n")
    if message:
        wrong = re.match(r"`(.*)': (.*)", message)
        if bb or wrong is None:
            yield from p.err(f"{c.name}: {message}\n")
        else:
            yield from p.err(f"{c.name}: %{wrong[1].lstrip('%')}: invalid conversion specification\n")
        return 1
    return int(printer.failed)


@program("printf")
def printf(p: Process) -> Run:
    """Format and print."""
    return (yield from _run_printf(p, False))


def _bb_printf(p: Process) -> Run:
    return (yield from _run_printf(p, True))


def _run_test(p: Process, bb: bool) -> Run:
    words = p.argv[1:]
    name = p.argv[0]
    c = Cmd(p, [], [], bb)
    if name.rpartition("/")[2] == "[":
        if not words or words[-1] != "]":
            yield from p.err(f"{name}: missing {c.lq(']') if not bb else ']'}\n")
            return 2
        words = words[:-1]
    try:
        return int(not _Test(_shell(p, "ash" if bb else "bash"), words).run())
    except _TestError as problem:
        text = str(problem)
        if not bb:
            if text == "too many arguments":
                text = f"extra argument {c.lq(words[-1])}"
            elif match := re.match(
                r"(.*): (unary operator expected|binary operator expected|integer expression expected)$",
                text,
                re.DOTALL,
            ):
                text = (
                    f"{c.lq(match[1])}: {match[2]}"
                    if match[2] != "integer expression expected"
                    else f"invalid integer {c.lq(match[1])}"
                )
                if match[2] == "unary operator expected" and len(words) == 2:
                    text = f"missing argument after {c.lq(words[1])}"
        yield from p.err(f"{name}: {text}\n")
        return 2


@program("test", "[")
def test(p: Process) -> Run:
    """Evaluate a condition."""
    return (yield from _run_test(p, False))


def _bb_test(p: Process) -> Run:
    return (yield from _run_test(p, True))


APPLETS["true"], APPLETS["false"], APPLETS["echo"] = true, false, echo
APPLETS["printf"] = _bb_printf
for _name in ("test", "[", "[["):
    APPLETS[_name] = _bb_test
