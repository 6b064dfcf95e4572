"""Lines from the keys that somebody presses."""

import pytest

from urltrap.sandbox.typed import TypedLines


@pytest.mark.parametrize(
    ("keys", "lines"),
    [
        (b"id\r", [b"id"]),
        (b"id\nuname -a\n", [b"id", b"uname -a"]),
        (b"lx\x7fs\r", [b"ls"]),
        (b"wrong\x15right\r", [b"right"]),
        (b"rm a bb\x17c\r", [b"rm a c"]),
        (b"sleep 9\x03id\r", [b"id"]),
        (b"\x1b[A\x1b[1;5Did\x1bOP\r", [b"id"]),
        (b"\r \r", []),
        (b"unfinished", []),
        (b"caf\xc3\xa9\r", [b"caf\xc3\xa9"]),
    ],
)
def test_a_line_is_what_a_line_editor_makes_of_the_keys(keys: bytes, lines: list[bytes]) -> None:
    assert TypedLines(100).feed(keys) == lines
    slowly = TypedLines(100)
    assert [line for key in keys for line in slowly.feed(bytes([key]))] == lines


def test_a_line_without_an_end_does_not_grow() -> None:
    typed = TypedLines(10)
    typed.feed(b"x" * 1000)
    assert typed.feed(b"\r") == [b"x" * 10]
