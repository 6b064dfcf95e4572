"""Tokens to commands: lists, pipelines, simple commands and redirections (compound commands: `compound`)."""

from __future__ import annotations

import re

from urltrap.machine.shell.ast import (
    AndOr,
    Assign,
    Background,
    Lit,
    Node,
    Part,
    Pipeline,
    Redir,
    Sequence,
    Simple,
    Word,
)
from urltrap.machine.shell.errors import ShellSyntaxError
from urltrap.machine.shell.words import WordLexer, make_word

CLOSING = frozenset(("then", "elif", "else", "fi", "do", "done", "esac", "}"))
OPENING = frozenset(("if", "while", "until", "for", "case", "{"))
DECLARING = frozenset(("declare", "typeset", "local", "export", "readonly", "alias"))
_ASSIGN = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\+?=)")
_ASSIGN_INDEX = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\[")
_FUNCTION_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class BaseParser(WordLexer):
    """Lists, pipelines, simple commands. `compound_command` is filled in by `compound.Parser`."""

    last_end = 0
    at_function = False

    def compound_command(self, word: str) -> Node | None:
        """A compound command that starts with the reserved word or operator `word`; None where it starts none."""
        raise NotImplementedError

    def function_definition(self, name: str, start: int, line: int, *, keyword: bool) -> Node:
        """A function, from the token behind its name."""
        raise NotImplementedError

    # -- helpers

    def step(self) -> None:
        """Advance, remembering where the token just taken ended."""
        self.last_end = self.pos if self.kind != "newline" else self.start
        self.advance()

    @property
    def bare(self) -> str:
        """The current token as a reserved word or operator would be spelled; "" where it can be none."""
        if self.kind == "word":
            return (self.word.bare or "") if self.word is not None else ""
        return self.value if self.kind == "op" else ""

    def unexpected(self, expected: str = "") -> ShellSyntaxError:
        """The error for the current token."""
        if self.kind == "eof":
            line = self.line if self.text.endswith("\n") else self.line + 1
            return ShellSyntaxError(
                "eof", "", line if self.dialect.bash else self.line, token_type="eof", expected=expected,
                incomplete=True,
            )  # fmt: skip
        if self.kind == "newline":
            # The line that the newline ended is the one that is shown.
            return ShellSyntaxError(
                "token", "newline", self.token_line, token_type="newline", expected=expected,
                line_text=self.line_at(self.start),
            )  # fmt: skip
        kind = {"redir": "redir", "op": "op", "io": "redir"}.get(self.kind, "word")
        if self.kind == "word" and self.bare in CLOSING | OPENING | {"!", "in", "function", "[["}:
            kind = "op"
        return ShellSyntaxError(
            "token",
            self.value,
            self.token_line,
            token_type=kind,
            expected=expected,
            line_text=self.line_at(self.start),
        )

    def missing_word(self) -> ShellSyntaxError:
        """The error where a word has to follow on the same line: bash takes the end of the text for a newline."""
        if self.kind == "eof" and self.dialect.bash:
            line = self.line_at(self.pos)
            return ShellSyntaxError("token", "newline", self.line, token_type="newline", line_text=line)
        return self.unexpected(
            "word" if self.kind == "eof" and self.dialect.name == "ash" and self.at_function else ""
        )

    def need(self, word: str) -> None:
        """Take the reserved word or operator `word`."""
        if self.bare != word:
            raise self.unexpected(word)
        self.step()

    def skip_newlines(self) -> None:
        """Take any newlines."""
        while self.kind == "newline":
            self.step()

    # -- lists

    def compound_list(self, *, allow_empty: bool = False, expected: str = "") -> Node:
        """Commands up to a closing word, ``)``, ``;;`` or the end; the current token is the first of them."""
        items: list[Node] = []
        while True:
            self.skip_newlines()
            if self.at_end_of_list():
                break
            items.append(self.and_or())
            if self.kind == "op" and self.value in (";", "&"):
                if self.value == "&":
                    items[-1] = self._background(items[-1])
                self.command_position()
            elif self.kind != "newline":
                break
        if not items and not allow_empty:
            raise self.unexpected(expected if self.kind == "eof" else "")
        return items[0] if len(items) == 1 else Sequence(tuple(items))

    def at_end_of_list(self) -> bool:
        """True at a token that no command can start with and that closes a list."""
        self._expand_alias()
        if self.kind == "word":
            return self.word is not None and self.word.bare in CLOSING
        return self.kind == "eof" or (self.kind == "op" and self.value in (")", ";;", ";&", ";;&"))

    def command_position(self) -> None:
        """Advance to a token that may start a command: array literals and aliases are alive there."""
        self.allow_array = True
        self.step()
        self.allow_array = False

    def _background(self, node: Node) -> Node:
        text = getattr(node, "text", "") or self.text[self._item_start : self.last_end]
        return Background(node, text)

    _item_start = 0

    def and_or(self) -> Node:
        """Pipelines joined by ``&&`` and ``||``."""
        start = self.start
        first = self.pipeline()
        if self.kind != "op" or self.value not in ("&&", "||"):
            self._item_start = start
            return first
        rest: list[tuple[str, Node]] = []
        while self.kind == "op" and self.value in ("&&", "||"):
            op = self.value
            self.command_position()
            while self.kind == "newline":
                self.command_position()
            rest.append((op, self.pipeline()))
        self._item_start = start
        return AndOr(first, tuple(rest), self.text[start : self.last_end])

    def pipeline(self) -> Node:
        """Commands joined by ``|``, with ``!`` and ``time`` before them."""
        start = self.start
        negate = False
        timed = ""
        seen_prefix = False
        while self.kind == "word" and self.word is not None:
            bare = self.word.bare
            if bare == "!":
                if seen_prefix and not self.dialect.bash:
                    raise self.unexpected()
                negate = not negate
            elif bare == "time" and self.dialect.bash and not timed:
                timed = "time"
            elif bare == "-p" and timed == "time":
                timed = "posix"
            else:
                break
            seen_prefix = True
            self.command_position()
        if (
            seen_prefix
            and self.dialect.bash
            and (
                self.kind in ("newline", "eof")
                or (self.kind == "op" and self.value in (";", "&", "&&", "||", ")"))
            )
        ):
            return Pipeline((), negate, timed, (), self.text[start : self.last_end])
        first = self.command()
        if not (self.kind == "op" and self.value in ("|", "|&")):
            if not negate and not timed:
                return first
            return Pipeline((first,), negate, timed, (False,), self.text[start : self.last_end])
        commands = [first]
        merge: list[bool] = []
        while self.kind == "op" and self.value in ("|", "|&"):
            merge.append(self.value == "|&")
            self.command_position()
            while self.kind == "newline":
                self.command_position()
            commands.append(self.command())
        merge.append(False)
        return Pipeline(tuple(commands), negate, timed, tuple(merge), self.text[start : self.last_end])

    # -- commands

    def command(self) -> Node:
        """One simple or compound command."""
        self._alias_blanks = ()
        self._expand_alias()
        if self.kind == "word":
            word = self.word
            assert word is not None
            if word.bare is not None:
                node = self.compound_command(word.bare)
                if node is not None:
                    return node
                if word.bare in CLOSING:
                    raise self.unexpected()
        elif self.kind == "op":
            node = self.compound_command(self.value)
            if node is None:
                raise self.unexpected()
            return node
        elif self.kind in ("newline", "eof"):
            raise self.unexpected()
        return self.simple_command()

    def simple_command(self) -> Node:
        """Assignments, words, redirections in any order."""
        start, line = self.start, self.token_line
        assigns: list[Assign] = []
        words: list[Word | Assign] = []
        redirs: list[Redir] = []
        declaring = False
        while True:
            kind = self.kind
            if kind == "word":
                word = self.word
                assert word is not None
                array = self.array
                if not words:
                    assign = self.assignment(word)
                    if assign is not None:
                        assigns.append(assign)
                        self.command_position()
                        self._expand_alias()
                        continue
                    declaring = self.dialect.arrays and word.bare in DECLARING
                    if self.dialect.bash is False and word.bare in DECLARING:
                        declaring = True
                    words.append(word)
                    self.allow_array = declaring and self.dialect.arrays
                    self.step()
                    self.allow_array = False
                    self._expand_next()
                    if (
                        self.kind == "op"
                        and self.value == "("
                        and len(words) == 1
                        and not assigns
                        and not redirs
                    ):
                        return self._function(word, start, line)
                    continue
                item: Word | Assign = word
                if declaring:
                    assign = self.assignment(word)
                    if assign is not None:
                        item = assign
                elif array is not None:
                    raise self.unexpected()
                words.append(item)
                self.allow_array = declaring and self.dialect.arrays
                self.step()
                self.allow_array = False
                self._expand_next()
            elif kind == "redir" or kind == "io":
                self.allow_array = not words
                redirs.append(self.redirection())
                self.allow_array = False
            elif (
                kind == "op"
                and words
                and self.dialect.name == "ash"
                and self.value in ("&&", "||")
                and isinstance(words[0], Word)
                and words[0].bare == "[["
                and not (isinstance(words[-1], Word) and words[-1].bare == "]]")
            ):
                words.append(Word((), self.value, self.value, self.value))
                self.step()
            else:
                break
        if self.kind == "op" and self.value == "(":
            raise self.unexpected()
        return Simple(tuple(assigns), tuple(words), tuple(redirs), line, self.text[start : self.last_end])

    def _function(self, word: Word, start: int, line: int) -> Node:
        self.step()
        if not (self.kind == "op" and self.value == ")"):
            if self.dialect.bash:
                raise self.missing_word() if self.kind == "eof" else self.unexpected()
            raise self.unexpected(")")
        name = word.bare
        if name is None or (not self.dialect.bash and not _FUNCTION_NAME.match(name)):
            if not self.dialect.bash:
                raise ShellSyntaxError(
                    "text",
                    "Bad function name" if self.dialect.name == "dash" else "bad function name",
                    self.line,
                )
            name = word.raw
        self.step()
        return self.function_definition(name, start, line, keyword=False)

    def assignment(self, word: Word) -> Assign | None:
        """The word as an assignment, where it is one."""
        raw = word.raw
        if "\\\n" in raw.partition("=")[0]:  # the name goes on behind a continued line
            raw = raw.replace("\\\n", "")
            count = next(
                (at for at, part in enumerate(word.parts) if not isinstance(part, Lit)), len(word.parts)
            )
            first = Lit("".join(part.text for part in word.parts[:count] if isinstance(part, Lit)))
            word = Word((first, *word.parts[count:]), word.plain, word.bare, raw)
        match = _ASSIGN.match(raw)
        if match is not None:
            append = match.group(2) == "+="
            if append and not self.dialect.bash:
                return None
            if not _starts_literal(word, match.end()):
                return None
            if self.array is not None:
                return Assign(match.group(1), self.array, append, None, raw)
            return Assign(match.group(1), self._value(word, match.end()), append, None, raw)
        if not self.dialect.arrays:
            return None
        match = _ASSIGN_INDEX.match(raw)
        if match is None or not _starts_literal(word, match.end()):
            return None
        lexer = self.sub_lexer(raw, self.line)
        try:
            parts, end = lexer._segment(match.end(), "]", False)
        except ShellSyntaxError:
            return None
        rest = raw[end + 1 :]
        append = rest.startswith("+=")
        if not append and not rest.startswith("="):
            return None
        index = make_word(parts, raw[match.end() : end], False)
        if self.array is not None:
            return Assign(match.group(1), self.array, append, index, raw)
        value = self.sub_lexer(rest[2 if append else 1 :], self.line).whole_word()
        return Assign(match.group(1), value, append, index, raw)

    def _value(self, word: Word, offset: int) -> Word:
        """The word behind ``name=``: the first literal part loses the name."""
        first = word.parts[0]
        text = getattr(first, "text", "")
        rest = text[offset:]
        parts: tuple[Part, ...] = (Lit(rest), *word.parts[1:]) if rest else word.parts[1:]
        raw = word.raw[offset:]
        if not parts:
            return Word((), "", "", raw)
        return make_word(parts, raw, False)

    # -- redirections

    def redirection(self) -> Redir:
        """``[n]op word``; the current token is the descriptor or the operator."""
        fd: int | str | None = None
        if self.kind == "io":
            fd = self.value[1:-1] if self.value.startswith("{") else int(self.value[:9])
            self.step()
            if self.kind != "redir":
                raise self.unexpected()
        op, line = self.value, self.token_line
        allow, self.allow_array = self.allow_array, False
        self.step()
        if self.kind == "io":
            # "> 2 <x" does not happen often, but a number there is a word.
            self.kind = "word"
            self.word = make_word((), self.value, False)
            self.word = Word(self.word.parts, self.value, self.value, self.value)
        if self.kind != "word" or self.word is None:
            raise self.missing_word()
        redir = Redir(op, fd, self.word, None, op == "<<-", line)
        if op in ("<<", "<<-"):
            self.add_here(redir)
        self.allow_array = allow
        self.step()
        self.allow_array = False
        return redir

    def redirections(self) -> tuple[Redir, ...]:
        """The redirections behind a compound command."""
        found: list[Redir] = []
        while self.kind in ("redir", "io"):
            found.append(self.redirection())
        return tuple(found)

    # -- aliases

    _alias_used: frozenset[str] = frozenset()
    _alias_until = -1
    _alias_blanks: tuple[int, ...] = ()
    """For each alias that ends in a blank: how much of the text follows it. The word behind it may be an alias, too."""

    def _expand_next(self) -> None:
        """Expand the word behind an alias that ends in a blank."""
        behind = self.size - self.start
        if self._alias_blanks and self.kind == "word" and behind <= self._alias_blanks[-1]:
            self._alias_blanks = tuple(blank for blank in self._alias_blanks if blank < behind)
            self._expand_alias()

    def _expand_alias(self) -> None:
        if not self.aliases:
            return
        while self.kind == "word" and self.word is not None and self.word.bare in self.aliases:
            name = self.word.bare
            if self.start >= self._alias_until:
                self._alias_used = frozenset()
            if name in self._alias_used:
                return
            value = self.aliases[name]
            head = self.text[: self.start] + value
            rest = self.text[self.start + len(self.word.raw) :]
            self._alias_used |= {name}
            self._alias_until = len(head)
            if value[-1:] in (" ", "\t"):
                self._alias_blanks += (len(rest),)
            self.text = head + rest
            self.size = len(self.text)
            self.pos = self.start
            self.allow_array = True
            self.advance()
            self.allow_array = False


def _starts_literal(word: Word, length: int) -> bool:
    if not word.parts:
        return False
    first = word.parts[0]
    return isinstance(first, Lit) and len(first.text) >= length
