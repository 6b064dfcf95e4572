"""Words to fields: the order of expansions, and the splitting of what is not quoted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from urltrap.machine.errors import BudgetError
from urltrap.machine.shell.ast import (
    ArithSub,
    Assign,
    CommandSub,
    DoubleQuoted,
    Lit,
    Param,
    Part,
    ProcessSub,
    Quoted,
    Word,
)
from urltrap.machine.shell.expansion.braces import expand_braces
from urltrap.machine.shell.expansion.pathname import expand_pathname
from urltrap.machine.shell.expansion.substitution import arithmetic, capture, process_substitution
from urltrap.machine.shell.expansion.tilde import expand_tilde, tilde_prefix
from urltrap.machine.shell.glob import has_magic, quote_pattern

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell

_MAX_FIELDS = 262_144
_DEFAULT_IFS = " \t\n"
_DEFAULT_RUN = re.compile(r"[^ \t\n]+")
_GLOB = re.compile(r"[*?\[]")
_NEEDS_WORK = re.compile(r"[ \t\n*?\[\\]")


class AssignWord(str):
    """An argument ``name=value`` of a declaring builtin, with its parsed form (arrays travel in it)."""

    __slots__ = ("assign",)
    assign: Assign


class Fields:
    """Collects the fields of one word."""

    def __init__(self, sh: Shell, out: list[str]) -> None:
        self.sh = sh
        self.out = out
        self.current: list[tuple[str, bool]] = []
        self.have = False
        self.ifs = sh.ifs
        self.spaces = "".join(char for char in self.ifs if char in _DEFAULT_IFS)

    def quoted(self, text: str) -> None:
        """Text that is neither split nor matched."""
        self.have = True
        if text:
            self.current.append((text, True))

    def literal(self, text: str) -> None:
        """Text of the word itself: matched, not split."""
        if text:
            self.have = True
            self.current.append((text, False))

    def end(self) -> None:
        """Finish the field that is being collected, if there is one."""
        if not self.have:
            return
        pieces, self.current = self.current, []
        self.have = False
        text = "".join([piece for piece, _ in pieces])
        if "noglob" not in self.sh.options and any(
            not quoted and (_GLOB.search(piece) or (self.sh.extglob and "(" in piece))
            for piece, quoted in pieces
        ):
            pattern = "".join([quote_pattern(piece) if quoted else piece for piece, quoted in pieces])
            if has_magic(pattern, self.sh.extglob):
                found = expand_pathname(self.sh, pattern)
                if found is not None:
                    self.out.extend(found)
                    return
        self.out.append(text)

    def split(self, text: str) -> None:
        """The result of an expansion that was not quoted: split at IFS."""
        if not text:
            return
        ifs = self.ifs
        if not ifs:
            self.literal(text)
            return
        if ifs == _DEFAULT_IFS:
            runs = _DEFAULT_RUN.findall(text)
            if not runs:
                self.end()
                return
            if text[0] in _DEFAULT_IFS:
                self.end()
            if len(runs) > _MAX_FIELDS:
                raise BudgetError("fields", _MAX_FIELDS)
            if len(runs) > 2 and not _GLOB.search(text) and not (self.sh.extglob and "(" in text):
                self.have = (
                    True  # nothing in it is a pattern: all but the first and the last are fields as they are
                )
                self.current.append((runs[0], False))
                self.end()
                self.out.extend(runs[1:-1])
                runs = runs[-1:]
            last = len(runs) - 1
            for number, run in enumerate(runs):
                self.have = True
                self.current.append((run, False))
                if number < last:
                    self.end()
            if text[-1] in _DEFAULT_IFS:
                self.end()
            return
        self._split_slow(text, ifs)

    def _split_slow(self, text: str, ifs: str) -> None:
        pos, size = 0, len(text)
        spaces = self.spaces
        while pos < size and text[pos] in spaces:
            pos += 1
        if pos:
            self.end()
        while pos < size:
            begin = pos
            while pos < size and text[pos] not in ifs:
                pos += 1
            if pos > begin:
                self.have = True
                self.current.append((text[begin:pos], False))
            if pos >= size:
                return
            while pos < size and text[pos] in spaces:
                pos += 1
            if pos < size and text[pos] in ifs:
                self.have = True  # a separator that is no blank ends a field even where it is empty
                pos += 1
                while pos < size and text[pos] in spaces:
                    pos += 1
            self.end()


def expand_words(sh: Shell, words: Sequence[Word | Assign]) -> Gen[list[str]]:
    """The fields of all words."""
    out: list[str] = []
    for word in words:
        if isinstance(word, Assign):
            out.append((yield from _assign_word(sh, word)))
        elif word.plain is not None:
            out.append(word.plain)
        else:
            yield from expand_word(sh, word, out)
    return out


def _assign_word(sh: Shell, assign: Assign) -> Gen[AssignWord]:
    value = ""
    if isinstance(assign.value, Word):
        value = yield from expand_string(sh, assign.value, assignment=True)
    name = assign.name
    if assign.index is not None:
        name += "[" + (yield from expand_string(sh, assign.index)) + "]"
    word = AssignWord(f"{name}{'+' if assign.append else ''}={value}")
    word.assign = assign
    return word


def expand_word(sh: Shell, word: Word, out: list[str]) -> Gen[None]:
    """Append the fields of one word to `out`."""
    parts = word.parts
    if len(parts) == 1:
        part = parts[0]
        if isinstance(part, Param) and part.simple and part.name not in ("@", "*"):
            value = lookup(sh, part.name)
            if value is None:
                check_unset(sh, part.name)
                return
            if not _NEEDS_WORK.search(value) and sh.ifs == _DEFAULT_IFS:
                if value:
                    out.append(value)
                return
        elif isinstance(part, DoubleQuoted) and len(part.parts) == 1:
            inner = part.parts[0]
            if isinstance(inner, Param) and inner.simple and inner.name not in ("@", "*"):
                value = lookup(sh, inner.name)
                if value is None:
                    check_unset(sh, inner.name)
                out.append(value or "")
                return
    if sh.dialect.braces and "{" in word.raw and "braceexpand" in sh.options:
        many = expand_braces(parts)
        if many is not None:
            for each in many:
                yield from sh.p.tick(1)
                fields = Fields(sh, out)
                yield from add_parts(sh, fields, each, tilde=True)
                fields.end()
            return
    fields = Fields(sh, out)
    yield from add_parts(sh, fields, parts, tilde=True)
    fields.end()


def add_parts(
    sh: Shell, fields: Fields, parts: Sequence[Part], *, tilde: bool = False, split_literals: bool = False
) -> Gen[None]:
    """Expand the parts of a word, outside of double quotes, into `fields`."""
    first = True
    for part in parts:
        if isinstance(part, Lit):
            text = part.text
            if first and tilde and text.startswith("~"):
                prefix, rest = tilde_prefix(text)
                home = expand_tilde(sh, prefix) if rest or len(parts) == 1 else None
                if home is not None:
                    fields.quoted(home)
                    text = rest
            if split_literals:
                fields.split(text)
            else:
                fields.literal(text)
        elif isinstance(part, Quoted):
            fields.quoted(part.text)
        elif isinstance(part, DoubleQuoted):
            yield from _double(sh, fields, part)
        elif isinstance(part, Param):
            yield from _parameter(sh, fields, part, False)
        elif isinstance(part, CommandSub):
            fields.split((yield from capture(sh, part)))
        elif isinstance(part, ArithSub):
            fields.split((yield from arithmetic(sh, part)))
        elif isinstance(part, ProcessSub):
            fields.quoted((yield from process_substitution(sh, part)))
        first = False


def _double(sh: Shell, fields: Fields, part: DoubleQuoted) -> Gen[None]:
    if not part.parts:
        fields.have = True
        return
    for inner in part.parts:
        if isinstance(inner, Quoted):
            fields.quoted(inner.text)
        elif isinstance(inner, Param):
            yield from _parameter(sh, fields, inner, True)
        elif isinstance(inner, CommandSub):
            fields.quoted((yield from capture(sh, inner)))
        elif isinstance(inner, ArithSub):
            fields.quoted((yield from arithmetic(sh, inner)))
        elif isinstance(inner, DoubleQuoted):
            yield from _double(sh, fields, inner)
        elif isinstance(inner, Lit):
            fields.quoted(inner.text)


def _parameter(sh: Shell, fields: Fields, param: Param, quoted: bool) -> Gen[None]:
    if param.simple and param.name not in ("@", "*"):
        value = lookup(sh, param.name)
        if value is None:
            check_unset(sh, param.name)
            value = ""
        if quoted:
            fields.quoted(value)
        else:
            fields.split(value)
        return
    result = yield from expand_parameter(sh, param, quoted)
    if isinstance(result, Word):
        # the word of ${x:-word}: its own quotes decide
        if quoted:
            yield from _double(sh, fields, DoubleQuoted(result.parts or (Quoted(""),)))
        else:
            yield from add_parts(sh, fields, result.parts, tilde=True, split_literals=True)
    elif isinstance(result, list):
        for number, value in enumerate(result):
            if number:
                if quoted:
                    fields.have = True
                fields.end()
            if quoted:
                fields.quoted(value)
            else:
                fields.split(value)
    elif quoted:
        fields.quoted(result)
    else:
        fields.split(result)


def expand_string(sh: Shell, word: Word, *, assignment: bool = False) -> Gen[str]:
    """One string: nothing is split or matched (assignments, redirections, here-documents, case)."""
    if word.plain is not None:
        return word.plain
    pieces: list[str] = []
    yield from _string_parts(sh, word.parts, pieces, tilde=True, assignment=assignment)
    return "".join(pieces)


def _string_parts(
    sh: Shell, parts: Sequence[Part], pieces: list[str], *, tilde: bool = False, assignment: bool = False
) -> Gen[None]:
    first = True
    for part in parts:
        if isinstance(part, Lit):
            text = part.text
            if tilde and "~" in text:
                text = _string_tildes(sh, text, first, assignment, len(parts) == 1)
            pieces.append(text)
        elif isinstance(part, Quoted):
            pieces.append(part.text)
        elif isinstance(part, DoubleQuoted):
            yield from _string_parts(sh, part.parts, pieces)
        elif isinstance(part, Param):
            if part.simple and part.name not in ("@", "*"):
                value = lookup(sh, part.name)
                if value is None:
                    check_unset(sh, part.name)
                pieces.append(value or "")
            else:
                result = yield from expand_parameter(sh, part, True)
                if isinstance(result, Word):
                    yield from _string_parts(sh, result.parts, pieces, tilde=True)
                elif isinstance(result, list):
                    star = part.name == "*" or (part.index is not None and part.index.raw == "*")
                    # BusyBox joins "$@" as "$*" where a string is wanted
                    pieces.append((sh.ifs[:1] if star or sh.dialect.name == "ash" else " ").join(result))
                else:
                    pieces.append(result)
        elif isinstance(part, CommandSub):
            pieces.append((yield from capture(sh, part)))
        elif isinstance(part, ArithSub):
            pieces.append((yield from arithmetic(sh, part)))
        elif isinstance(part, ProcessSub):
            pieces.append((yield from process_substitution(sh, part)))
        first = False


def _string_tildes(sh: Shell, text: str, first: bool, assignment: bool, whole: bool) -> str:
    if not assignment:
        if not (first and text.startswith("~")):
            return text
        prefix, rest = tilde_prefix(text)
        home = expand_tilde(sh, prefix) if rest or whole else None
        return text if home is None else home + rest
    out: list[str] = []
    for number, piece in enumerate(text.split(":")):
        if piece.startswith("~") and (number or first):
            prefix, rest = tilde_prefix(piece)
            home = expand_tilde(sh, prefix)
            if home is not None:
                piece = home + rest
        out.append(piece)
    return ":".join(out)


def expand_pattern(sh: Shell, word: Word) -> Gen[str]:
    """A word as a pattern: what is quoted matches only itself."""
    if len(word.parts) == 1 and isinstance(word.parts[0], Lit) and "~" not in word.parts[0].text:
        return word.parts[0].text
    pieces: list[str] = []
    first = True
    for part in word.parts:
        if isinstance(part, Lit):
            text = part.text
            if first and text.startswith("~"):
                prefix, rest = tilde_prefix(text)
                home = expand_tilde(sh, prefix)
                if home is not None:
                    text = quote_pattern(home) + rest
            pieces.append(text)
        elif isinstance(part, Quoted):
            pieces.append(quote_pattern(part.text))
        elif isinstance(part, DoubleQuoted):
            inner: list[str] = []
            yield from _string_parts(sh, part.parts, inner)
            pieces.append(quote_pattern("".join(inner)))
        elif isinstance(part, Param) and part.op in (":-", "-", ":+", "+", ":=", "="):
            result = yield from expand_parameter(sh, part, False)
            pieces.append(
                (yield from expand_pattern(sh, result))
                if isinstance(result, Word)
                else result
                if isinstance(result, str)
                else " ".join(result)
            )
        else:
            unquoted: list[str] = []
            yield from _string_parts(sh, (part,), unquoted)
            pieces.append("".join(unquoted))
        first = False
    return "".join(pieces)


# At the end: these modules need the functions above.
from urltrap.machine.shell.expansion.parameter import check_unset, expand_parameter, lookup  # noqa: E402
