"""echo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from urltrap.machine.api import encode
from urltrap.machine.shell.ansi_c import unescape_echo
from urltrap.machine.shell.builtins.registry import builtin

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell

_FLAGS = {"bash": frozenset("neE"), "ash": frozenset("neE"), "dash": frozenset("n")}


@builtin("echo")
def echo(sh: Shell, argv: list[str]) -> Gen[int]:
    """Print arguments: -n and -e where the dialect has them."""
    position = 1
    newline = True
    escapes = sh.dialect.echo_escapes or "xpg_echo" in sh.shopts
    allowed = _FLAGS[sh.dialect.name]
    while position < len(argv):
        word = argv[position]
        if len(word) < 2 or word[0] != "-" or not allowed.issuperset(word[1:]):
            break
        if sh.dialect.name == "dash" and word != "-n":
            break
        for letter in word[1:]:
            if letter == "n":
                newline = False
            else:
                escapes = letter == "e"
        position += 1
        if sh.dialect.name == "dash":
            break
    text = " ".join(argv[position:])
    if escapes and "\\" in text:
        data, stopped = unescape_echo(
            text,
            octal_needs_zero=sh.dialect.name != "ash",
            hex_escapes=sh.dialect.name != "dash",
            unicode=sh.dialect.bash,
        )
        if stopped:
            newline = False
    else:
        data = encode(text)
    yield from sh.p.write(1, data + b"\n" if newline else data)
    return 0
