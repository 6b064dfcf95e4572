"""Text to tokens, one at a time: operators, here-documents and the boundaries of words.

The lexer works over one immutable string with a position, so nested substitutions share the text and parsing stays
linear. What is inside a word is `words.WordLexer`'s business.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from urltrap.machine.errors import BudgetError
from urltrap.machine.shell.ast import ArrayLit, Lit, Part, Quoted, Redir, Word
from urltrap.machine.shell.dialect import Dialect
from urltrap.machine.shell.errors import ShellSyntaxError

MAX_NESTING = 60
"""Substitutions and compound commands inside each other; beyond, the budget of nesting is used up."""

_BLANKS = re.compile(r"(?:[ \t]|\\\n)*")
_PLAIN_WORD = re.compile(r"[A-Za-z0-9_./:,%+@^\-]+(?=[ \t\n;|&)<>]|\Z)")
_OPERATOR = re.compile(r"&&|\|\||;;&|;;|;&|<<<|<<-|<<|<&|>&|<>|>>|>\||&>>|&>|\|&|[|&;()<>]")
_REDIRECTIONS = frozenset(("<", ">", ">>", "<<", "<<-", "<<<", "<&", ">&", "<>", ">|", "&>", "&>>"))
_IO_NUMBER = re.compile(r"\d+(?=[<>])")
_IO_NAME = re.compile(r"\{[A-Za-z_]\w*\}(?=[<>])", re.ASCII)
_BASH_OPERATORS = frozenset((";;&", ";&", "<<<", "&>", "&>>", "|&"))


@dataclass(slots=True)
class PendingHere:
    """A here-document whose body starts behind the next newline."""

    redir: Redir
    delimiter: str
    quoted: bool


class Lexer:
    """Produces tokens into `kind`, `value` and `word`.

    `kind`: "word", "op" (`value` is the operator), "redir", "io" (a descriptor before a redirection), "newline", "eof".
    """

    def __init__(
        self,
        text: str,
        dialect: Dialect,
        *,
        pos: int = 0,
        line: int = 1,
        depth: int = 0,
        aliases: dict[str, str] | None = None,
    ) -> None:
        self.text = text
        self.size = len(text)
        self.dialect = dialect
        self.pos = pos
        self.line = line
        self.depth = depth
        self.aliases = aliases
        self.kind = ""
        self.value = ""
        self.word: Word | None = None
        self.start = pos
        self.token_line = line
        self.pending: list[PendingHere] = []
        self.allow_array = False
        self.array: ArrayLit | None = None
        self.here_warning: list[tuple[int, int, str]] = []
        self.extglob = False

    # -- errors

    def enter(self) -> None:
        """Count one level of nesting."""
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise BudgetError("nesting", MAX_NESTING)

    def line_at(self, pos: int) -> str:
        """The source line around `pos`."""
        text = self.text
        begin = text.rfind("\n", 0, pos) + 1
        end = text.find("\n", pos)
        if end >= 0:
            return text[begin:end]
        shown = text[begin:]
        # bash doubles a backslash that is the last character of its input
        return shown + "\\" if (len(shown) - len(shown.rstrip("\\"))) % 2 else shown

    def unclosed(self, char: str, line: int, *, at_end: bool = False) -> ShellSyntaxError:
        """The text ended while looking for `char`."""
        shown = self.line + (0 if self.text.endswith("\n") else 1) if at_end else line
        return ShellSyntaxError("match", char, shown, token_type="eof", incomplete=True)

    # -- tokens

    def advance(self) -> None:
        """Read the next token."""
        text = self.text
        match = _BLANKS.match(text, self.pos)
        assert match is not None  # the pattern matches the empty string
        pos = match.end()
        if pos - match.start() > 1 and "\n" in match.group():
            self.line += match.group().count("\n")
        self.word = None
        self.array = None
        if pos < self.size and text[pos] == "#":
            end = text.find("\n", pos)
            pos = self.size if end < 0 else end
        self.start = pos
        self.token_line = self.line
        if pos >= self.size:
            self.pos = pos
            self.kind = "eof"
            self.value = ""
            if self.pending:
                self._read_heres(pos)
            return
        char = text[pos]
        match = _PLAIN_WORD.match(text, pos)
        if match is not None:
            value = match.group()
            end = match.end()
            if char.isdigit() and end < self.size and text[end] in "<>" and value.isdigit():
                self.kind = "io"
                self.value = value
                self.pos = end
                return
            # "a<(b)" continues the word in bash; the general path below knows.
            if not (
                end < self.size
                and text[end] in "<>"
                and self.dialect.process_substitution
                and text.startswith("(", end + 1)
            ):
                self.kind = "word"
                self.value = value
                self.pos = end
                self.word = Word((Lit(value),), value, value, value)
                return
        if char == "\n":
            self.kind = "newline"
            self.value = "\n"
            self.pos = pos + 1
            self.line += 1
            if self.pending:
                self._read_heres(self.pos)
            return
        if char in "|&;()<>":
            if char in "<>" and self.dialect.process_substitution and text.startswith("(", pos + 1):
                self._word(pos)
                return
            match = _OPERATOR.match(text, pos)
            assert match is not None
            value = match.group()
            if value in _BASH_OPERATORS and not self._has_operator(value):
                value = {";;&": ";;", ";&": ";", "<<<": "<<", "&>": "&", "&>>": "&", "|&": "|"}[value]
            self.pos = pos + len(value)
            while text.startswith("\\\n", self.pos):  # a continued line inside an operator: "&\<newline>&"
                longer = _OPERATOR.match(value + text[self.pos + 2 : self.pos + 4])
                if longer is None or len(longer.group()) <= len(value) or longer.group() in _BASH_OPERATORS:
                    break
                self.pos += 2 + len(longer.group()) - len(value)
                value = longer.group()
                self.line += 1
            self.value = value
            self.kind = "redir" if value in _REDIRECTIONS else "op"
            return
        if char.isdigit():
            match = _IO_NUMBER.match(text, pos)
            if match is not None:
                self.kind = "io"
                self.value = match.group()
                self.pos = match.end()
                return
        if char == "{" and self.dialect.bash:
            match = _IO_NAME.match(text, pos)
            if match is not None:
                self.kind = "io"
                self.value = match.group()
                self.pos = match.end()
                return
        self._word(pos)

    def _has_operator(self, value: str) -> bool:
        if self.dialect.bash:
            return True
        # BusyBox ash knows &> and no other of these; dash knows none.
        return self.dialect.bash_compat and value == "&>"

    def _word(self, pos: int) -> None:
        self.kind = "word"
        self.word = self.lex_word(pos)
        self.value = self.word.raw

    def lex_word(self, pos: int) -> Word:
        """One word from `pos`; implemented by `WordLexer`."""
        raise NotImplementedError

    # -- here-documents

    def add_here(self, redir: Redir) -> None:
        """Note a here-document whose body follows the current line."""
        quoted = redir.target.bare is None
        self.pending.append(PendingHere(redir, delimiter_text(redir.target), quoted))

    def _read_heres(self, pos: int) -> None:
        pending, self.pending = self.pending, []
        for here in pending:
            pos = self._read_here(here, pos)
        self.pos = pos

    def _read_here(self, here: PendingHere, pos: int) -> int:
        text, size = self.text, self.size
        first_line = self.line
        strip = here.redir.strip
        lines: list[str] = []
        closed = False
        while pos < size:
            end = text.find("\n", pos)
            stop = size if end < 0 else end
            row = text[pos:stop]
            if strip:
                row = row.lstrip("\t")
            if not here.quoted and end >= 0 and row.endswith("\\") and (len(row) - len(row.rstrip("\\"))) % 2:
                # A continued line of an unquoted body: it cannot be the delimiter.
                lines.append(row + "\n")
                pos = stop + 1
                self.line += 1
                continue
            pos = stop + 1 if end >= 0 else size
            if end >= 0:
                self.line += 1
            joined_to_previous = bool(lines) and not here.quoted and _continues(lines[-1])
            if row == here.delimiter and not joined_to_previous:
                closed = True
                break
            lines.append(row + ("\n" if end >= 0 else ""))
        body = "".join(lines)
        if not closed:
            if self.dialect.bash and body and not body.endswith("\n"):
                body += "\n"
            last = self.line - 1 if text.endswith("\n") else self.line
            self.here_warning.append((here.redir.line, last, here.delimiter))
        if here.quoted:
            here.redir.body = Word((Quoted(body),), body, None, body)
        else:
            here.redir.body = self.lex_here_body(body, first_line)
        return pos

    def lex_here_body(self, body: str, line: int) -> Word:
        """The parts of an unquoted here-document; implemented by `WordLexer`."""
        raise NotImplementedError


def _continues(line: str) -> bool:
    row = line.removesuffix("\n")
    return line.endswith("\n") and (len(row) - len(row.rstrip("\\"))) % 2 == 1


def delimiter_text(word: Word) -> str:
    """The delimiter of a here-document: the word after quote removal, nothing expanded."""
    if word.bare is not None:
        return word.bare
    if not any(char in word.raw for char in "\\'\""):
        return word.raw
    return "".join(_literal(part, word) for part in word.parts)


def _literal(part: Part, word: Word) -> str:
    if isinstance(part, Lit | Quoted):
        return part.text
    inner = getattr(part, "parts", None)
    if inner is not None and not hasattr(part, "text"):
        return "".join(_literal(each, word) for each in inner)
    return str(getattr(part, "text", "")) or "$" + str(getattr(part, "name", ""))
