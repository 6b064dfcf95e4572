"""sed's scripts: parsing, with GNU sed's own complaints."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from urltrap.machine.programs._regex import BadRegex, Matcher, compile_posix
from urltrap.machine.programs.sed._replacement import BadReference, Part, parse_replacement

_MAX_COMMANDS = 5_000
_NOTHING_TO_REPEAT = re.compile(r"^(?:[^\\\[]|\\.)*?(?:(?<!\\)[(|]|^)[*+?]")


class SedError(Exception):
    """A wrong script; the text is GNU sed's, with the place."""

    def __init__(self, words: str, status: int = 1) -> None:
        super().__init__(words)
        self.status = status


@dataclass(slots=True)
class Address:
    """One address: line, last, step (first~step), regex (None: the last one), zero, plus, multiple."""

    kind: str
    number: int = 0
    step: int = 0
    regex: Matcher | None = None


@dataclass(slots=True)
class Command:
    """One command. `text` is a, i, c's text or a file name; `number` of s, q, l; `jump` the index behind a branch."""

    name: str
    first: Address | None = None
    second: Address | None = None
    negate: bool = False
    text: str = ""
    label: str = ""
    number: int = 1
    globally: bool = False
    prints: bool = False
    evaluate: bool = False
    regex: Matcher | None = None
    replacement: list[Part] = field(default_factory=list)
    table: dict[int, int] = field(default_factory=dict)
    jump: int = 0


@dataclass(slots=True)
class Script:
    """Commands in order; `quiet` where the first line is "#n"."""

    commands: list[Command]
    quiet: bool = False


def parse(parts: Sequence[str], *, extended: bool) -> Script:
    """The script of all -e and -f parts; SedError."""
    return _Parser("\n".join(parts), extended).run()


