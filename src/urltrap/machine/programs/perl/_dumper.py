"""Data::Dumper."""

from __future__ import annotations

from typing import Any

from urltrap.machine.programs.perl._modules import Native, module
from urltrap.machine.programs.perl._values import (
    Array,
    Code,
    Hash,
    Pattern,
    Ref,
    Scalar,
    Unsupported,
    shown,
    string,
    truth,
    values,
    whole,
)
from urltrap.machine.programs.perl._vm import Vm

_ESCAPED = {'"': '\\"', "\\": "\\\\", "$": "\\$", "@": "\\@", "\n": "\\n"}


def _quoted(text: str) -> str:
    if any(char > "\u00ff" for char in text):
        inner = "".join(
            f"\\x{{{ord(each):x}}}" if each > "\u00ff" else _ESCAPED.get(each, each) for each in text
        )
        return f'"{inner}"'
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


class _Dumper:
    def __init__(self, vm: Vm) -> None:
        self.vm = vm
        self.indent = whole(vm.sv("Data::Dumper::Indent").v)
        self.sorts = truth(vm.sv("Data::Dumper::Sortkeys").v)
        self.seen: dict[int, str] = {}
        self.size = 0

    def line(self, column: int) -> str:
        return "" if not self.indent else "\n" + " " * column

    def show(self, v: Any, column: int, path: str, depth: int = 0) -> str:
        self.size += 1
        if depth > 60 or self.size > 20_000:
            raise Unsupported("a dump that is too large")
        if v is None:
            return "undef"
        if isinstance(v, (int, float)):
            text = shown(v) if isinstance(v, float) else str(v)
            return text if isinstance(v, int) and len(text) <= 10 else f"'{text}'"
        if type(v) is not Ref:
            text = string(v)
            if text.isdecimal() and len(text) < 11 and (text == "0" or text[0] != "0"):
                return f"'{text}'"
            return _quoted(text)
        target = v.t
        if id(target) in self.seen:
            return self.seen[id(target)]
        self.seen[id(target)] = path
        opening = ""
        if isinstance(getattr(target, "bless", None), str) and not isinstance(target, Pattern):
            opening = "bless( "
            column += 7 if self.indent != 1 else 0
        text = opening + self._body(target, column, path, depth)
        return text + f", '{target.bless}' )" if opening else text

    def _body(self, target: Any, column: int, path: str, depth: int) -> str:
        deep = column + 2
        arrow = "->" if depth == 0 and not path.endswith(("]", "}")) else ""
        if isinstance(target, Array):
            if not target.a:
                return "[]"
            inner = ("," + (self.line(deep) or "")).join(
                self.show(each.v, deep, f"{path}{arrow}[{at}]", depth + 1) for at, each in enumerate(target.a)
            )
            return "[" + self.line(deep) + inner + self.line(column) + "]"
        if isinstance(target, Hash):
            if not target.h:
                return "{}"
            rows = []
            for key in sorted(target.h) if self.sorts else target.h:
                name = _quoted(key)
                at = deep + len(name) + 4 if self.indent != 1 else deep
                rows.append(
                    name + " => " + self.show(target.h[key].v, at, f"{path}{arrow}{{{name}}}", depth + 1)
                )
            return "{" + self.line(deep) + ("," + self.line(deep)).join(rows) + self.line(column) + "}"
        if isinstance(target, Code):
            return 'sub { "DUMMY" }'
        if isinstance(target, Pattern):
            return f"qr/{target.source}/{target.flags}"
        if isinstance(target, Scalar):
            return "\\" + self.show(target.v, column + 2, "$" + "{" + path + "}", depth + 1)
        raise Unsupported("a dump of a glob")


def _dump(vm: Vm, args: list[Any], want: Any) -> str:
    out: list[str] = []
    terse = truth(vm.sv("Data::Dumper::Terse").v)
    for number, each in enumerate(values(args), 1):
        dumper = _Dumper(vm)
        name = f"$VAR{number}"
        column = 0 if terse or dumper.indent == 1 else len(name) + 3
        text = dumper.show(each, column, name)
        end = "\n" if dumper.indent or terse else "\n" if dumper.indent else ""
        out.append(text + ("\n" if dumper.indent else "") if terse else f"{name} = {text};{end or chr(10)}")
    made = "".join(out)
    vm.grow(len(made))
    return made


def _start_dumper(vm: Vm) -> None:
    vm.sv("Data::Dumper::Indent").v = 2
    vm.sv("Data::Dumper::Sortkeys").v = 0
    vm.sv("Data::Dumper::Terse").v = 0


@module("Data::Dumper", "Dumper", start=_start_dumper)
def _data_dumper() -> dict[str, Native]:
    return {"Dumper": _dump}
