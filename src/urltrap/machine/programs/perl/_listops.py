"""Arguments without brackets, and map, grep and sort with their blocks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from urltrap.machine.programs.perl._expressions import ASSIGN, Expressions
from urltrap.machine.programs.perl._lexing import Refused
from urltrap.machine.programs.perl._names import LIST, NO_TERM, NONE, QUOTES, SORTED, UNARY
from urltrap.machine.programs.perl._scopes import full_name
from urltrap.machine.programs.perl._values import Node

_HASH = re.compile(r"\{\s*(?:\"(?:[^\"\\]|\\.)*\"|'[^']*'|[a-z]\w*)\s*(?:,|=>)")
"""What perl takes for a hash behind map and grep, rather than for a block."""


class ListOperators(Expressions):
    """The part of the parser that knows list operators."""

    if TYPE_CHECKING:

        def block(self) -> Node: ...

    def list_items(self) -> list[Node]:
        """Arguments of a list operator without brackets."""
        if self._stops():
            return []
        found = self.parse(4)
        return found.a if found.k == "list" and not found.b else [found]

    def _stops(self) -> bool:
        char = self.char()
        if char in ("", ";", ")", "]", "}", ":", "?") or self.word() in NO_TERM - {"not", "x"}:
            return True
        return bool(
            re.compile(r"(?:=[^>~]|==|=~|\|\||&&|\.[^\d]|\*\s|,|!=|>|<=|\|)").match(self.src, self.pos)
        )

    def _blocky(self, name: str, line: int) -> Node:
        brackets = self.take("(")
        self.skip()
        at = self.pos
        if self.src.startswith("{", at) and not (name != "sort" and _HASH.match(self.src, at)):
            saved = self.skips.copy()
            inner = re.compile(r"\{\s*(?=\{)").match(self.src, at)
            self.hash_at = inner.end() if inner is not None else -1
            depth, scope, complaints = self.shared.depth, self.scope, len(self.shared.complaints)
            try:
                body: Node | None = self.block()
                if self.peek(",") or self.peek("=>"):
                    body = None
            except Refused:
                body = None  # it is a hash
            if body is None:
                self.pos, self.skips = at, saved
                self.shared.depth, self.scope = depth, scope
                del self.shared.complaints[complaints:]
        else:
            body = None
        if name == "sort" and body is None:
            if re.compile(r"\$\w+\s+(?:[@($]|[a-z]\w*\b(?<!\scmp)(?<!\seq))").match(self.src, at):
                body = self.scalar()
            elif (
                (word := self.word())
                and SORTED.match(self.src, at + len(word))
                and not (
                    word in UNARY
                    or word in LIST
                    or word in NONE
                    or word in QUOTES
                    or hasattr(self, f"_n_{word}")
                )
            ):
                self._pass(word)
                body = Node("subname", line, full_name(word, self.shared.package))
        if name != "sort" and body is None:
            body = self.parse(ASSIGN)
            self.need(",")
        self.take(",") if body is not None and body.k == "block" else None
        if brackets:
            items: list[Node] = []
            if not self.peek(")"):
                found = self.expression()
                items = found.a if found.k == "list" and not found.b else [found]
            self.need(")")
        else:
            items = self.list_items()
        return Node(name, line, body, items)

    def _n_map(self, line: int) -> Node:
        return self._blocky("map", line)

    def _n_grep(self, line: int) -> Node:
        return self._blocky("grep", line)

    def _n_sort(self, line: int) -> Node:
        return self._blocky("sort", line)
