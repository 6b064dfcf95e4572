"""The compound commands: if, while, for, case, select, groups, functions, (( )) and [[ ]]."""

from __future__ import annotations

import re

from urltrap.machine.shell.ast import (
    ArithCommand,
    ArithFor,
    ArithSub,
    Background,
    Case,
    CondCommand,
    For,
    FunctionDef,
    Group,
    If,
    Node,
    Quoted,
    Redir,
    Select,
    Subshell,
    While,
    Word,
)
from urltrap.machine.shell.conditional import CondParser
from urltrap.machine.shell.errors import ShellSyntaxError
from urltrap.machine.shell.grammar import OPENING
from urltrap.machine.shell.words import WordLexer

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_EMPTY = ArithSub((Quoted(""),), "")


class Parser(CondParser):
    """The whole grammar."""

    # -- nested parsers

    def parse_substitution(self, pos: int, line: int) -> tuple[Node | None, int, int]:
        """Parse ``…)`` from `pos` as the inside of ``$(``."""
        inner = Parser(self.text, self.dialect, pos=pos, line=line, depth=self.depth, aliases=None)
        inner.extglob = self.extglob
        inner.enter()
        inner.command_position()
        try:
            node = inner.compound_list(allow_empty=True)
        except ShellSyntaxError as problem:
            if problem.kind == "eof" and self.dialect.bash:
                raise self._eof_in_substitution(inner) from None
            if problem.kind == "token" and self.dialect.bash:
                problem.status = 127
            raise
        if inner.kind == "eof":
            if self.dialect.bash:
                raise self._eof_in_substitution(inner)
            raise inner.unexpected(")")
        if inner.bare != ")":
            raise inner.unexpected(")")
        self.here_warning.extend(inner.here_warning)
        empty = not getattr(node, "items", True)
        return (None if empty else node), inner.pos, inner.line

    def _eof_in_substitution(self, inner: Parser) -> ShellSyntaxError:
        return inner.unclosed(")", inner.line, at_end=True)

    def sub_lexer(self, text: str, line: int) -> WordLexer:
        """A parser of the same dialect over other text."""
        parser = Parser(text, self.dialect, line=line, depth=self.depth)
        parser.extglob = self.extglob
        return parser

    # -- dispatch

    def pipeline(self) -> Node:
        """``coproc …``, or commands joined by ``|``."""
        if self.dialect.bash and self.kind == "word" and self.word is not None and self.word.bare == "coproc":
            return self._coproc()
        return super().pipeline()

    def _coproc(self) -> Node:
        """``coproc [NAME] command``: a name stands only before a compound command."""
        start = self.start
        self.command_position()
        name = "COPROC"
        word = self.word.bare if self.kind == "word" and self.word is not None else None
        if word and word.isidentifier() and self.text[self.pos :].lstrip(" \t")[:1] in ("{", "("):
            name = word
            self.command_position()
        return Background(self.command(), self.text[start : self.last_end], name)

    def compound_command(self, word: str) -> Node | None:
        """A compound command that starts with `word`; None where `word` starts none."""
        if word == "(":
            return self._paren()
        if word not in OPENING and word not in ("[[", "select", "function"):
            return None
        start, line = self.start, self.token_line
        node: Node
        if word == "{":
            self.enter()
            self.command_position()
            body = self.compound_list(expected="}")
            self._close("}")
            node = Group(body, line=line)
        elif word == "if":
            node = self._if(line)
        elif word in ("while", "until"):
            self.enter()
            self.command_position()
            condition = self.compound_list(expected="do")
            node = While(condition, self._do_group(), word == "until", line=line)
        elif word == "for":
            node = self._for(line)
        elif word == "case":
            node = self._case(line)
        elif word == "[[" and self.dialect.double_bracket:
            if not self.dialect.bash:
                return None  # BusyBox: an ordinary builtin
            node = CondCommand(self.conditional(), line=line)
        elif word == "select" and self.dialect.bash:
            node = self._select(line)
        elif word == "function" and self.dialect.function_keyword:
            return self._function_keyword(start, line)
        else:
            return None
        return self._finish(node, start)

    def _finish(self, node: Node, start: int) -> Node:
        end = self.last_end
        node.redirs = self.redirections()  # type: ignore[union-attr]
        node.text = self.text[start : self.last_end if node.redirs else end]  # type: ignore[union-attr]
        return node

    def _close(self, word: str) -> None:
        self.depth -= 1
        if self.bare != word:
            raise self.unexpected(word)
        self.step()

    # -- the commands

    def _paren(self) -> Node:
        start, line = self.start, self.token_line
        if self.dialect.arithmetic_command and self.text.startswith("(", self.start + 1):
            end = self.arith_end(self.start + 2)
            if end is not None and end < 0:
                raise self.unclosed(")", self.line)
            if end is not None:
                part = self.arith_part(self.start + 2, end)
                self.line += self.text.count("\n", self.start, end)
                self.pos = end + 2
                self.step()
                return self._finish(ArithCommand(part, line=line), start)
        self.enter()
        self.command_position()
        body = self.compound_list(expected=")")
        self._close(")")
        return self._finish(Subshell(body, line=line), start)

    def _if(self, line: int) -> Node:
        self.enter()
        clauses: list[tuple[Node, Node]] = []
        otherwise: Node | None = None
        self.command_position()
        while True:
            condition = self.compound_list(expected="then")
            if self.bare != "then":
                raise self.unexpected("then")
            self.command_position()
            clauses.append((condition, self.compound_list(expected="fi")))
            if self.bare == "elif":
                self.command_position()
                continue
            if self.bare == "else":
                self.command_position()
                otherwise = self.compound_list(expected="fi")
            break
        self._close("fi")
        return If(tuple(clauses), otherwise, line=line)

    def _do_group(self) -> Node:
        """``do … done``; the level was entered by the caller."""
        if self.bare != "do":
            raise self.unexpected("do")
        self.command_position()
        body = self.compound_list(expected="done")
        self._close("done")
        return body

    def _loop_words(self) -> tuple[Word, ...] | None:
        """``[in words] ;`` of for and select, up to ``do``."""
        words: tuple[Word, ...] | None = None
        if self.kind == "newline":
            self.skip_newlines()
        if self.bare == "in":
            self.step()
            found: list[Word] = []
            while self.kind == "word" and self.word is not None:
                found.append(self.word)
                self.step()
            words = tuple(found)
            if not (self.kind == "newline" or (self.kind == "op" and self.value == ";")):
                raise self.unexpected()
            self.command_position()
        elif self.kind == "op" and self.value == ";":
            self.command_position()
        while self.kind == "newline":
            self.command_position()
        return words

    def _for(self, line: int) -> Node:
        self.enter()
        self.step()
        if (
            self.dialect.arithmetic_command
            and self.value == "("
            and self.text.startswith("(", self.start + 1)
        ):
            end = self.arith_end(self.start + 2)
            if end is not None and end < 0:
                raise self.unclosed(")", self.line)
            if end is not None:
                return self._arith_for(end, line)
        if self.kind != "word" or self.word is None:
            if self.dialect.bash:
                raise self.unexpected()
            raise self._bad_loop_variable()
        name = self.word.bare if self.word.bare is not None else self.word.raw
        if not self.dialect.bash and not _NAME.match(name):
            raise self._bad_loop_variable()
        self.step()
        words = self._loop_words()
        if self.dialect.bash and self.bare == "{":
            return For(name, words, self._brace_body(), line=line)
        return For(name, words, self._do_group(), line=line)

    def _brace_body(self) -> Node:
        self.command_position()
        body = self.compound_list()
        self._close("}")
        return body

    def _bad_loop_variable(self) -> ShellSyntaxError:
        text = "Bad for loop variable" if self.dialect.name == "dash" else "bad for loop variable"
        return ShellSyntaxError("text", text, self.token_line)

    def _arith_for(self, end: int, line: int) -> Node:
        begin = self.start + 2
        body = self.text[begin:end]
        pieces = body.split(";")
        if len(pieces) != 3:
            raise ShellSyntaxError(
                "text", "syntax error: arithmetic expression required" if len(pieces) < 3 else
                "syntax error: `;' unexpected", self.token_line, line_text="((" + body + "))", expected="for",
            )  # fmt: skip
        parts: list[ArithSub] = []
        at = begin
        for piece in pieces:
            parts.append(self.arith_part(at, at + len(piece)) if piece.strip() else _EMPTY)
            at += len(piece) + 1
        self.line += body.count("\n")
        self.pos = end + 2
        self.step()
        if self.kind == "op" and self.value == ";":
            self.command_position()
        while self.kind == "newline":
            self.command_position()
        inner = self._brace_body() if self.bare == "{" else self._do_group()
        return ArithFor(parts[0], parts[1], parts[2], inner, line=line)

    def _select(self, line: int) -> Node:
        self.enter()
        self.step()
        if self.kind != "word" or self.word is None:
            raise self.missing_word()
        name = self.word.bare if self.word.bare is not None else self.word.raw
        self.step()
        words = self._loop_words()
        body = self._brace_body() if self.bare == "{" else self._do_group()
        return Select(name, words, body, line=line)

    def _case(self, line: int) -> Node:
        self.enter()
        self.step()
        if self.kind != "word" or self.word is None:
            raise self.unexpected("word" if not self.dialect.bash else "")
        subject = self.word
        self.step()
        self.skip_newlines()
        if self.bare != "in":
            raise self.unexpected("in")
        extglob, self.extglob = self.extglob, self.extglob
        items: list[tuple[tuple[Word, ...], Node | None, str]] = []
        self.step()
        self.skip_newlines()
        while self.bare != "esac":
            if self.kind == "op" and self.value == "(":
                self.step()
            patterns: list[Word] = []
            while True:
                if self.kind == "io":
                    self.kind = "word"
                    self.word = Word((), self.value, self.value, self.value)
                if self.kind != "word" or self.word is None:
                    raise self.unexpected(")" if not self.dialect.bash and self.kind == "eof" else "")
                patterns.append(self.word)
                self.step()
                if not (self.kind == "op" and self.value == "|"):
                    break
                self.step()
            if not (self.kind == "op" and self.value == ")"):
                raise self.unexpected(")")
            self.command_position()
            body = self.compound_list(allow_empty=True)
            empty = not getattr(body, "items", True)
            terminator = ";;"
            if self.kind == "op" and self.value in (";;", ";&", ";;&"):
                terminator = self.value
                self.step()
                self.skip_newlines()
                items.append((tuple(patterns), None if empty else body, terminator))
                continue
            items.append((tuple(patterns), None if empty else body, terminator))
            if self.bare != "esac":
                raise self.unexpected(";;" if not self.dialect.bash else "")
        self.extglob = extglob
        self._close("esac")
        return Case(subject, tuple(items), line=line)

    # -- functions

    def _function_keyword(self, start: int, line: int) -> Node:
        self.step()
        self.at_function = True
        if self.kind != "word" or self.word is None:
            raise self.missing_word()
        name = self.word.raw
        self.step()
        if self.kind == "op" and self.value == "(":
            self.step()
            if not (self.kind == "op" and self.value == ")"):
                raise self.unexpected()
            self.step()
        return self.function_definition(name, start, line, keyword=True)

    def function_definition(self, name: str, start: int, line: int, *, keyword: bool) -> Node:
        """The body of a function; the current token is the one behind the parentheses."""
        self.skip_newlines()
        self.enter()
        body: Node | None
        word = self.bare
        if self.kind == "word" or (self.kind == "op" and self.value == "("):
            body = self.compound_command(word) if word else None
        else:
            body = None
        if body is None or isinstance(body, FunctionDef):
            if not self.dialect.any_function_body:
                raise self.unexpected()
            body = self.command()
        self.depth -= 1
        redirs: tuple[Redir, ...] = ()
        return FunctionDef(name, body, redirs=redirs, line=line, text=self.text[start : self.last_end])
