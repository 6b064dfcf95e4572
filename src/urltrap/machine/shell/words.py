"""What is inside a word: quotes, ``$`` in all its forms, backquotes, process substitutions, array literals."""

from __future__ import annotations

import re

from urltrap.machine.shell.ansi_c import unescape_dollar_quote
from urltrap.machine.shell.ast import (
    ArithSub,
    ArrayLit,
    CommandSub,
    DoubleQuoted,
    Lit,
    Node,
    Param,
    Part,
    ProcessSub,
    Quoted,
    Word,
)
from urltrap.machine.shell.braced import SPECIAL, BracedLexer
from urltrap.machine.shell.errors import ShellSyntaxError
from urltrap.machine.shell.wordmake import make_word

_LITERAL_RUN = re.compile(r"[^ \t\n|&;<>()$`\\\"']+")
_DQ_RUN = re.compile(r'[^"\\$`]+')
_HERE_RUN = re.compile(r"[^\\$`]+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ASSIGN_START = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\[[^\]]*\])?\+?=\Z")
_OPEN_SUBSCRIPT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\[[^\]]*\Z")
_OPEN_ITEM = re.compile(r"\[[^\]]*\Z")
_ARITH_STOP = re.compile(r"[()\\'\"`$\n]")
_EXTGLOB = frozenset("?*+@!")


_NAME_REST = re.compile(r"[A-Za-z0-9_]+")


