"""A shell text as simple commands of words, quotes removed, in one pass and linear time.

This is no shell: nothing is expanded. It is the fallback that works on any bytes, also where a shell would give up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    rb"""
      (?P<blank>   [ \t\r\v\f]++ )
    | (?P<comment> \#[^\n]*+ )
    | (?P<end>     [;&|()\n\x00`]++ | \$\( )
    | (?P<arrow>   [<>]++ )
    | (?P<single>  '[^']*+'? )
    | (?P<double>  "[^"\\]*+(?:\\.[^"\\]*+)*+"? )
    | (?P<escape>  \\. | \\\Z )
    | (?P<braced>  \$\{[^}\n]*+\}? )
    | (?P<plain>   [^ \t\r\v\f;&|()\n\x00`<>'"\\$\#]++ | \$ | \# )
    """,
    re.VERBOSE | re.DOTALL,
)
_SUBSTITUTION = re.compile(rb"\$\(|`")


@dataclass(slots=True)
class Word:
    """One word: `text` without its quotes, raw `start` and `end` in the text.

    `plain`: text and raw bytes are the same, so that offsets within the word are offsets in the text.
    `expands`: it holds a `$` that a shell would replace. `target`: it is the file of a redirection.
    """

    text: bytes
    start: int
    end: int
    plain: bool
    expands: bool
    target: bool


@dataclass(slots=True)
class Command:
    """The words between two separators."""

    words: list[Word]


class _Pending:
    __slots__ = ("expands", "parts", "plain", "start", "target")

    def __init__(self, start: int, target: bool) -> None:
        self.start = start
        self.parts: list[bytes] = []
        self.plain = True
        self.expands = False
        self.target = target


def commands(text: bytes) -> Iterator[Command]:
    """The simple commands of a text, in order; command substitutions are commands of their own."""
    words: list[Word] = []
    pending: _Pending | None = None
    target = False
    nested: list[bytes] = []
    place = 0
    size = len(text)

    def finish(end: int) -> None:
        nonlocal pending, target
        if pending is not None:
            words.append(
                Word(
                    b"".join(pending.parts),
                    pending.start,
                    end,
                    pending.plain,
                    pending.expands,
                    pending.target,
                )
            )
            pending, target = None, False

    while place < size:
        match = _TOKEN.match(text, place)
        if match is None:  # no byte is left out above, so that this cannot be; going on is safer than ending
            place += 1
            continue
        kind, piece, start, place = match.lastgroup, match[0], match.start(), match.end()
        if kind == "comment" and pending is not None:
            kind, piece, place = "plain", b"#", start + 1
        if kind == "blank" or kind == "comment":
            finish(start)
        elif kind == "end":
            if pending is not None and (piece == b"$(" or piece[:1] == b"`"):
                pending.expands = True
            finish(start)
            target = False
            if words:
                yield Command(words)
                words = []
        elif kind == "arrow":
            finish(start)
            target = True
        else:
            if pending is None:
                pending = _Pending(start, target)
            if kind == "single":
                pending.parts.append(piece[1:-1] if len(piece) > 1 and piece.endswith(b"'") else piece[1:])
                pending.plain = False
            elif kind == "double":
                body = piece[1:-1] if len(piece) > 1 and piece.endswith(b'"') else piece[1:]
                pending.parts.append(body)
                pending.plain = False
                pending.expands = pending.expands or b"$" in body
                if _SUBSTITUTION.search(body):
                    nested.append(body)
            elif kind == "escape":
                pending.parts.append(b"" if piece[1:] == b"\n" else piece[1:])
                pending.plain = False
            else:
                pending.parts.append(piece)
                pending.expands = pending.expands or piece.startswith(b"$")
    finish(size)
    if words:
        yield Command(words)
    # What stands in double quotes is run too where it is substituted: `echo "$(wget …)"`.
    for body in nested:
        found = _SUBSTITUTION.search(body)
        if found:
            for command in commands(body[found.end() :].replace(b'\\"', b'"')):
                for word in command.words:
                    word.start = word.end = -1
                yield command
