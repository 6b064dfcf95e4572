"""Carp: messages from where a sub was called."""

from __future__ import annotations

from typing import Any

from urltrap.machine.programs.perl._modules import Native, module
from urltrap.machine.programs.perl._values import Gen, PerlDie, Ref, string, values
from urltrap.machine.programs.perl._vm import Vm


def _shown(value: Any) -> str:
    if value is None:
        return "undef"
    text = string(value)
    return (
        text
        if isinstance(value, (int, float)) or type(value) is Ref
        else '"' + text.replace('"', '\\"') + '"'
    )


def _trace(vm: Vm, text: str) -> str:
    """The message with all calls that led here."""
    rows = [f"{text} at {vm.name} line {vm.line}{_read(vm)}.\n"]
    evals = sorted(vm.eval_places, reverse=True)
    depth = len(vm.frames)
    for frame in reversed(vm.frames):
        while evals and evals[0][0] >= depth:
            rows.append(f"\teval {{...}} called at {vm.name} line {evals.pop(0)[1]}{_read(vm)}\n")
        if frame.code is not None:
            args = ", ".join(_shown(each.v) for each in frame.args.a)
            rows.append(
                f"\t{frame.code.package}::{frame.code.name}({args}) called at {vm.name} line {frame.line}{_read(vm)}\n"
            )
        depth -= 1
    return "".join(rows)


def _read(vm: Vm) -> str:
    read = vm.last_read
    return f", <{read.shown}> line {read.lines}" if read is not None and read.lines else ""


def _message(vm: Vm, args: list[Any], always: bool = False) -> str:
    text = "".join(map(string, values(args)))
    calls = [each for each in vm.frames if each.code is not None]
    if always or not calls or text.endswith("\n"):
        return text if text.endswith("\n") else _trace(vm, text)
    mine = vm.package
    for frame in reversed(calls):
        if frame.package != mine:
            return f"{text} at {vm.name} line {frame.line}{_read(vm)}.\n"
    return _trace(vm, text)


@module("Carp", "croak carp confess", "cluck shortmess longmess")
def _carp() -> dict[str, Native]:
    def dies(always: bool) -> Native:
        def run(vm: Vm, args: list[Any], want: Any) -> Any:
            given = values(args)
            raise PerlDie(
                given[0] if len(given) == 1 and type(given[0]) is Ref else _message(vm, args, always)
            )

        return run

    def warns(always: bool) -> Native:
        def run(vm: Vm, args: list[Any], want: Any) -> Gen:
            yield from vm.warn(_message(vm, args, always))
            return 1

        return run

    return {
        "croak": dies(False), "confess": dies(True), "carp": warns(False), "cluck": warns(True),
        "shortmess": lambda vm, args, want: _message(vm, args),
        "longmess": lambda vm, args, want: _message(vm, args, True),
    }  # fmt: skip
