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
from urltrap.machine.shell.errors import ShellSyntaxError
from urltrap.machine.shell.lexer import Lexer

_LITERAL_RUN = re.compile(r"[^ \t\n|&;<>()$`\\\"']+")
_DQ_RUN = re.compile(r'[^"\\$`]+')
_HERE_RUN = re.compile(r"[^\\$`]+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SPECIAL = frozenset("@*#?-$!0123456789")
_ACTIVE = re.compile(r"[*?~\[{(]")
_ASSIGN_START = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\[[^\]]*\])?\+?=\Z")
_OPEN_SUBSCRIPT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\[[^\]]*\Z")
_ARITH_STOP = re.compile(r"[()\\'\"`$\n]")
_EXTGLOB = frozenset("?*+@!")


class WordLexer(Lexer):
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
                and self.allow_array
                and self.dialect.arrays
                and (stop := self._subscript_end(begin, pos)) is not None
            ):
                parts.append(Lit(text[pos:stop]))
                pos = stop
            else:
                break
        self.pos = pos
        return make_word(tuple(parts), text[begin:pos], self.dialect.braces)

    def _subscript_end(self, begin: int, pos: int) -> int | None:
        """Where the subscript of ``name[a b]=…`` ends, for a blank inside of it; None where there is none."""
        if _OPEN_SUBSCRIPT.match(self.text[begin:pos]) is None:
            return None
        end = self.text.find("]", pos)
        if end < 0 or "\n" in self.text[pos:end]:
            return None
        return end + 1 if self.text.startswith(("=", "+="), end + 1) else None

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
            return Param(match.group(), simple=True), match.end()
        if char == "":
            return (Quoted("$") if in_double else Lit("$")), pos + 1
        if char in _SPECIAL:
            return Param(char, simple=True), pos + 2
        if char == "{":
            return self._brace(pos + 2, in_double)
        if char == "(":
            if text.startswith("(", pos + 2):
                arithmetic = self._arith(pos + 3)
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
        return part, end + 2

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
                    return pos if text.startswith(")", pos + 1) else None
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

    # -- ${…}

    def _brace(self, pos: int, in_double: bool) -> tuple[Part, int]:
        self.enter()
        try:
            return self._brace_inner(pos, in_double)
        finally:
            self.depth -= 1

    def _brace_inner(self, pos: int, in_double: bool) -> tuple[Part, int]:
        text, size = self.text, self.size
        begin = pos
        if pos >= size:
            raise self.unclosed("}", self.line)
        char = text[pos]
        indirect = length = False
        if char == "#":
            following = text[pos + 1 : pos + 2]
            if following == "}":
                return Param("#", simple=True), pos + 2
            if (
                _NAME.match(text, pos + 1)
                or (following in _SPECIAL and text[pos + 2 : pos + 3] in ("}", "["))
                or (following.isdigit())
            ):
                length = True
                pos += 1
        elif (
            char == "!"
            and self.dialect.bash
            and (
                _NAME.match(text, pos + 1)
                or (
                    text[pos + 1 : pos + 2] in _SPECIAL and text[pos + 1 : pos + 2] not in ("", "}", "-", "?")
                )
            )
        ):
            indirect = True
            pos += 1
        match = _NAME.match(text, pos)
        if match is not None:
            name = match.group()
            pos = match.end()
        elif pos < size and text[pos].isdigit():
            end = pos + 1
            while end < size and text[end].isdigit():
                end += 1
            name = text[pos:end]
            pos = end
        elif pos < size and text[pos] in _SPECIAL:
            name = text[pos]
            pos += 1
        else:
            return self._bad(begin, in_double)
        if indirect and text[pos : pos + 2] in ("*}", "@}"):
            return Param(name, "names", Word((), text[pos], text[pos], text[pos])), pos + 2
        index: Word | None = None
        if pos < size and text[pos] == "[" and self.dialect.arrays:
            index_parts, end = self._segment(pos + 1, "]", False)
            index = make_word(index_parts, text[pos + 1 : end], False)
            pos = end + 1
        if pos >= size:
            raise self.unclosed("}", self.line)
        if text[pos] == "}":
            if length:
                return Param(name, "len", index=index), pos + 1
            if indirect and index is not None and index.raw in ("@", "*"):
                return Param(name, "keys", index=index), pos + 1
            return Param(
                name, "", index=index, indirect=indirect, simple=index is None and not indirect
            ), pos + 1
        if length:
            return self._bad(begin, in_double)
        return self._operator(begin, pos, Param(name, index=index, indirect=indirect), in_double)

    def _operator(self, begin: int, pos: int, param: Param, in_double: bool) -> tuple[Part, int]:
        text = self.text
        char = text[pos]
        two = text[pos : pos + 2]
        if two in (":-", ":=", ":?", ":+"):
            return self._with_word(param, two, pos + 2, in_double)
        if char in "-=?+":
            return self._with_word(param, char, pos + 1, in_double)
        if char in "#%":
            op = two if two in ("##", "%%") else char
            parts, end = self._segment(pos + len(op), "}", False, pattern_in_double=in_double)
            param.op, param.arg = op, make_word(parts, text[pos + len(op) : end], False)
            return param, end + 1
        if not self.dialect.bash_compat:
            return self._bad(begin, in_double)
        if char == ":":
            parts, end = self._segment(pos + 1, ":}", True)
            param.op, param.arg = ":", make_word(parts, text[pos + 1 : end], False)
            if text[end] == ":":
                parts, stop = self._segment(end + 1, "}", True)
                param.arg2 = make_word(parts, text[end + 1 : stop], False)
                end = stop
            return param, end + 1
        if char == "/":
            op = two if two == "//" or (two in ("/#", "/%") and self.dialect.bash) else "/"
            at = pos + len(op)
            parts, end = self._segment(at, "/}", False, pattern_in_double=in_double, first_is_text=True)
            param.op, param.arg = op, make_word(parts, text[at:end], False)
            if text[end] == "/":
                parts, stop = self._segment(end + 1, "}", False, pattern_in_double=in_double)
                param.arg2 = make_word(parts, text[end + 1 : stop], False)
                end = stop
            return param, end + 1
        if not self.dialect.bash:
            return self._bad(begin, in_double)
        if char in "^,":
            op = two if two in ("^^", ",,") else char
            parts, end = self._segment(pos + len(op), "}", False)
            param.op, param.arg = op, make_word(parts, text[pos + len(op) : end], False)
            return param, end + 1
        if char == "@" and text[pos + 2 : pos + 3] == "}" and text[pos + 1] in "QEPAaUuLKk":
            param.op = "@" + text[pos + 1]
            return param, pos + 3
        return self._bad(begin, in_double)

    def _with_word(self, param: Param, op: str, pos: int, in_double: bool) -> tuple[Part, int]:
        parts, end = self._segment(pos, "}", in_double)
        param.op, param.arg = op, make_word(parts, self.text[pos:end], False)
        return param, end + 1

    def _bad(self, begin: int, in_double: bool) -> tuple[Part, int]:
        _, end = self._segment(begin, "}", in_double)
        return Param("", bad="${" + self.text[begin:end] + "}"), end + 1

    def _segment(
        self,
        pos: int,
        stops: str,
        in_double: bool,
        *,
        pattern_in_double: bool = False,
        first_is_text: bool = False,
    ) -> tuple[tuple[Part, ...], int]:
        """Parts up to an unquoted character of `stops` (its position is returned); "" reads to the end of the text."""
        text, size = self.text, self.size
        opened = self.line
        parts: list[Part] = []
        begin = pos
        brackets = 0
        nested = stops == "]"
        colon = ":" in stops
        questions = parens = 0
        while pos < size:
            char = text[pos]
            if char in stops and not (first_is_text and pos == begin and char == "/"):
                if char == "]" and brackets:
                    brackets -= 1
                elif char == ":" and (questions or parens):
                    questions -= 1 if questions else 0
                else:
                    return tuple(parts), pos
            if char == "[" and nested:
                brackets += 1
            elif colon and char == "?":
                questions += 1
            elif colon and char == "(":
                parens += 1
            elif colon and char == ")":
                parens -= 1
            if char == "\\" and pos + 1 < size:
                following = text[pos + 1]
                if following == "\n":
                    self.line += 1
                elif in_double and following not in '$`"\\}':
                    parts.append(Quoted("\\"))
                    pos += 1
                    continue
                else:
                    parts.append(Quoted(following))
                pos += 2
            elif char == "'" and not in_double:
                pos = self._single(pos, parts)
            elif char == '"':
                inner, pos = self._double(pos + 1)
                parts.append(DoubleQuoted(inner))
            elif char == "$":
                part, pos = self._dollar(pos, in_double)
                parts.append(part)
            elif char == "`":
                part, pos = self._backquote(pos, in_double)
                parts.append(part)
            else:
                end = pos + 1
                while end < size and text[end] not in "\\'\"$`}]/:?()[":
                    end += 1
                run = text[pos:end]
                if "\n" in run:
                    self.line += run.count("\n")
                parts.append(Quoted(run) if in_double else Lit(run))
                pos = end
        if not stops:
            return tuple(parts), pos
        raise self.unclosed("}" if "}" in stops else stops[0], opened)


