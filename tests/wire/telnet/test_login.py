"""BusyBox' log-in dialogue, as transcripts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from urltrap.wire.telnet.login import MAX_AHEAD, MAX_FIELD, MAX_LINE, GaveUp, LoginDialogue, Tried
from urltrap.wire.telnet.options import Malformed


def test_the_name_is_echoed_and_the_password_is_not() -> None:
    dialogue = LoginDialogue("router", issue=b"Welcome\r\n")
    assert dialogue.take() == b"\r\r\nWelcome\r\nrouter login: "
    assert dialogue.receive(b"root\r") is None
    assert dialogue.take() == b"root\r\nPassword: "
    assert dialogue.receive(b"hunter2\r") == Tried(b"root", b"hunter2")
    assert dialogue.take() == b"\r\n"


def test_three_wrong_tries_end_it() -> None:
    dialogue = LoginDialogue("h")
    for number in range(3):
        dialogue.take()
        assert dialogue.receive(b"root\rx\r") == Tried(b"root", b"x")
        outcome = dialogue.refused()
        assert outcome == (GaveUp() if number == 2 else None)
    assert dialogue.take().endswith(b"Login incorrect\r\n")


def test_what_is_sent_ahead_waits_for_the_answer() -> None:
    dialogue = LoginDialogue("h")
    assert dialogue.receive(b"root\r1\rroot\r2\r") == Tried(b"root", b"1")
    assert dialogue.receive(b"uname\r") is None
    assert dialogue.refused() == Tried(b"root", b"2")
    dialogue.accepted()
    assert dialogue.rest == b"uname\r"


def test_erasing_works_and_shows_only_in_the_name() -> None:
    dialogue = LoginDialogue("h")
    dialogue.take()
    dialogue.receive(b"rooot\x7f\x7ft\r")
    assert dialogue.take() == b"rooot\b \b\b \bt\r\nPassword: "
    assert dialogue.receive(b"ab\x7fc\r") == Tried(b"root", b"ac")


def test_an_empty_name_is_asked_for_again_but_not_for_ever() -> None:
    dialogue = LoginDialogue("h")
    assert dialogue.receive(b"\r\r") is None
    assert dialogue.take().count(b"login: ") == 3
    assert dialogue.receive(b"\r" * 20) == GaveUp()


def test_an_empty_password_is_a_try() -> None:
    assert LoginDialogue("h").receive(b"root\r\r") == Tried(b"root", b"")


def test_end_of_input_gives_up_and_an_interrupt_drops_the_line() -> None:
    assert LoginDialogue("h").receive(b"\x04") == GaveUp()
    dialogue = LoginDialogue("h")
    dialogue.take()
    assert dialogue.receive(b"ro\x03root\rx\r") == Tried(b"root", b"x")
    assert dialogue.take() == b"ro^Croot\r\nPassword: \r\n"


def test_the_time_out_names_its_seconds() -> None:
    dialogue = LoginDialogue("h")
    dialogue.take()
    dialogue.timed_out(60)
    assert dialogue.take() == b"\r\nLogin timed out after 60 seconds\r\n"


def test_a_long_name_is_cut() -> None:
    outcome = LoginDialogue("h").receive(b"a" * MAX_LINE + b"\rx\r")
    assert outcome == Tried(b"a" * MAX_FIELD, b"x")


@pytest.mark.parametrize("before", [b"", b"root\r"])
def test_a_line_without_end_is_malformed_whether_name_or_password(before: bytes) -> None:
    dialogue = LoginDialogue("h")
    assert dialogue.receive(before + b"a" * MAX_LINE) is None
    outcome = dialogue.receive(b"a" * 1_000_000)
    assert outcome == Malformed("line without end at log-in", b"a" * MAX_FIELD)
    assert len(dialogue.take()) < 2 * MAX_FIELD


def test_what_waits_for_an_answer_is_counted_and_kept() -> None:
    dialogue = LoginDialogue("h")
    dialogue.receive(b"root\rx\r" + b"y" * MAX_AHEAD)
    assert dialogue.backlog == len(dialogue.rest) == MAX_AHEAD


@given(st.lists(st.binary(max_size=300), max_size=10))
def test_no_input_breaks_it_and_its_memory_is_bounded(chunks: list[bytes]) -> None:
    dialogue = LoginDialogue("h")
    for chunk in chunks:
        if isinstance(dialogue.receive(chunk), Tried):
            dialogue.refused()
        assert len(dialogue.take()) <= 4 * len(chunk) + 2000
    assert dialogue.backlog <= sum(map(len, chunks))