class WordLexer(BracedLexer):
    """The lexer's half that reads words into parts."""

    def parse_substitution(self, pos: int, line: int) -> tuple[Node | None, int, int]:
        """Parse a command list from `pos` to the closing parenthesis: (node, position behind it, line)."""
        raise NotImplementedError

    def sub_lexer(self, text: str, line: int) -> WordLexer:
        """A lexer of the same dialect over other text (here-documents, arithmetic)."""
        raise NotImplementedError

    # -- whole words

    def lex_word(self, pos: int) -> Word:
        """One word: up to an unquoted blank, newline or operator."""
        text, size = self.text, self.size
        begin = pos
        parts: list[Part] = []
        while pos < size:
            match = _LITERAL_RUN.match(text, pos)
            if match is not None:
                parts.append(Lit(match.group()))
                pos = match.end()
                if pos >= size:
                    break
            char = text[pos]
            if char == "\\":
                if pos + 1 >= size:
                    parts.append(Quoted("\\"))
                    pos += 1
                elif text[pos + 1] == "\n":
                    self.line += 1
                    pos += 2
                else:
                    parts.append(Quoted(text[pos + 1]))
                    pos += 2
            elif char == "'":
                pos = self._single(pos, parts)
            elif char == '"':
                inner, pos = self._double(pos + 1)
                parts.append(DoubleQuoted(inner))
            elif char == "$":
                part, pos = self._dollar(pos, False)
                parts.append(part)
            elif char == "`":
                part, pos = self._backquote(pos, False)
                parts.append(part)
            elif char in "<>" and self.dialect.process_substitution and text.startswith("(", pos + 1):
                node, end, self.line = self.parse_substitution(pos + 2, self.line)
                parts.append(ProcessSub(node, char, text[pos:end]))
                pos = end
            elif char == "(" and self._extglob_here(parts):
                pos = self._extglob_group(pos, parts)
            elif char == "(" and self.allow_array and self._array_here(text[begin:pos]):
                array, end = self._array(pos + 1)
                self.pos = end
                self.array = array
                return Word(tuple(parts), None, None, text[begin:pos])
            elif (
                char in " \t"
                and (self._in_array or (self.allow_array and self.dialect.arrays))
                and (stop := self._subscript_end(begin, pos)) is not None
            ):
                parts.append(Lit(text[pos:stop]))
                pos = stop
            else:
                break
        self.pos = pos
        return make_word(tuple(parts), text[begin:pos], self.dialect.braces)

    def _subscript_end(self, begin: int, pos: int) -> int | None:
        """Where the subscript of ``name[a b]=…``, or of ``[a b]=…`` in an array, ends; None where there is none."""
        if (_OPEN_ITEM if self._in_array else _OPEN_SUBSCRIPT).match(self.text[begin:pos]) is None:
            return None
        end = self.text.find("]", pos)
        if end < 0 or "\n" in self.text[pos:end]:
            return None
        return end + 1 if self.text.startswith(("=", "+="), end + 1) else None

    _in_array = False

    def _extglob_here(self, parts: list[Part]) -> bool:
        return (
            self.extglob and bool(parts) and isinstance(parts[-1], Lit)
            and parts[-1].text[-1:] in _EXTGLOB
        )  # fmt: skip

    def _extglob_group(self, pos: int, parts: list[Part]) -> int:
        """``@(a|b)``: keep the group as pattern text, quoting and expansions inside still working."""
        text, size = self.text, self.size
        depth = 0
        while pos < size:
            char = text[pos]
            if char == "(":
                depth += 1
                parts.append(Lit("("))
                pos += 1
            elif char == ")":
                depth -= 1
                parts.append(Lit(")"))
                pos += 1
                if depth == 0:
                    return pos
            elif char == "\\" and pos + 1 < size:
                parts.append(Quoted(text[pos + 1]))
                pos += 2
            elif char == "'":
                pos = self._single(pos, parts)
            elif char == '"':
                inner, pos = self._double(pos + 1)
                parts.append(DoubleQuoted(inner))
            elif char == "$":
                part, pos = self._dollar(pos, False)
                parts.append(part)
            else:
                parts.append(Lit(char))
                pos += 1
        raise self.unclosed(")", self.line)

    def _array_here(self, before: str) -> bool:
        return self.dialect.arrays and _ASSIGN_START.match(before) is not None

    def _array(self, pos: int) -> tuple[ArrayLit, int]:
        """The elements of ``( … )`` behind ``name=``."""
        outer = (self.kind, self.value, self.start, self.token_line)
        self.enter()
        items: list[tuple[Word | None, bool, Word]] = []
        self.pos = pos
        allow, self.allow_array = self.allow_array, False
        within, self._in_array = self._in_array, True
        while True:
            self.advance()
            if self.kind == "newline":
                continue
            if self.kind == "eof":
                problem = self.unclosed(")", self.token_line)
                problem.status = 1
                raise problem
            if self.kind == "op" and self.value == ")":
                break
            if self.kind == "io":
                self.word = Word((Lit(self.value),), self.value, self.value, self.value)
            elif self.kind != "word" or self.word is None:
                raise ShellSyntaxError(
                    "token", self.value, self.token_line, line_text=self.line_at(self.start)
                )
            word = self.word
            assert word is not None
            items.append(self._array_item(word))
        end = self.pos
        self.depth -= 1
        self.allow_array = allow
        self._in_array = within
        self.kind, self.value, self.start, self.token_line = outer
        self.kind = "word"
        return ArrayLit(tuple(items)), end

    def _array_item(self, word: Word) -> tuple[Word | None, bool, Word]:
        """Split ``[index]=value`` where the word has that shape."""
        raw = word.raw
        if not raw.startswith("["):
            return (None, False, word)
        end = raw.find("]=")
        plus = raw.find("]+=")
        append = plus >= 0 and (end < 0 or plus < end)
        if append:
            end = plus
        if end < 0:
            return (None, False, word)
        index = self.sub_lexer(raw[1:end], self.line).whole_segment()
        value = self.sub_lexer(raw[end + (3 if append else 2) :], self.line).whole_word()
        return (index, append, value)

    def whole_segment(self) -> Word:
        """All of the text as a word in which blanks mean nothing."""
        parts, _ = self._segment(0, "", False)
        return make_word(parts, self.text, False)

    def whole_word(self) -> Word:
        """All of the text as one word (the right side of an assignment)."""
        if not self.text:
            return Word((), "", "", "")
        return self.lex_word(0)

    def whole_dq(self) -> tuple[Part, ...]:
        """All of the text as if between double quotes, where a quote character means nothing."""
        parts, _ = self._here_parts(0)
        return parts

    def lex_here_body(self, body: str, line: int) -> Word:
        """The parts of an unquoted here-document's body."""
        if "$" not in body and "`" not in body and "\\" not in body:
            return Word((Quoted(body),), body, None, body)
        parts = self.sub_lexer(body, line).whole_dq()
        return Word((DoubleQuoted(parts),), None, None, body)

    # -- quotes

    def _single(self, pos: int, parts: list[Part]) -> int:
        text = self.text
        end = text.find("'", pos + 1)
        if end < 0:
            raise self.unclosed("'", self.line)
        body = text[pos + 1 : end]
        if "\n" in body:
            self.line += body.count("\n")
        parts.append(Quoted(body))
        return end + 1

    def _double(self, pos: int) -> tuple[tuple[Part, ...], int]:
        text, size = self.text, self.size
        opened = self.line
        parts: list[Part] = []
        while pos < size:
            match = _DQ_RUN.match(text, pos)
            if match is not None:
                run = match.group()
                if "\n" in run:
                    self.line += run.count("\n")
                parts.append(Quoted(run))
                pos = match.end()
                if pos >= size:
                    break
            char = text[pos]
            if char == '"':
                return tuple(parts), pos + 1
            if char == "\\":
                pos = self._dq_backslash(pos, parts, '$`"\\')
            elif char == "$":
                part, pos = self._dollar(pos, True)
                parts.append(part)
            else:
                part, pos = self._backquote(pos, True)
                parts.append(part)
        raise self.unclosed('"', opened)

    def _dq_backslash(self, pos: int, parts: list[Part], special: str) -> int:
        text = self.text
        following = text[pos + 1 : pos + 2]
        if following == "\n":
            self.line += 1
        elif following and following in special:
            parts.append(Quoted(following))
        else:
            parts.append(Quoted("\\"))
            return pos + 1
        return pos + 2

    def _here_parts(self, pos: int) -> tuple[tuple[Part, ...], int]:
        text, size = self.text, self.size
        parts: list[Part] = []
        while pos < size:
            match = _HERE_RUN.match(text, pos)
            if match is not None:
                parts.append(Quoted(match.group()))
                pos = match.end()
                if pos >= size:
                    break
            char = text[pos]
            if char == "\\":
                pos = self._dq_backslash(pos, parts, "$`\\")
            elif char == "$":
                part, pos = self._dollar(pos, True)
                parts.append(part)
            else:
                part, pos = self._backquote(pos, True)
                parts.append(part)
        return tuple(parts), pos

    def _backquote(self, pos: int, in_double: bool) -> tuple[Part, int]:
        text, size = self.text, self.size
        special = '$`\\"' if in_double else "$`\\"
        opened = self.line
        begin = pos
        pos += 1
        out: list[str] = []
        while pos < size:
            char = text[pos]
            if char == "`":
                body = "".join(out)
                self.line += text.count("\n", begin, pos)
                return CommandSub(None, body, backquote=True), pos + 1
            if char == "\\" and pos + 1 < size:
                following = text[pos + 1]
                out.append(following if following in special else char + following)
                pos += 2
                continue
            end = pos + 1
            while end < size and text[end] not in "`\\":
                end += 1
            out.append(text[pos:end])
            pos = end
        raise self.unclosed("`", opened)

    # -- dollar

    def _dollar(self, pos: int, in_double: bool) -> tuple[Part, int]:
        text = self.text
        char = text[pos + 1 : pos + 2]
        match = _NAME.match(text, pos + 1)
        if match is not None:
            name, end = match.group(), match.end()
            while text.startswith("\\\n", end) and (more := _NAME_REST.match(text, end + 2)) is not None:
                name, end, self.line = name + more.group(), more.end(), self.line + 1
            return Param(name, simple=True), end
        if text.startswith("\\\n", pos + 1):
            self.line += 1
            return self._dollar(pos + 2, in_double)
        if char == "":
            return (Quoted("$") if in_double else Lit("$")), pos + 1
        if char in SPECIAL:
            return Param(char, simple=True), pos + 2
        if char == "{":
            return self._brace(self._joined(pos + 2), in_double)
        if char == "(":
            behind = self._joined(pos + 2)
            if text.startswith("(", behind):
                arithmetic = self._arith(behind + 1)
                if arithmetic is not None:
                    return arithmetic
            node, end, self.line = self.parse_substitution(pos + 2, self.line)
            return CommandSub(node, text[pos + 2 : end - 1]), end
        if self.dialect.bash_compat and not in_double:
            if char == "'":
                body, end = unescape_dollar_quote(text, pos + 2)
                if end < 0:
                    raise self.unclosed("'", self.line)
                self.line += text.count("\n", pos, end)
                return Quoted(body), end
            if char == '"' and self.dialect.bash:
                inner, end = self._double(pos + 2)
                return DoubleQuoted(inner), end
        if char == "[" and self.dialect.bash:
            parts, end = self._segment(pos + 2, "]", True)
            return ArithSub(parts, text[pos + 2 : end]), end + 1
        return (Quoted("$") if in_double else Lit("$")), pos + 1

    def _joined(self, pos: int) -> int:
        """Behind the joints of lines (backslash, newline) that are at `pos`."""
        end = self._behind_joints(pos)
        self.line += (end - pos) // 2
        return end

    def _behind_joints(self, pos: int) -> int:
        while self.text.startswith("\\\n", pos):
            pos += 2
        return pos

    def _arith(self, pos: int) -> tuple[Part, int] | None:
        """``$((…))`` from behind the second parenthesis; None where it is no arithmetic after all."""
        end = self.arith_end(pos)
        if end is None:
            return None
        if end < 0:
            if not self.dialect.bash:
                words = "Missing '))'" if self.dialect.name == "dash" else "missing '))'"
                raise ShellSyntaxError("text", words, self.line, incomplete=True)
            raise self.unclosed(")", self.line)
        part = self.arith_part(pos, end)
        self.line += self.text.count("\n", pos, end)
        return part, self._joined(end + 1) + 1

    def arith_end(self, pos: int) -> int | None:
        """The position of the ``))`` that closes arithmetic begun before `pos`; None: it is a command, -1: the text
        ends before."""
        text, size = self.text, self.size
        depth = 0
        while pos < size:
            match = _ARITH_STOP.search(text, pos)
            if match is None:
                break
            pos = match.start()
            char = text[pos]
            if char == "(":
                depth += 1
            elif char == ")":
                if depth == 0:
                    return pos if text.startswith(")", self._behind_joints(pos + 1)) else None
                depth -= 1
            elif char == "\\":
                pos += 1
            elif char in "'`":
                closing = text.find(char, pos + 1)
                if closing < 0:
                    return -1
                pos = closing
            elif char == '"':
                closing = text.find('"', pos + 1)
                if closing < 0:
                    return -1
                pos = closing
            pos += 1
        return -1

    def arith_part(self, begin: int, end: int) -> ArithSub:
        """The expression text[begin:end] with its expansions."""
        body = self.text[begin:end]
        if "$" not in body and "`" not in body and "\\" not in body and '"' not in body:
            return ArithSub((Quoted(body),), body)
        self.enter()
        parts = self.sub_lexer(body.replace('"', ""), self.line).whole_dq()
        self.depth -= 1
        return ArithSub(parts, body)


__all__ = ["WordLexer", "make_word"]
