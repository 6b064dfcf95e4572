"""What `use warnings` and -w say of values that are undefined or are no numbers."""

from __future__ import annotations

from typing import Any

from urltrap.machine.programs.perl._names import words
from urltrap.machine.programs.perl._values import Gen, Node, looks_like_number
from urltrap.machine.programs.perl._vm import Frame, Vm

_NAMES = {
    "+": "addition (+)", "-": "subtraction (-)", "*": "multiplication (*)", "/": "division (/)", "%": "modulus (%)",
    "**": "exponentiation (**)", ".": "concatenation (.) or string", "x": "repeat (x)", "==": "numeric eq (==)",
    "!=": "numeric ne (!=)", "<": "numeric lt (<)", ">": "numeric gt (>)", "<=": "numeric le (<=)",
    ">=": "numeric ge (>=)", "<=>": "numeric comparison (<=>)", "eq": "string eq", "ne": "string ne", "lt": "string lt",
    "gt": "string gt", "le": "string le", "ge": "string ge", "cmp": "string comparison (cmp)",
    "&": "bitwise and (&)", "|": "bitwise or (|)", "^": "bitwise xor (^)", "<<": "left bitshift (<<)",
    ">>": "right bitshift (>>)",
}  # fmt: skip
_NUMERIC = words("+ - * / % ** == != < > <= >= <=> << >>")


def named(n: Node) -> str:
    """How a warning names the variable of a node; empty where it does not."""
    if n.k == "$pad":
        return f"${n.b} "
    if n.k == "$glob":
        return f"${n.a.removeprefix('main::')} "
    if n.k in ("aelem", "helem") and n.a.k in ("@pad", "@glob", "%pad", "%glob") and n.b.k == "const":
        name = n.a.b if n.a.k.endswith("pad") else n.a.a.removeprefix("main::")
        return f"${name}[{n.b.a}] " if n.k == "aelem" else f'${name}{{"{n.b.a}"}} '
    return ""


def undefined(vm: Vm, f: Frame, n: Node, operator: str) -> Gen:
    """Use of uninitialized value."""
    yield from vm.warn(f"Use of uninitialized value {named(n)}in {operator}{vm.place()}\n")


def operands(vm: Vm, f: Frame, n: Node, left: Any, right: Any) -> Gen:
    """The warnings for a binary operator."""
    what = _NAMES.get(n.a)
    if what is None:
        return
    # perl looks at the right operand of arithmetic and at the left one of a string first.
    pairs = [(n.b, left), (n.c, right)]
    if n.a in _NUMERIC:
        pairs.reverse()
    for node, value in pairs:
        if value is None:
            yield from undefined(vm, f, node, what)
        elif n.a in _NUMERIC and isinstance(value, str) and not looks_like_number(value):
            shown = value.replace("\n", "\\n")
            yield from vm.warn(f'Argument "{shown}" isn\'t numeric in {what}{vm.place()}\n')
