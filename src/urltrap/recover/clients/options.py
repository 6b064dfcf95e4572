"""Reading command lines as the programs' own option parsers do, only more forgiving: attackers mistype."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence


def options(
    arguments: Sequence[bytes], short: bytes, long: Collection[bytes]
) -> Iterator[tuple[bytes, bytes]]:
    """(option name without dashes, value) in order; operands have the name b"".

    `short`: letters of the options with a value; `long`: names of those with a value as the next argument.
    """
    index = 0
    operands_only = False
    count = len(arguments)
    while index < count:
        text = arguments[index]
        index += 1
        if operands_only or text[:1] != b"-" or text == b"-":
            yield b"", text
        elif text == b"--":
            operands_only = True
        elif text[:2] == b"--":
            name, has_value, value = text[2:].partition(b"=")
            if not has_value and name in long and index < count:
                value = arguments[index]
                index += 1
            yield name, value
        else:
            for place in range(1, len(text)):
                letter = text[place : place + 1]
                if letter not in short:
                    yield letter, b""
                    continue
                if place + 1 < len(text):
                    yield letter, text[place + 1 :]
                elif index < count:
                    yield letter, arguments[index]
                    index += 1
                break


def basename(word: bytes) -> bytes:
    """The last part of a path."""
    return word.rpartition(b"/")[2]


def text_of(data: bytes) -> str:
    """Bytes as the text that a file name or client is shown as."""
    return data.decode("utf-8", "surrogateescape")
