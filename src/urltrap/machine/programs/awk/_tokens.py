"""awk's tokens, and what is wrong with a program in the words of mawk and of BusyBox."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from urltrap.machine.programs._regex import BadRegex
from urltrap.machine.programs.awk._regex import ere, mawk_words

KEYWORDS = frozenset(
    (
        "BEGIN", "END", "function", "func", "if", "else", "while", "for", "do", "break", "continue", "next", "nextfile",
        "exit", "return", "delete", "in", "getline", "print", "printf",
    )
)  # fmt: skip
ARITIES: Mapping[str, tuple[int, int]] = {
    "length": (0, 1), "substr": (2, 3), "index": (2, 2), "split": (2, 3), "sub": (2, 3), "gsub": (2, 3),
    "match": (2, 2), "sprintf": (1, 255), "sin": (1, 1), "cos": (1, 1), "atan2": (2, 2), "exp": (1, 1), "log": (1, 1),
    "sqrt": (1, 1), "int": (1, 1), "rand": (0, 0), "srand": (0, 1), "tolower": (1, 1), "toupper": (1, 1),
    "system": (1, 1), "close": (1, 1), "fflush": (0, 1), "systime": (0, 0), "strftime": (0, 3), "mktime": (1, 1),
}  # fmt: skip
"""The functions that both know, with how many arguments they take."""
BUSYBOX_ARITIES: Mapping[str, tuple[int, int]] = {
    "gensub": (3, 4), "and": (2, 2), "or": (2, 2), "xor": (2, 2), "lshift": (2, 2), "rshift": (2, 2), "compl": (1, 1),
}  # fmt: skip
_TOKEN = re.compile(
    r"(?P<space>(?:[ \t\r]|\\\r?\n|#[^\n]*)+)|(?P<newline>\n)|"
    r"(?P<num>0[xX][0-9a-fA-F]+|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)|(?P<func>[A-Za-z_]\w*(?=\())|"
    r"(?P<name>[A-Za-z_]\w*)|(?P<str>\"(?:[^\"\\\n]|\\.|\\\n)*\")|"
    r"(?P<op>\*\*=|\*\*|\+\+|--|\+=|-=|\*=|/=|%=|\^=|==|<=|>=|!=|&&|\|\||>>|!~|[-+*/%^!<>|?:~$=,;(){}\[\]])",
    re.ASCII | re.DOTALL,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "\\": "\\", '"': '"'}
_SHOWN = 11
"""How much of a string or expression without an end mawk shows."""


class AwkError(Exception):
    """A wrong program: mawk's lines about it, and BusyBox's one."""

    def __init__(self, complaints: list[str], busybox: str) -> None:
        super().__init__("\n".join(complaints))
        self.complaints = complaints
        self.busybox = busybox


@dataclass(slots=True)
class Token:
    """One token."""

    kind: str
    text: str
    line: int


def unescape(text: str, busybox: bool) -> str:
    """Escapes of a string constant; what is none keeps its backslash in mawk and loses it in BusyBox."""

    def one(match: re.Match[str]) -> str:
        octal, hexadecimal, char = match.groups()
        if octal:
            return chr(int(octal, 8) & 255)
        if hexadecimal:
            return chr(int(hexadecimal, 16))
        if char == "\n":
            return ""
        return _ESCAPES.get(char, char if busybox else "\\" + char)

    return re.sub(r"\\(?:([0-7]{1,3})|x([0-9a-fA-F]{1,2})|(.))", one, text, flags=re.DOTALL)


def tokenize(source: str, busybox: bool) -> list[Token]:
    """Tokens, in mawk with a newline at the end; "/" begins an expression where no operand came before it. AwkError."""
    source += "" if busybox or source.endswith("\n") else "\n"
    known = {**ARITIES, **(BUSYBOX_ARITIES if busybox else {})}
    tokens: list[Token] = []
    pos, line = 0, 1
    while pos < len(source):
        if source[pos] == "/" and _regex_may_start(tokens):
            end = _regex_end(source, pos + 1)
            if end < 0:
                raise _runaway("regular expression", source[pos:], line)
            text = source[pos + 1 : end].replace("\\/", "/")
            _check_regex(text, line, busybox)
            tokens.append(Token("regex", text, line))
            pos = end + 1
            continue
        match = _TOKEN.match(source, pos)
        if match is None or (match.group().startswith("**") and not busybox):
            raise _unknown(source, pos, tokens, line)
        kind, text = match.lastgroup or "", match.group()
        if kind == "newline":
            tokens.append(Token("newline", "\n", line))
        elif kind == "str":
            tokens.append(Token("str", unescape(text[1:-1], busybox), line))
        elif kind != "space":
            if kind in ("func", "name") and text in KEYWORDS and (busybox or text != "func"):
                kind = "key"
            elif kind in ("func", "name") and text in known:
                kind = "builtin"
            tokens.append(Token(kind, text, line))
        line += text.count("\n")
        pos = match.end()
    tokens.append(Token("end", "end of file", line))
    return tokens


def missing_brace(tokens: list[Token], line: int) -> list[str]:
    """mawk's last complaint where a brace is left open."""
    depth = sum({"{": 1, "}": -1}.get(each.text, 0) for each in tokens if each.kind == "op")
    return [f"line {line}: missing }} near end of file"] if depth > 0 else []


def _unknown(source: str, pos: int, tokens: list[Token], line: int) -> AwkError:
    char = source[pos]
    last = source.count("\n") + 1
    if char == '"':
        return _runaway("string constant", source[pos:], line)
    if char == "*":
        rest = "*=" if source.startswith("**=", pos) else "*"
        return AwkError(
            [f"line {line}: syntax error at or near {rest}"], f"cmd. line:{line}: Unexpected token"
        )
    complaints = [f": {line}: unexpected character '{char}'"]
    if source.count("{", pos) >= source.count("}", pos):
        complaints += missing_brace(tokens, last)
    return AwkError(complaints, f"cmd. line:{line}: Unexpected token")


def _runaway(what: str, text: str, line: int) -> AwkError:
    shown = text.partition("\n")[0][:_SHOWN]
    return AwkError(
        [f"line {line}: runaway {what} {shown} ..."], f"cmd. line:{line}: Unexpected end of string"
    )


def _check_regex(text: str, line: int, busybox: bool) -> None:
    try:
        ere(text, busybox)
    except BadRegex as problem:
        words = f"regular expression compile failed ({mawk_words(problem)})\n{text}"
        raise AwkError([f"line {line}: {words}"], f"bad regex '{text}': {problem}") from None


def _regex_may_start(tokens: list[Token]) -> bool:
    if not tokens:
        return True
    last = tokens[-1]
    if last.kind in ("num", "str", "name", "regex", "builtin"):
        return False
    return last.text not in (")", "]", "++", "--", "$") if last.kind == "op" else last.text != "getline"


def _regex_end(source: str, pos: int) -> int:
    inside = False
    while pos < len(source) and source[pos] != "\n":
        char = source[pos]
        if char == "\\":
            pos += 2
            continue
        if char == "[" and not inside:
            inside = True
            if source[pos + 1 : pos + 2] == "^":
                pos += 1
            if source[pos + 1 : pos + 2] == "]":
                pos += 1
        elif char == "]":
            inside = False
        elif char == "/" and not inside:
            return pos
        pos += 1
    return -1
