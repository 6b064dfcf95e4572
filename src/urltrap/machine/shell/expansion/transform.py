"""``${x@Q}`` and the other @ operators, and the quoting that bash uses when it prints values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from urltrap.machine.shell.ansi_c import unescape_dollar_quote
from urltrap.machine.shell.ast import Param

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Shell
    from urltrap.machine.shell.variables import Var

_SAFE = re.compile(r"[A-Za-z0-9_@%+=:,./\-]+\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\udc80-\udcff]")
_SPECIAL = re.compile(r"[ \t\n!\"#$&'()*,;<>?\[\\\]^`{|}~]")
_BACKSLASHED = frozenset(" \t\n!\"#$&'()*,;<>?[\\]^`{|}~")
_NAMED = {
    "\a": "\\a",
    "\b": "\\b",
    "\x1b": "\\E",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
}


_ANSI = str.maketrans(
    {
        **{chr(code): f"\\{code:03o}" for code in (*range(32), 127)},
        **{chr(0xDC00 + byte): f"\\{byte:03o}" for byte in range(0x80, 0x100)},
        **_NAMED,
        "'": "\\'",
        "\\": "\\\\",
    }
)


def ansi_quote(text: str) -> str:
    """``$'…'`` for text with control characters."""
    return "$'" + text.translate(_ANSI) + "'"


def single_quote(text: str) -> str:
    """``'…'`` with ``'\\''`` for the quotes inside, as ``@Q``, ``alias`` and ``trap`` print."""
    if _CONTROL.search(text):
        return ansi_quote(text)
    return "'" + text.replace("'", "'\\''") + "'"


def declare_quote(text: str) -> str:
    """``"…"`` as ``declare -p`` prints a value."""
    if _CONTROL.search(text):
        return ansi_quote(text)
    return '"' + re.sub(r'([\\"$`])', r"\\\1", text) + '"'


def set_quote(text: str) -> str:
    """A value as ``set`` lists it: bare where it is safe."""
    if text and not _SPECIAL.search(text) and not _CONTROL.search(text):
        return text
    return "" if not text else single_quote(text)


def printf_quote(text: str) -> str:
    """``printf %q``: backslashes, or ``$'…'`` for control characters."""
    if not text:
        return "''"
    if _CONTROL.search(text):
        return ansi_quote(text)
    out = ["\\" + char if char in _BACKSLASHED and char not in "#~" else char for char in text]
    if out[0] in "#~":
        out[0] = "\\" + out[0]
    return "".join(out)


def trace_quote(text: str) -> str:
    """An argument as ``set -x`` shows it."""
    if not text:
        return "''"
    if _CONTROL.search(text):
        return ansi_quote(text)
    if _SPECIAL.search(text):
        return single_quote(text)
    return text


def whole(name: str, var: Var, op: str) -> list[str]:
    """``${a[@]@A}``, ``@K`` and ``@k``: a whole array as its declaration, or as keys and values."""
    items = var.value.items() if isinstance(var.value, dict) else [("0", var.value or "")]
    pairs = [(str(key), value) for key, value in (items if var.array == "A" else sorted(items))]
    if op == "@k":
        return [each for pair in pairs for each in pair]
    if op == "@K":
        return [" ".join(f"{key} {declare_quote(value)}" for key, value in pairs)]
    flags = (
        var.array
        + ("i" if var.integer else "")
        + ("r" if var.readonly else "")
        + ("x" if var.exported else "")
    )
    shown = " ".join(f"[{key}]={declare_quote(value)}" for key, value in pairs)
    return [f"declare -{flags} {name}=({shown}{' ' if var.array == 'A' and pairs else ''})"]


def transform(sh: Shell, param: Param, value: str | None, op: str) -> str:
    """The result of one ``@`` operator; an unset parameter gives nothing."""
    letter = op[1:]
    if letter == "a":
        var = sh.vars.find(param.name)
        if var is None:
            return ""
        return (
            (var.array or "")
            + ("i" if var.integer else "")
            + var.case
            + ("r" if var.readonly else "")
            + ("x" if var.exported else "")
        )
    if value is None:
        return ""
    if letter in ("Q", "K", "k"):
        return single_quote(value)
    if letter == "U":
        return value.upper()
    if letter == "u":
        return value[:1].upper() + value[1:]
    if letter == "L":
        return value.lower()
    if letter == "E":
        return unescape_dollar_quote(value.replace("'", "\\'") + "'", 0)[0]
    if letter == "P":
        from urltrap.machine.shell.prompt import expand_escapes

        return expand_escapes(sh, value)
    if letter == "A":
        var = sh.vars.find(param.name)
        flags = (
            "" if var is None else (var.array + ("i" if var.integer else "") + ("r" if var.readonly else "")
                                    + ("x" if var.exported else ""))
        )  # fmt: skip
        if flags:
            return f"declare -{flags} {param.name}={single_quote(value)}"
        return f"{param.name}={single_quote(value)}"
    return value
