"""Literals: strings, patterns, here-documents, <…>."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from urltrap.machine.programs.perl import _patterns, _quotes
from urltrap.machine.programs.perl._lexing import Refused, Source, plain, undelimited
from urltrap.machine.programs.perl._scopes import Scope, full_name
from urltrap.machine.programs.perl._values import Node

_FLAGS = re.compile(r"(?!(?:and|or|if|unless|eq|ne|cmp|lt|gt|le|ge)\b)[msixpodualngcer]*")
_HERE = re.compile(r"<<(~?)(?:\"([^\"\n]*)\"|'([^'\n]*)'|([A-Za-z_]\w*)|`([^`\n]*)`)")
_HANDLE = re.compile(r"<(\$?\w*(?:::\w+)*)>")


class Literals(Source):
    """The lowest part of the parser above the text."""

    scope: Scope

    if TYPE_CHECKING:

        def variable(self, sigil: str, name: str) -> Node: ...
        def within(self, text: str, line: int) -> Literals: ...

    # quotes
    def interpolate(self, text: str, line: int) -> Node:
        """A string in double quotes."""
        return _quotes.interpolated(self, text, line)  # type: ignore[arg-type]

    def double(self, opening: str) -> Node:
        """ "…", qq(…) from behind the opening."""
        line = self.line(self.pos - 1)
        return self.interpolate(undelimited(self.delimited(opening), opening), line)

    def regex(self, opening: str, line: int) -> Node:
        """The node of a pattern from behind its opening, with flags: ("regex", pattern, flags)."""
        text = self.delimited_as("Search pattern not terminated", opening)
        found = _FLAGS.match(self.src, self.pos)
        flags = found[0] if found is not None else ""
        self.pos += len(flags)
        return self.pattern(text, opening, flags, line)

    def delimited_as(self, words: str, opening: str) -> str:
        """`delimited` whose end may be missing in words of its own."""
        line = self.line(self.pos - 1)
        try:
            return self.delimited(opening)
        except Refused:
            raise self.fatal(words, line) from None

    def pattern(self, text: str, opening: str, flags: str, line: int) -> Node:
        """A pattern's node."""
        text = undelimited(text, opening) if opening != "/" else text.replace("\\/", "/")
        if "x" in flags and ("$" in text or "@" in text):
            text = _without_comments(text)
        if opening == "'":
            made = Node("const", line, text)
        else:
            made = _quotes.interpolated(self, text, line, pattern=True)  # type: ignore[arg-type]
        if made.k == "const":
            try:
                _patterns.compiled(made.a, "".join(each for each in "imsx" if each in flags))
            except _patterns.BadPattern as problem:
                raise self.fatal(str(problem), line) from None
        return Node("regex", line, made, flags)

    def quote_like(self, word: str) -> Node:
        """q qq qw m qr s tr y qx, whose word is passed."""
        line = self.line()
        opening = self.opening()
        if word == "q":
            return Node("const", line, plain(self.delimited(opening), opening))
        if word == "qq":
            return self.double(opening)
        if word == "qw":
            return Node(
                "list",
                line,
                [Node("const", line, each) for each in plain(self.delimited(opening), opening).split()],
            )
        if word == "qx":
            text = self.delimited(opening)
            return Node(
                "qx",
                line,
                Node("const", line, text)
                if opening == "'"
                else self.interpolate(undelimited(text, opening), line),
            )
        if word == "m":
            return Node("match", line, None, self.regex(opening, line))
        if word == "qr":
            return Node("qr", line, self.regex(opening, line))
        if word == "s":
            return self._substitution(opening, line)
        first = self.delimited_as("Transliteration pattern not terminated", opening)
        second = opening if opening not in "([{<" else self.opening()
        to = self.delimited_as("Transliteration replacement not terminated", second)
        flags = re.compile(r"[cdsr]*").match(self.src, self.pos)[0]  # type: ignore[index]
        self.pos += len(flags)
        lists = _quotes.tr_list(undelimited(first, opening)), _quotes.tr_list(undelimited(to, second))
        return Node("trans", line, None, lists, flags)

    def _substitution(self, opening: str, line: int) -> Node:
        text = self.delimited_as("Substitution pattern not terminated", opening)
        second = opening if opening not in "([{<" else self.opening()
        after = self.line()
        made = self.delimited_as("Substitution replacement not terminated", second)
        flags = re.compile(r"[msixpodualngcer]*").match(self.src, self.pos)[0]  # type: ignore[index]
        self.pos += len(flags)
        found = self.pattern(text, opening, flags.replace("e", ""), line)
        if "e" in flags:
            inner = self.within(undelimited(made, second), after)
            replacement: Node = Node("do", line, inner.program_block())
            if flags.count("e") > 1:
                replacement = Node("evalstr", line, replacement, self.scope, self.shared.package)
        elif second == "'":
            replacement = Node("const", line, made)
        else:
            replacement = self.interpolate(undelimited(made, second), after)
        return Node("subst", line, None, found, replacement, flags)

    def program_block(self) -> Node:
        """The whole text as statements."""
        raise self.error()

    def here(self) -> Node | None:
        """<<"TAG"."""
        found = _HERE.match(self.src, self.pos)
        if found is None:
            return None
        line = self.line()
        self.before, self.token = self.token, self.pos
        self.pos = found.end()
        tag = next(each for each in found.groups()[1:] if each is not None)
        body = self.here_document(tag, bool(found[1]))
        if found[3] is not None:
            return Node("const", line, body)
        made = self.interpolate(body, line + 1)
        return Node("qx", line, made) if found[5] is not None else made

    def _stream(self, name: str, line: int) -> Node:
        full = full_name(name, self.shared.package)
        self.shared.seen(full, line)
        return Node("handle", line, full)

    def angle(self) -> Node:
        """<FH>, <$fh>, <>, <*.c>."""
        line = self.line()
        if found := _HANDLE.match(self.src, self.pos):
            self.pos = found.end()
            name = found[1]
            if name.startswith("$") and len(name) > 1:
                return Node("readline", line, self.variable("$", name[1:]))
            return Node("readline", line, self._stream(name or "ARGV", line))
        if self.src.startswith("<<>>", self.pos):
            self.pos += 4
            return Node("readline", line, Node("handle", line, "main::ARGV"))
        end = self.src.find(">", self.pos)
        if end < 0 or "\n" in self.src[self.pos : end]:
            raise self.fatal("Unterminated <> operator")
        text = self.src[self.pos + 1 : end]
        self.pos = end + 1
        return Node("func", line, "glob", [self.interpolate(text, line)])


def _without_comments(text: str) -> str:
    """An expression of /x without its comments, where the variables in them would be taken for variables."""
    return re.sub(
        r"(\\.|\[(?:\\.|[^\]\\])*\])|(?<=\s)#[^\n]*", lambda found: found[1] or "", text, flags=re.DOTALL
    )
