"""From text to commands: the whole of a text at once, or one complete command after the other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from urltrap.machine.shell.ast import Node, Sequence
from urltrap.machine.shell.compound import Parser
from urltrap.machine.shell.dialect import DIALECTS, Dialect
from urltrap.machine.shell.errors import ShellSyntaxError
from urltrap.machine.shell.grammar import BaseParser


@dataclass(frozen=True, slots=True)
class Script:
    """A parsed text: its complete commands, and the syntax error that ended it, if any.

    `warnings`: here-documents that the end of the text closed, as (line of the operator, last line, delimiter).
    """

    commands: tuple[Node, ...]
    error: Exception | None
    warnings: tuple[tuple[int, int, str], ...]


def open_parser(
    text: str,
    dialect: Dialect,
    *,
    line: int = 1,
    aliases: dict[str, str] | None = None,
    extglob: bool = False,
) -> BaseParser:
    """A parser over `text`, ready for `next_command`."""
    parser = Parser(text, dialect, line=line, aliases=aliases)
    parser.extglob = extglob
    return parser


def next_command(parser: BaseParser) -> Node | None:
    """The next complete command (a line, or more where the grammar needs more); None at the end of the text."""
    parser.command_position()
    while parser.kind == "newline":
        parser.command_position()
    if parser.kind == "eof":
        return None
    items: list[Node] = []
    while True:
        items.append(parser.and_or())
        if parser.kind == "op" and parser.value in (";", "&"):
            if parser.value == "&":
                items[-1] = parser._background(items[-1])
            parser.command_position()
            if parser.kind in ("newline", "eof"):
                break
        elif parser.kind in ("newline", "eof"):
            break
        else:
            raise parser.unexpected()
    return items[0] if len(items) == 1 else Sequence(tuple(items))


@lru_cache(maxsize=512)
def parse_cached(text: str, dialect: str, line: int = 1, extglob: bool = False) -> Script:
    """`parse_script` for texts that are seen again and again; the result is shared and never changed."""
    return parse_script(text, DIALECTS[dialect], line=line, extglob=extglob)


def parse_script(
    text: str,
    dialect: Dialect,
    *,
    line: int = 1,
    aliases: dict[str, str] | None = None,
    extglob: bool = False,
) -> Script:
    """Parse all of `text` up to its first syntax error. Raises only BudgetError (nesting)."""
    parser = open_parser(text, dialect, line=line, aliases=aliases, extglob=extglob)
    commands: list[Node] = []
    error: Exception | None = None
    try:
        while (node := next_command(parser)) is not None:
            commands.append(node)
    except ShellSyntaxError as problem:
        error = problem
    return Script(tuple(commands), error, tuple(parser.here_warning))
