"""Parsing what attackers send: damaged, cut, pasted together. What can be read is; the rest is left out."""

from __future__ import annotations

import re
from functools import lru_cache

from urltrap.machine.errors import BudgetError
from urltrap.machine.shell.ast import Background, Node
from urltrap.machine.shell.dialect import DIALECTS
from urltrap.machine.shell.errors import ShellSyntaxError
from urltrap.machine.shell.parser import open_parser
from urltrap.recover.ask import clean

MOST_ERRORS = 60
"""Places that cannot be read, per text; behind the last the rest is left to the reading of words."""
_WORK = 10_000
"""Characters that may be read in vain, besides twice the text."""
_BASH = DIALECTS["bash"]

# What logs do to texts: a newline turned into "; " stands behind words that want a command.
_REPAIRS = (
    (re.compile(r"(?<![\w$])(do|then|else|\{)\s*;+(?!;)"), r"\1 "),
    (re.compile(r"(?<!;)(;\s+;+|;;)(?=\s*(?:[a-z/.~]|$))"), ";"),
    (re.compile(r"(\|\||&&|\|)\s*;"), r"\1 "),
    (re.compile(r"&\s*;"), "& "),
    (re.compile(r"\A[\s;&|)]+"), ""),
    (re.compile(r"(\b[A-Za-z_]\w*\s*\(\)\s*);+"), r"\1 "),
)
_SEPARATOR = re.compile(r"[;\n]|&&|\|\|?|&")
_OPENING = re.compile(
    r"[\s;]*(?:(?:if|then|elif|else|while|until|do|done|fi|esac|\{|\}|!)(?=[\s;]|\Z)|[()]+|for\s[^;\n]*|"
    r"case\s[^;\n]*?\bin\b|;+)"
)


@lru_cache(maxsize=64)
def parse(text: str) -> tuple[Node, ...]:
    """The commands of a text, in order. Never raises: what is no command is left out."""
    nodes: list[Node] = []
    # Copied from web pages: their unbreakable blanks part words for whoever pasted them.
    _read(clean(text).replace("\u00a0", " "), nodes, 0)
    return tuple(nodes)


def _read(text: str, nodes: list[Node], errors: int) -> None:
    repaired = False
    work = _WORK + 2 * len(text)
    while text.strip():
        failure, place, end = _pass(text, nodes)
        work -= end
        if failure is None or errors >= MOST_ERRORS or work < 0:
            return
        errors += 1
        rest = text[place:]
        if not repaired:
            repaired = True
            better = rest
            for pattern, replacement in _REPAIRS:
                better = pattern.sub(replacement, better)
            if better != rest:
                text = better
                continue
        cut = (
            failure.kind == "match" and failure.token in ("'", '"', "`") and not rest.endswith(failure.token)
        )
        if cut and (errors == 1 or "\n" not in rest):
            text = rest + failure.token
            again, place, end = _pass(text, nodes)
            work -= end
            if again is None:
                return
            rest = text[place:-1]
        opening = _OPENING.match(rest)
        if opening and opening.end():
            text = rest[opening.end() :]
            continue
        # One command is no command: read on behind it, keeping what can be read before its end.
        separator = _SEPARATOR.search(rest, 1)
        head = rest[: separator.start()] if separator else ""
        if head and head != text:
            _, _, end = _pass(head, nodes)
            work -= end
        text = rest[separator.end() :] if separator else ""


def _pass(text: str, nodes: list[Node]) -> tuple[ShellSyntaxError | None, int, int]:
    """Read commands up to the first mistake; it, where the command with it begins, how far was read."""
    parser = open_parser(text, _BASH)
    place = 0
    try:
        parser.command_position()
        while True:
            while parser.kind == "newline":
                parser.command_position()
            if parser.kind == "eof":
                return None, len(text), len(text)
            place = parser.start
            item = parser.and_or()
            if parser.kind == "op" and parser.value in (";", "&"):
                if parser.value == "&":
                    item = Background(item, text[place : parser.start])
                nodes.append(item)
                parser.command_position()
            elif parser.kind in ("newline", "eof"):
                nodes.append(item)
                if parser.kind == "newline":
                    parser.command_position()
            else:
                nodes.append(item)
                place = parser.start
                raise parser.unexpected()
    except ShellSyntaxError as problem:
        return problem, place, parser.start
    except (BudgetError, RecursionError):
        return ShellSyntaxError("text", "nested too deeply", 0), place, parser.start
