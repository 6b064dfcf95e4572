"""The grammar of ``[[ … ]]``."""

from __future__ import annotations

from urltrap.machine.shell.ast import CondExpr, CondNot, CondPair, CondTest, Lit, Part, Quoted, Word
from urltrap.machine.shell.errors import ShellSyntaxError
from urltrap.machine.shell.grammar import BaseParser
from urltrap.machine.shell.words import make_word

UNARY = frozenset("-" + letter for letter in "abcdefghknoprstuvwxzGLNORS")
BINARY = frozenset(("=", "==", "!=", "=~", "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-nt", "-ot", "-ef"))


class CondParser(BaseParser):
    """Reads what stands between ``[[`` and ``]]``."""

    def conditional(self) -> CondExpr:
        """The expression; the current token is ``[[``."""
        self.enter()
        self._cond_step()
        expression = self._cond_or()
        if self.bare != "]]":
            raise self._cond_error()
        self.depth -= 1
        self.step()
        return expression

    def _cond_step(self) -> None:
        self.step()
        while self.kind == "newline":
            self.step()

    def _cond_error(self) -> ShellSyntaxError:
        if self.kind == "eof":
            return self.unexpected("]]")
        return ShellSyntaxError("cond", "", self.token_line, status=0)

    def _no_operator(self) -> ShellSyntaxError:
        """A word alone must be followed by an operator, ``&&``, ``||``, ``)`` or ``]]``."""
        if self.kind in ("eof", "newline"):
            return ShellSyntaxError(
                "cond", "unexpected token `newline', conditional binary operator expected", self.line,
                status=2, incomplete=False,
            )  # fmt: skip
        return ShellSyntaxError("cond", "conditional binary operator expected", self.token_line, status=0)

    def _cond_or(self) -> CondExpr:
        left = self._cond_and()
        while self.kind == "op" and self.value == "||":
            self._cond_step()
            left = CondPair("||", left, self._cond_and())
        return left

    def _cond_and(self) -> CondExpr:
        left = self._cond_term()
        while self.kind == "op" and self.value == "&&":
            self._cond_step()
            left = CondPair("&&", left, self._cond_term())
        return left

    def _cond_term(self) -> CondExpr:
        if self.kind == "op" and self.value == "(":
            self.enter()
            self._cond_step()
            inner = self._cond_or()
            if not (self.kind == "op" and self.value == ")"):
                raise self._cond_error()
            self.depth -= 1
            self._cond_step()
            return inner
        if self.kind == "io":
            self.kind = "word"
            self.word = Word((Lit(self.value),), self.value, self.value, self.value)
        if self.kind != "word" or self.word is None:
            raise self._cond_error()
        word = self.word
        if word.bare == "!":
            self.enter()
            self._cond_step()
            inner = self._cond_term()
            self.depth -= 1
            return CondNot(inner)
        if word.bare == "]]":
            raise self._cond_error()
        if word.bare in UNARY:
            self._cond_step()
            if self.kind == "word" and self.word is not None and self.word.bare not in BINARY | {"]]"}:
                operand = self.word
                self._cond_step()
                return CondTest(word.bare or "", operand)
            if self.bare == "]]" or self.kind == "op":
                if self.bare == "]]":
                    raise ShellSyntaxError(
                        "cond",
                        "unexpected argument `]]' to conditional unary operator",
                        self.token_line,
                        status=0,
                    )
                return CondTest("", word)
        else:
            self.step()
        if self.kind == "redir" and self.value in ("<", ">"):
            op = self.value
            self._cond_step()
            return CondTest(op, word, self._cond_operand())
        if self.kind == "word" and self.word is not None and self.word.bare in BINARY:
            op = self.word.bare or ""
            if op == "=~":
                return CondTest(op, word, self._regex())
            extglob, self.extglob = self.extglob, True
            self._cond_step()
            self.extglob = extglob
            return CondTest(op, word, self._cond_operand())
        if self.bare not in ("]]", "&&", "||", ")"):
            raise self._no_operator()
        return CondTest("", word)

    def _cond_operand(self) -> Word:
        if self.kind == "io":
            self.kind = "word"
            self.word = Word((Lit(self.value),), self.value, self.value, self.value)
        if self.kind != "word" or self.word is None:
            raise self._cond_error()
        word = self.word
        self._cond_step()
        return word

    def _regex(self) -> Word:
        """The right side of ``=~``: parentheses and ``|`` belong to it; it ends at a blank outside parentheses."""
        text, size = self.text, self.size
        pos = self.pos
        while pos < size and text[pos] in " \t":
            pos += 1
        begin = pos
        parts: list[Part] = []
        depth = 0
        while pos < size:
            char = text[pos]
            if char == "\n" or (char in " \t" and depth == 0):
                break
            if char == "\\" and pos + 1 < size:
                parts.append(Quoted(text[pos + 1]))
                pos += 2
            elif char == "'":
                pos = self._single(pos, parts)
            elif char == '"' or char == "$" or char == "`":
                word = self._one_part(pos)
                parts.append(word[0])
                pos = word[1]
            else:
                if char == "(":
                    depth += 1
                elif char == ")":
                    depth -= 1
                    if depth < 0:
                        break
                parts.append(Lit(char))
                pos += 1
        self.pos = pos
        raw = text[begin:pos]
        self._cond_step()
        if not parts:
            raise self._cond_error()
        word_made = make_word(tuple(parts), raw, False)
        return Word(word_made.parts, None, None, raw)

    def _one_part(self, pos: int) -> tuple[Part, int]:
        from urltrap.machine.shell.ast import DoubleQuoted

        char = self.text[pos]
        if char == '"':
            inner, end = self._double(pos + 1)
            return DoubleQuoted(inner), end
        if char == "`":
            return self._backquote(pos, False)
        return self._dollar(pos, False)
