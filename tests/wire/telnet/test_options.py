"""What telnetd says and understands, as transcripts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from urltrap.wire.telnet.options import (
    BUSYBOX_GREETING,
    MAX_SUBNEGOTIATION,
    Data,
    Malformed,
    TelnetServer,
    TerminalType,
    WindowSize,
)


def started() -> TelnetServer:
    server = TelnetServer()
    server.take()
    return server


def typed(data: bytes) -> bytes:
    return b"".join(event.data for event in started().receive(data) if isinstance(event, Data))


def answer(data: bytes) -> bytes:
    server = started()
    server.receive(data)
    return server.take()


def test_it_greets_as_busybox_telnetd_does() -> None:
    assert TelnetServer().take() == BUSYBOX_GREETING == bytes.fromhex("fffd01fffd1ffffb01fffb03")


def test_every_kind_of_line_end_is_one_return() -> None:
    assert typed(b"a\r\0b\r\nc\nd\r") == b"a\rb\rc\rd\r"


def test_a_line_end_may_be_split_between_two_packets() -> None:
    server = started()
    assert server.receive(b"a\r") == [Data(b"a\r")]
    assert server.receive(b"\nb") == [Data(b"b")]


def test_a_doubled_255_is_one_character_and_output_is_doubled() -> None:
    assert typed(b"a\xff\xffb") == b"a\xffb"
    assert started().send(b"\xff") == b"\xff\xff"


@pytest.mark.parametrize("command", [b"\xff\xf3", b"\xff\xf4", b"\xff\xf6", b"\xff\xfb\x25", b"\xff\xfd\x26"])
def test_busybox_takes_no_notice_of_commands_and_options_beyond_its_own(command: bytes) -> None:
    assert answer(command) == b""
    assert typed(b"a" + command + b"b") == b"ab"


def test_agreement_to_what_was_asked_for_is_not_answered() -> None:
    assert answer(b"\xff\xfd\x01\xff\xfd\x03\xff\xfb\x1f\xff\xfb\x01\xff\xfc\x01\xff\xfe\x03") == b""


def test_the_window_size_is_read_even_where_a_byte_of_it_is_255() -> None:
    assert started().receive(b"\xff\xfa\x1f\x00\xff\xff\x00\x18\xff\xf0") == [WindowSize(255, 24)]


def test_a_terminal_type_that_is_told_unasked_is_kept() -> None:
    assert started().receive(b"\xff\xfa\x18\x00XTERM\xff\xf0") == [TerminalType(b"XTERM")]


def test_an_endless_subnegotiation_is_bounded_and_told_once() -> None:
    server = started()
    events = server.receive(b"\xff\xfa" + b"x" * 100_000)
    assert [type(event) for event in events] == [Malformed]
    assert len(server._sub) == MAX_SUBNEGOTIATION
    assert server.receive(b"\xff\xf0ls") == [Data(b"ls")]


def test_events_and_data_keep_their_order() -> None:
    events = started().receive(b"a\xff\xfa\x1f\x00\x50\x00\x18\xff\xf0b")
    assert events == [Data(b"a"), WindowSize(80, 24), Data(b"b")]


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_no_input_breaks_it_and_its_memory_is_bounded(chunks: list[bytes]) -> None:
    server = TelnetServer()
    for chunk in chunks:
        for event in server.receive(chunk):
            assert not isinstance(event, Data) or event.data
    assert len(server._sub) <= MAX_SUBNEGOTIATION


@given(st.binary(max_size=300), st.integers(1, 20))
def test_it_does_not_matter_how_the_stream_is_cut(data: bytes, size: int) -> None:
    whole, cut = started(), started()

    def plain(server: TelnetServer, pieces: list[bytes]) -> tuple[bytes, bytes]:
        events = [event for piece in pieces for event in server.receive(piece)]
        return b"".join(e.data for e in events if isinstance(e, Data)), server.take()

    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert plain(whole, [data]) == plain(cut, pieces)