def make_word(parts: tuple[Part, ...], raw: str, braces: bool) -> Word:
    """A word with what can be known before it is expanded."""
    if len(parts) == 1:
        part = parts[0]
        if isinstance(part, Lit):
            text = part.text
            if _ACTIVE.search(text) is None or text in ("{", "}", "[", "[[", "]", "]]", "!"):
                return Word(parts, text, text, raw)
            return Word(parts, None if _alive(text, braces) else text, text, raw)
        if isinstance(part, Quoted):
            return Word(parts, part.text, None, raw)
    plain: list[str] = []
    bare = True
    for part in parts:
        if isinstance(part, Lit):
            if _ACTIVE.search(part.text):
                break
            plain.append(part.text)
        elif isinstance(part, Quoted):
            bare = False
            plain.append(part.text)
        elif isinstance(part, DoubleQuoted):
            bare = False
            inner = [each.text for each in part.parts if isinstance(each, Quoted)]
            if len(inner) != len(part.parts):
                break
            plain.extend(inner)
        else:
            break
    else:
        value = "".join(plain)
        return Word(parts, value, value if bare else None, raw)
    all_literal = all(isinstance(part, Lit) for part in parts)
    return Word(
        parts, None, "".join(p.text for p in parts if isinstance(p, Lit)) if all_literal else None, raw
    )


def _alive(text: str, braces: bool) -> bool:
    """True where tilde, pathname or brace expansion could change `text`."""
    if "*" in text or "?" in text or "(" in text:
        return True
    if "[" in text and "]" in text:
        return True
    if text.startswith("~") or "=~" in text or ":~" in text:
        return True
    return braces and "{" in text and "}" in text and ("," in text or ".." in text)
