"""The identification line: each input with sshd's recorded answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from urltrap.wire.ssh.identification import (
    MAX_LINE,
    Identified,
    Refused,
    Waiting,
    read_identification,
    read_terse,
)

INVALID = b"Invalid SSH identification string."
DIFFER = b"Protocol major versions differ."


@pytest.mark.parametrize(
    "line",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"SSH-2.0-x\n",
        b"SSH-1.99-x\r\n",
        b"SSH-2.1-x\r\n",
        b"SSH-2.0-\xff\xfe\r\n",
        b"SSH-2.0-" + b"a" * 260 + b"\r\n",
        b"SSH-2.0-Go\r\r\n",
    ],
)
def test_accepted(line: bytes) -> None:
    assert read_identification(line + b"rest") == Identified(line.rstrip(b"\r\n"), b"rest")


@pytest.mark.parametrize(
    ("data", "answer", "reset"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", INVALID, True),
        (b"\r\n\r\n", INVALID, True),
        (b"\n" * 8, INVALID, True),
        (b"SSH-1.5-x\r\n", DIFFER + b"\r\n", False),
        (b"SSH-3.0-x\r\n", DIFFER + b"\r\n", False),
        (b"SSH-1337-OpenSSH_9.0\r\n", INVALID + b"\r\n", False),
        (b"SSH-2.0-\r\n", INVALID + b"\r\n", False),
        (b"ssh-2.0-x\r\n", INVALID + b"\r\n", False),
        (b"SSH-2.0\r\n", INVALID + b"\r\n", False),
        (b"SSH-2.0-a\0b\r\n", INVALID, True),
        (b"a" * 9000, INVALID, True),
        (b"hello\r\nSSH-2.0-x\r\n", INVALID, True),
        (b"SSH-2.0-a\rb\r\n", INVALID, True),
        (b"SSH-2.0-SSH_Version_Mapper\r\n", b"", False),
    ],
)
def test_refused(data: bytes, answer: bytes, reset: bool) -> None:
    result = read_identification(data)
    assert isinstance(result, Refused)
    assert (result.answer, result.reset) == (answer, reset)


@pytest.mark.parametrize("data", [b"", b"SSH-2.0-Open", b"\r" * 8, b"a" * MAX_LINE])
def test_waits_for_more(data: bytes) -> None:
    assert read_identification(data) == Waiting()


@given(st.binary(max_size=400))
def test_no_input_breaks_it(data: bytes) -> None:
    result = read_identification(data)
    assert isinstance(result, Waiting | Identified | Refused)


@given(st.sampled_from([b"SSH-2.0-x\r\n", b"GET /\r\n", b"SSH-2.0-a\0\r\n"]), st.binary(max_size=30))
def test_a_line_is_judged_alike_however_it_arrives(line: bytes, rest: bytes) -> None:
    whole = read_identification(line + rest)
    for length in range(len(line)):
        early = read_identification(line[:length])
        if not isinstance(early, Waiting):
            assert isinstance(early, Refused) and isinstance(whole, Refused)
            return


@pytest.mark.parametrize(
    ("data", "result"),
    [
        (b"SSH-2.0-x\r\nrest", Identified(b"SSH-2.0-x", b"rest")),
        (b"SSH-2.0\n", Identified(b"SSH-2.0", b"")),
        (b"SSH-1.99-a\0b\n", Identified(b"SSH-1.99-a\0b", b"")),
        (b"SSH-2.0-half", Waiting()),
        (b"\x16\x03\x01", Waiting()),
    ],
)
def test_dropbear_looks_only_at_how_the_line_begins(data: bytes, result: object) -> None:
    assert read_terse(data) == result


@pytest.mark.parametrize(
    ("data", "reset"),
    [
        (b"SSH-02.0-x\r\n", False),
        (b"GET / HTTP/1.0\r\n\r\n", True),
        (b"SSH-2.0-" + b"x" * 300, True),
        (b"x" * 255, False),
    ],
)
def test_dropbear_ends_without_a_word(data: bytes, reset: bool) -> None:
    result = read_terse(data)
    assert isinstance(result, Refused) and (result.answer, result.reset) == (b"", reset)


@given(st.binary(max_size=400))
def test_no_input_breaks_dropbears_way(data: bytes) -> None:
    result = read_terse(data)
    assert not isinstance(result, Waiting) or len(data) < 255
