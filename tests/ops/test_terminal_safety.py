from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from urltrap.ops.cli.common import visible
from urltrap.ops.cli.replay import play, safe_screen


@pytest.mark.parametrize(
    ("attack", "shown"),
    [
        (b"plain text", "plain text"),
        ("käse ✓".encode(), "käse ✓"),
        (b"\x1b]0;title\x07x", "\\x1b]0;title\\x07x"),
        (b"a\x00b\x7f", "a\\x00b\\x7f"),
        ("x\u202egpj.exe".encode(), "x\\u202egpj.exe"),
        (b"\xff\xfe", "\\xff\\xfe"),
        ("zero\u200bwidth".encode(), "zero\\u200bwidth"),
        ("tab\tline\n", "tab\\tline\\n"),
    ],
)
def test_what_could_harm_a_terminal_is_shown_as_an_escape(attack: bytes | str, shown: str) -> None:
    assert visible(attack) == shown


@given(st.binary(max_size=300))
def test_nothing_unprintable_ever_reaches_a_table(data: bytes) -> None:
    assert visible(data).isprintable()


@pytest.mark.parametrize(
    ("recorded", "played"),
    [
        (b"\x1b[1;31mred\x1b[0m\r\n", "\x1b[1;31mred\x1b[0m\r\n"),
        (b"\x1b[2J\x1b[10;5Hhere", "\x1b[2J\x1b[10;5Hhere"),
        (b"\x1b]52;c;aGFoYQ==\x07copied", "copied"),
        (b"\x1b]0;title\x1b\\x", "x"),
        (b"\x1bP$q\x1b\\x", "x"),
        (b"ask\x1b[6n\x1b[c\x1b[21t", "ask"),
        (b"\x1b[?1049h\x1b[?2004hx", "x"),
        (b"\x1b[5ix", "x"),
        (b"\x1bcx\x07", "x"),
        ("\u009b6nx".encode(), "6nx"),
        (b"\x1b]0;never ended", ""),
    ],
)
def test_a_replay_draws_and_does_nothing_else(recorded: bytes, played: str) -> None:
    assert safe_screen(recorded) == played


@given(st.binary(max_size=300))
def test_no_operating_system_command_survives(data: bytes) -> None:
    played = safe_screen(data)
    assert "\x1b]" not in played and "\x1bP" not in played and "\x9b" not in played


def test_a_replay_keeps_its_pace_and_cuts_long_pauses() -> None:
    slept: list[float] = []
    written: list[str] = []
    frames = [(0, "o", b"a"), (500, "i", b"typed"), (1000, "o", b"b"), (61_000, "o", b"c")]
    play(frames, 2.0, 3.0, slept.append, written.append)
    assert (written, slept) == (["a", "b", "c"], [0.5, 3.0])
