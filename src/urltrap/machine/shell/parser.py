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


@dataclass(frozen=True, slots=True)
class Step:
    """One complete command of a text, and where the next one begins; `node` is None at the end of the text."""

    node: Node | None
    pos: int
    line: int
    warnings: tuple[tuple[int, int, str], ...]


STEP_TEXT = 8192
"""Texts that are longer are not kept in `next_cached`'s memory."""


@lru_cache(maxsize=1024)
def next_cached(
    text: str, dialect: str, pos: int, line: int, extglob: bool, aliases: tuple[tuple[str, str], ...] | None
) -> Step | None:
    """The complete command at `pos`, for texts whose aliases and options may change from one command to the next, but
    which are read again and again (start-up files). The result is shared and never changed.

    None where an alias has changed the text, so that only a parser of one's own knows how it goes on. Raises as
    `next_command`; errors are not remembered.
    """
    parser = Parser(
        text, DIALECTS[dialect], pos=pos, line=line, aliases=None if aliases is None else dict(aliases)
    )
    parser.extglob = extglob
    node = next_command(parser)
    if parser.text is not text:
        return None
    return Step(node, parser.pos, parser.line, tuple(parser.here_warning))


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
