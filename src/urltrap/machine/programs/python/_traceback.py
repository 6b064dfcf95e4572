# ruff: noqa: E501 - tables of names read best with several on a line
"""What CPython prints of an exception that nobody caught: 3.11's and 3.13's ways."""

from __future__ import annotations

import ast
from typing import Any

from urltrap.machine.programs.python import _text
from urltrap.machine.programs.python._objects import Gen, Instance, Place, PyError
from urltrap.machine.programs.python._vm import Vm


def text_of(vm: Vm, value: Instance, seen: int = 0) -> Gen:
    """The whole text, with the exceptions that came before."""
    out = ""
    attributes = value.attributes
    cause, context = attributes.get("__cause__"), attributes.get("__context__")
    if seen < 10:
        if isinstance(cause, Instance):
            out += yield from text_of(vm, cause, seen + 1)
            out += "\nThe above exception was the direct cause of the following exception:\n\n"
        elif isinstance(context, Instance) and not attributes.get("__suppress_context__"):
            out += yield from text_of(vm, context, seen + 1)
            out += "\nDuring handling of the above exception, another exception occurred:\n\n"
    places: list[Place] = attributes.get("__traceback__", [])
    if places:
        out += "Traceback (most recent call last):\n" + "".join(_places(vm, list(reversed(places))))
    if "__pointed__" in attributes:
        out += attributes["__pointed__"]
    return out + (yield from last_line(vm, value))


def _places(vm: Vm, places: list[Place]) -> list[str]:
    out: list[str] = []
    last, times = "", 0
    for place in places:
        text = _place(vm, place)
        head = text.partition("\n")[0]
        if head == last:
            times += 1
            if times >= 3:
                continue
        else:
            out += _repeated(times)
            last, times = head, 0
        out.append(text)
    return out + _repeated(times)


def _repeated(times: int) -> list[str]:
    if times < 3:
        return []
    more = times - 2
    return [f"  [Previous line repeated {more} more time{'' if more == 1 else 's'}]\n"]


def _place(vm: Vm, place: Place) -> str:
    node: Any = place.node
    line = node.lineno
    text = f'  File "{place.filename}", line {line}, in {place.name}\n'
    lines = vm.sources.get(place.filename)
    if lines is None or not 0 < line <= len(lines):
        return text
    source = lines[line - 1]
    shown = source.strip() if vm.version >= (3, 13) else source.lstrip()
    if not shown.strip():
        return text
    text += f"    {shown}\n"
    return text + _carets(vm, node, source, shown)


def _carets(vm: Vm, node: Any, source: str, shown: str) -> str:
    if getattr(node, "end_lineno", None) is None:
        return ""
    indent = len(source) - len(source.lstrip())
    start = len(source.encode()[: node.col_offset].decode("utf-8", "replace"))
    if node.end_lineno == node.lineno:
        end = len(source.encode()[: node.end_col_offset].decode("utf-8", "replace"))
    else:
        end = len(source.rstrip())
    left, right = start - indent, end - indent
    if left < 0 or right <= left:
        return ""
    marks = "^" * (right - left)
    special = _special(vm, node, source, start, end) if node.end_lineno == node.lineno else None
    if special is not None:
        low, high = special
        marks = "~" * (low - start) + "^" * (high - low) + "~" * (end - high)
    elif right - left >= len(shown.rstrip()):
        return ""
    return f"    {' ' * left}{marks}\n"


def _special(vm: Vm, node: Any, source: str, start: int, end: int) -> tuple[int, int] | None:
    """The operator of a sum, the brackets of an index (since 3.13 of a call): what is marked more strongly."""
    data = source.encode()

    def column(offset: int) -> int:
        return len(data[:offset].decode("utf-8", "replace"))

    if isinstance(node, ast.BinOp):
        low, high = column(node.left.end_col_offset or 0), column(node.right.col_offset)
        middle = source[low:high]
        at = next((place for place, char in enumerate(middle) if char in "+-*/%@&|^<>"), None)
        if at is None:
            return None
        long = middle[at : at + 2] in ("**", "//", "<<", ">>")
        return low + at, low + at + (2 if long else 1)
    if isinstance(node, ast.Subscript):
        low = column(node.value.end_col_offset or 0)
        low += len(source[low:]) - len(source[low:].lstrip())
        return low, end
    if isinstance(node, ast.Call) and vm.version >= (3, 13):
        low = column(node.func.end_col_offset or 0)
        return low + len(source[low:]) - len(source[low:].lstrip()), end
    return None


def last_line(vm: Vm, value: Instance) -> Gen:
    """``ZeroDivisionError: division by zero``."""
    try:
        text = yield from _text.string(
            vm, value if "__pointed__" not in value.attributes else value.attributes["msg"]
        )
    except PyError:
        text = "<exception str() failed>"
    name = value.cls.shown.removeprefix("__main__.")
    text += _hint(vm, value)
    return f"{name}: {text}\n" if text else f"{name}\n"


_STANDARD = frozenset({
    "os", "sys", "re", "json", "time", "socket", "subprocess", "random", "math", "string", "struct", "base64",
    "hashlib", "datetime", "urllib", "threading", "platform", "shutil", "signal", "itertools", "functools", "collections",
    "io", "ssl", "http", "logging", "argparse", "glob", "tempfile", "getpass", "pathlib", "zlib", "gzip", "csv", "types",
})  # fmt: skip


def _hint(vm: Vm, value: Instance) -> str:
    """What CPython supposes that was meant, where names are near."""
    scope, wanted = value.attributes.get("__scope__"), value.attributes.get("name")
    if scope is None or not isinstance(wanted, str):
        return ""
    names = [*scope.vars, *scope.globals, *vm.builtins]
    best = _nearest(wanted, [name for name in dict.fromkeys(names) if not name.startswith("__")])
    forgot = vm.version >= (3, 12) and wanted in _STANDARD
    if best:
        return f". Did you mean: '{best}'?" + (f" Or did you forget to import '{wanted}'?" if forgot else "")
    return f". Did you forget to import '{wanted}'?" if forgot else ""


def _nearest(wanted: str, names: list[str]) -> str:
    if len(wanted) > 40 or len(names) > 750:
        return ""
    best, found = -1, ""
    for name in names:
        most = (len(name) + len(wanted) + 3) * 2 // 6
        if best >= 0:
            most = min(most, best - 1)
        distance = _distance(wanted, name, most)
        if distance <= most and (best < 0 or distance < best):
            best, found = distance, name
    return found


def _distance(one: str, other: str, most: int) -> int:
    """Levenshtein's distance as CPython weighs it: 2 for a change, 1 for one of case."""
    if one == other:
        return 0
    if abs(len(one) - len(other)) * 2 > most:
        return most + 1
    row = list(range(0, 2 * (len(one) + 1), 2))
    for line, char in enumerate(other, 1):
        last, row[0] = row[0], 2 * line
        for at, each in enumerate(one, 1):
            change = 0 if char == each else 1 if char.lower() == each.lower() else 2
            last, row[at] = row[at], min(last + change, row[at] + 2, row[at - 1] + 2)
    return row[-1]
