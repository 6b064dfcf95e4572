# ruff: noqa: E501 - tables and messages read best with several on a line
"""The text of a program: where it is being read, blanks, comments and documentation, quotes, here-documents, names."""

from __future__ import annotations

import bisect
import re
from typing import Any

MOST = 400_000
DEEPEST = 60
_BLANK = re.compile(r"[ \t\r\f]+")
_POD_END = re.compile(r"^=cut\b[^\n]*(?:\n|\Z)", re.MULTILINE)
IDENTIFIER = re.compile(r"(?:(?:::|')?[A-Za-z_]\w*)(?:(?:::|'(?=[A-Za-z_]))\w+)*(?:::)?")
WORD = re.compile(r"[A-Za-z_]\w*")
_TOKEN = re.compile(
    r"[$@%&*]\w+|[A-Za-z_][\w:]*|\d[\d.]*|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[<>=!*&|+-]+=?|.", re.DOTALL
)
_CLOSING = {"(": ")", "[": "]", "{": "}", "<": ">"}


class Refused(Exception):
    """The program cannot be compiled: what perl says of it, all lines."""


class Compiling:
    """What the parsers of one program share: its name in messages, complaints, the names of subs, pragmas."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.complaints: list[str] = []
        self.subs: set[str] = set()
        self.imported: set[str] = set()
        self.blocks: set[str] = set()
        self.bare: set[str] = set()
        self.uses: dict[str, int] = {}
        self.lines: dict[str, int] = {}
        self.barewords: list[tuple[str, str, int]] = []
        self.package = "main"
        self.strict_vars = self.strict_subs = self.strict_refs = False
        self.warnings = False
        self.say = False
        self.utf8 = False
        self.begin: Any = None
        self.depth = 0

    def seen(self, full: str, line: int) -> None:
        """Count how often a global name is written, for the warning of those that are written once."""
        self.uses[full] = self.uses.get(full, 0) + 1
        self.lines.setdefault(full, line)

    def complain(self, words: str) -> None:
        """An error after which compiling goes on."""
        self.complaints.append(words)
        if len(self.complaints) >= 10:
            raise Refused("".join(self.complaints) + f"{self.name} has too many errors.\n")


class Source:
    """Text with a place in it."""

    def __init__(self, text: str, shared: Compiling, line: int = 1) -> None:
        self.src = text
        self.pos = 0
        self.shared = shared
        self.first = line
        self.skips: dict[int, int] = {}
        self.ends = [at for at, char in enumerate(text) if char == "\n"] if "\n" in text else []
        self.token = self.before = 0
        self.data: int | None = None
        self.hash_at = -1
        """Where a brace makes a hash although a statement begins there."""

    def line(self, pos: int | None = None) -> int:
        """The number of the line at a place."""
        return self.first + bisect.bisect_left(self.ends, self.pos if pos is None else pos)

    # errors
    def fatal(self, words: str, line: int | None = None) -> Refused:
        """An error that ends compiling at once."""
        place = f"{words} at {self.shared.name} line {self.line() if line is None else line}.\n"
        return Refused("".join(self.shared.complaints) + place)

    def error(self) -> Refused:
        """syntax error, with the words around it."""
        self.skip()
        if self.pos >= len(self.src.rstrip()):
            self.pos = len(self.src.rstrip())
        place = f"{self.shared.name} line {self.line()}"
        before = "".join(self.shared.complaints)
        ended = (
            ""
            if self.shared.begin is False
            else f"Execution of {self.shared.name} aborted due to compilation errors.\n"
        )
        if self.pos >= len(self.src.rstrip()):
            return Refused(f"{before}syntax error at {place}, at EOF\n{ended}")
        found = _TOKEN.match(self.src, self.pos)
        end = found.end() if found else self.pos + 1
        start = self.token if 0 <= self.pos - self.token < 200 else self.pos
        start = max(start, self.src.rfind("\n", 0, self.pos) + 1)
        near = self.src[start:end].lstrip()
        before += self._misplaced(place, near, end)
        return Refused(f'{before}syntax error at {place}, near "{near}"\n{ended}')

    def _misplaced(self, place: str, near: str, end: int) -> str:
        """What perl says before of a term where an operator should be."""
        text = self.src[self.pos : end]
        kind = (
            "Number"
            if text[0].isdigit()
            else {'"': "String", "'": "String", "$": "Scalar", "@": "Array"}.get(text[0])
        )
        if kind is None or (len(text) == 1 and not text.isdigit()):
            return ""
        start = self.pos
        while start and self.src[start - 1] in " \t":
            start -= 1
        if self.src[self.token : self.token + 1] == "}":
            return ""
        if start == 0 or self.src[start - 1] == "\n":
            hint = "(Missing semicolon on previous line?)"
        else:
            hint = f"(Missing operator before {self.src[start:end]}?)"
        return f'{kind} found where operator expected at {place}, near "{near}"\n\t{hint}\n'

    def unclosed(self, inside: bool = False) -> Refused:
        """A bracket that is not closed before the end; `inside` an expression that was to come."""
        line = max(self.first, self.line(len(self.src.rstrip("\n"))))
        place = f"{self.shared.name} line {line}"
        words = [
            f"Missing right curly or square bracket at {place}, at end of line\n",
            f"syntax error at {place}, at EOF\n",
        ]
        return Refused(
            f"{''.join(self.shared.complaints)}{''.join(reversed(words) if inside else words)}Execution of {self.shared.name} aborted due to compilation errors.\n"
        )

    # blanks
    def skip(self) -> None:
        """Pass over blanks, comments, POD and the bodies of here-documents."""
        src, size = self.src, len(self.src)
        pos = self.pos
        while pos < size:
            char = src[pos]
            if char == "\n":
                pos = self.skips.get(pos, pos + 1)
                while src.startswith("=", pos) and src[pos + 1 : pos + 2].isalpha():
                    found = _POD_END.search(src, pos)
                    pos = found.end() if found else size
            elif char in " \t\r\f":
                pos = _BLANK.match(src, pos).end()  # type: ignore[union-attr]
            elif char == "#":
                end = src.find("\n", pos)
                pos = size if end < 0 else end
            else:
                break
        self.pos = pos

    def peek(self, text: str) -> bool:
        """Whether this comes next, after blanks."""
        self.skip()
        return self.src.startswith(text, self.pos)

    def char(self) -> str:
        """The next character after blanks; empty at the end."""
        self.skip()
        return self.src[self.pos : self.pos + 1]

    def take(self, text: str) -> bool:
        """Pass over this where it comes next."""
        if self.peek(text):
            self.before, self.token = self.token, self.pos
            self.pos += len(text)
            return True
        return False

    def need(self, text: str) -> None:
        """Pass over this, or it is a syntax error."""
        if not self.take(text):
            if text in "}])" and self.char() == "" and text != ")":
                raise self.unclosed()
            raise self.error()

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Pass over what the pattern matches here, after blanks."""
        self.skip()
        found = pattern.match(self.src, self.pos)
        if found is not None and found.end() > self.pos:
            self.before, self.token = self.token, self.pos
            self.pos = found.end()
        return found

    def word(self) -> str:
        """The name that comes next, not taken; empty where there is none."""
        self.skip()
        found = IDENTIFIER.match(self.src, self.pos)
        return found[0] if found else ""

    def take_word(self, *words: str) -> bool:
        """Pass over one of these words."""
        found = self.word()
        if found in words:
            self.before, self.token = self.token, self.pos
            self.pos += len(found)
            return True
        return False

    # quotes
    def delimited(self, opening: str) -> str:
        """What lies between a delimiter, whose opening is passed already, and its closing; backslashes stay."""
        closing = _CLOSING.get(opening, opening)
        src, size = self.src, len(self.src)
        at = start = self.pos
        depth = 1
        skipped = ""
        while at < size:
            char = src[at]
            if char == "\\":
                at += 2
                continue
            if char == closing:
                depth -= 1
                if depth == 0:
                    self.pos = at + 1
                    return skipped + src[start:at]
            elif char == opening:
                depth += 1
            elif char == "\n" and at in self.skips:
                skipped += src[start : at + 1]
                at = start = self.skips[at]
                continue
            at += 1
        shown = "'\"'" if closing == '"' else f'"{closing}"'
        if closing == '"':
            shown = "'\"'"
        raise self.fatal(f"Can't find string terminator {shown} anywhere before EOF", self.line(start - 1))

    def opening(self) -> str:
        """The delimiter of q, m, s and the like; blanks before it are passed over."""
        if self.src[self.pos : self.pos + 1].isspace():
            self.skip()
        char = self.src[self.pos : self.pos + 1]
        if not char:
            raise self.error()
        self.pos += 1
        return char

    def here_document(self, tag: str, indented: bool) -> str:
        """The body of a here-document whose tag was just read."""
        src = self.src
        end = src.find("\n", self.pos)
        start = len(src) if end < 0 else self.skips.get(end, end + 1)
        at = start
        lines: list[str] = []
        while at < len(src):
            stop = src.find("\n", at)
            stop = len(src) if stop < 0 else stop
            line = src[at:stop]
            at = min(stop + 1, len(src))
            if (line.strip(" \t") if indented else line) == tag:
                break
            lines.append(line + "\n")
        else:
            raise self.fatal(f'Can\'t find string terminator "{tag}" anywhere before EOF')
        self.skips[end] = at
        if indented:
            depth = min((len(each) - len(each.lstrip(" \t")) for each in lines if each.strip()), default=0)
            lines = [each[depth:] if each.strip() else "\n" for each in lines]
        return "".join(lines)


def plain(text: str, opening: str) -> str:
    """The contents of '…' and q(…): only the delimiters and the backslash can be escaped."""
    if "\\" not in text:
        return text
    closing = _CLOSING.get(opening, opening)
    out: list[str] = []
    at = 0
    while at < len(text):
        if text[at] == "\\" and text[at + 1 : at + 2] in ("\\", opening, closing) and at + 1 < len(text):
            at += 1
        out.append(text[at])
        at += 1
    return "".join(out)


def undelimited(text: str, opening: str) -> str:
    """The contents of a quote with the backslashes before its own delimiters taken off."""
    closing = _CLOSING.get(opening, opening)
    if opening in "\\/" or "\\" not in text or opening.isalnum():
        return text.replace("\\/", "/") if opening == "/" else text
    if opening in "\"'!,#~@%&=;:<" or closing != opening:
        out: list[str] = []
        at = 0
        while at < len(text):
            if text[at] == "\\" and at + 1 < len(text):
                if text[at + 1] in (opening, closing) and opening not in "{[(":
                    out.append(text[at + 1])
                else:
                    out.append(text[at : at + 2])
                at += 2
                continue
            out.append(text[at])
            at += 1
        return "".join(out)
    return text
