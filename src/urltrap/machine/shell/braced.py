"""``${…}``: names, subscripts, operators and the words inside."""

from __future__ import annotations

import re

from urltrap.machine.shell.ast import DoubleQuoted, Lit, Param, Part, Quoted, Word
from urltrap.machine.shell.lexer import Lexer
from urltrap.machine.shell.wordmake import make_word

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
SPECIAL = frozenset("@*#?-$!0123456789")


class BracedLexer(Lexer):
    """The lexer's part that reads braced parameters and segments of words up to a closing character."""

    def _single(self, pos: int, parts: list[Part]) -> int:
        raise NotImplementedError

    def _double(self, pos: int) -> tuple[tuple[Part, ...], int]:
        raise NotImplementedError

    def _dollar(self, pos: int, in_double: bool) -> tuple[Part, int]:
        raise NotImplementedError

    def _backquote(self, pos: int, in_double: bool) -> tuple[Part, int]:
        raise NotImplementedError

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
                or (following in SPECIAL and text[pos + 2 : pos + 3] in ("}", "["))
                or (following.isdigit())
            ):
                length = True
                pos += 1
        elif (
            char == "!"
            and self.dialect.bash
            and (
                _NAME.match(text, pos + 1)
                or (text[pos + 1 : pos + 2] in SPECIAL and text[pos + 1 : pos + 2] not in ("", "}", "-", "?"))
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
        elif pos < size and text[pos] in SPECIAL:
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
            parts, end = self._segment(
                at, "/}", False, pattern_in_double=in_double, first_is_text=len(op) < 2 or op == "//"
            )
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