class _Parser:
    def __init__(self, text: str, extended: bool) -> None:
        self.text = text
        self.extended = extended
        self.pos = 0
        self.commands: list[Command] = []

    def error(self, words: str) -> SedError:
        """A complaint with the place."""
        return SedError(f"-e expression #1, char {max(self.pos, 0)}: {words}")

    def error_behind(self, words: str) -> SedError:
        """A complaint about the character that comes next, where there is one."""
        self.pos += 1 if self.peek() else 0
        return self.error(words)

    def peek(self) -> str:
        """The next character; empty at the end."""
        return self.text[self.pos : self.pos + 1]

    def blanks(self) -> None:
        """Skip blanks."""
        while self.peek() in (" ", "\t") and self.peek():
            self.pos += 1

    def run(self) -> Script:
        """Parse everything."""
        quiet = self.text == "#n" or self.text.startswith("#n\n")
        blocks: list[int] = []
        while True:
            while self.peek() and self.peek() in " \t\n;":
                self.pos += 1
            char = self.peek()
            if not char:
                break
            if char == "#":
                self._to_line_end()
                continue
            if len(self.commands) >= _MAX_COMMANDS:
                raise self.error("command too long")
            self._one(blocks)
        if blocks:
            self.pos = 0
            raise self.error("unmatched `{'")
        labels = {each.label: number for number, each in enumerate(self.commands) if each.name == ":"}
        for command in self.commands:
            if command.name in ("b", "t", "T"):
                if command.label and command.label not in labels:
                    raise SedError(f"can't find label for jump to `{command.label}'", 4)
                command.jump = labels[command.label] if command.label else len(self.commands)
        return Script(self.commands, quiet)

    def _to_line_end(self) -> str:
        end = self.text.find("\n", self.pos)
        end = len(self.text) if end < 0 else end
        found = self.text[self.pos : end]
        self.pos = end
        return found

    def _number(self) -> int:
        begin = self.pos
        while self.peek() and self.peek() in "0123456789":
            self.pos += 1
        return int(self.text[begin : min(self.pos, begin + 15)] or 0)

    def _address(self, second: bool = False) -> Address | None:
        char = self.peek()
        if char and char in "0123456789":
            number = self._number()
            self.blanks()
            if self.peek() == "~" and not second:
                self.pos += 1
                return Address("step", number, self._number())
            return Address("line" if number or second else "zero", number)
        if char == "$":
            self.pos += 1
            return Address("last")
        if second and char in ("+", "~") and char:
            self.pos += 1
            return Address("plus" if char == "+" else "multiple", self._number())
        if char in ("/", "\\") and char:
            self.pos += 1
            if char == "\\":
                char = self.peek()
                self.pos += 1
            source = self._delimited(char, "unterminated address regex", regex=True)
            fold = False
            while self.peek() and self.peek() in "IM":
                fold = fold or self.peek() == "I"
                self.pos += 1
            return Address("regex", regex=self._compile(source, fold))
        return None

    def _compile(self, source: str, fold: bool) -> Matcher | None:
        if not source:
            return None
        if self.extended and _NOTHING_TO_REPEAT.search(source):
            raise self.error("Invalid preceding regular expression")
        try:
            return compile_posix(source, self.extended, fold)
        except BadRegex as problem:
            raise self.error(str(problem)) from None

    def _delimited(self, mark: str, words: str, *, regex: bool) -> str:
        """Text up to an unquoted `mark`; the mark itself may be quoted, brackets of a regex hide it."""
        out: list[str] = []
        text, size = self.text, len(self.text)
        while True:
            if self.pos >= size:
                raise self.error(words)
            char = text[self.pos]
            if char == mark:
                self.pos += 1
                return "".join(out)
            if char == "\\" and self.pos + 1 < size:
                following = text[self.pos + 1]
                self.pos += 2
                if following == mark:
                    out.append(mark)
                elif following == "n" and regex:
                    out.append("\n")
                else:
                    out.append("\\" + following)
                continue
            if char == "\n" and regex:
                raise self.error(words)
            if char == "[" and regex:
                end = self._bracket_end()
                if end < 0:
                    self.pos = size
                    raise self.error(words)
                out.append(text[self.pos : end].replace("\\n", "\n").replace("\\t", "\t"))
                self.pos = end
                continue
            out.append(char)
            self.pos += 1

    def _bracket_end(self) -> int:
        """The index behind a bracket expression; -1 where it does not end."""
        text = self.text
        at = self.pos + 1
        if text[at : at + 1] == "^":
            at += 1
        if text[at : at + 1] == "]":
            at += 1
        while at < len(text):
            if text[at] == "[" and text[at + 1 : at + 2] in (":", ".", "="):
                close = text.find(text[at + 1] + "]", at + 2)
                if close > 0:
                    at = close + 2
                    continue
            if text[at] == "]":
                return at + 1
            at += 1
        return -1

    def _one(self, blocks: list[int]) -> None:
        first = self._address()
        second = None
        if first is not None:
            self.blanks()
            if self.peek() == ",":
                self.pos += 1
                self.blanks()
                second = self._address(second=True)
                if second is None:
                    raise self.error_behind("unexpected `,'")
            if first.kind == "zero" and (second is None or second.kind != "regex"):
                raise self.error_behind("invalid usage of line address 0")
        self.blanks()
        negate = False
        while self.peek() == "!":
            negate = True
            self.pos += 1
            self.blanks()
        name = self.peek()
        if not name:
            raise self.error("missing command")
        self.pos += 1
        command = Command(name, first, second, negate)
        self.commands.append(command)
        if name == "{":
            blocks.append(len(self.commands) - 1)
        elif name == "}":
            if not blocks:
                raise self.error("unexpected `}'")
            if first is not None:
                raise self.error("} doesn't want any addresses")
            self.commands[blocks.pop()].jump = len(self.commands)
            self._end()
        elif name == ":":
            if first is not None:
                raise self.error(": doesn't want any addresses")
            self.blanks()
            command.label = self._word(stop=" \t\n;")
            if not command.label:
                raise self.error('":" lacks a label')
        elif name in "btT":
            self.blanks()
            command.label = self._word(stop="\n;}").rstrip()
        elif name in "=dDgGhHnNpPxFz":
            self._end()
        elif name in "qQlL":
            if second is not None and name in "qQ":
                raise self.error("command only uses one address")
            self.blanks()
            given = self.peek() and self.peek() in "0123456789"
            command.number = self._number() if given else -1 if name in "lL" else 0
            self._end()
        elif name in "aic":
            command.text = self._text()
        elif name in "rRwW":
            self.blanks()
            command.text = self._to_line_end()
            if not command.text:
                raise self.error("missing filename in r/R/w/W commands")
        elif name == "s":
            self._substitution(command)
        elif name == "y":
            self._transliteration(command)
        elif name == "e":
            self.blanks()
            command.text = self._to_line_end()
        else:
            raise self.error(f"unknown command: `{name}'")

    def _word(self, stop: str) -> str:
        begin = self.pos
        while self.peek() and self.peek() not in stop:
            self.pos += 1
        return self.text[begin : self.pos]

    def _end(self) -> None:
        """What may follow a command."""
        self.blanks()
        char = self.peek()
        if char == "#":
            return
        if char and char not in "\n;}":
            self.pos += 1
            raise self.error("extra characters after command")

    def _text(self) -> str:
        """The text of a, i and c, one-liners of GNU included; ends in a newline."""
        self.blanks()
        if not self.peek():
            raise self.error("expected \\ after `a', `c' or `i'")
        if self.peek() == "\\":
            self.pos += 1
            line_end = self.text.find("\n", self.pos)
            if line_end >= 0 and not self.text[self.pos : line_end].strip(" \t"):
                self.pos = line_end + 1
            if not self.peek():
                return ""
        out: list[str] = []
        while (char := self.peek()) and char != "\n":
            if char == "\\" and self.pos + 1 < len(self.text):
                self.pos += 1
                char = self.peek()
                char = {"t": "\t"}.get(char, char)
            out.append(char)
            self.pos += 1
        return "".join(out) + "\n"

    def _substitution(self, command: Command) -> None:
        mark = self.peek()
        self.pos += 1
        if not mark or mark in "\n\\":
            raise self.error("unterminated `s' command")
        source = self._delimited(mark, "unterminated `s' command", regex=True)
        replacement = self._delimited(mark, "unterminated `s' command", regex=False)
        fold = False
        number_given = False
        while True:
            char = self.peek()
            if char == "g":
                if command.globally:
                    raise self.error_behind("multiple `g' options to `s' command")
                command.globally = True
            elif char == "p":
                if command.prints:
                    raise self.error_behind("multiple `p' options to `s' command")
                command.prints = True
            elif char and char in "iI":
                fold = True
            elif char and char in "mM":
                pass
            elif char == "e":
                command.evaluate = True
            elif char and char in "0123456789":
                if number_given:
                    raise self.error("multiple number options to `s' command")
                command.number = self._number()
                number_given = True
                if not command.number:
                    raise self.error("number option to `s' command may not be zero")
                continue
            elif char == "w":
                self.pos += 1
                self.blanks()
                command.text = self._to_line_end()
                if not command.text:
                    raise self.error("missing filename in r/R/w/W commands")
                break
            else:
                break
            self.pos += 1
        if command.text == "":
            self.blanks()
            char = self.peek()
            if char and char not in "\n;}#":
                self.pos += 1
                raise self.error("unknown option to `s'")
        command.regex = self._compile(source, fold)
        try:
            command.replacement = parse_replacement(replacement, command.regex)
        except BadReference as problem:
            raise self.error(f"invalid reference \\{problem} on `s' command's RHS") from None

    def _transliteration(self, command: Command) -> None:
        mark = self.peek()
        self.pos += 1
        if not mark or mark in "\n\\":
            raise self.error("unterminated `y' command")
        source = self._plain(self._delimited(mark, "unterminated `y' command", regex=False))
        target = self._plain(self._delimited(mark, "unterminated `y' command", regex=False))
        if len(source) != len(target):
            raise self.error("strings for `y' command are different lengths")
        for old, new in zip(source, target, strict=True):
            command.table.setdefault(ord(old), ord(new))
        self._end()

    @staticmethod
    def _plain(text: str) -> str:
        out, pos = [], 0
        while pos < len(text):
            char = text[pos]
            if char == "\\" and pos + 1 < len(text):
                pos += 1
                char = {"n": "\n", "t": "\t", "\\": "\\"}.get(text[pos], text[pos])
            out.append(char)
            pos += 1
        return "".join(out)
